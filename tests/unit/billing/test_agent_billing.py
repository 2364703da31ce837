import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest

from keito import AsyncKeito, Keito, KeitoAuthError
from keito.billing import AgentBilling, BillingPolicy, Outcome
from keito.billing.given import billing_of
from keito.billing.rounding import to_hours
from keito.billing.seconds import check_seconds
from keito.metering import AgentRun, RunStatus, current_run, log_outcome
from keito.outbox import BillingRecord, FlushReport
from keito.pricing.listed import how_to_install


def kinds(records: "list[BillingRecord]") -> "list[str]":
    return [record.kind.value for record in records]


def _log_and_raise(run: AgentRun, error: Exception) -> None:
    run.log_outcome(Outcome("ticket_resolved"))
    raise error


@pytest.fixture
def billing(kept: Any, policy: BillingPolicy) -> AgentBilling:
    return AgentBilling(policy, delivery=kept)


def test_a_block_is_a_run_and_is_billed_when_it_ends(billing: AgentBilling, kept: Any) -> None:
    with billing.run(name="Ticket 1", trigger="cron", session_id="s") as run:
        assert current_run() is run
        assert kept.records == []
        run.set_notes("resolved")
        run.log_outcome(Outcome("ticket_resolved"))
    assert current_run() is None
    assert kinds(kept.records) == ["time_entry", "outcome"]
    body = kept.records[0].body
    assert (body["notes"], body["metadata"]["session_id"], body["metadata"]["run"]["trigger"]) == (
        "resolved",
        "s",
        "cron",
    )
    assert body["metadata"]["agent"] == {"id": "support-bot"}
    assert billing.flush() == FlushReport(delivered=2)


def test_an_exception_goes_on_unchanged_and_its_outcomes_are_not_billed(billing: AgentBilling, kept: Any) -> None:
    error = RuntimeError("of the agent")
    with pytest.raises(RuntimeError) as caught, billing.run() as run:
        _log_and_raise(run, error)
    assert caught.value is error
    assert kinds(kept.records) == ["time_entry"]
    assert kept.records[0].body["billable"] is False
    assert kept.records[0].body["metadata"]["keito"]["status"] == "failed"


def test_async_blocks_do_not_post_on_the_event_loops_thread(billing: AgentBilling, kept: Any) -> None:
    loop_is_free = []

    async def main() -> None:
        async def tick() -> None:
            loop_is_free.append(True)

        loop = asyncio.get_running_loop()
        deliver = kept.deliver

        def slow(records: Sequence[BillingRecord]) -> None:
            # A turn of the loop fits in while this thread waits.
            asyncio.run_coroutine_threadsafe(tick(), loop).result(10)
            deliver(records)

        kept.deliver = slow
        async with billing.run(name="a") as run:
            assert current_run() is run

    asyncio.run(main())
    assert loop_is_free == [True]
    assert kinds(kept.records) == ["time_entry"]


def test_a_cancelled_task_bills_what_it_used(billing: AgentBilling, kept: Any) -> None:
    async def main() -> None:
        started = asyncio.Event()

        async def work() -> None:
            async with billing.run() as run:
                run.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=10**6)
                started.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    pytest.importorskip("genai_prices")
    asyncio.run(main())
    assert kinds(kept.records) == ["time_entry", "expense"]
    assert kept.records[0].body["metadata"]["keito"]["status"] == "cancelled"


def test_a_block_inside_a_block_is_a_part_of_it(billing: AgentBilling, kept: Any) -> None:
    with billing.run("outer"), billing.run("inner"):
        log_outcome(Outcome("x"))
    assert kinds(kept.records) == ["time_entry", "outcome"]
    assert kept.records[0].body["notes"] == "outer"


def test_another_billing_inside_bills_for_itself(billing: AgentBilling, policy: BillingPolicy, kept: Any) -> None:
    other = AgentBilling(policy, delivery=kept, project_id="other")
    with billing.run("outer"), other.run("inner"):
        pass
    assert [record.body["project_id"] for record in kept.records] == ["other", "proj"]


