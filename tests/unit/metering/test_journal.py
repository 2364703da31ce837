"""What the journal of open runs keeps of a run is what happened in it."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keito.metering import AgentRun, LLMCall, NoUsage, OtherUsage, Outcome, RunStatus, Usage
from keito.metering.journal import About, RunEvent, event_of, event_text, run_of

texts = st.none() | st.text(max_size=20)
counts = st.integers(-5, 10**12)
amounts = st.decimals(0, 10**11, allow_nan=False, allow_infinity=False)
zones = st.integers(-86_000, 86_000).map(lambda seconds: timezone(timedelta(seconds=seconds)))
moments = st.datetimes(timezones=zones).map(lambda moment: moment.replace(fold=0))
usages = st.builds(
    Usage,
    *[counts] * 9,
    st.lists(st.text(max_size=5)).map(tuple),
    counts,
    counts,
    texts,
)
calls = st.builds(
    LLMCall,
    moments,
    moments,
    *[texts] * 3,
    st.none() | usages,
    st.none() | st.sampled_from(NoUsage),
    texts,
    st.booleans(),
    texts,
    st.none() | amounts,
    texts,
    st.text(max_size=9),
    st.booleans(),
)
names = st.text(min_size=1, max_size=20).filter(str.strip)
evidence = st.dictionaries(
    st.text(max_size=5), st.integers() | st.text(max_size=5) | st.lists(st.booleans()), max_size=3
)
outcomes = st.builds(Outcome, names, st.none() | amounts, amounts, texts, st.none() | evidence)
others = st.builds(OtherUsage, names, names, amounts, st.none() | amounts)


@given(calls | outcomes | others)
def test_an_event_is_the_same_after_it_was_text(event: RunEvent) -> None:
    text = event_text(event)
    assert event_of(text) == event
    assert repr(event_of(text)) == repr(event)
    assert "\n" not in text


plain = st.text(max_size=5) | st.integers() | st.booleans() | amounts | moments | st.dates()


@given(
    st.builds(
        About,
        st.uuids().map(str),
        moments,
        *[texts] * 7,
        st.none() | amounts,
        st.none() | st.booleans(),
        texts,
        st.booleans(),
        st.none() | st.dictionaries(st.text(max_size=5), plain, max_size=3),
        st.none() | evidence,
        st.none() | st.dictionaries(st.integers(), st.integers(), max_size=3),
        st.none() | st.integers(),
        st.lists(names).map(tuple),
    )
)
def test_what_is_known_of_a_run_is_the_same_after_it_was_text(about: About) -> None:
    assert repr(event_of(event_text(about))) == repr(about)


def test_a_run_is_rebuilt_with_everything_that_is_billed() -> None:
    run = AgentRun("Ticket", agent_id="bot", framework="own", session_id="s", trigger="webhook", attributes={"t": 1})
    run.set_notes("Half done")
    run.details["steps"] = [{"name": "search"}]
    run.trace_id = "0" * 32
    run.set_quality(confidence="0.5", human_reviewed=True)
    now = datetime.now(timezone.utc)
    events: list[RunEvent] = [
        LLMCall(now, now, "openai", served_model="gpt-5-mini", usage=Usage(10, 5), response_id="r1"),
        OtherUsage("web_search", "search", Decimal(2), Decimal("0.02")),
        OtherUsage("web_search", "search", Decimal(1)),
        Outcome("ticket_resolved", "0.99"),
    ]
    known, found = [event_of(event_text(event)) for event in (About.of(run), *events)], None
    about = known[0]
    assert isinstance(about, About)
    found = AgentRun(about.name, agent_id=about.agent_id, uid=about.uid, started_at=about.started_at)
    run_of(about, known[1:], found, 5_000)
    assert (found.uid, found.started_at, found.notes) == (run.uid, run.started_at, "Half done")
    assert (found.confidence, found.human_reviewed) == (Decimal("0.5"), True)
    assert (found.details, found.trace_id) == ({"steps": [{"name": "search"}]}, "0" * 32)
    assert (found.status, found.elapsed_ns) == (RunStatus.ABANDONED, 5_000)
    assert found.calls == (events[0],)
    assert found.other_usage == (OtherUsage("web_search", "search", Decimal(3), Decimal("0.02")),)
    assert found.outcomes == (events[3],)
    assert about.attributes == {"t": 1}


def test_time_that_a_child_is_billed_for_is_not_billed_again_for_a_rebuilt_run() -> None:
    run = AgentRun("around")
    run.was_away({5: 1_000}, None)
    child = run.child("own", project_id="other")
    about = About.of(run)
    assert about.left_at is not None
    assert child.root is child
    found = AgentRun(uid=about.uid, started_at=about.started_at)
    run_of(about, [], found, about.left_at + 10**9)
    assert found.duration_ns == max(0, about.left_at - 1_000)


def test_a_call_that_no_text_can_carry_is_kept_as_one_whose_usage_is_not_known() -> None:
    now = datetime.now(timezone.utc)
    odd: Any = object()
    call = event_of(event_text(LLMCall(now, now, "openai", odd, usage=Usage(odd), reported_cost=odd)))
    assert isinstance(call, LLMCall)
    assert (call.usage, call.no_usage, call.reported_cost) == (None, NoUsage.NOT_REPORTED, None)


def test_names_that_are_members_of_an_enum_keep_the_call_whole() -> None:
    class Provider(str, Enum):
        OPENAI = "openai"

    now = datetime.now(timezone.utc)
    call = LLMCall(now, now, Provider.OPENAI, usage=Usage(1, 2))
    assert event_of(event_text(call)) == call


@pytest.mark.parametrize("text", ['{"Novelty":{}}', '{"Usage":{"input_smells":1}}'])
def test_what_a_newer_keito_has_written_is_not_guessed(text: str) -> None:
    with pytest.raises(TypeError):
        event_of(text)


class Notebook:
    """Keeps what a journal is told."""

    def __init__(self) -> None:
        self.events: list[RunEvent] = []

    def fold(self, call: LLMCall) -> None: ...

    def note(self, call: LLMCall, instead_of: Any = None) -> None:
        self.events.append(call)

    def note_usage(self, usage: OtherUsage) -> None:
        self.events.append(usage)

    def note_outcome(self, outcome: Outcome) -> None:
        self.events.append(outcome)

    def check(self) -> None: ...


reports = st.builds(
    lambda answer, tokens: LLMCall(MOMENT, MOMENT, "openai", response_id=answer, usage=tokens and Usage(*tokens)),
    st.sampled_from([None, "a", "b"]),
    st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9)),
)
MOMENT = datetime(2026, 11, 23, tzinfo=timezone.utc)


@given(st.lists(reports | outcomes | others, max_size=8))
def test_what_a_run_tells_its_ledger_makes_the_same_run_again(happened: "list[RunEvent]") -> None:
    notebook = Notebook()
    run = AgentRun(ledger=notebook, started_at=MOMENT)
    for event in happened:
        if isinstance(event, LLMCall):
            run.record(event)
        elif isinstance(event, Outcome):
            run.log_outcome(event)
        elif isinstance(event, OtherUsage):
            run.record_usage(event.name, event.quantity, unit=event.unit, cost=event.cost)
    again = AgentRun(uid=run.uid, started_at=MOMENT)
    run_of(About.of(run), [event_of(event_text(event)) for event in notebook.events], again, 1)
    assert sorted(map(repr, again.calls)) == sorted(map(repr, run.calls))
    assert (again.outcomes, again.other_usage) == (run.outcomes, run.other_usage)


def test_what_no_text_can_carry_costs_a_line_only_itself() -> None:
    digits = 10**5000
    now = datetime.now(timezone.utc)
    about = event_of(event_text(About("uid", now, name="work", attributes={"digits": digits}, details={"a": 1})))
    assert about == About("uid", now, name="work")
    call = event_of(event_text(LLMCall(now, now, served_model="m", usage=Usage(digits))))
    assert call == LLMCall(now, now, served_model="m", no_usage=NoUsage.NOT_REPORTED)
