"""`reports.agent_summary()`, through both clients, over entries and outcomes that the client has made."""

import gc
import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from keito import (
    AgentMetadata,
    Keito,
    KeitoAuthError,
    KeitoForbiddenError,
    KeitoServerError,
    KeitoValidationError,
)
from keito.billing import AgentBilling, Outcome
from keito.resources.agent_report import AgentReport
from keito.types import AgentSummary, TimeEntry

MARCH = ("2026-03-01", "2026-03-31")
SUPPORT: Any = {"project_id": "proj_support", "task_id": "task_tickets"}
MAY_FAIL = {"max_retries": 0}


@pytest.fixture
def workspace(keito_sandbox: Any) -> Any:
    """A second client that pays in euros, and projects with and without a rate."""
    keito_sandbox.seed(
        clients=[{"id": "cli_eu", "name": "Umlaut", "currency": "EUR"}],
        tasks=[{"id": "task_leads", "name": "Leads"}],
        projects=[
            {"id": "proj_eu", "name": "Leads", "client_id": "cli_eu", "hourly_rate": 80},
            {"id": "proj_old", "name": "Archive", "client_id": "cli_eu", "hourly_rate": 10, "is_active": False},
            {"id": "proj_norate", "name": "Favour"},
        ],
    )
    return keito_sandbox


@pytest.fixture
def work(workspace: Any, client: Any) -> Any:
    """March as the agents `triage` and `sales` and a person have recorded it; makes further entries."""

    def record(project_id: str = "proj_support", day: str = "2026-03-05", **fields: Any) -> Any:
        usual = {"task_id": "task_tickets", "source": "agent"}
        return client.time_entries.create(**{**usual, "project_id": project_id, "spent_date": day, **fields})

    triage, sales = (AgentMetadata.build(agent_id=name) for name in ("triage", "sales"))
    record(hours=1.5, metadata=triage)
    record(hours=0.1, billable=False, metadata=triage, day="2026-03-06")
    record(hours=8, source="web")
    record("proj_eu", hours=0.25, metadata={"agent_id": "sales"}, day="2026-03-31")
    record(hours=2, day="2026-04-01", metadata=triage)
    on = {**SUPPORT, "spent_date": "2026-03-05"}
    log = client.outcomes.log
    log(**on, outcome_type="ticket_resolved", unit_price=0.99, quantity=3, metadata=triage)
    log(**on, outcome_type="ticket_resolved", unit_price=0.99, success=False, metadata=triage)
    log(**{**on, "project_id": "proj_eu"}, outcome_type="lead_qualified", unit_price=12.5, metadata=sales)
    return record


def test_hours_outcomes_and_what_both_are_worth(client: Any, work: Any) -> None:
    summary = client.reports.agent_summary(*MARCH, client_id="cli_acme")
    assert isinstance(summary, AgentSummary)
    assert (summary.from_date, summary.to_date) == (date(2026, 3, 1), date(2026, 3, 31))
    time, outcomes, combined = summary.time, summary.outcomes, summary.combined
    assert (time.total_hours, time.billable_hours, time.revenue) == (Decimal("1.6"), Decimal("1.5"), 135)
    assert (outcomes.total, outcomes.successful, outcomes.failed, outcomes.quantity) == (2, 1, 1, 3)
    assert outcomes.revenue == Decimal("2.97"), "nobody pays for a failed outcome"
    assert combined.total_revenue == Decimal("137.97")
    assert combined.revenues == {"USD": Decimal("137.97")}
    assert (combined.unpriced, time.unmeasured, summary.entries, summary.changed) == (0, 0, 4, False)
    assert summary.groups == []


def test_currencies_stay_apart(client: Any, work: Any) -> None:
    summary = client.reports.agent_summary(*MARCH)
    assert summary.combined.total_revenue is None
    assert summary.combined.revenues == {"USD": Decimal("137.97"), "EUR": Decimal("32.5")}
    assert summary.time.revenues == {"USD": 135, "EUR": 20}
    assert summary.outcomes.revenues == {"USD": Decimal("2.97"), "EUR": Decimal("12.5")}
    assert summary.time.total_hours == Decimal("1.85")