def _hours(kept: Any) -> Decimal:
    return sum((record.body["hours"] for record in kept.records if record.kind.value == "time_entry"), Decimal(0))


def test_another_billing_for_the_same_place_takes_part_and_no_second_is_posted_twice(
    billing: AgentBilling, policy: BillingPolicy, kept: Any
) -> None:
    other = AgentBilling(policy, delivery=kept)
    with billing.run("outer") as run:
        with other.run("inner") as part:
            part.record_llm_call(reported_cost=1)
            part.log_outcome(Outcome("x"))
        assert kept.records == []
        with other.run("inner"):
            pass
    assert kinds(kept.records) == ["time_entry", "outcome", "expense"]
    assert _hours(kept) == to_hours(run.elapsed_ns)


def test_time_in_another_billing_with_a_policy_of_its_own_is_not_the_outer_runs(
    billing: AgentBilling, policy: BillingPolicy, kept: Any
) -> None:
    other = AgentBilling(policy, delivery=kept, agent_id="helper")
    with billing.run("outer") as outer, other.run("inner") as inner:
        assert inner.parent_id == outer.uid
        with inner.child("deeper", project_id="third") as third:
            pass
    assert [record.body["notes"] for record in kept.records] == ["deeper", "inner", "outer"]
    assert outer.duration_ns + inner.elapsed_ns <= outer.elapsed_ns
    assert inner.duration_ns + third.elapsed_ns <= inner.elapsed_ns


def test_a_billing_for_another_account_knows_nothing_of_the_run_around(
    billing: AgentBilling, policy: BillingPolicy, kept: Any
) -> None:
    elsewhere = type(kept)()
    with billing.run("outer") as outer, AgentBilling(policy, delivery=elsewhere).run("inner") as inner:
        pass
    assert (inner.parent_id, outer.duration_ns) == (None, outer.elapsed_ns)
    assert (len(kept.records), len(elsewhere.records)) == (1, 1)


def test_a_billing_that_routes_its_runs_bills_them_by_themselves(
    billing: AgentBilling, policy: BillingPolicy, kept: Any
) -> None:
    routed = AgentBilling(policy, delivery=kept, resolve=lambda run: replace(policy, project_id="routed"))
    with billing.run("outer"), routed.run("inner"), routed.run("part"):
        pass
    assert [record.body["project_id"] for record in kept.records] == ["routed", "proj"]


def test_the_policys_outcome_is_logged_once_and_only_on_success(policy: BillingPolicy, kept: Any) -> None:
    billing = AgentBilling(policy, delivery=kept, outcome=Outcome("done", 2))
    with billing.run(), billing.run():
        pass
    with pytest.raises(KeyError), billing.run():
        raise KeyError
    assert kinds(kept.records) == ["time_entry", "outcome", "time_entry"]


def test_a_bug_in_billing_stays_inside(
    billing: AgentBilling, kept: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("keito.billing.postings.records_with", broken)
    for _ in range(2):
        with billing.run():
            pass
    assert billing.guard.count == 2
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_what_is_not_billed_is_said_once(billing: AgentBilling, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("genai_prices")
    for _ in range(2):
        with billing.run() as run:
            run.record_llm_call(provider="openai", model="gpt-17", input_tokens=1)
    assert caplog.messages == [
        "LLM cost not billed for gpt-17: unknown model; its tokens are in the time entry; "
        "give it a price of your own, then: python -m keito outbox reprice"
    ]


def test_a_missing_price_list_is_said_with_what_installs_it(
    billing: AgentBilling, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise ImportError

    monkeypatch.setattr(import_module("keito.pricing.price"), "catalogue", missing)
    with billing.run() as run:
        run.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=1)
    assert f"genai-prices not installed; its tokens are in the time entry; {how_to_install()}, then" in caplog.text


def test_a_missing_category_is_said(policy: BillingPolicy, kept: Any, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("genai_prices")
    with AgentBilling(policy, delivery=kept, expense_category_id=None).run() as run:
        run.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=1)
    assert caplog.messages == [
        "LLM cost not billed: KEITO_EXPENSE_CATEGORY_ID is not set; its tokens are in the time entry"
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"policy": "proj_support"}, r"policy is a keito\.billing\.BillingPolicy; got 'proj_support'"),
        ({"resolve": {"acme": None}}, "resolve is a function"),
    ],
)
def test_what_would_fail_in_every_run_is_refused_at_once(
    policy: BillingPolicy, kept: Any, arguments: "dict[str, Any]", said: str
) -> None:
    with pytest.raises(TypeError, match=said):
        AgentBilling(**{"policy": policy, "delivery": kept, **arguments})


