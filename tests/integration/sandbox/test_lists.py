"""Pages, links, order and filters."""

import pytest

ROOT = "/api/v2/time_entries"


@pytest.fixture
def stock(server):
    """Puts entries into the workspace, one per given set of fields."""

    def stock(*entries):
        usual = {"project_id": "proj_support", "task_id": "task_tickets", "spent_date": "2026-03-05"}
        server.seed(entries=[{**usual, "id": f"te_{i}", **entry} for i, entry in enumerate(entries, 1)])

    return stock


@pytest.fixture
def ids(api):
    def ids(query=""):
        return [entry["id"] for entry in api.get(f"/time_entries?{query}").json()["time_entries"]]

    return ids


@pytest.mark.parametrize("name", ["time_entries", "expenses", "contacts", "invoices"])
def test_empty_list(api, name):
    page = f"/api/v2/{name}?page=1&per_page=100"
    assert api.get(f"/{name}").json() == {
        name: [],
        "per_page": 100,
        "total_pages": 0,
        "total_entries": 0,
        "page": 1,
        "links": {"first": page, "next": None, "previous": None, "last": page},
    }


def test_pages(api, stock):
    stock(*[{}] * 5)
    body = api.get("/time_entries?per_page=2&page=2").json()
    assert [entry["id"] for entry in body.pop("time_entries")] == ["te_3", "te_2"]
    assert body == {
        "per_page": 2,
        "total_pages": 3,
        "total_entries": 5,
        "page": 2,
        "links": {
            "first": f"{ROOT}?page=1&per_page=2",
            "next": f"{ROOT}?page=3&per_page=2",
            "previous": f"{ROOT}?page=1&per_page=2",
            "last": f"{ROOT}?page=3&per_page=2",
        },
    }


def test_last_page(api, stock):
    stock(*[{}] * 4)
    links = api.get("/time_entries?per_page=2&page=2").json()["links"]
    assert (links["next"], links["last"]) == (None, f"{ROOT}?page=2&per_page=2")


def test_beyond_the_last_page(api, stock):
    stock({})
    body = api.get("/time_entries?page=1000000000&per_page=2000").json()
    assert (body["time_entries"], body["page"], body["total_pages"]) == ([], 1000000000, 1)
    assert body["links"]["previous"] == f"{ROOT}?page=1&per_page=2000"


def test_links_can_be_followed_and_keep_the_filters(api, server, stock):
    stock(*[{"source": "agent"}] * 3, {"source": "cli"}, {"source": "web"})
    found, path = (
        [],
        f"{ROOT}?source=agent,cli&from=2026-03-01&is_running=false&updated_since=2026-01-01T00:00:00%2B01:00&per_page=1",
    )
    while path:
        body = api.get(f"{server.url}{path}").json()
        found += [entry["id"] for entry in body["time_entries"]]
        path = body["links"]["next"]
    assert found == ["te_4", "te_3", "te_2", "te_1"]


def test_order_is_newest_day_first(stock, ids):
    stock({"spent_date": "2026-03-04"}, {"spent_date": "2026-03-06"}, {"spent_date": "2026-03-05"}, {})
    assert ids() == ["te_2", "te_4", "te_3", "te_1"]


def test_days_include_both_ends(stock, ids):
    stock(*({"spent_date": f"2026-03-0{day}"} for day in range(1, 6)))
    assert ids("from=2026-03-02&to=2026-03-04") == ids("from=20260302&to=20260304") == ["te_4", "te_3", "te_2"]
    assert ids("from=2026-03-05") == ["te_5"]
    assert ids("to=2026-03-01") == ["te_1"]
    assert ids("from=2026-03-04&to=2026-03-02") == []


def test_flags(stock, ids):
    stock({"is_billed": True}, {"is_running": True}, {})
    assert ids("is_billed=true") == ["te_1"]
    assert ids("is_billed=false") == ["te_3", "te_2"]
    assert ids("is_running=true") == ["te_2"]
    assert ids("is_running=false") == ["te_3", "te_1"]


def test_sources(stock, ids):
    stock({"source": "agent"}, {"source": "cli"}, {"source": "desktop"})
    assert ids("source=agent") == ["te_1"]
    assert ids("source=desktop,agent") == ["te_3", "te_1"]


def test_references(server, stock, ids):
    server.seed(
        clients=[{"id": "cli_2"}],
        projects=[{"id": "proj_2", "client_id": "cli_2"}],
        tasks=[{"id": "task_2"}],
    )
    stock({"project_id": "proj_2"}, {"task_id": "task_2"}, {"user_id": "usr_member"})
    assert ids("project_id=proj_2") == ids("client_id=cli_2") == ["te_1"]
    assert ids("task_id=task_2") == ["te_2"]
    assert ids("user_id=usr_member") == ["te_3"]
    assert ids("client_id=cli_acme&task_id=task_tickets") == ["te_3"]
    assert ids("project_id=nope") == []


def test_updated_since(api, stock, ids, clock):
    stock({"created_at": "2026-03-01T00:00:00Z"}, {"created_at": "2026-03-02T00:00:00Z"})
    assert ids("updated_since=2026-03-02T00:00:00Z") == ["te_2"]
    assert ids("updated_since=2026-03-02T00:00:00.001Z") == []
    assert ids("updated_since=2026-03-02T01:00:00%2B01:00") == ["te_2"]
    assert ids("updated_since=2026-03-02T00:00:00") == ["te_2"]
    api.patch("/time_entries/te_1", json={"notes": "x"})
    assert ids("updated_since=2026-03-03T00:00:00Z") == ["te_1"]