@pytest.mark.parametrize(
    ("filters", "hours", "outcomes"),
    [
        ({}, "1.85", 3),
        ({"source": None}, "9.85", 3),
        ({"source": "web"}, "8", 0),
        ({"source": ["web", "agent"]}, "9.85", 3),
        ({"agent_id": "triage"}, "1.6", 2),
        ({"agent_id": "sales"}, "0.25", 1),
        ({"agent_id": "nobody"}, "0", 0),
        ({"project_id": "proj_eu"}, "0.25", 1),
        ({"client_id": "cli_acme"}, "1.6", 2),
        ({"task_id": "task_leads"}, "0", 0),
        ({"user_id": "usr_agent"}, "1.85", 3),
        ({"user_id": "usr_member"}, "0", 0),
        ({"is_billed": True}, "0", 0),
        ({"is_billed": False}, "1.85", 3),
    ],
)
def test_filters(client: Any, work: Any, filters: Any, hours: str, outcomes: int) -> None:
    summary = client.reports.agent_summary(*MARCH, **filters)
    assert (summary.time.total_hours, summary.outcomes.total) == (Decimal(hours), outcomes)


@pytest.mark.parametrize(
    ("period", "hours"),
    [
        (("20260301", "20260331"), "1.85"),
        ((date(2026, 3, 6), date(2026, 3, 30)), "0.1"),
        (("2026-03-31", "2026-04-01"), "2.25"),
        (("2026-04-01", "2026-04-01"), "2"),
        (("2020-01-01", "2026-12-31"), "3.85"),
    ],
)
def test_both_ends_of_the_period_belong_to_it(client: Any, work: Any, period: Any, hours: str) -> None:
    assert client.reports.agent_summary(*period).time.total_hours == Decimal(hours)


def rows(summary: AgentSummary) -> "list[tuple[Any, ...]]":
    return [(*group.key.values(), group.time.total_hours, group.outcomes.total) for group in summary.groups]


@pytest.mark.parametrize(
    ("dimension", "expected"),
    [
        ("client", [("cli_acme", "3.6", 2), ("cli_eu", "0.25", 1)]),
        ("project", [("proj_eu", "0.25", 1), ("proj_support", "3.6", 2)]),
        ("task", [("task_tickets", "3.85", 3)]),
        ("user", [("usr_agent", "3.85", 3)]),
        ("agent", [("sales", "0.25", 1), ("triage", "3.6", 2)]),
        ("outcome_type", [("lead_qualified", "0", 1), ("ticket_resolved", "0", 2), (None, "3.85", 0)]),
        ("currency", [("EUR", "0.25", 1), ("USD", "3.6", 2)]),
        (
            "day",
            [("2026-03-05", "1.5", 3), ("2026-03-06", "0.1", 0), ("2026-03-31", "0.25", 0), ("2026-04-01", "2", 0)],
        ),
        ("week", [("2026-W10", "1.6", 3), ("2026-W14", "2.25", 0)]),
        ("month", [("2026-03", "1.85", 3), ("2026-04", "2", 0)]),
        (
            ["client", "month"],
            [("cli_acme", "2026-03", "1.6", 2), ("cli_acme", "2026-04", "2", 0), ("cli_eu", "2026-03", "0.25", 1)],
        ),
    ],
    ids=str,
)
def test_groups(client: Any, work: Any, dimension: Any, expected: Any) -> None:
    summary = client.reports.agent_summary("2026-03-01", "2026-04-30", group_by=dimension)
    assert rows(summary) == [(*key, Decimal(hours), outcomes) for *key, hours, outcomes in expected]
    assert sum(group.time.total_hours for group in summary.groups) == summary.time.total_hours
    assert sum(group.outcomes.successful for group in summary.groups) == summary.outcomes.successful


def test_groups_have_the_names_of_their_ids(client: Any, work: Any) -> None:
    summary = client.reports.agent_summary(*MARCH, group_by=["client", "project", "user", "agent"])
    named = summary.groups[0]
    assert named.key == {"client": "cli_acme", "project": "proj_support", "user": "usr_agent", "agent": "triage"}
    assert named.names == {"client": "Acme", "project": "Support", "user": "Support Agent"}
    assert named.combined.total_revenue == Decimal("137.97")


def test_work_without_a_rate_is_unpriced_and_not_free(client: Any, work: Any) -> None:
    work("proj_norate", hours=4)
    client.outcomes.log(**SUPPORT, spent_date="2026-03-07", outcome_type="ticket_resolved")
    summary = client.reports.agent_summary(*MARCH, client_id="cli_acme")
    assert (summary.time.unpriced, summary.time.unpriced_hours) == (1, 4)
    assert summary.time.total_hours == Decimal("5.6")
    assert (summary.outcomes.successful, summary.outcomes.unpriced) == (2, 1)
    assert (summary.combined.total_revenue, summary.combined.unpriced) == (Decimal("137.97"), 2)
    alone = client.reports.agent_summary(*MARCH, project_id="proj_norate")
    assert (alone.time.revenue, alone.combined.total_revenue) == (None, None)