@pytest.mark.parametrize("seconds", [-1, float("nan"), "60"])
def test_a_time_that_nobody_can_wait_for_is_refused(policy: BillingPolicy, kept: Any, seconds: Any) -> None:
    with pytest.raises(ValueError, match="late_grace is a number of seconds, and not negative; got"):
        AgentBilling(policy, delivery=kept, late_grace=seconds)
    check_seconds("expire_after", float("inf"))


def test_an_integration_takes_a_billing_and_nothing_that_looks_like_one(
    billing: AgentBilling, policy: BillingPolicy
) -> None:
    wrong: Any = policy
    with pytest.raises(TypeError, match=r"billing is a keito\.billing\.AgentBilling; got BillingPolicy"):
        billing_of(wrong, {})
    with pytest.raises(TypeError, match="not both: markup"):
        billing_of(billing, {"markup": "1.20"})
    assert billing_of(billing, {}) is billing


def test_it_fails_at_once_when_it_is_not_configured(policy: BillingPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="KEITO_PROJECT_ID"):
        AgentBilling()
    with pytest.raises(KeitoAuthError, match="KEITO_API_KEY"):
        AgentBilling(policy)
    monkeypatch.setenv("KEITO_API_KEY", "kto_x")
    monkeypatch.setenv("KEITO_ACCOUNT_ID", "acc")
    monkeypatch.setenv("KEITO_PROJECT_ID", "p")
    monkeypatch.setenv("KEITO_TASK_ID", "t")
    billing = AgentBilling(task_id="mine")
    assert (billing.policy.project_id, billing.policy.task_id) == ("p", "mine")
    billing.close()


def test_an_async_client_is_refused_since_its_posts_would_never_be_awaited(policy: BillingPolicy) -> None:
    client = AsyncKeito(api_key="kto_x", account_id="acc")
    with pytest.raises(TypeError, match=r"keito\.Keito"):
        AgentBilling(policy, client)  # type: ignore[arg-type]


def test_closing_leaves_a_given_client_open(policy: BillingPolicy) -> None:
    closed = []

    class Watched(Keito):
        def close(self) -> None:
            closed.append(True)
            super().close()

    client = Watched(api_key="kto_x", account_id="acc")
    AgentBilling(policy, client).close()
    assert closed == []
    client.close()


def test_closing_reaches_the_delivery(billing: AgentBilling, kept: Any) -> None:
    billing.close()
    assert kept.closed


def test_a_block_with_a_project_of_its_own_is_billed_by_itself(billing: AgentBilling, kept: Any) -> None:
    with billing.run("outer", session_id="s") as outer, billing.run("inner", project_id="other") as inner:
        assert current_run() is inner
        inner.log_outcome(Outcome("x"))
        with billing.run("part"):
            log_outcome(Outcome("y"))
    found = [(record.body["project_id"], record.kind.value) for record in kept.records]
    assert found == [("other", "time_entry"), ("other", "outcome"), ("other", "outcome"), ("proj", "time_entry")]
    about = kept.records[0].body["metadata"]
    assert (about["run"]["parent_id"], about["session_id"]) == (outer.uid, "s")
    assert outer.duration_ns < outer.elapsed_ns


