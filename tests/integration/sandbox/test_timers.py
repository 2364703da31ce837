"""Timers: one per user, and the server's clock decides."""

import pytest

ENTRY = {"project_id": "proj_support", "task_id": "task_tickets", "spent_date": "2026-03-05"}


@pytest.fixture
def start(log_time, api):
    def start(client=api, **fields):
        return log_time(client, is_running=True, **fields)

    return start


def test_start(start):
    entry = start(notes="thinking")
    assert entry["is_running"] is True
    assert entry["timer_started_at"] == "2026-03-05T09:30:00.000Z"
    assert (entry["started_time"], entry["ended_time"], entry["hours"]) == ("09:30", None, 0)


def test_stop(api, start, clock):
    entry = start(notes="thinking")
    clock.tick(minutes=80, seconds=1)
    stopped = api.patch(f"/time_entries/{entry['id']}/stop").json()
    assert (stopped["is_running"], stopped["timer_started_at"]) == (False, None)
    assert (stopped["started_time"], stopped["ended_time"]) == ("09:30", "10:50")
    assert (stopped["hours"], stopped["duration_seconds"]) == (1.33, 4801)
    assert stopped["notes"] == "thinking"


@pytest.mark.parametrize(
    ("body", "notes"), [({}, "old"), ({"notes": "new"}, "new"), ({"notes": None}, None), ({"notes": ""}, "")]
)
def test_notes_of_stop(api, start, body, notes):
    entry = start(notes="old")
    assert api.patch(f"/time_entries/{entry['id']}/stop", json=body).json()["notes"] == notes


def test_stop_of_what_is_not_running(api, log_time):
    response = api.patch(f"/time_entries/{log_time()['id']}/stop")
    assert response.status_code == 409
    assert response.json() == {"error": "conflict", "error_description": "Time entry is not running"}


def test_stop_of_nothing(api, refused):
    refused(api.patch("/time_entries/nope/stop"), 404)


def test_stop_takes_notes_only(api, start, refused):
    refused(api.patch(f"/time_entries/{start()['id']}/stop", json={"hours": 1}), 400)


def test_timer_ends_at_a_day(api, start, clock):
    entry = start()
    clock.tick(days=3)
    stopped = api.patch(f"/time_entries/{entry['id']}/stop").json()
    assert (stopped["hours"], stopped["duration_seconds"]) == (24, 86400)


def test_rounding(server, api, start, clock):
    server.configure(rounding="up_15")
    entry = start()
    clock.tick(minutes=16)
    stopped = api.patch(f"/time_entries/{entry['id']}/stop").json()
    assert (stopped["hours"], stopped["duration_seconds"]) == (0.5, 960)


class TestOnePerUser:
    def test_second_start(self, api, start):
        first = start()
        response = api.post("/time_entries", json={**ENTRY, "is_running": True})
        assert response.status_code == 409
        body = response.json()
        assert body["error"] == "running_timer_conflict"
        assert body["error_description"] == "A timer is already running."
        assert body["running_entry"] == first
        assert body["running_entry_count"] == 1
        assert api.get("/time_entries").json()["total_entries"] == 1

    def test_replace_running(self, api, start, clock):
        first = start()
        clock.tick(hours=1)
        second = start(replace_running=True)
        entries = {entry["id"]: entry for entry in api.get("/time_entries").json()["time_entries"]}
        assert (entries[first["id"]]["is_running"], entries[first["id"]]["hours"]) == (False, 1)
        assert entries[second["id"]]["is_running"] is True

    @pytest.mark.parametrize("state", ["locked", "approved", "billed"])
    def test_replace_running_leaves_what_is_read_only(self, api, server, start, state):
        first = start()
        server.set_state("time_entries", first["id"], **{state: True})
        refused = api.post("/time_entries", json={**ENTRY, "is_running": True, "replace_running": True})
        assert (refused.status_code, refused.json()["error_description"]) == (403, f"Time entry is {state}")
        assert api.get("/time_entries", params={"is_running": "true"}).json()["total_entries"] == 1

    def test_replace_running_with_nothing_to_replace(self, start):
        assert start(replace_running=True)["is_running"] is True

    def test_users_do_not_disturb_each_other(self, start, member):
        start()
        assert start(member)["is_running"] is True

    def test_the_timer_is_the_users_for_whom_it_runs(self, manager, member, start, refused):
        start(member)
        body = {**ENTRY, "user_id": "usr_member", "is_running": True}
        refused(manager.post("/time_entries", json=body), 409)

    def test_plain_entries_go_beside(self, start, log_time):
        start()
        assert log_time(hours=1)["is_running"] is False


