"""What the server may add, leave out or rename, and what it does on trio."""

from typing import Any

import pytest

from keito import AsyncKeito
from keito.types import InvoiceState, Source, UserType


def test_unknown_fields_are_kept(client: Any, keito_sandbox: Any) -> None:
    body = {
        "id": "u_1",
        "membership_role": "owner",
        "company": {"id": "c", "currency": "EUR"},
        "capabilities": {"a": 1},
    }
    keito_sandbox.faults.add("status", status=200, body=body)
    me = client.users.me()
    assert me.membership_role == "owner"
    assert me.model_extra == {"membership_role": "owner", "capabilities": {"a": 1}}
    assert me.company.currency == "EUR"
    assert me.model_dump(exclude_unset=True) == body


LEAST: Any = {
    "time entry": (lambda client: client.time_entries.update("x"), {"id": "x"}),
    "expense": (
        lambda client: client.expenses.create(
            project_id="p", expense_category_id="c", spent_date="2026-03-05", total_cost=1
        ),
        {"id": "x"},
    ),
    "project": (lambda client: client.projects.create(client_id="c", name="n"), {"id": "x"}),
    "client": (lambda client: client.clients.get("x"), {"id": "x"}),
    "contact": (lambda client: client.contacts.create(client_id="c", first_name="A"), {"id": "x"}),
    "user": (lambda client: client.users.me(), {"id": "x"}),
    "invoice": (lambda client: client.invoices.get("x"), {"id": "x", "line_items": [{}]}),
    "message": (lambda client: client.invoices.messages.create("x", recipients=[]), {"id": "x"}),
    "task": (lambda client: next(client.tasks.list()), {"tasks": [{"id": "x"}]}),
    "report": (
        lambda client: next(client.reports.team_time("2026-03-01", "2026-03-31")),
        {"results": [{"user_id": "x"}]},
    ),
}


@pytest.mark.parametrize("name", LEAST)
def test_only_ids_are_certain(client: Any, keito_sandbox: Any, name: str) -> None:
    call, body = LEAST[name]
    keito_sandbox.faults.add("status", status=200, body=body)
    record = call(client)
    given = record.model_dump(exclude_unset=True)
    assert "x" in given.values()
    assert {value for key, value in record if key not in given} == {None}


@pytest.mark.parametrize("name", LEAST)
def test_null_stands_for_a_missing_value(client: Any, keito_sandbox: Any, name: str) -> None:
    call, least = LEAST[name]
    keito_sandbox.faults.add("status", status=200, body=least)
    record = call(client)
    nulls = {key: None for key in type(record).model_fields if key not in ("id", "user_id")}
    own = {**nulls, ("user_id" if name == "report" else "id"): "x"}
    if name in ("time entry", "expense"):
        own["user_id"] = None
    (key,) = [key for key in least if isinstance(least[key], list) and key != "line_items"] or [None]
    keito_sandbox.faults.add("status", status=200, body={key: [own]} if key else own)
    assert {value for _, value in call(client)} <= {"x", None}


def test_unknown_values_of_enums(client: Any, keito_sandbox: Any) -> None:
    keito_sandbox.faults.add("status", path="users/*", status=200, body={"id": "u", "user_type": "robot"})
    me = client.users.me()
    assert isinstance(me.user_type, UserType)
    assert (me.user_type.value, me.user_type) == ("robot", "robot")
    assert me.user_type != UserType.AGENT
    body = {"id": "te", "source": "watch"}
    keito_sandbox.faults.add("status", status=200, body={"time_entries": [body], "total_pages": 1})
    (entry,) = client.time_entries.list()
    assert entry.source == Source("watch")
    assert entry.model_dump(mode="json", exclude_unset=True) == body
    keito_sandbox.faults.add("status", status=200, body={"id": "in", "state": "archived", "payment_term": "net_90"})
    invoice = client.invoices.get("in")
    assert invoice.state.value == "archived"
    assert invoice.state not in list(InvoiceState)
    assert invoice.model_dump_json(include={"state", "payment_term"}) == '{"state":"archived","payment_term":"net_90"}'


def test_answers_are_frozen_hashable_by_value_and_copyable(client: Any) -> None:
    import copy
    import pickle

    me = client.users.me()
    assert me == client.users.me()
    assert copy.deepcopy(me) == pickle.loads(pickle.dumps(me)) == me
    with pytest.raises(ValueError, match="frozen"):
        me.email = "other@example.com"


def test_on_trio(keito_sandbox: Any, waits: "list[float]") -> None:
    trio = pytest.importorskip("trio")
    given = {"api_key": keito_sandbox.api_key, "account_id": keito_sandbox.account_id, "base_url": keito_sandbox.url}

    async def use(client: AsyncKeito) -> None:
        await client.projects.create(client_id="cli_acme", name="n")
        keito_sandbox.faults.add("drop_before")
        assert len([project async for project in client.projects.list(per_page=1, prefetch=3)]) > 1

    async def main() -> None:
        async with AsyncKeito(**given) as client:
            await use(client)

    trio.run(main)
    client = AsyncKeito(**given)
    for _ in range(3):
        trio.run(use, client)
    assert len(waits) == 4