def test_a_running_timer_is_named_and_not_counted(client: Any, keito_sandbox: Any) -> None:
    timer = client.time_entries.start(**SUPPORT, source="agent")
    day = timer.spent_date
    running = client.reports.agent_summary(day, day).time
    assert (running.unmeasured, running.total_hours, running.unpriced) == (1, 0, 0)
    client.time_entries.stop(timer.id)
    client.time_entries.update(timer.id, hours=0.5)
    stopped = client.reports.agent_summary(day, day).time
    assert (stopped.unmeasured, stopped.total_hours, stopped.revenue) == (0, Decimal("0.5"), 45)


def test_projects_that_are_closed_keep_their_currency(client: Any, workspace: Any) -> None:
    entry = {"project_id": "proj_old", "task_id": "task_tickets", "spent_date": "2026-03-05", "hours": 3}
    workspace.seed(entries=[{**entry, "source": "agent"}])
    assert client.reports.agent_summary(*MARCH).combined.revenues == {"EUR": 30}


def test_a_period_without_work_is_worth_nothing(client: Any, work: Any) -> None:
    summary = client.reports.agent_summary("2026-05-01", "2026-05-31", group_by="project")
    assert (summary.entries, summary.groups, summary.changed) == (0, [], False)
    assert (summary.time.total_hours, summary.combined.total_revenue, summary.combined.revenues) == (0, 0, {})


def test_what_agent_billing_posts_is_what_is_summed_up(keito_client: Keito, client: Any) -> None:
    billing = AgentBilling(client=keito_client, outbox="direct://", agent_id="triage", timezone="UTC", **SUPPORT)

    def work_on(ticket: int) -> None:
        with billing.run(name=f"Ticket {ticket}") as run:
            run.log_outcome(Outcome("ticket_resolved", unit_price="0.99"))
            if ticket == 4:
                raise RuntimeError

    for ticket in (1, 2, 3):
        work_on(ticket)
    with pytest.raises(RuntimeError):
        work_on(4)
    billing.close()
    entries = list(keito_client.time_entries.list(source="agent"))
    days = sorted(entry.spent_date for entry in entries if entry.spent_date)
    summary = client.reports.agent_summary(days[0], days[-1], agent_id="triage", group_by="outcome_type")
    assert summary.entries == len(entries) == 7, "four runs, and the outcomes of those that did not fail"
    assert (summary.outcomes.successful, summary.outcomes.revenue) == (3, Decimal("2.97"))
    assert summary.time.total_hours == sum(Decimal(repr(entry.hours)) for entry in entries) > 0
    assert [group.key["outcome_type"] for group in summary.groups] == ["ticket_resolved", None]


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("per_page", [1, 7, 2000])
def test_every_entry_counts_once_on_whatever_page_it_is(
    client: Any, keito_sandbox: Any, per_page: int, prefetch: int
) -> None:
    entry = {**SUPPORT, "spent_date": "2026-03-05", "source": "agent"}
    keito_sandbox.seed(entries=[{**entry, "id": f"te_{number}", "hours": 0.1} for number in range(20)])
    summary = client.reports.agent_summary(*MARCH, per_page=per_page, prefetch=prefetch)
    assert (summary.entries, summary.time.total_hours, summary.changed) == (20, 2, False)


def page(number: int, *ids: str, total: int, pages: int = 2) -> bytes:
    items = [{"id": id, "hours": 1, "billable": False} for id in ids]
    envelope = {"page": number, "per_page": 2, "total_pages": pages, "total_entries": total}
    return json.dumps({"time_entries": items, **envelope}).encode()


@pytest.mark.parametrize(
    ("second", "entries", "changed"),
    [
        (page(2, "te_3", "te_4", total=4), 4, False),
        (page(2, "te_2", "te_3", total=5, pages=2), 3, True),
        (page(2, "te_4", total=3), 3, True),
        (page(2, total=2), 2, True),
    ],
    ids=["unchanged", "one was added", "one was removed", "two were removed"],
)
def test_a_list_that_changes_while_it_is_read_counts_no_entry_twice(
    connect: Any, server: Any, acts: Any, second: bytes, entries: int, changed: bool
) -> None:
    server.acts(acts.answer(page(1, "te_1", "te_2", total=4)), acts.answer(second))
    client = connect(server.url)
    summary = client.reports.agent_summary(*MARCH, currency="USD", per_page=2, prefetch=0)
    assert (summary.entries, summary.time.total_hours, summary.changed) == (entries, entries, changed)


