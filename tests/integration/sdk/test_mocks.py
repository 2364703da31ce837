"""Users' own mocks of httpx see what keito sends."""

import asyncio
from typing import Any

import httpx
import pytest
import respx
from pytest_httpx import HTTPXMock

from keito import AsyncKeito, Keito, KeitoConnectionError, KeitoServerError, KeitoTimeoutError

URL = "https://app.keito.io/api/v2"
GIVEN = {"api_key": "kto_key", "account_id": "acc_1"}


def test_respx() -> None:
    with respx.mock(base_url=URL) as mock:
        route = mock.post("/time_entries").respond(200, json={"id": "te_1", "hours": 1.5})
        client = Keito(**GIVEN)  # type: ignore[arg-type]
        entry = client.time_entries.create(project_id="p", task_id="t", spent_date="2026-03-05", hours=1.5)
        assert (entry.id, entry.hours) == ("te_1", 1.5)
        assert route.calls.last.request.headers["Authorization"] == "Bearer kto_key"
        assert b'"hours":1.5' in route.calls.last.request.content


def test_respx_errors_and_retries(waits: "list[float]") -> None:
    with respx.mock(base_url=URL) as mock:
        me = mock.get("/users/me")
        me.side_effect = [httpx.Response(503), httpx.ConnectError, httpx.Response(200, json={"id": "u"})]
        assert Keito(**GIVEN).users.me().id == "u"  # type: ignore[arg-type]
        assert len(waits) == 2
        mock.post("/clients").mock(side_effect=httpx.ReadTimeout)
        with pytest.raises(KeitoTimeoutError):
            Keito(**GIVEN).clients.create(name="n")  # type: ignore[arg-type]
        mock.delete("/time_entries/te_1").mock(side_effect=httpx.ReadError)
        with pytest.raises(KeitoConnectionError):
            Keito(**GIVEN).time_entries.delete("te_1")  # type: ignore[arg-type]


@pytest.mark.respx(base_url=URL)
def test_the_respx_fixture(respx_mock: respx.MockRouter) -> None:
    listed = {"tasks": [{"id": "a"}], "total_pages": 1}
    route = respx_mock.get("/tasks", params={"page": "1", "per_page": "100"}).respond(200, json=listed)
    assert [task.id for task in Keito(**GIVEN).tasks.list()] == ["a"]  # type: ignore[arg-type]
    assert route.called


@pytest.mark.anyio
@pytest.mark.usefixtures("without_aiohttp")
async def test_respx_async() -> None:
    async with respx.mock(base_url=URL) as mock, AsyncKeito(**GIVEN) as client:  # type: ignore[arg-type]
        mock.get("/users/me").respond(200, json={"id": "u"})
        assert (await client.users.me()).id == "u"


def test_pytest_httpx(httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(method="POST", url=f"{URL}/expenses", json={"id": "ex_1"})
    client = Keito(**GIVEN)  # type: ignore[arg-type]
    expense = client.expenses.create(project_id="p", expense_category_id="c", spent_date="2026-03-05", total_cost=1)
    assert expense.id == "ex_1"
    (request,) = httpx_mock.get_requests()
    assert request.headers["Keito-Account-Id"] == "acc_1"
    httpx_mock.add_exception(httpx.ConnectError("down"))
    with pytest.raises(KeitoConnectionError, match="down"):
        client.users.me(request_options={"max_retries": 0})
    httpx_mock.add_response(status_code=500, html="<html>")
    with pytest.raises(KeitoServerError):
        client.users.me(request_options={"max_retries": 0})


@pytest.mark.anyio
@pytest.mark.usefixtures("without_aiohttp")
async def test_pytest_httpx_async(httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(url=f"{URL}/users/me", json={"id": "u"})
    async with AsyncKeito(**GIVEN) as client:  # type: ignore[arg-type]
        assert (await client.users.me()).id == "u"


# With aiohttp installed AsyncKeito does not send through httpx's transports; a client of one's own is the way.
@pytest.mark.anyio
async def test_mocks_of_an_own_async_client(httpx_mock: HTTPXMock) -> None:
    httpx_mock.add_response(url=f"{URL}/users/me", json={"id": "u"})
    async with httpx.AsyncClient() as http:
        client = AsyncKeito(**GIVEN, httpx_client=http)  # type: ignore[arg-type]
        assert (await client.users.me()).id == "u"


def test_a_mock_transport() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"id": request.url.path.rsplit("/", 1)[-1]})

    async def ask() -> str:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            return (await AsyncKeito(**GIVEN, httpx_client=http).clients.get("cli_1")).id  # type: ignore[arg-type]

    assert asyncio.run(ask()) == "cli_1"


def test_autospec_sees_the_signatures() -> None:
    from unittest.mock import create_autospec

    client: Any = create_autospec(Keito(**GIVEN), instance=True)  # type: ignore[arg-type]
    client.users.me.return_value.id = "u"
    assert client.users.me().id == "u"
    with pytest.raises(TypeError):
        client.time_entries.create(projekt_id="p")
