import time
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest

from keito.metering import AgentRun, RunStatus
from keito.metering.stopwatch import QUARTER_NS, Stopwatch, epoch_ns

SECOND = 10**9
BEGAN = datetime(2026, 11, 20, 9, tzinfo=timezone.utc)


class Clock:
    """A clock that only moves when a test moves it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 5 * SECOND
        monkeypatch.setattr("keito.metering.stopwatch.time", SimpleNamespace(perf_counter_ns=lambda: self.now))

    def move(self, seconds: int) -> None:
        self.now += seconds * SECOND


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_nanoseconds_are_exact_and_the_same_in_every_zone() -> None:
    moment = datetime(2026, 11, 20, 9, 30, 1, 123_457, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    assert epoch_ns(moment) == epoch_ns(moment.astimezone(timezone.utc)) == 1_795_146_301_123_457_000
    assert epoch_ns(moment) % 1000 == 0


def test_a_second_in_which_two_others_work_is_away_once(clock: Clock) -> None:
    watch = Stopwatch(BEGAN)
    clock.move(10)
    watch.leave()
    clock.move(5)
    watch.leave()
    clock.move(5)
    assert (watch.elapsed_ns, watch.active_ns) == (20 * SECOND, 10 * SECOND)
    watch.come_back()
    clock.move(5)
    watch.come_back()
    clock.move(100)
    assert (watch.elapsed_ns, watch.active_ns) == (125 * SECOND, 110 * SECOND)


def test_who_is_away_at_the_end_was_away_until_then(clock: Clock) -> None:
    watch = Stopwatch(BEGAN)
    clock.move(1)
    watch.leave()
    clock.move(7)
    watch.stop()
    clock.move(50)
    watch.come_back()
    watch.leave()
    assert (watch.elapsed_ns, watch.active_ns) == (8 * SECOND, SECOND)


def test_what_is_kept_of_absences_is_one_number_for_each_quarter_of_an_hour(clock: Clock) -> None:
    watch = Stopwatch(BEGAN)
    for _ in range(1000):
        watch.leave()
        clock.move(1)
        watch.come_back()
        clock.move(1)
    first = epoch_ns(BEGAN) // QUARTER_NS
    assert watch.away == {first: 450 * SECOND, first + 1: 450 * SECOND, first + 2: 100 * SECOND}


def test_a_known_duration_wins(clock: Clock) -> None:
    run = AgentRun(started_at=BEGAN)
    clock.move(60)
    assert run.end(RunStatus.ABANDONED, elapsed_ns=5 * SECOND)
    assert run.duration_ns == 5 * SECOND


def test_the_time_of_a_child_with_a_project_of_its_own_is_not_its_parents(clock: Clock) -> None:
    with AgentRun("around", started_at=BEGAN) as run:
        clock.move(10)
        with run.child("part"), run.child("own", project_id="p") as own:
            clock.move(30)
        clock.move(2)
    assert (own.duration_ns, run.elapsed_ns, run.duration_ns) == (30 * SECOND, 42 * SECOND, 12 * SECOND)
    assert sum(run.away_ns.values()) == 30 * SECOND


def test_it_measures_by_the_real_clock() -> None:
    begin = time.perf_counter_ns()
    watch = Stopwatch()
    watch.stop()
    assert 0 <= watch.elapsed_ns <= time.perf_counter_ns() - begin


def test_a_start_without_a_time_zone_is_the_machines() -> None:
    watch = Stopwatch(datetime(2026, 11, 20, 9))  # noqa: DTZ001
    assert watch.started_at == datetime(2026, 11, 20, 9).astimezone()
    assert watch.started_at.tzinfo is not None
