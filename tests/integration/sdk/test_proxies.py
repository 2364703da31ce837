"""Proxies that the environment names, as httpx.Client obeys them."""

from typing import Any

import pytest

from keito import KeitoConnectionError

USER = b'{"id": "through the proxy"}'


@pytest.fixture
def proxy(server: Any, acts: Any) -> Any:
    server.acts(acts.answer(USER))
    return server


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_requests_go_through_the_proxy(
    connect: Any, proxy: Any, variable: str, monkeypatch: pytest.MonkeyPatch, refusing: str
) -> None:
    monkeypatch.setenv(variable, proxy.url)
    assert connect(f"{refusing}/prefix").users.me().id == "through the proxy"
    assert proxy.requests[0].startswith(f"GET {refusing}/prefix/api/v2/users/me HTTP/1.1\r\n".encode())


def test_a_proxy_without_a_scheme(connect: Any, proxy: Any, monkeypatch: pytest.MonkeyPatch, refusing: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url[len("http://") :])
    assert connect(refusing).users.me().id == "through the proxy"


def test_the_name_and_password_of_a_proxy(
    connect: Any, proxy: Any, monkeypatch: pytest.MonkeyPatch, refusing: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("http://", "http://ada:s3cret@"))
    connect(refusing).users.me()
    head = proxy.requests[0].lower()
    assert b"\r\nproxy-authorization: basic ywrhonmzy3jlda==\r\n" in head
    assert b"\r\nauthorization: bearer kto_sandbox\r\n" in head
    assert head.count(b"authorization:") == 2


def test_the_password_opens_a_tunnel(connect: Any, server: Any, acts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server.acts(acts.answer(b"", 407))
    monkeypatch.setenv("HTTPS_PROXY", server.url.replace("http://", "http://ada:s3cret@"))
    with pytest.raises(KeitoConnectionError):
        connect("https://keito.invalid", max_retries=0).users.me()
    assert b"proxy-authorization: basic ywrhonmzy3jlda==" in server.requests[0].lower()
    assert b"kto_sandbox" not in server.requests[0]


@pytest.mark.parametrize("exception", ["127.0.0.1", "*", "example.com,127.0.0.1"])
def test_no_proxy(
    connect: Any, proxy: Any, exception: str, monkeypatch: pytest.MonkeyPatch, keito_sandbox: Any
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", exception)
    assert connect().users.me().id == "usr_agent"
    assert proxy.requests == []


def test_the_proxy_of_another_scheme(connect: Any, proxy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    assert connect().users.me().id == "usr_agent"
    assert proxy.requests == []


def test_https_goes_through_a_tunnel(connect: Any, server: Any, acts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server.acts(acts.answer(b"", 403))
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    with pytest.raises(KeitoConnectionError) as caught:
        connect("https://keito.invalid", max_retries=0).users.me()
    assert not caught.value.sent
    assert server.requests[0].startswith(b"CONNECT keito.invalid:443 HTTP/1.1\r\n")
    assert b"kto_sandbox" not in server.requests[0], "the key is for the API, not for the proxy"


def test_a_proxy_that_is_down(connect: Any, refusing: str, monkeypatch: pytest.MonkeyPatch, waits: Any) -> None:
    monkeypatch.setenv("HTTP_PROXY", refusing)
    with pytest.raises(KeitoConnectionError) as caught:
        connect().time_entries.create(project_id="p", task_id="t", spent_date="2026-03-05")
    assert not caught.value.sent
    assert len(waits) == 2