def test_a_child_with_a_task_of_its_own_is_billed_when_its_block_ends(billing: AgentBilling, kept: Any) -> None:
    async def main() -> None:
        async with billing.run("outer") as run, run.child("own", task_id="other"):
            pass

    asyncio.run(main())
    assert [(record.body["task_id"], record.body["notes"]) for record in kept.records] == [
        ("other", "own"),
        ("task", "outer"),
    ]


def test_an_empty_project_is_refused(billing: AgentBilling) -> None:
    with billing.run() as run, pytest.raises(ValueError, match="project_id of a run is empty"):
        run.child(project_id=" ")


def test_each_run_is_billed_by_the_policy_that_is_resolved_for_it(policy: BillingPolicy, kept: Any) -> None:
    tenants = {"acme": BillingPolicy("p-acme", "t-acme", agent_id="a"), "none": None}
    billing = AgentBilling(policy, delivery=kept, resolve=lambda run: tenants[run.attributes["tenant"]])
    for tenant in ("acme", "none", "unheard of"):
        with billing.run(attributes={"tenant": tenant}), billing.run("part"):
            pass
    found = [(record.body["project_id"], record.body["metadata"]["keito"].get("flags")) for record in kept.records]
    assert found == [("p-acme", None), ("proj", None), ("proj", ["not_routed"])]
    assert kept.records[0].body["metadata"]["agent"] == {"id": "a"}
    assert billing.guard.count == 1


def test_the_outcome_may_depend_on_the_run_and_its_result(policy: BillingPolicy, kept: Any) -> None:
    def outcome(run: AgentRun, result: Any) -> "list[Outcome]":
        return [Outcome("line", 2, quantity=result)] if result else []

    billing = AgentBilling(policy, delivery=kept, outcome=outcome)
    for result in (3, 0):
        with billing.run() as run:
            run.set_result(result)
        assert run.result is None
    assert kinds(kept.records) == ["time_entry", "outcome", "time_entry"]
    assert kept.records[1].body["metadata"]["outcome_quantity"] == 3


def test_a_function_of_the_user_that_fails_costs_an_outcome_and_nothing_else(policy: BillingPolicy, kept: Any) -> None:
    def outcome(run: AgentRun, result: Any) -> Outcome:
        raise LookupError

    billing = AgentBilling(policy, delivery=kept, outcome=outcome)
    with billing.run():
        pass
    assert (kinds(kept.records), billing.guard.count) == (["time_entry"], 1)


def test_the_policys_session_is_that_of_runs_without_one(policy: BillingPolicy, kept: Any) -> None:
    billing = AgentBilling(policy, delivery=kept, session_id="daily")
    with billing.run():
        pass
    with billing.run(session_id="own"):
        pass
    assert [record.body["metadata"]["session_id"] for record in kept.records] == ["daily", "own"]


def test_a_run_that_was_started_by_hand_is_billed_as_a_block_too(billing: AgentBilling, kept: Any) -> None:
    with billing.start("by hand") as run:
        assert current_run() is run
    run = billing.start("left behind")
    billing.finish(run, RunStatus.ABANDONED)
    billing.finish(run)
    assert [record.body["metadata"]["keito"]["status"] for record in kept.records] == ["completed", "abandoned"]


def test_billing_does_not_load_http_before_it_bills() -> None:
    import subprocess
    import sys

    code = "import sys, keito.billing; print([m for m in ('httpx', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("wrong", ["ticket_resolved", None, 0.99])
def test_what_is_no_outcome_is_said_and_the_rest_is_billed(
    billing: AgentBilling, kept: Any, caplog: pytest.LogCaptureFixture, wrong: Any
) -> None:
    with billing.run(name="x") as run:
        assert not run.log_outcome(wrong)
        run.log_outcome(Outcome("ticket_resolved"))
    assert kinds(kept.records) == ["time_entry", "outcome"]
    assert f"{wrong!r} is no Outcome" in caplog.text


