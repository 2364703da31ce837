"""The team time report."""

import pytest

REPORT = "/reports/time/team"


@pytest.fixture
def stock(server):
    server.seed(users=[{"id": "usr_rated", "first_name": "Aki", "default_hourly_rate": 50, "is_contractor": True}])
    server.seed(projects=[{"id": "proj_plain"}])
    usual = {"project_id": "proj_support", "task_id": "task_tickets", "spent_date": "2026-03-05"}
    server.seed(
        entries=[
            {**usual, "hours": 0.1},
            {**usual, "hours": 0.1},
            {**usual, "hours": 0.1, "billable": False},
            {**usual, "user_id": "usr_rated", "project_id": "proj_plain", "hours": 0.333},
            {**usual, "hours": 8, "spent_date": "2026-04-01"},
        ]
    )


def test_rows(stock, manager):
    body = manager.get(f"{REPORT}?from=20260301&to=20260331").json()
    assert body["results"] == [
        {
            "user_id": "usr_rated",
            "user_name": "Aki",
            "is_contractor": True,
            "weekly_capacity": 144000,
            "avatar_url": None,
            "total_hours": 0.333,
            "billable_hours": 0.333,
            "currency": "USD",
            "billable_amount": 16.65,
        },
        {
            "user_id": "usr_agent",
            "user_name": "Support Agent",
            "is_contractor": False,
            "weekly_capacity": 144000,
            "avatar_url": None,
            "total_hours": 0.3,
            "billable_hours": 0.2,
            "currency": "USD",
            "billable_amount": 18,
        },
    ]
    assert (body["total_entries"], body["total_pages"]) == (2, 1)


def test_both_forms_of_dates_and_both_ends(stock, api):
    compact = api.get(f"{REPORT}?from=20260305&to=20260401").json()
    dashed = api.get(f"{REPORT}?from=2026-03-05&to=2026-04-01").json()
    assert compact == dashed
    assert compact["results"][1]["total_hours"] == 8.3


def test_pages(stock, api):
    body = api.get(f"{REPORT}?from=20260301&to=20260331&per_page=1&page=2").json()
    assert [row["user_id"] for row in body["results"]] == ["usr_agent"]
    assert body["links"]["previous"] == f"/api/v2{REPORT}?page=1&from=2026-03-01&to=2026-03-31&per_page=1"


def test_empty(api):
    body = api.get(f"{REPORT}?from=20250101&to=20250101").json()
    assert (body["results"], body["total_pages"]) == ([], 0)


@pytest.mark.parametrize(("to", "status"), [("20260101", 200), ("20260102", 400), ("20241231", 400)])
def test_at_most_365_days(api, to, status):
    assert api.get(f"{REPORT}?from=20250101&to={to}").status_code == status


@pytest.mark.parametrize("query", ["", "from=20260101", "to=20260101", "from=x&to=y", "from=20260230&to=20260301"])
def test_unusable_ranges(api, refused, query):
    refused(api.get(f"{REPORT}?{query}"), 400)
