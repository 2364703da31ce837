"""Time entries that are not timers."""

import json

import pytest

ENTRY = {"project_id": "proj_support", "task_id": "task_tickets", "spent_date": "2026-03-05"}


def test_create_answers_the_whole_entry(api):
    body = {
        **ENTRY,
        "hours": 1.25,
        "notes": "Answered a ticket",
        "source": "agent",
        "metadata": {"session_id": "s-1", "tokens": {"in": 3}},
    }
    response = api.post("/time_entries", json=body)
    assert response.status_code == 200
    entry = response.json()
    assert entry.pop("id").startswith("cm")
    assert entry == {
        "user_id": "usr_agent",
        "project_id": "proj_support",
        "task_id": "task_tickets",
        "user": {"id": "usr_agent", "name": "Support Agent"},
        "project": {"id": "proj_support", "name": "Support"},
        "task": {"id": "task_tickets", "name": "Tickets"},
        "spent_date": "2026-03-05",
        "hours": 1.25,
        "rounded_hours": 1.25,
        "duration_seconds": 4500,
        "notes": "Answered a ticket",
        "is_running": False,
        "timer_started_at": None,
        "started_time": None,
        "ended_time": None,
        "is_locked": False,
        "is_closed": False,
        "is_billed": False,
        "billable": True,
        "budgeted": False,
        "billable_rate": 90,
        "cost_rate": None,
        "source": "agent",
        "metadata": {"session_id": "s-1", "tokens": {"in": 3}},
        "created_at": "2026-03-05T09:30:00.000Z",
        "updated_at": "2026-03-05T09:30:00.000Z",
    }


def test_defaults(log_time):
    entry = log_time()
    assert (entry["hours"], entry["source"], entry["metadata"], entry["notes"]) == (0, "api", None, None)


@pytest.mark.parametrize("hours", [0, 0.001, 0.1, 8, 23.99, 24])
def test_hours_come_back_as_they_were_sent(log_time, hours):
    assert log_time(hours=hours)["hours"] == hours


def test_whole_numbers_have_no_decimal_point(api):
    assert '"hours":8,' in api.post("/time_entries", json={**ENTRY, "hours": 8.0}).text


@pytest.mark.parametrize("source", ["web", "cli", "api", "agent", "calendar", "desktop"])
def test_sources(log_time, source):
    assert log_time(source=source)["source"] == source


class TestTimes:
    @pytest.mark.parametrize(
        ("times", "hours"),
        [
            ({"started_time": "09:00", "ended_time": "10:30"}, 1.5),
            ({"started_time": "23:30", "ended_time": "00:15"}, 0.75),
            ({"started_time": "09:00", "ended_time": "09:00"}, 0),
            ({"started_time": "09:00"}, 0),
            ({"ended_time": "09:00"}, 0),
            ({"started_time": "09:00", "ended_time": "10:30", "hours": 1}, 1),
        ],
    )
    def test_hours_of_times(self, log_time, times, hours):
        entry = log_time(**times)
        assert entry["hours"] == hours
        assert {name: entry[name] for name in ("started_time", "ended_time")} == {
            "started_time": times.get("started_time"),
            "ended_time": times.get("ended_time"),
        }

    def test_changing_a_time_changes_the_hours(self, api, log_time):
        entry = log_time(started_time="09:00", ended_time="10:00")
        assert api.patch(f"/time_entries/{entry['id']}", json={"ended_time": "11:30"}).json()["hours"] == 2.5
        assert api.patch(f"/time_entries/{entry['id']}", json={"started_time": None}).json()["hours"] == 2.5


def test_future_days_are_accepted(log_time):
    assert log_time(spent_date="2027-01-01")["spent_date"] == "2027-01-01"


class TestRounding:
    @pytest.mark.parametrize(("hours", "stored"), [(0, 0), (0.01, 0.25), (0.25, 0.25), (1.26, 1.5), (24, 24)])
    def test_up_to_the_quarter(self, server, log_time, hours, stored):
        server.configure(rounding="up_15")
        entry = log_time(hours=hours)
        assert (entry["hours"], entry["rounded_hours"]) == (stored, stored)

    def test_is_told_to_the_caller(self, server, api):
        server.configure(rounding="up_15")
        assert api.get("/users/me").json()["company"]["time_rounding"] == "up_15"