def test_a_run_without_records_is_never_reported_as_delivered(
    billing: AgentBilling, kept: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr("keito.billing.postings.records_with", fail)
    with billing.run(name="x"):
        pass
    report = billing.flush()
    assert (report.dropped, report.complete) == (1, False)
    assert "Billing failed in bill" in caplog.text


@pytest.mark.parametrize("amount", ["1e12", "1e95", "-1", "NaN"])
def test_an_impossible_amount_is_refused_before_it_spoils_a_bill(billing: AgentBilling, amount: str) -> None:
    with billing.run(name="x") as run:
        with pytest.raises(ValueError, match="below 1,000,000,000,000"):
            run.record_llm_call(model="m", input_tokens=1, reported_cost=amount)
        with pytest.raises(ValueError, match="below 1,000,000,000,000"):
            Outcome("ticket_resolved", quantity=amount)  # type: ignore[arg-type]


def test_a_window_that_cannot_be_billed_is_counted_and_spares_the_others(
    policy: BillingPolicy, kept: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from keito.billing import rollup

    made, windows = rollup.records_of, []

    def fail_for_one(window: Any, *rest: Any) -> Any:
        windows.append(window)
        if len(windows) == 1:
            raise RuntimeError("broken")
        return made(window, *rest)

    monkeypatch.setattr(rollup, "records_of", fail_for_one)
    billing = AgentBilling(policy, delivery=kept, rollup="day")
    for project in ("one", "other"):
        with billing.run(name="x", project_id=project):
            pass
    report = billing.flush()
    assert len(windows) == 2
    assert kinds(kept.records) == ["time_entry"]
    assert (report.dropped, report.complete) == (1, False)
    assert "cannot be billed" in caplog.text


def test_a_fixed_outcome_is_not_repeated_by_a_run_inside_that_is_billed_by_itself(
    policy: BillingPolicy, kept: Any
) -> None:
    routes = {"own": replace(policy, project_id="own", outcome=Outcome("own"))}
    billing = AgentBilling(
        policy, delivery=kept, outcome=Outcome("done", 2), resolve=lambda run: routes.get(run.name or "")
    )
    with billing.run("outer"):
        with billing.run("inner", project_id="other"):
            pass
        with billing.run("own", task_id="t"):
            pass
    found = [(r.body["project_id"], r.body["metadata"]["outcome_type"]) for r in kept.records if "outcome" in r.key]
    assert found == [("own", "own"), ("proj", "done")]


def test_a_run_whose_outcomes_could_not_be_found_says_so(policy: BillingPolicy, kept: Any) -> None:
    def fail(run: AgentRun, result: Any) -> Outcome:
        raise KeyError("of the program")

    billing = AgentBilling(policy, delivery=kept, outcome=fail)
    with billing.run():
        pass
    (entry,) = kept.records
    assert entry.body["metadata"]["keito"]["flags"] == ["outcome_failed"]
    assert billing.guard.count == 1


@pytest.mark.parametrize(("answer", "billed"), [("ticket_resolved", []), ([Outcome("done", 2), "more"], ["done"])])
def test_a_policy_that_answers_a_text_bills_no_outcome_for_it(
    policy: BillingPolicy, kept: Any, answer: Any, billed: "list[str]", caplog: pytest.LogCaptureFixture
) -> None:
    billing = AgentBilling(policy, delivery=kept, outcome=lambda run, result: answer)
    with billing.run():
        pass
    (entry,) = [record for record in kept.records if "outcome" not in record.key]
    assert entry.body["metadata"]["keito"]["flags"] == ["outcome_failed"]
    assert [record.body["metadata"]["outcome_type"] for record in kept.records if "outcome" in record.key] == billed
    assert len(caplog.records) == 1  # and not one for each letter