def paths(sandbox: Any) -> "list[str]":
    return [request["path"].removeprefix("/api/v2") for request in sandbox.requests()]


def test_a_named_currency_saves_reading_projects_and_clients(client: Any, work: Any, keito_sandbox: Any) -> None:
    before = len(paths(keito_sandbox))
    summary = client.reports.agent_summary(*MARCH, currency="CHF")
    assert summary.combined.revenues == {"CHF": Decimal("170.47")}
    assert paths(keito_sandbox)[before:] == ["/time_entries"]
    client.reports.agent_summary(*MARCH, currency="CHF", group_by="client")
    assert paths(keito_sandbox)[before + 1 :] == ["/projects", "/projects", "/time_entries"]


def test_a_member_names_the_currency_and_sees_own_entries(connect: Any, work: Any) -> None:
    member = connect(api_key="kto_sandbox_member")
    member.time_entries.create(**SUPPORT, spent_date="2026-03-09", hours=0.5, source="agent")
    with pytest.raises(KeitoForbiddenError):
        member.reports.agent_summary(*MARCH)
    assert member.reports.agent_summary(*MARCH, currency="USD").combined.total_revenue == 45


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"from_date": None}, "from_date"),
        ({"to_date": None}, "to_date"),
        ({"from_date": "March"}, "from_date"),
        ({"to_date": "2026-02-30"}, "to_date"),
        ({"to_date": "2026-02-28"}, "to_date"),
        ({"group_by": "colour"}, "group_by"),
        ({"group_by": ["client", "colour"]}, "group_by"),
        ({"group_by": [["client"]]}, "group_by"),
        ({"group_by": 7}, "group_by"),
        ({"currency": "euro"}, "currency"),
        ({"agent_id": ""}, "agent_id"),
        ({"is_billed": "no"}, "is_billed"),
        ({"source": []}, "source"),
        ({"per_page": 2001}, "per_page"),
        ({"prefetch": -1}, "prefetch"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused_before_anything_is_sent(
    client: Any, keito_sandbox: Any, arguments: Any, name: str
) -> None:
    given = {"from_date": MARCH[0], "to_date": MARCH[1], **arguments}
    with pytest.raises(KeitoValidationError, match=name):
        client.reports.agent_summary(**given)
    assert keito_sandbox.requests() == []


def test_a_wrong_key_is_an_error(connect: Any, keito_sandbox: Any) -> None:
    with pytest.raises(KeitoAuthError):
        connect(api_key="kto_wrong").reports.agent_summary(*MARCH)


def test_a_page_that_fails_gives_no_partial_sum(client: Any, work: Any, keito_sandbox: Any) -> None:
    keito_sandbox.faults.add("status", path="time_entries", status=500)
    with pytest.raises(KeitoServerError):
        client.reports.agent_summary(*MARCH, request_options=MAY_FAIL)
    keito_sandbox.faults.add("status", path="time_entries", status=503)
    assert client.reports.agent_summary(*MARCH).entries == 6


def test_the_raw_response_has_the_summary_and_the_last_answer(client: Any, work: Any) -> None:
    raw = client.reports.with_raw_response.agent_summary(*MARCH, per_page=2)
    assert raw.data == client.reports.agent_summary(*MARCH)
    assert (raw.status_code, raw.headers["x-keito-api-version"]) == (200, "2")
    assert "time_entries" in raw.raw_response.json()


def test_the_summary_is_frozen_and_survives_json(client: Any, work: Any) -> None:
    summary = client.reports.agent_summary(*MARCH, group_by="client")
    with pytest.raises(ValueError, match="frozen"):
        summary.time.revenue = Decimal(0)
    assert AgentSummary.model_validate_json(summary.model_dump_json()) == summary


def test_only_the_entries_of_a_page_are_kept_in_memory(
    client: Any, keito_sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {**SUPPORT, "spent_date": "2026-03-05", "source": "agent", "hours": 0.1}
    keito_sandbox.seed(entries=[{**entry, "id": f"te_{number}"} for number in range(1000)])
    take = AgentReport.take
    kept: list[int] = []

    def watched(report: AgentReport, page: Any) -> None:
        take(report, page)
        kept.append(sum(type(found) is TimeEntry for found in gc.get_objects()))

    monkeypatch.setattr(AgentReport, "take", watched)
    gc.collect()  # what other tests have left
    before = sum(type(found) is TimeEntry for found in gc.get_objects())
    assert client.reports.agent_summary(*MARCH, group_by="day", per_page=50).entries == 1000
    assert len(kept) == 20
    assert max(kept) - before <= 2 * 50, "the page that is counted, and the one before"
