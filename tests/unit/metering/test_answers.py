"""Two reports of one answer are one call, and two answers are two, whatever the ids."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from keito.billing import AgentBilling, BillingPolicy
from keito.metering import AgentRun, LLMCall, NoUsage, Usage
from keito.metering.events import CALLS_KEPT
from keito.metering.wrappers.pending import PendingCall

NOON = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
UNIQUE = "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT"


def call(answer: str, tokens: "int | None" = 10, *, at: float = 0, took: float = 1, **fields: Any) -> LLMCall:
    begun = NOON + timedelta(seconds=at)
    usage = None if tokens is None else Usage(tokens, 5)
    no_usage = NoUsage.NOT_REPORTED if usage is None else None
    given = {"served_model": "m", **fields}
    return LLMCall(begun, begun + timedelta(seconds=took), usage=usage, no_usage=no_usage, response_id=answer, **given)


def counted(*calls: LLMCall) -> "list[bool]":
    run = AgentRun()
    return [run.record(one) for one in calls]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"served_model": "gpt-4o-2024-08-06", "requested_model": "gpt-4o"}, {"served_model": "gpt-4o"}),
        ({"served_model": "gpt-4o-2024-08-06"}, {"served_model": None, "requested_model": "openai/gpt-4o"}),
        ({"served_model": "gpt-4o", "requested_model": "our-deployment"}, {"served_model": "our-deployment"}),
        (
            {"served_model": "claude-3-5-sonnet-20241022"},
            {"served_model": "us.anthropic.claude-3-5-sonnet-20241022-v2:0"},
        ),
        ({"served_model": "gemini-2.0-flash-001"}, {"served_model": "models/gemini-2.0-flash"}),
        ({"served_model": None}, {"served_model": "anything"}),
    ],
)
@pytest.mark.parametrize("answer", [UNIQUE, "chatcmpl-17"])
def test_a_wrapper_and_a_framework_name_the_model_in_their_own_ways(
    one: "dict[str, Any]", other: "dict[str, Any]", answer: str
) -> None:
    assert counted(call(answer, **one), call(answer, **other)) == [True, False]
    assert counted(call(answer, **other), call(answer, **one)) == [True, False]


@pytest.mark.parametrize("answer", ["chatcmpl-17", "1", "chatcmpl-1763640000", "cmpl-0001", "chatcmpl-1763640000123"])
def test_ids_of_small_servers_collide(answer: str) -> None:
    assert counted(call(answer, 10), call(answer, 11), call(answer, 12), call(answer, 11)) == [True, True, True, False]
    assert counted(call(answer), call(answer, served_model="other")) == [True, True]


@pytest.mark.parametrize("model", ["gpt-4o-mini", "gpt-4", "gpt-4.1", "gpt-4-32k", "o4-mini"])
def test_another_model_is_another_answer(model: str) -> None:
    assert counted(call(UNIQUE, served_model="gpt-4o"), call(UNIQUE, served_model=model)) == [True, True]


def test_without_tokens_short_ids_are_told_apart_by_time() -> None:
    assert counted(call("chatcmpl-17", None, at=0), call("chatcmpl-17", 10, at=60)) == [True, True]
    run = AgentRun()
    assert run.record(call("chatcmpl-17", None, at=0, took=3))
    assert run.record(call("chatcmpl-17", 10, at=1))
    assert [one.usage for one in run.calls] == [Usage(10, 5)]


@pytest.mark.parametrize("answer", [UNIQUE, "chatcmpl-17"])
@pytest.mark.parametrize("tokens", [(10, 10, 10), (10, 20, 30)])
def test_calls_that_follow_each_other_are_several_whatever_id_a_stub_or_a_recording_gives_them(
    answer: str, tokens: "tuple[int, ...]"
) -> None:
    run = AgentRun()
    assert all(run.record(call(answer, count, at=number)) for number, count in enumerate(tokens))
    assert ([one.usage.input_tokens for one in run.calls if one.usage], run.repeated_calls) == ([*tokens], 0)


@pytest.mark.parametrize(("at", "took"), [(0, 3), (0.9, 0.2), (-1, 5), (0.5, 9)])
def test_reports_of_one_answer_last_at_the_same_time(at: float, took: float) -> None:
    assert counted(call(UNIQUE), call(UNIQUE, at=at, took=took)) == [True, False]


@pytest.mark.parametrize("at", [-60, 0.5, 60])
def test_a_report_by_hand_tells_no_time_by_which_it_could_be_another_call(at: float) -> None:
    assert counted(call(UNIQUE), call(UNIQUE, at=at, took=0)) == [True, False]
    assert counted(call(UNIQUE, at=at, took=0), call(UNIQUE)) == [True, False]


def test_a_clock_that_is_set_back_meanwhile_makes_no_second_call() -> None:
    assert counted(call(UNIQUE, at=10, took=-5), call(UNIQUE, at=10.1, took=-5.2)) == [True, False]
    assert counted(call(UNIQUE, at=10, took=-5), call(UNIQUE, at=4, took=0.5)) == [True, False]


def test_the_same_holds_for_calls_that_are_kept_no_longer() -> None:
    kept = _Kept()
    run = AgentBilling(BillingPolicy("proj", "task", "cat"), delivery=kept).start()
    count = CALLS_KEPT + 44
    for number in range(count):
        assert run.record(call(f"chatcmpl-B9MBs8CjcvOU2jLn4n570S5q{number:04}", at=number))
    last = f"chatcmpl-B9MBs8CjcvOU2jLn4n570S5q{count - 1:04}"
    assert not run.record(call(last, at=count - 1.5, took=2)), "the framework around the metered client"
    assert run.record(call(last, at=count + 1)), "the same recorded answer again"


def test_a_fuller_second_report_takes_the_place_of_the_first() -> None:
    run = AgentRun()
    assert run.record(call(UNIQUE, None, provider="openai", requested_model="our-deployment", served_model=None))
    assert run.record(call(UNIQUE, 10, tier="flex", served_model="our-deployment"))
    assert not run.record(call(UNIQUE, 10, served_model="our-deployment"))
    (one,) = run.calls
    assert (one.usage, one.no_usage, one.provider, one.tier) == (Usage(10, 5), None, "openai", "flex")
    assert run.repeated_calls == 2


def test_a_whole_answer_takes_the_place_of_a_part_of_it() -> None:
    run = AgentRun()
    assert run.record(call(UNIQUE, 10, partial=True))
    assert run.record(call(UNIQUE, 12))
    assert not run.record(call(UNIQUE, 11, partial=True))
    assert [(one.usage, one.partial) for one in run.calls] == [(Usage(12, 5), False)]


def test_a_second_report_without_tokens_changes_nothing() -> None:
    run = AgentRun()
    run.record(call(UNIQUE))
    assert not run.record(call(UNIQUE, None))
    assert [one.usage for one in run.calls] == [Usage(10, 5)]


class _Kept:
    def __init__(self) -> None:
        self.records: list[Any] = []

    def deliver(self, records: Any) -> None:
        self.records += records

    accept = deliver

    def flush(self, timeout: float = 10.0) -> Any:
        raise NotImplementedError

    def close(self) -> None:
        pass


def test_tokens_that_come_late_are_priced_exactly_beyond_the_calls_that_are_kept() -> None:
    pytest.importorskip("genai_prices")
    kept = _Kept()
    billing = AgentBilling(BillingPolicy("proj", "task", "cat"), delivery=kept)
    sonnet = {"provider": "anthropic", "served_model": "claude-sonnet-4-20250514"}
    count = 2 * CALLS_KEPT + 388
    ids = [f"msg_01XFDUDYJgAACzvnptvV{number:04}" for number in range(count)]
    with billing.run() as run:
        for answer in ids:
            run.record(call(answer, None, **sonnet))
        assert [run.record(call(answer, 1_000, **sonnet)) for answer in ids] == [True] * count
        assert [run.record(call(answer, 1_000, **sonnet)) for answer in ids] == [False] * count
    (_, expense) = kept.records
    assert expense.body["total_cost"] * 10**6 == count * (1_000 * 3 + 5 * 15)
    facts = expense.body["metadata"]["keito"]
    # Beyond that many calls the report without tokens cannot be taken back: it stays, and says so.
    assert facts["calls"] == count + 388
    assert facts["unpriced"] == [{"model": sonnet["served_model"], "reason": "not reported", "calls": 388}]


def test_an_open_stream_is_recorded_into_the_supplement_of_its_run() -> None:
    kept = _Kept()
    billing = AgentBilling(BillingPolicy("proj", "task", "cat"), delivery=kept)
    with billing.run() as run:
        from keito.metering.wrappers.endpoints import ENDPOINTS

        pending = PendingCall(run, ENDPOINTS["openai"]["/chat/completions"], "openai", "gpt-5-mini")
    pending.answered({"id": UNIQUE, "model": "gpt-5-mini", "usage": {"prompt_tokens": 1, "completion_tokens": 1}})
    billing.close()
    (late,) = kept.records[1:]
    # Where prices are not installed, a time entry of no hours carries the tokens.
    assert late.key in (f"{run.uid}-late-0-expense-0", f"{run.uid}-late-0-time-0")
    assert late.body["metadata"]["model"]["tokens_in"] == 1


@pytest.mark.parametrize("answer", [UNIQUE, "chatcmpl-17"])
def test_calls_at_a_time_are_several_where_one_integration_reports_them(answer: str) -> None:
    run = AgentRun()
    assert [run.record(call(answer), by="langchain") for _ in range(2)] == [True, True]
    # Each of them is reported by the clients below as well, and by spans, which nobody knows by a name.
    assert [run.record(call(answer), by="client") for _ in range(3)] == [False, False, True]
    assert not run.record(call(answer))
    assert len(run.calls) == 3
    assert run.repeated_calls == 3
