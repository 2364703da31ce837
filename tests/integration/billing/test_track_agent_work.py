"""`client.track_agent_work(...)`, as the documentation promises it."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import Any

import pytest

from keito import AsyncKeito, Keito, KeitoAuthError
from keito.billing import AgentBilling, Budget, KeitoBudgetExceeded, Outcome
from keito.metering import current_run
from keito.sandbox import SandboxServer

pytest.importorskip("genai_prices")


@pytest.fixture
def place(keito_sandbox: SandboxServer) -> "dict[str, Any]":
    return {
        "project_id": keito_sandbox.project_id,
        "task_id": keito_sandbox.task_id,
        "expense_category_id": keito_sandbox.expense_category_id,
        "agent_id": "writer",
        "model": "gpt-5-mini",
        "provider": "openai",
    }


def async_client(sandbox: SandboxServer) -> AsyncKeito:
    return AsyncKeito(api_key=sandbox.api_key, account_id=sandbox.account_id, base_url=sandbox.url)


def test_time_tokens_notes_and_outcomes_are_posted(keito_client: Keito, books: Any, place: "dict[str, Any]") -> None:
    with keito_client.track_agent_work(**place, session_id="s-1", name="Review", trigger="webhook") as work:
        assert current_run() is work.run
        assert work.report_tokens(input=1_000_000, output=100_000, cache_read=400_000)
        assert [work.report_tokens(1, 1, response_id="a") for _ in range(2)] == [True, False]
        work.set_notes("Review of PR 842")
        assert work.log_outcome(Outcome("code_review_completed", 5))
    assert not work.report_tokens(input=1)
    (time_entry,), (outcome,), (expense,) = books.times, books.outcomes, books.expenses
    assert (time_entry.notes, time_entry.source.value, time_entry.billable) == ("Review of PR 842", "agent", True)
    assert 0 < time_entry.hours < 0.1
    assert time_entry.metadata["agent"] == {"id": "writer"}
    assert time_entry.metadata["keito"]["calls"] == 2
    assert expense.total_cost == pytest.approx(0.6 * 0.25 + 0.4 * 0.025 + 0.1 * 2, abs=1e-5)
    assert outcome.metadata["outcome_unit_price"] == 5
    assert {entry.metadata["session_id"] for entry in (time_entry, outcome, expense)} == {"s-1"}


def test_an_exception_goes_on_and_the_time_is_posted_as_not_billable(
    keito_client: Keito, books: Any, place: "dict[str, Any]"
) -> None:
    error = RuntimeError("of the agent")

    def fail(work: Any) -> None:
        work.report_tokens(input=1_000_000, output=0)
        work.log_outcome(Outcome("done"))
        raise error

    with pytest.raises(RuntimeError) as caught, keito_client.track_agent_work(**place) as work:
        fail(work)
    assert caught.value is error
    assert [entry.billable for entry in books.times] == [False]
    assert books.outcomes == []
    assert [expense.total_cost for expense in books.expenses] == [0.25]


def test_the_environment_says_where_to(
    keito_client: Keito, books: Any, place: "dict[str, Any]", monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("project_id", "task_id", "agent_id"):
        monkeypatch.setenv(f"KEITO_{name.upper()}", place[name])
    with keito_client.track_agent_work(model="gpt-5-mini") as work:
        work.report_tokens(input=5, output=5)
    (entry,) = books.times
    assert entry.metadata["agent"] == {"id": "writer"}
    assert entry.metadata["keito"]["flags"] == ["no_expense_category"]


def test_what_is_missing_is_said_at_once(keito_client: Keito) -> None:
    with pytest.raises(ValueError, match="KEITO_PROJECT_ID"):
        keito_client.track_agent_work(task_id="t")
    with pytest.raises(TypeError):
        keito_client.track_agent_work(project_id="p", task_id="t", projct="x")  # type: ignore[call-arg]


def test_five_threads_work_at_once(keito_client: Keito, books: Any, place: "dict[str, Any]") -> None:
    together = threading.Barrier(5, timeout=10)

    def work(number: int) -> None:
        with keito_client.track_agent_work(**place, name=f"work {number}") as session:
            together.wait()
            session.report_tokens(input=1000 * (number + 1), output=0)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tokens = {entry.notes: entry.metadata["model"]["tokens_in"] for entry in books.times}
    assert tokens == {f"work {number}": 1000 * (number + 1) for number in range(5)}


def test_five_tasks_work_at_once_and_post_through_the_awaited_client(
    keito_sandbox: SandboxServer, books: Any, place: "dict[str, Any]"
) -> None:
    async def main() -> None:
        entered, all_in = [], asyncio.Event()

        async def work(client: AsyncKeito, number: int) -> None:
            async with client.track_agent_work(**place, name=f"work {number}") as session:
                entered.append(number)
                if len(entered) == 5:
                    all_in.set()
                await all_in.wait()
                session.report_tokens(input=1000 * (number + 1), output=0)

        async with async_client(keito_sandbox) as client:
            await asyncio.gather(*(work(client, number) for number in range(5)))

    asyncio.run(main())
    tokens = {entry.notes: entry.metadata["model"]["tokens_in"] for entry in books.times}
    assert tokens == {f"work {number}": 1000 * (number + 1) for number in range(5)}
    assert len(books.expenses) == 5


def test_the_event_loop_goes_on_while_work_is_posted(keito_sandbox: SandboxServer, place: "dict[str, Any]") -> None:
    keito_sandbox.faults.add("delay", method="POST", path="*", times=1, seconds=0.5)

    async def main() -> int:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0.01)
                turns += 1

        async with async_client(keito_sandbox) as client:
            counting = asyncio.create_task(count())
            async with client.track_agent_work(**place):
                pass
            counting.cancel()
        return turns

    assert asyncio.run(main()) >= 10


def test_a_cancelled_task_posts_its_work_and_stays_cancelled(
    keito_sandbox: SandboxServer, books: Any, place: "dict[str, Any]"
) -> None:
    async def main() -> None:
        async with async_client(keito_sandbox) as client:
            started = asyncio.Event()

            async def work() -> None:
                async with client.track_agent_work(**place) as session:
                    session.report_tokens(input=1_000_000, output=0)
                    started.set()
                    await asyncio.Event().wait()

            task = asyncio.create_task(work())
            await started.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    assert [entry.metadata["keito"]["status"] for entry in books.times] == ["cancelled"]
    assert [expense.total_cost for expense in books.expenses] == [0.25]


def test_an_exception_in_async_work_goes_on(keito_sandbox: SandboxServer, books: Any, place: "dict[str, Any]") -> None:
    async def main() -> None:
        async with async_client(keito_sandbox) as client, client.track_agent_work(**place):
            raise KeyError("of the agent")

    with pytest.raises(KeyError, match="of the agent"):
        asyncio.run(main())
    assert [entry.billable for entry in books.times] == [False]


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("outbox", ["direct", "file"])
def test_what_was_not_delivered_is_sent_later(
    keito_sandbox: SandboxServer,
    books: Any,
    place: "dict[str, Any]",
    is_async: bool,
    outbox: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if outbox == "direct":
        monkeypatch.setenv("KEITO_OUTBOX_URL", "direct://")
    keito_sandbox.faults.add("status", method="POST", path="*", times=1, status=401)

    async def asynchronously() -> None:
        async with async_client(keito_sandbox) as client, client.track_agent_work(**place):
            pass

    def synchronously() -> None:
        with (
            Keito(
                api_key=keito_sandbox.api_key, account_id=keito_sandbox.account_id, base_url=keito_sandbox.url
            ) as client,
            client.track_agent_work(**place),
        ):
            pass

    # Without an outbox the block raises; with one the agent goes on.
    refused = pytest.raises(KeitoAuthError) if outbox == "direct" else nullcontext()
    with caplog.at_level(logging.WARNING, "keito.billing"), refused:
        asyncio.run(asynchronously()) if is_async else synchronously()
    assert "held" in caplog.text
    if outbox == "file":
        assert books.times == []  # only an operator can put it right, who may be another program
        with books.client.track_agent_work(**place) as work:
            pass
        assert work.flush().complete
    assert len(books.times) == (1 if outbox == "direct" else 2)


def test_an_unreachable_keito_does_not_stop_the_agent(place: "dict[str, Any]") -> None:
    begin = time.monotonic()
    client = Keito(api_key="kto_x", account_id="acc", base_url="http://127.0.0.1:9")
    with client.track_agent_work(**place) as work:
        work.report_tokens(input=1, output=1)
    assert work.flush(0.1).pending == 2
    assert time.monotonic() - begin < 10


def test_work_in_streams_of_an_async_generator(
    keito_sandbox: SandboxServer, books: Any, place: "dict[str, Any]"
) -> None:
    async def answer(client: AsyncKeito) -> "AsyncIterator[int]":
        async with client.track_agent_work(**place) as work:
            for number in range(3):
                work.report_tokens(input=number + 1, output=0)
                yield number

    async def main() -> None:
        async with async_client(keito_sandbox) as client:
            assert [number async for number in answer(client)] == [0, 1, 2]

    asyncio.run(main())
    assert [entry.metadata["model"]["tokens_in"] for entry in books.times] == [6]


def test_it_works_on_trio(keito_sandbox: SandboxServer, books: Any, place: "dict[str, Any]") -> None:
    trio = pytest.importorskip("trio")

    async def main() -> None:
        async with async_client(keito_sandbox) as client, client.track_agent_work(**place) as work:
            work.report_tokens(input=5, output=5)

    trio.run(main)
    assert len(books.times) == len(books.expenses) == 1


def test_work_inside_work_is_posted_once(keito_client: Keito, books: Any, place: "dict[str, Any]") -> None:
    with keito_client.track_agent_work(name="outer", **place) as outer:
        with keito_client.track_agent_work(name="inner", **place) as inner:
            inner.report_tokens(input=1_000_000, output=0)
        outer.report_tokens(input=1_000_000, output=0)
    (entry,) = books.times
    (expense,) = books.expenses
    assert (entry.notes, entry.metadata["keito"]["calls"]) == ("outer", 2)
    assert entry.hours == pytest.approx(outer.run.elapsed_ns / 3600e9, abs=1e-6)
    assert expense.total_cost == pytest.approx(0.5)


def test_work_inside_work_for_another_project_is_not_the_outer_ones_time(
    keito_client: Keito, books: Any, place: "dict[str, Any]", second_project: str
) -> None:
    with keito_client.track_agent_work(name="outer", **place) as outer:
        with keito_client.track_agent_work(name="inner", **{**place, "project_id": second_project}) as inner:
            inner.report_tokens(input=1_000_000, output=0)
            while inner.run.elapsed_ns < 50_000_000:
                pass
        outer.report_tokens(input=1_000_000, output=0)
    hours = {entry.notes: entry.hours for entry in books.times}
    assert sum(hours.values()) == pytest.approx(outer.run.elapsed_ns / 3600e9, abs=2e-6)
    assert hours["inner"] >= 0.05 / 3600
    assert [expense.total_cost for expense in books.expenses] == [pytest.approx(0.25)] * 2


def test_work_inside_a_run_of_the_same_account_is_a_part_of_it(
    keito_client: Keito, books: Any, place: "dict[str, Any]"
) -> None:
    ids = {name: place[name] for name in ("project_id", "task_id", "expense_category_id", "agent_id")}
    billing = AgentBilling(client=keito_client, deliver="on_exit_of_run", **ids)
    with billing.run("outer"), keito_client.track_agent_work(**place) as inner:
        inner.report_tokens(input=1_000_000, output=0)
    assert [entry.notes for entry in books.times] == ["outer"]
    assert [expense.total_cost for expense in books.expenses] == [pytest.approx(0.25)]


def test_a_budget_per_day_goes_on_from_work_to_work(keito_client: Keito, place: "dict[str, Any]") -> None:
    budget = Budget(max_calls=2, per="day", stop=True)
    for _ in range(2):
        with keito_client.track_agent_work(budget=budget, **place) as work:
            work.run.check_budget()
            work.report_tokens(input=1, output=1)
    with keito_client.track_agent_work(budget=budget, **place) as work, pytest.raises(KeitoBudgetExceeded):
        work.run.check_budget()
