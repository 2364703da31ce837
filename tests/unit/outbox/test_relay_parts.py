"""What a relay is made of, each part by itself."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keito import KeitoApiError, KeitoConnectionError, KeitoServerError, KeitoTimeoutError
from keito.outbox.fate import is_down, is_over
from keito.outbox.relay.backoff import Backoff
from keito.outbox.relay.breaker import THRESHOLD, Breaker, BreakerState
from keito.outbox.relay.crew import Crew
from keito.outbox.relay.housekeeping import Housekeeping
from keito.outbox.relay.pace import SLOWEST, Pace


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@given(st.integers(0, 10_000), st.floats(0.01, 10), st.floats(10, 1000))
def test_a_wait_is_never_longer_than_the_longest_and_never_nothing(failures: int, first: float, longest: float) -> None:
    assert 0 < Backoff(first, longest).after(failures) <= longest


def test_waits_grow_with_failures() -> None:
    assert max(Backoff(1, 300).after(1) for _ in range(50)) <= 1
    assert max(Backoff(1, 300).after(9) for _ in range(50)) > 20


def test_a_breaker_opens_after_some_failures_and_lets_one_probe_through(clock: Clock) -> None:
    breaker = Breaker(Backoff(10, 10), clock)
    for _ in range(THRESHOLD):
        assert breaker.state is BreakerState.CLOSED
        breaker.failed()
    assert breaker.state is BreakerState.OPEN
    assert 0 < breaker.wait <= 10
    clock.now += 10
    assert breaker.state is BreakerState.HALF_OPEN
    breaker.failed()
    assert breaker.state is BreakerState.OPEN
    breaker.probe()
    assert breaker.state is BreakerState.HALF_OPEN
    breaker.succeeded()
    assert (breaker.state, breaker.wait) == (BreakerState.CLOSED, 0)


def test_requests_that_fail_together_count_as_one_failure_of_an_open_breaker(clock: Clock) -> None:
    breaker = Breaker(Backoff(1, 1000), clock)
    for _ in range(THRESHOLD + 50):
        breaker.failed()
    assert breaker.wait <= 1


def test_a_pace_is_free_until_the_api_refuses(clock: Clock) -> None:
    pace = Pace(clock)
    assert (pace.allowed(10_000), pace.wait, pace.rate) == (10_000, 0, None)


def test_after_a_refusal_it_goes_on_at_half_the_rate_and_gets_faster(clock: Clock) -> None:
    pace = Pace(clock)
    for _ in range(60):
        pace.sent(10)
        clock.now += 0.1
    pace.refused(5)
    rate = pace.rate
    assert rate is not None
    assert 25 <= rate <= 60
    assert pace.allowed(100) == 0
    assert 5 < pace.wait < 6
    clock.now += 6
    first = pace.allowed(1000)
    assert 1 <= first <= rate + 1
    pace.sent(first)
    assert pace.allowed(1000) == 0
    for _ in range(200):
        clock.now += 1
        pace.sent(pace.allowed(1000))
    assert pace.rate is None


def test_the_refusals_of_one_moment_halve_the_rate_once(clock: Clock) -> None:
    pace = Pace(clock)
    clock.now += 1
    pace.sent(100)
    for _ in range(8):
        pace.refused(2)
    assert pace.rate == 50


def test_it_never_stands_still_for_ever(clock: Clock) -> None:
    pace = Pace(clock)
    for _ in range(50):
        pace.refused(0)
        clock.now += 0.01
    assert pace.rate is not None
    assert pace.rate >= SLOWEST
    clock.now += 2 / SLOWEST
    assert pace.allowed(5) >= 1


def test_a_crew_does_every_job_with_no_more_threads_than_it_may() -> None:
    crew, lock, running, most, done = Crew(3), threading.Lock(), [0], [0], threading.Semaphore(0)

    def job() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        with lock:
            running[0] -= 1
        done.release()

    for _ in range(500):
        crew.do(job)
    assert all(done.acquire(timeout=10) for _ in range(500))
    assert most[0] <= 3


def test_a_crew_gives_back_what_nobody_has_begun() -> None:
    crew, begun, may_end = Crew(1), threading.Event(), threading.Event()

    def first() -> None:
        begun.set()
        may_end.wait(10)

    crew.do(first)
    assert begun.wait(10)
    jobs = [lambda: None for _ in range(3)]
    for job in jobs:
        crew.do(job)
    assert crew.take_back() == jobs
    may_end.set()


def test_a_crew_works_in_the_calling_thread_where_no_thread_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Any) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    done: list[str] = []
    Crew(2).do(lambda: done.append(threading.current_thread().name))
    assert done == [threading.current_thread().name]


@pytest.mark.parametrize(
    ("error", "over"),
    [
        (KeitoServerError("x", status_code=500, body={"error": "internal server error"}), True),
        (KeitoServerError("x", status_code=503, body={"error": "service unavailable"}), True),
        (KeitoServerError("x", status_code=503, body="<html>"), False),
        (KeitoServerError("x", status_code=502, body={"error": "bad gateway"}), False),
        (KeitoServerError("x", status_code=504), False),
        (KeitoApiError("x", status_code=409, body={"error": "in progress"}), False),
        (KeitoTimeoutError("x"), False),
    ],
)
def test_only_the_applications_own_failure_ends_a_request(error: Exception, over: bool) -> None:
    assert is_over(error) is over


@pytest.mark.parametrize(
    ("error", "down"),
    [
        (KeitoConnectionError("x", sent=False), True),
        (KeitoTimeoutError("x"), True),
        (KeitoServerError("x", status_code=500), True),
        (KeitoApiError("x", status_code=401), True),
        (KeitoApiError("x", status_code=402), True),
        (KeitoApiError("x", status_code=403), False),
        (KeitoApiError("x", status_code=404), False),
        (KeitoApiError("x", status_code=400), False),
        (KeitoApiError("x", status_code=429), False),
    ],
)
def test_what_every_record_would_meet_counts_as_down(error: Exception, down: bool) -> None:
    assert is_down(error) is down


def test_a_chore_that_fails_keeps_nobody_from_anything(clock: Clock, caplog: Any) -> None:
    done: list[str] = []

    class Store:
        def follow_clock(self, destination: str) -> int:
            return 0

        def expire(self, destination: str, quiet: float, is_gone: Any) -> int:
            done.append("expire")
            return 0

    def broken() -> float:
        raise RuntimeError("no")

    def fine() -> float:
        done.append("chore")
        return 5.0

    keeping = Housekeeping(Store(), "here", 1, 30, [broken, fine], clock)  # type: ignore[arg-type]
    assert keeping.do() == 5
    assert done == ["expire", "chore"]
    assert keeping.has_work
    assert "A chore of the outbox failed" in caplog.text
