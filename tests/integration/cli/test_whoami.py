"""`python -m keito whoami`."""

from __future__ import annotations

import pytest


def test_says_whose_key_it_is(shell, sandbox) -> None:
    said = shell("whoami")
    assert said.status == 0
    lines = [line.split(maxsplit=1) for line in said.out.splitlines()]
    assert ["User", "Support Agent (usr_agent)"] in lines
    assert ["Account", "Keito Sandbox (acc_sandbox)"] in lines
    assert ["Server", sandbox.url] in lines


def test_gives_json_to_programs(shell, sandbox) -> None:
    assert shell("whoami", "--json").json == {
        "id": "usr_agent",
        "name": "Support Agent",
        "email": "support-agent@agents.keito.example",
        "user_type": "agent",
        "roles": ["administrator", "manager", "member"],
        "account": {
            "id": "acc_sandbox",
            "name": "Keito Sandbox",
            "currency": "USD",
            "timezone": "UTC",
            "time_rounding": "none",
        },
        "server": sandbox.url,
    }


def test_a_key_that_is_not_told_its_account_shows_the_one_of_the_request(shell, sandbox, monkeypatch) -> None:
    monkeypatch.setenv("KEITO_API_KEY", sandbox.sync_key)
    about = shell("whoami", "--json").json
    assert (about["account"]["id"], about["account"]["name"], about["user_type"]) == ("acc_sandbox", None, None)


@pytest.mark.parametrize(
    ("variable", "value", "sentence", "advice"),
    [
        ("KEITO_API_KEY", "", "no api_key: pass api_key=... or set KEITO_API_KEY", ""),
        ("KEITO_ACCOUNT_ID", "", "no account_id: pass account_id=... or set KEITO_ACCOUNT_ID", ""),
        ("KEITO_API_KEY", "kto_wrong", "401 unauthorized: Invalid API key", "set KEITO_API_KEY to a key that is valid"),
        ("KEITO_ACCOUNT_ID", "acc_other", "403 forbidden", "check that KEITO_ACCOUNT_ID is the key's own account"),
        (
            "KEITO_BASE_URL",
            "http://127.0.0.1:9",
            "no connection to 127.0.0.1:9",
            "check the network, and KEITO_BASE_URL",
        ),
        ("KEITO_BASE_URL", "ftp://keito", "must be an http or https URL", ""),
    ],
)
def test_what_is_wrong_is_one_sentence_and_what_to_do(
    shell, sandbox, monkeypatch, variable: str, value: str, sentence: str, advice: str
) -> None:
    monkeypatch.setenv(variable, value)
    said = shell("whoami")
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith("keito: ")
    assert sentence in said.err.splitlines()[0]
    assert advice in said.err


def test_an_address_that_is_no_keito_is_said(shell, sandbox, monkeypatch) -> None:
    monkeypatch.setenv("KEITO_BASE_URL", f"{sandbox.url}/elsewhere")
    said = shell("whoami")
    assert (said.status, said.out) == (1, "")
    assert "check that KEITO_BASE_URL is the address of a Keito server" in said.err
