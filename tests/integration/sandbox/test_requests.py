"""How request bodies and query strings are read: strictly."""

import pytest

ENTRY = {"project_id": "proj_support", "task_id": "task_tickets", "spent_date": "2026-03-05"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"{",
        b"[]",
        b"[1]",
        b"null",
        b"1",
        b'"text"',
        b"\xff\xfe",
        b'{"hours": NaN}',
        b'{"hours": Infinity}',
        b'{"hours": 1e999}',
        b'{"notes": "\\ud800"}',
        b'{"notes": "a", "notes": "b"}',
        b'{"metadata": ' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
        b'{"hours": ' + b"9" * 5000 + b"}",
    ],
)
def test_unusable_bodies(api, refused, body):
    refused(api.post("/time_entries", content=body, headers={"Content-Type": "application/json"}), 400)


@pytest.mark.parametrize("missing", ["project_id", "task_id", "spent_date"])
def test_required_fields(api, refused, missing):
    body = {name: value for name, value in ENTRY.items() if name != missing}
    assert refused(api.post("/time_entries", json=body), 400) == f"{missing} is required"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("project_id", 1),
        ("project_id", ""),
        ("project_id", None),
        ("hours", "1.5"),
        ("hours", True),
        ("hours", -0.01),
        ("hours", 24.01),
        ("hours", [1]),
        ("billable", "true"),
        ("billable", 1),
        ("billable", None),
        ("is_running", None),
        ("notes", 5),
        ("spent_date", "2026-02-30"),
        ("spent_date", "20260305"),
        ("spent_date", "05.03.2026"),
        ("spent_date", "2026-03-05T00:00:00Z"),
        ("started_time", "9:00"),
        ("started_time", "24:00"),
        ("ended_time", "09:60"),
        ("ended_time", "09:00\n"),
        ("source", "robot"),
        ("metadata", []),
        ("metadata", "text"),
        ("user_id", None),
    ],
)
def test_values_of_the_wrong_kind(api, refused, field, value):
    assert field in refused(api.post("/time_entries", json={**ENTRY, field: value}), 400)


@pytest.mark.parametrize("field", ["is_billable", "unit_price", "task", "id", "internal_notes"])
def test_unknown_fields(api, refused, field):
    assert refused(api.post("/time_entries", json={**ENTRY, field: 1}), 400) == f"{field} is not a known field"


def test_null_means_not_set_where_the_stored_field_can_be_null(api):
    nothing = dict.fromkeys(["notes", "metadata", "hours", "started_time", "ended_time"])
    entry = api.post("/time_entries", json={**ENTRY, **nothing}).json()
    assert entry["notes"] is entry["metadata"] is entry["started_time"] is None
    assert entry["hours"] == 0


def test_too_large_a_body(api, refused):
    response = api.post("/time_entries", json={**ENTRY, "notes": "x" * 1024 * 1024})
    refused(response, 413)


def test_content_type_does_not_matter(api):
    import json

    response = api.post("/time_entries", content=json.dumps(ENTRY), headers={"Content-Type": "text/plain"})
    assert response.status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=-1",
        "page=x",
        "page=1.5",
        "page=",
        "page=99999999999999999999",
        "per_page=0",
        "per_page=2001",
        "is_running=1",
        "is_running=True",
        "is_billed=",
        "from=yesterday",
        "to=2026-13-01",
        "updated_since=2026-03-05",
        "updated_since=2026-03-05T25:00:00Z",
        "updated_since=0001-01-01T00:00:00%2B23:59",
        "source=robot",
        "source=agent,",
        "source=",
    ],
)
def test_unusable_queries(api, refused, query):
    assert query.partition("=")[0] in refused(api.get(f"/time_entries?{query}"), 400)


def test_unknown_query_parameters_are_ignored(api):
    assert api.get("/time_entries?colour=green").status_code == 200


def test_sources_of_expenses_are_fewer(api, refused):
    refused(api.get("/expenses?source=desktop"), 400)
    body = {
        "project_id": "proj_support",
        "expense_category_id": "cat_llm",
        "spent_date": "2026-03-05",
        "total_cost": 1,
        "source": "calendar",
    }
    refused(api.post("/expenses", json=body), 400)