class TestMetadata:
    def test_patch_merges(self, api, log_time):
        path = f"/time_entries/{log_time(metadata={'a': 1, 'nested': {'x': 1}})['id']}"
        merged = api.patch(path, json={"metadata": {"b": 2, "nested": {"y": 2}}}).json()["metadata"]
        assert merged == {"a": 1, "b": 2, "nested": {"y": 2}}
        assert api.patch(path, json={"metadata": {}}).json()["metadata"] == merged
        assert api.patch(path, json={"notes": "x"}).json()["metadata"] == merged

    def test_null_clears(self, api, log_time):
        path = f"/time_entries/{log_time(metadata={'a': 1})['id']}"
        assert api.patch(path, json={"metadata": None}).json()["metadata"] is None
        assert api.patch(path, json={"metadata": {"b": None}}).json()["metadata"] == {"b": None}

    def test_4096_bytes_fit(self, log_time):
        assert log_time(metadata=sized(4096))["metadata"] == sized(4096)

    def test_one_more_does_not(self, api, refused):
        response = api.post("/time_entries", json={**ENTRY, "metadata": sized(4097)})
        assert "metadata" in refused(response, 400)

    def test_bytes_are_counted_not_characters(self, api, refused):
        refused(api.post("/time_entries", json={**ENTRY, "metadata": {"k": "é" * 2045}}), 400)

    def test_the_merged_result_counts(self, api, log_time, refused):
        path = f"/time_entries/{log_time(metadata=sized(4000))['id']}"
        refused(api.patch(path, json={"metadata": {"other": "y" * 200}}), 400)
        assert api.patch(path, json={"metadata": {"k": "short"}}).json()["metadata"] == {"k": "short"}


def sized(length):
    """Metadata of so many bytes as compact JSON."""
    empty = len(json.dumps({"k": ""}, separators=(",", ":")))
    return {"k": "x" * (length - empty)}


class TestBillable:
    @pytest.fixture
    def rates(self, server):
        server.seed(
            projects=[{"id": "proj_plain"}, {"id": "proj_unbillable", "is_billable": False, "budget_by": "project"}],
            tasks=[
                {"id": "task_rated", "default_hourly_rate": 70},
                {"id": "task_free", "billable_by_default": False},
            ],
            users=[
                {"id": "usr_rated", "default_hourly_rate": 50, "cost_rate": 20, "keys": [{"key": "kto_rated"}]},
            ],
        )

    @pytest.mark.parametrize(
        ("project", "task", "billable", "rate"),
        [
            ("proj_support", "task_rated", True, 90),
            ("proj_plain", "task_rated", True, 70),
            ("proj_plain", "task_tickets", True, 50),
            ("proj_unbillable", "task_rated", False, None),
            ("proj_support", "task_free", False, None),
        ],
    )
    def test_defaults_and_rates(self, rates, connect, log_time, project, task, billable, rate):
        entry = log_time(connect("kto_rated"), project_id=project, task_id=task)
        assert (entry["billable"], entry["billable_rate"], entry["cost_rate"]) == (billable, rate, 20)
        assert entry["budgeted"] == (project == "proj_unbillable")

    def test_can_be_chosen(self, rates, log_time):
        assert log_time(billable=False)["billable_rate"] is None
        assert log_time(task_id="task_free", billable=True)["billable_rate"] == 90


class TestAssignments:
    def test_unknown_records(self, api, refused):
        for field in ("project_id", "task_id", "user_id"):
            assert refused(api.post("/time_entries", json={**ENTRY, field: "nope"}), 404) == "Resource not found"

    def test_inactive_records(self, server, api, refused):
        server.seed(
            projects=[{"id": "proj_old", "is_active": False}],
            tasks=[{"id": "task_old", "is_active": False}],
            users=[{"id": "usr_old", "is_active": False}],
        )
        for field, id in (("project_id", "proj_old"), ("task_id", "task_old"), ("user_id", "usr_old")):
            assert refused(api.post("/time_entries", json={**ENTRY, field: id}), 400) == f"{field} is not active"

    def test_user_outside_the_project(self, server, member, refused):
        server.seed(projects=[{"id": "proj_other"}])
        refused(member.post("/time_entries", json={**ENTRY, "project_id": "proj_other"}), 403)

    def test_task_outside_the_project(self, server, api, refused):
        server.seed(tasks=[{"id": "task_else", "project_ids": []}])
        assert "task_id" in refused(api.post("/time_entries", json={**ENTRY, "task_id": "task_else"}), 400)

    def test_managers_log_for_others(self, manager, log_time):
        assert log_time(manager, user_id="usr_member")["user_id"] == "usr_member"

    def test_members_log_for_themselves(self, member, log_time, refused):
        assert log_time(member, user_id="usr_member")["user_id"] == "usr_member"
        refused(member.post("/time_entries", json={**ENTRY, "user_id": "usr_agent"}), 403)


