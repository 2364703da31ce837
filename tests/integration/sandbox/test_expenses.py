"""Expenses: created and listed, nothing else."""

import pytest

EXPENSE = {"project_id": "proj_support", "expense_category_id": "cat_llm", "spent_date": "2026-03-05"}


@pytest.fixture
def spend(api):
    def create(client=api, **fields):
        response = client.post("/expenses", json={**EXPENSE, "total_cost": 0.135, **fields})
        assert response.status_code == 200, response.text
        return response.json()

    return create


def test_create_answers_the_whole_expense(spend):
    metadata = {"model": "m", "input_tokens": 30_000}
    expense = spend(units=45, notes="30k in, 15k out", source="agent", metadata=metadata)
    assert expense.pop("id").startswith("cm")
    assert expense == {
        "user_id": "usr_agent",
        "project_id": "proj_support",
        "expense_category_id": "cat_llm",
        "user": {"id": "usr_agent", "name": "Support Agent"},
        "project": {"id": "proj_support", "name": "Support"},
        "expense_category": {"id": "cat_llm", "name": "LLM Usage"},
        "spent_date": "2026-03-05",
        "total_cost": 0.135,
        "units": 45,
        "notes": "30k in, 15k out",
        "billable": True,
        "receipt_file_name": None,
        "receipt_content_type": None,
        "receipt_url": None,
        "is_locked": False,
        "is_billed": False,
        "approval_status": "unsubmitted",
        "source": "agent",
        "metadata": metadata,
        "created_at": "2026-03-05T09:30:00.000Z",
        "updated_at": "2026-03-05T09:30:00.000Z",
    }


@pytest.mark.parametrize("cost", [0, 0.000001, 0.1, 123456.789, 1_000_000_000])
def test_cost_comes_back_as_it_was_sent(spend, cost):
    assert spend(total_cost=cost)["total_cost"] == cost


def test_cost_or_units_is_needed(api, refused):
    assert refused(api.post("/expenses", json=EXPENSE), 400) == "total_cost or units is required"


@pytest.mark.parametrize(("price", "cost"), [(None, 0), (0.003, 0.14), (2, 90)])
def test_units_alone_are_priced_by_the_category(server, api, price, cost):
    server.seed(categories=[{"id": "cat_priced", "unit_price": price}])
    body = {**EXPENSE, "expense_category_id": "cat_priced", "units": 45}
    assert api.post("/expenses", json=body).json()["total_cost"] == cost


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("total_cost", -0.01),
        ("total_cost", "1"),
        ("total_cost", None),
        ("units", 0),
        ("units", 1.5),
        ("units", True),
        ("unit_price", 1),
        ("user_id", "usr_agent"),
        ("metadata", {"k": "x" * 4096}),
    ],
)
def test_unusable_values(api, refused, field, value):
    assert field in refused(api.post("/expenses", json={**EXPENSE, "total_cost": 1, field: value}), 400)


def test_unknown_and_inactive_records(server, api, refused):
    server.seed(categories=[{"id": "cat_old", "is_active": False}])
    refused(api.post("/expenses", json={**EXPENSE, "expense_category_id": "nope", "units": 1}), 404)
    refused(api.post("/expenses", json={**EXPENSE, "project_id": "nope", "units": 1}), 404)
    refused(api.post("/expenses", json={**EXPENSE, "expense_category_id": "cat_old", "units": 1}), 400)


def test_member_outside_the_project(server, member, refused):
    server.seed(projects=[{"id": "proj_other"}])
    refused(member.post("/expenses", json={**EXPENSE, "project_id": "proj_other", "units": 1}), 403)


def test_billable_follows_the_project(server, spend):
    server.seed(projects=[{"id": "proj_inner", "is_billable": False}])
    assert spend(project_id="proj_inner")["billable"] is False
    assert spend(project_id="proj_inner", billable=True)["billable"] is True
    assert spend(billable=False)["billable"] is False


def test_future_dates_follow_the_workspace(server, api, spend, refused):
    assert spend(spent_date="2026-03-06")["spent_date"] == "2026-03-06"
    server.seed(companies=[{"id": "acc_sandbox", "allow_future_expense_dates": False}])
    body = {**EXPENSE, "spent_date": "2026-03-06", "units": 1}
    assert "spent_date" in refused(api.post("/expenses", json=body), 400)
    assert spend()["spent_date"] == "2026-03-05"


def test_members_see_their_own(member, spend, api):
    spend()
    mine = spend(member)
    assert [each["id"] for each in member.get("/expenses").json()["expenses"]] == [mine["id"]]
    assert api.get("/expenses").json()["total_entries"] == 2


def test_filters(server, api, spend, clock):
    server.seed(clients=[{"id": "cli_2"}], projects=[{"id": "proj_2", "client_id": "cli_2"}])
    first = spend(spent_date="2026-03-01", source="agent")
    clock.tick(hours=1)
    second = spend(spent_date="2026-03-03", project_id="proj_2")
    server.set_state("expenses", first["id"], billed=True, locked=True, approved=True)

    def ids(query):
        return [each["id"] for each in api.get(f"/expenses?{query}").json()["expenses"]]

    assert ids("") == [second["id"], first["id"]]
    assert ids("project_id=proj_2") == ids("client_id=cli_2") == ids("source=api") == [second["id"]]
    assert ids("is_billed=false") == ids("from=2026-03-02") == [second["id"]]
    assert ids("is_billed=true") == ids("to=2026-03-02") == ids("source=agent") == [first["id"]]
    assert ids("source=agent,api") == ids("user_id=usr_agent") == [second["id"], first["id"]]
    assert ids("user_id=usr_member") == ids("user_id=nope") == []
    assert ids("updated_since=2026-03-05T10:30:01Z") == []


def test_states(server, api, spend):
    expense = spend()
    server.set_state("expenses", expense["id"], locked=True, billed=True, approval_status="rejected")
    (shown,) = api.get("/expenses").json()["expenses"]
    assert (shown["is_locked"], shown["is_billed"], shown["approval_status"]) == (True, True, "rejected")
    server.set_state("expenses", expense["id"], approved=False)
    assert api.get("/expenses").json()["expenses"][0]["approval_status"] == "unsubmitted"
