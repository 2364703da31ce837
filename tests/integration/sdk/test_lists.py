"""Lists: pages, totals, pages that are fetched ahead, and lists that are not read to their end."""

import asyncio
import gc
import json
import threading
import time
from typing import Any

import pytest

from keito import AsyncKeito, Keito, KeitoApiError, KeitoServerError, KeitoValidationError

FIELDS = {"project_id": "proj_support", "task_id": "task_tickets", "spent_date": "2026-03-05"}


@pytest.fixture
def entries(keito_sandbox: Any) -> "list[str]":
    """The ids of 25 entries, in the order in which the API lists them."""
    ids = [f"te_{number:02}" for number in range(25)]
    keito_sandbox.seed(entries=[{**FIELDS, "id": id, "hours": 1} for id in reversed(ids)])
    return ids


def page_numbers(keito_sandbox: Any) -> "list[int]":
    return [int(request["query"]["page"]) for request in keito_sandbox.requests("GET")]


@pytest.mark.parametrize("per_page", [1, 7, 24, 25, 26, 2000])
@pytest.mark.parametrize("prefetch", [0, 1, 3, 64])
def test_every_entry_once_and_in_order(
    client: Any, keito_sandbox: Any, entries: "list[str]", per_page: int, prefetch: int
) -> None:
    assert [entry.id for entry in client.time_entries.list(per_page=per_page, prefetch=prefetch)] == entries
    pages = -(-25 // per_page)
    assert sorted(page_numbers(keito_sandbox)) == list(range(1, pages + 1)), "no page twice, none beyond the last"


def test_nothing_is_sent_before_the_first_item_is_asked_for(client: Any, keito_sandbox: Any) -> None:
    client.time_entries.list(prefetch=3)
    assert keito_sandbox.requests() == []


def test_totals_are_known_after_the_first_page(client: Any, entries: "list[str]") -> None:
    listing = client.time_entries.list(per_page=10)
    unknown = (None, None, None, None, [])
    assert (
        listing.total_entries,
        listing.total_pages,
        listing.page,
        listing.per_page,
        listing.items,
    ) == unknown
    assert next(listing).id == "te_00"
    assert (listing.total_entries, listing.total_pages, listing.page, listing.per_page) == (25, 3, 1, 10)
    assert [entry.id for entry in listing.items] == entries[:10]
    assert [entry.id for entry in listing] == entries[1:]
    assert (listing.page, len(listing.items)) == (3, 5)
    with pytest.raises(StopIteration):
        next(listing)


def test_a_list_is_read_only_as_far_as_it_is_used(client: Any, keito_sandbox: Any, entries: "list[str]") -> None:
    listing = client.time_entries.list(per_page=5)
    for _ in range(6):
        next(listing)
    assert page_numbers(keito_sandbox) == [1, 2]


def test_page_starts_there(client: Any, keito_sandbox: Any, entries: "list[str]") -> None:
    listing = client.time_entries.list(page=2, per_page=10)
    assert [entry.id for entry in listing] == entries[10:]
    assert page_numbers(keito_sandbox) == [2, 3]
    assert listing.total_entries == 25


def test_page_beyond_the_last(client: Any, keito_sandbox: Any, entries: "list[str]") -> None:
    assert list(client.time_entries.list(page=9, per_page=10)) == []
    assert page_numbers(keito_sandbox) == [9]


def test_an_empty_list(client: Any, keito_sandbox: Any) -> None:
    listing = client.time_entries.list(prefetch=4)
    assert list(listing) == []
    assert (listing.total_entries, listing.total_pages, listing.page) == (0, 0, 1)
    assert list(listing) == []
    assert page_numbers(keito_sandbox) == [1]


def test_pages(client: Any, keito_sandbox: Any, entries: "list[str]") -> None:
    pages = list(client.time_entries.list(per_page=10).pages())
    assert [page.page for page in pages] == [1, 2, 3]
    assert [entry.id for page in pages for entry in page.items] == entries
    assert pages[0].links.next
    assert pages[2].links.next is None
    assert page_numbers(keito_sandbox) == [1, 2, 3]


def test_pages_ahead(client: Any, entries: "list[str]") -> None:
    pages = client.time_entries.list(per_page=4, prefetch=3).pages()
    assert [entry.id for page in pages for entry in page.items] == entries


def test_filters_go_with_every_page(client: Any, keito_sandbox: Any, entries: "list[str]") -> None:
    list(client.time_entries.list(project_id="proj_support", from_date="2026-03-01", per_page=10, prefetch=2))
    for request in keito_sandbox.requests():
        assert request["query"]["project_id"] == "proj_support"
        assert request["query"]["from"] == "2026-03-01"
        assert request["query"]["per_page"] == "10"


def test_options_go_with_every_page(client: Any, keito_sandbox: Any, entries: "list[str]") -> None:
    options = {"additional_headers": {"X-Trace": "t"}}
    list(client.time_entries.list(per_page=10, request_options=options))
    assert [request["headers"]["x-trace"] for request in keito_sandbox.requests()] == ["t"] * 3


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_error_in_the_middle_can_be_overcome(
    connect: Any, keito_sandbox: Any, entries: "list[str]", prefetch: int
) -> None:
    client = connect(max_retries=0)
    listing = client.time_entries.list(per_page=5, prefetch=prefetch)
    read = [next(listing).id for _ in range(5)]
    keito_sandbox.faults.add("status", status=500, times=3)
    failures = 0
    while len(read) < 25:
        try:
            read.append(next(listing).id)
        except KeitoServerError:  # noqa: PERF203
            failures += 1
            assert failures < 10
    assert read == entries
    assert failures >= (1 if prefetch else 3)


def test_a_broken_page_ahead_is_asked_for_again(connect: Any, keito_sandbox: Any, entries: "list[str]") -> None:
    client = connect(max_retries=0)
    listing = client.time_entries.list(per_page=5, prefetch=4)
    keito_sandbox.faults.add("status", status=200, body={"time_entries": "none"}, times=1)
    with pytest.raises(KeitoApiError):
        next(listing)
    assert [entry.id for entry in listing] == entries


def test_a_server_that_ignores_page_does_not_hold_the_client(connect: Any, server: Any, acts: Any) -> None:
    page = {"per_page": 2, "page": 1, "total_pages": 3, "total_entries": 5}
    body = json.dumps({"time_entries": [{"id": "a"}, {"id": "b"}], **page}).encode()
    server.acts(acts.answer(body))
    list(connect(server.url).time_entries.list(per_page=2))
    assert len(server.requests) <= 3
    del page["total_pages"]
    body = json.dumps({"time_entries": [{"id": "a"}, {"id": "b"}], "links": {"next": "/next"}, **page}).encode()
    server.acts(acts.answer(body))
    server.requests.clear()
    list(connect(server.url).time_entries.list(per_page=2))
    assert len(server.requests) <= 3


@pytest.mark.parametrize("links", [None, {"next": "/api/v2/time_entries?page=2"}])
def test_a_list_without_totals(connect: Any, server: Any, acts: Any, links: Any) -> None:
    body = json.dumps({"time_entries": [{"id": "a"}], "links": links}).encode()
    last = json.dumps({"time_entries": [], "links": links}).encode()
    server.acts(acts.answer(body), acts.answer(body), acts.answer(last))
    listing = connect(server.url).time_entries.list(prefetch=4)
    assert [entry.id for entry in listing] == (["a", "a"] if links else ["a"])
    assert (listing.total_entries, listing.total_pages) == (None, None)


# ---- fetching ahead, in detail ----


@pytest.mark.parametrize("prefetch", [1, 2, 5])
def test_at_most_so_many_pages_ahead(
    keito_sandbox: Any, keito_client: Keito, entries: "list[str]", prefetch: int, eventually: Any
) -> None:
    listing = keito_client.time_entries.list(per_page=1, prefetch=prefetch)
    for read in range(1, 9):
        next(listing)
        eventually(lambda read=read: len(page_numbers(keito_sandbox)) == read + prefetch)
    listing.close()


@pytest.mark.anyio
@pytest.mark.parametrize("prefetch", [1, 2, 5])
async def test_at_most_so_many_pages_ahead_async(keito_sandbox: Any, entries: "list[str]", prefetch: int) -> None:
    async with sandbox_client(keito_sandbox) as client:
        listing = client.time_entries.list(per_page=1, prefetch=prefetch)
        for read in range(1, 9):
            await listing.__anext__()
            await until(lambda read=read: len(page_numbers(keito_sandbox)) == read + prefetch)
        await listing.close()


def sandbox_client(keito_sandbox: Any) -> AsyncKeito:
    return AsyncKeito(
        api_key=keito_sandbox.api_key, account_id=keito_sandbox.account_id, base_url=keito_sandbox.url, timeout=10
    )


@pytest.fixture(params=["aiohttp", "httpx"])
def sends_through(request: pytest.FixtureRequest) -> None:
    if request.param == "httpx":
        request.getfixturevalue("without_aiohttp")


async def until(condition: Any, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        await asyncio.sleep(0.005)


def prefetch_threads() -> "list[str]":
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("keito-prefetch")]


def test_pages_ahead_travel_at_once(keito_sandbox: Any, keito_client: Keito, entries: "list[str]") -> None:
    keito_sandbox.configure(latency=0.1)
    took = []
    for prefetch in (0, 4):
        started = time.monotonic()
        assert [entry.id for entry in keito_client.time_entries.list(per_page=5, prefetch=prefetch)] == entries
        took.append(time.monotonic() - started)
    assert took[1] < took[0] * 0.75


@pytest.mark.parametrize("leave", ["drop", "close", "read to its end"])
def test_a_list_leaves_no_thread_behind(
    keito_sandbox: Any, keito_client: Keito, entries: "list[str]", leave: str, eventually: Any
) -> None:
    listing = keito_client.time_entries.list(per_page=1, prefetch=3)
    next(listing)
    assert prefetch_threads()
    if leave == "close":
        listing.close()
    elif leave == "read to its end":
        list(listing)
    else:
        del listing
        gc.collect()
    eventually(lambda: not prefetch_threads())
    keito_client.users.me()
    # What was on its way may arrive after the end; nothing is requested that was not.
    assert pages_asked_for(keito_sandbox) <= (25 if leave == "read to its end" else 4)


def pages_asked_for(keito_sandbox: Any) -> int:
    return len(list(keito_sandbox.requests("GET", "/api/v2/time_entries")))


@pytest.mark.parametrize("leave", ["drop", "close", "break"])
@pytest.mark.anyio
@pytest.mark.usefixtures("sends_through")
async def test_a_list_leaves_no_task_behind(keito_sandbox: Any, entries: "list[str]", leave: str) -> None:
    before = asyncio.all_tasks()
    async with sandbox_client(keito_sandbox) as client:
        await client.users.me()
        keito_sandbox.faults.add("delay", seconds=0)
        keito_sandbox.faults.add("delay", seconds=60, times=0)
        if leave == "break":
            async for _ in client.time_entries.list(per_page=1, prefetch=3):
                break
        else:
            listing = client.time_entries.list(per_page=1, prefetch=3)
            await listing.__anext__()
            assert asyncio.all_tasks() - before
            if leave == "close":
                await listing.close()
            del listing
        gc.collect()
        await until(lambda: not asyncio.all_tasks() - before)
        keito_sandbox.faults.clear()
        await client.users.me()
        assert pages_asked_for(keito_sandbox) <= 4
        assert [entry.id async for entry in client.time_entries.list(per_page=5, prefetch=2)] == entries


@pytest.mark.anyio
@pytest.mark.usefixtures("sends_through")
async def test_a_failed_page_that_nobody_asks_for_is_quiet(keito_sandbox: Any, entries: "list[str]") -> None:
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with sandbox_client(keito_sandbox) as client:
        listing = client.time_entries.list(per_page=1, prefetch=4, request_options={"max_retries": 0})
        keito_sandbox.faults.add("delay", seconds=0)
        keito_sandbox.faults.add("status", status=500, times=0)
        await listing.__anext__()
        await until(lambda: [r for r in keito_sandbox.requests() if r["status"] == 500])
        del listing
        gc.collect()
        await asyncio.sleep(0)
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


@pytest.mark.anyio
@pytest.mark.usefixtures("sends_through")
async def test_a_cancelled_reader_can_read_on(keito_sandbox: Any, entries: "list[str]") -> None:
    async with sandbox_client(keito_sandbox) as client:
        listing = client.time_entries.list(per_page=1, prefetch=1, request_options={"timeout": 0.4})
        read = [(await listing.__anext__()).id]
        await until(lambda: [request["status"] for request in keito_sandbox.requests()] == [200, 200])
        keito_sandbox.faults.add("delay", seconds=60, times=0)
        read.append((await listing.__anext__()).id)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(listing.__anext__(), 0.05)
        keito_sandbox.faults.clear()
        read += [entry.id async for entry in listing]
    assert read == entries


def test_many_lists_at_once(keito_client: Keito, entries: "list[str]") -> None:
    results: list[list[str]] = []

    def read() -> None:
        results.append([entry.id for entry in keito_client.time_entries.list(per_page=3, prefetch=3)])

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [entries] * 6


def test_a_closed_client_ends_its_lists(keito_sandbox: Any, keito_client: Keito, entries: "list[str]") -> None:
    from keito import KeitoError

    listing = keito_client.time_entries.list(per_page=5)
    for _ in range(5):
        next(listing)
    keito_client.close()
    with pytest.raises(KeitoError, match="closed"):
        next(listing)


def test_the_wrong_kind_of_iteration(keito_sandbox: Any, keito_client: Keito) -> None:
    listing: Any = sandbox_client(keito_sandbox).time_entries.list()
    with pytest.raises(TypeError):
        iter(listing)
    blocking: Any = keito_client.time_entries.list()
    assert not hasattr(blocking, "__aiter__")


@pytest.mark.parametrize("given", [{"page": -1}, {"per_page": 2001}, {"prefetch": 1000}])
def test_limits_of_paging(client: Any, keito_sandbox: Any, given: Any) -> None:
    with pytest.raises(KeitoValidationError):
        next(client.tasks.list(**given))
    assert keito_sandbox.requests() == []