class TestUpdate:
    def test_fields(self, api, log_time, clock, server):
        server.seed(projects=[{"id": "proj_2", "hourly_rate": 10}], tasks=[{"id": "task_2"}])
        entry = log_time(hours=1, notes="old", metadata={"a": 1})
        clock.tick(seconds=5)
        changes = {"project_id": "proj_2", "task_id": "task_2", "spent_date": "2026-03-04", "hours": 2, "notes": "new"}
        changed = api.patch(f"/time_entries/{entry['id']}", json=changes).json()
        assert {name: changed[name] for name in changes} == changes
        assert changed["billable_rate"] == 10
        assert changed["metadata"] == {"a": 1}
        assert (changed["created_at"], changed["updated_at"]) == (entry["created_at"], "2026-03-05T09:30:05.000Z")

    def test_null_clears(self, api, log_time):
        entry = log_time(notes="x", started_time="09:00", ended_time="10:00")
        nothing = dict.fromkeys(["notes", "started_time", "ended_time"])
        changed = api.patch(f"/time_entries/{entry['id']}", json=nothing).json()
        assert {name: changed[name] for name in nothing} == nothing
        assert changed["hours"] == 1

    @pytest.mark.parametrize("field", ["hours", "project_id", "task_id", "spent_date", "billable"])
    def test_null_where_nothing_can_be_null(self, api, log_time, refused, field):
        assert field in refused(api.patch(f"/time_entries/{log_time()['id']}", json={field: None}), 400)

    @pytest.mark.parametrize("field", ["source", "user_id", "is_running", "id"])
    def test_fields_that_cannot_be_changed(self, api, log_time, refused, field):
        assert field in refused(api.patch(f"/time_entries/{log_time()['id']}", json={field: "agent"}), 400)

    def test_billable(self, api, log_time):
        path = f"/time_entries/{log_time()['id']}"
        assert api.patch(path, json={"billable": False}).json()["billable_rate"] is None
        assert api.patch(path, json={"billable": True}).json()["billable_rate"] == 90

    def test_unknown_entry(self, api, refused):
        refused(api.patch("/time_entries/nope", json={}), 404)

    def test_manager_changes_the_time_of_others(self, manager, log_time):
        assert manager.patch(f"/time_entries/{log_time()['id']}", json={"notes": "seen"}).json()["notes"] == "seen"


class TestReadOnly:
    @pytest.mark.parametrize("state", ["locked", "approved", "billed"])
    def test_cannot_be_changed(self, server, api, log_time, refused, state):
        entry = log_time()
        server.set_state("time_entries", entry["id"], **{state: True})
        path = f"/time_entries/{entry['id']}"
        assert state in refused(api.patch(path, json={"notes": "x"}), 403)
        refused(api.patch(f"{path}/stop"), 403)
        refused(api.patch(f"{path}/restart"), 403)

    @pytest.mark.parametrize(
        ("state", "status"),
        [
            ({"locked": True}, 403),
            ({"billed": True}, 403),
            ({"approved": True}, 409),
            ({"approved": True, "locked": True}, 409),
        ],
    )
    def test_cannot_be_deleted(self, server, api, log_time, refused, state, status):
        entry = log_time()
        server.set_state("time_entries", entry["id"], **state)
        refused(api.delete(f"/time_entries/{entry['id']}"), status)
        assert api.get("/time_entries").json()["total_entries"] == 1

    def test_flags_are_shown(self, server, api, log_time):
        entry = log_time()
        server.set_state("time_entries", entry["id"], locked=True, approved=True, billed=True)
        (shown,) = api.get("/time_entries").json()["time_entries"]
        assert [shown[name] for name in ("is_locked", "is_closed", "is_billed")] == [True, True, True]

    def test_can_be_released(self, server, api, log_time):
        entry = log_time()
        server.set_state("time_entries", entry["id"], locked=True)
        server.set_state("time_entries", entry["id"], locked=False)
        assert api.delete(f"/time_entries/{entry['id']}").status_code == 204


def test_delete(api, log_time, refused):
    path = f"/time_entries/{log_time()['id']}"
    response = api.delete(path)
    assert (response.status_code, response.content) == (204, b"")
    assert api.get("/time_entries").json()["total_entries"] == 0
    refused(api.delete(path), 404)