class TestRestart:
    def test_time_goes_on(self, api, start, clock):
        path = f"/time_entries/{start()['id']}"
        clock.tick(hours=1)
        api.patch(f"{path}/stop")
        clock.tick(hours=1)
        again = api.patch(f"{path}/restart").json()
        assert (again["is_running"], again["hours"], again["ended_time"]) == (True, 1, None)
        assert again["timer_started_at"] == "2026-03-05T11:30:00.000Z"
        clock.tick(minutes=30)
        assert api.patch(f"{path}/stop").json()["hours"] == 1.5

    def test_of_an_entry_that_was_typed_in(self, api, log_time, clock):
        path = f"/time_entries/{log_time(hours=2, spent_date='2026-02-01')['id']}"
        again = api.patch(f"{path}/restart").json()
        assert (again["hours"], again["spent_date"]) == (2, "2026-02-01")
        clock.tick(hours=1)
        assert api.patch(f"{path}/stop").json()["hours"] == 3

    def test_while_another_runs(self, api, start, log_time, refused):
        entry, running = log_time(), start()
        path = f"/time_entries/{entry['id']}/restart"
        response = api.patch(path)
        refused(response, 409)
        assert response.json()["running_entry"]["id"] == running["id"]
        assert api.patch(path, json={"replace_running": True}).json()["is_running"] is True
        assert api.get("/time_entries?is_running=true").json()["total_entries"] == 1

    def test_of_what_is_running(self, api, start, refused):
        refused(api.patch(f"/time_entries/{start()['id']}/restart"), 409)

    def test_unknown_field(self, api, log_time, refused):
        refused(api.patch(f"/time_entries/{log_time()['id']}/restart", json={"replace": True}), 400)


class TestStartInThePastAndFuture:
    @pytest.mark.parametrize("when", [{"spent_date": "2026-03-06"}, {"started_time": "09:31"}])
    def test_future(self, api, refused, when):
        refused(api.post("/time_entries", json={**ENTRY, "is_running": True, **when}), 400)

    @pytest.mark.parametrize("when", [{"spent_date": "2026-03-04"}, {"started_time": "09:29"}])
    def test_past_is_not_enabled(self, api, refused, when):
        refused(api.post("/time_entries", json={**ENTRY, "is_running": True, **when}), 400)

    def test_past_is_enabled(self, server, api, start, clock):
        server.seed(companies=[{"id": "acc_sandbox", "allow_past_timer_starts": True}])
        entry = start(started_time="08:00")
        assert (entry["started_time"], entry["timer_started_at"]) == ("08:00", "2026-03-05T08:00:00.000Z")
        assert api.patch(f"/time_entries/{entry['id']}/stop").json()["hours"] == 1.5

    def test_present_minute(self, start):
        assert start(started_time="09:30")["timer_started_at"] == "2026-03-05T09:30:00.000Z"

    def test_the_workspace_has_a_time_zone(self, server, start, api, clock):
        server.seed(companies=[{"id": "acc_sandbox", "timezone": "Pacific/Auckland"}])
        clock.tick(hours=12)
        entry = start(spent_date="2026-03-06")
        assert entry["started_time"] == "10:30"
        clock.tick(hours=1)
        assert api.patch(f"/time_entries/{entry['id']}/stop").json()["ended_time"] == "11:30"


@pytest.mark.parametrize("fields", [{"hours": 1}, {"ended_time": "10:00"}])
def test_timers_take_no_duration(api, refused, fields):
    refused(api.post("/time_entries", json={**ENTRY, "is_running": True, **fields}), 400)


def test_zero_hours_are_no_duration(start):
    assert start(hours=0)["is_running"] is True


class TestRunningEntry:
    def test_is_listed(self, api, start, log_time):
        log_time()
        running = start()
        assert api.get("/time_entries").json()["total_entries"] == 2
        (found,) = api.get("/time_entries?is_running=true").json()["time_entries"]
        assert found["id"] == running["id"]

    @pytest.mark.parametrize("fields", [{"hours": 1}, {"ended_time": "10:00"}])
    def test_duration_cannot_be_changed(self, api, start, refused, fields):
        refused(api.patch(f"/time_entries/{start()['id']}", json=fields), 400)

    def test_other_fields_can(self, api, start):
        changed = api.patch(f"/time_entries/{start()['id']}", json={"notes": "x", "metadata": {"a": 1}}).json()
        assert (changed["notes"], changed["is_running"]) == ("x", True)

    def test_is_discarded_by_delete(self, api, start):
        entry = start()
        headers = {"X-Keito-Time-Entry-Delete-Intent": "discard-running"}
        assert api.delete(f"/time_entries/{entry['id']}", headers=headers).status_code == 204
        assert start()["is_running"] is True
