"""CrewAI's events come in any order, several times and in two kinds; each call counts once."""

import sys
import time
from datetime import datetime, timezone
from itertools import permutations
from typing import Optional

import pytest

if sys.version_info < (3, 10):
    pytest.skip("CrewAI needs Python 3.10", allow_module_level=True)

from keito_crewai.calls import CallStart, CallTable, EndedCall

from keito.metering import LLMCall, NoUsage, Usage

AT = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
START = CallStart(AT, "openai", "gpt-5-mini")


def ended(usage: Optional[Usage] = None, reason: NoUsage = NoUsage.FAILED) -> EndedCall:
    call = LLMCall(AT, AT, "openai", "gpt-5-mini", usage=usage, no_usage=None if usage else reason)
    return EndedCall(call)


COUNTED = ended(Usage(10, 5))


@pytest.mark.parametrize("order", list(permutations(["start", "failed", "counted", "counted"])))
def test_a_call_that_fails_and_finds_another_way_counts_its_tokens_once(order: "tuple[str, ...]") -> None:
    recorded: list[EndedCall] = []
    table = CallTable(recorded.append)
    for event in order:
        if event == "start":
            table.started("1", START)
        else:
            table.ended("1", COUNTED if event == "counted" else ended())
    assert table.wait(time.monotonic())
    assert [one.call.usage for one in recorded] == [Usage(10, 5)]
    assert table.rest() == []


def test_a_call_that_fails_twice_is_one_failed_call() -> None:
    table = CallTable(pytest.fail)
    table.started("1", START)
    table.ended("1", ended())
    table.ended("1", ended())
    (rest,) = table.rest()
    assert rest.call.no_usage is NoUsage.FAILED
    table.ended("1", ended())
    assert table.rest() == []


def test_an_answer_without_tokens_says_more_than_a_failure() -> None:
    table = CallTable(pytest.fail)
    table.ended("1", ended())
    table.ended("1", ended(reason=NoUsage.NOT_REPORTED))
    table.ended("1", ended())
    assert [one.call.no_usage for one in table.rest()] == [NoUsage.NOT_REPORTED]


def test_a_call_without_an_end_is_unfinished() -> None:
    table = CallTable(pytest.fail)
    table.started("1", START)
    assert not table.wait(time.monotonic())
    (rest,) = table.rest()
    assert (rest.call.no_usage, rest.call.requested_model) == (NoUsage.UNFINISHED, "gpt-5-mini")
    assert table.wait(time.monotonic())


def test_ids_that_crewai_makes_up_for_each_event_do_not_look_unfinished() -> None:
    recorded: list[EndedCall] = []
    table = CallTable(recorded.append)
    table.ended("made up", COUNTED)
    table.started("another", START)
    assert table.wait(time.monotonic())
    assert len(recorded) == 1
    assert table.rest() == []


def test_the_price_is_that_of_the_start() -> None:
    recorded: list[EndedCall] = []
    table = CallTable(recorded.append)
    began = AT.replace(hour=11)
    table.started("1", CallStart(began, "openai", "gpt-5-mini"))
    table.ended("1", COUNTED)
    assert recorded[0].call.started_at == began


def test_many_calls_without_tokens_are_recorded_before_they_fill_the_memory() -> None:
    recorded: list[EndedCall] = []
    table = CallTable(recorded.append)
    for number in range(5000):
        table.ended(str(number), ended())
    assert len(recorded) + len(table.rest()) == 5000
    assert recorded
