"""The routes under /_sandbox/."""

import time

import pytest

ENTRY = {"project_id": "proj_support", "task_id": "task_tickets", "spent_date": "2026-03-05"}


class TestReset:
    def test_leaves_the_demo_workspace(self, control, server, api, log_time):
        log_time()
        server.seed(projects=[{"id": "proj_2"}])
        api.post("/invoices", json={"client_id": "cli_acme"})
        server.faults.add("drop_before", path="/nowhere")
        server.configure(idempotency=False, latency=0.001, rounding="up_15")
        assert control.post("/reset").json() == {"reset": True}
        assert control.get("/requests").json() == {"requests": []}
        assert control.get("/faults").json() == {"faults": []}
        assert control.get("/settings").json() == {
            "idempotency": True,
            "rate_limit": None,
            "latency": 0.0,
            "rounding": "none",
        }
        assert api.get("/time_entries").json()["total_entries"] == 0
        assert [project["id"] for project in api.get("/projects").json()["projects"]] == ["proj_support"]
        assert api.post("/invoices", json={"client_id": "cli_acme"}).json()["number"] == "INV-2026-0001"


class TestRequests:
    def test_are_logged(self, control, api, server):
        api.post("/time_entries?x=1", json={**ENTRY, "notes": "n"}, headers={"Idempotency-Key": "k"})
        (request,) = control.get("/requests").json()["requests"]
        headers = request.pop("headers")
        assert request == {
            "timestamp": "2026-03-05T09:30:00.000Z",
            "method": "POST",
            "path": "/api/v2/time_entries",
            "query": {"x": "1"},
            "body": {**ENTRY, "notes": "n"},
            "status": 200,
            "fault": None,
        }
        assert headers["idempotency-key"] == "k"
        assert headers["authorization"] == "[redacted]"
        assert server.api_key not in control.get("/requests").text

    def test_status_and_fault(self, control, api, server):
        import httpx

        server.faults.add("drop_after", method="GET")
        with pytest.raises(httpx.RemoteProtocolError):
            api.get("/tasks")
        server.faults.add("status", status=503)
        api.get("/tasks")
        api.get("/nope")
        logged = control.get("/requests").json()["requests"]
        assert [(request["fault"], request["status"]) for request in logged] == [
            ("drop_after", None),
            ("status", 503),
            (None, 404),
        ]

    @pytest.mark.parametrize(
        ("content", "shown"), [(b"", None), (b"{", "{"), (b"\xff", "�"), (b"[1]", [1]), (b"null", None)]
    )
    def test_bodies(self, control, api, content, shown):
        api.post("/time_entries", content=content)
        assert control.get("/requests").json()["requests"][0]["body"] == shown

    def test_can_be_forgotten(self, control, api):
        api.get("/tasks")
        assert control.delete("/requests").json() == {"requests": []}
        assert control.get("/requests").json() == {"requests": []}

    def test_can_be_picked(self, server, api, log_time):
        log_time()
        api.get("/tasks")
        assert len(server.requests()) == 2
        assert len(server.requests(method="POST")) == len(server.requests(path="/api/v2/tasks")) == 1

    def test_the_oldest_are_dropped(self):
        from keito.sandbox.request_log import Received, RequestLog

        log = RequestLog(capacity=2)
        for number in range(3):
            log.add(Received("now", "GET", f"/{number}", b"", [], b"x" * 100_000))
        assert [(request["path"], len(request["body"])) for request in log.shown()] == [("/1", 65536), ("/2", 65536)]


class TestSeed:
    def test_ids_of_the_documents(self, control, api):
        answer = control.post(
            "/seed",
            json={
                "clients": [{"id": "cli_789"}],
                "projects": [{"id": "proj_123", "client_id": "cli_789"}],
                "tasks": [{"id": "task_456"}],
                "categories": [{"id": "cat_llm_api"}],
                "users": [{"id": "usr_9", "keys": [{"key": "kto_9"}]}],
                "entries": [{**ENTRY, "id": "te_1", "user_id": "usr_9"}],
                "expenses": [
                    {"project_id": "proj_123", "expense_category_id": "cat_llm_api", "spent_date": "2026-03-05"}
                ],
                "contacts": [{"id": "con_1", "first_name": "Ada"}],
                "invoices": [
                    {"number": "INV-9", "issue_date": "2026-03-05", "line_items": [{"quantity": 2, "unit_price": 3}]}
                ],
            },
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["projects"] == 1
        body = {**ENTRY, "project_id": "proj_123", "task_id": "task_456"}
        assert api.post("/time_entries", json=body).status_code == 200
        expense = {"project_id": "proj_123", "expense_category_id": "cat_llm_api", "spent_date": "2026-03-05"}
        assert api.post("/expenses", json={**expense, "total_cost": 1}).status_code == 200
        assert api.get("/contacts").json()["contacts"][0]["id"] == "con_1"
        assert api.get("/invoices").json()["invoices"][0]["amount"] == 6

    def test_known_ids_are_replaced(self, server, api):
        for name in ("One", "Two"):
            server.seed(projects=[{"id": "proj_2", "name": name}])
        server.seed(invoices=[{"id": "i", "number": "1", "issue_date": "2026-03-05", "line_items": [{}]}] * 2)
        assert [project["name"] for project in api.get("/projects").json()["projects"]] == ["Two", "Support"]
        assert len(api.get("/invoices/i").json()["line_items"]) == 1

    def test_of_a_known_company_only_what_is_sent_changes(self, server, api):
        server.seed(companies=[{"id": "acc_sandbox", "allow_past_timer_starts": True}])
        server.seed(companies=[{"id": "acc_sandbox", "currency": "EUR"}])
        company = api.get("/users/me").json()["company"]
        assert (company["name"], company["currency"]) == ("Keito Sandbox", "EUR")
        assert company["allow_past_timer_starts"] is True

    def test_may_be_large(self, control, api):
        entries = [{**ENTRY, "notes": "x" * 1000} for _ in range(2000)]
        assert control.post("/seed", json={"entries": entries}).json() == {"entries": 2000}
        assert api.get("/time_entries").json()["total_entries"] == 2000

    def test_keys_have_roles_and_kinds(self, server, connect):
        keys = [{"key": "kto_a"}, {"key": "kto_b", "kind": "sync"}]
        server.seed(users=[{"id": "usr_9", "role": "manager", "user_type": "agent", "keys": keys}])
        me = connect("kto_a").get("/users/me").json()
        assert (me["id"], me["roles"], me["user_type"]) == ("usr_9", ["manager", "member"], "agent")
        assert "company" not in connect("kto_b").get("/users/me").json()

    def test_assignments_may_refer_to_the_same_seed(self, server, connect, log_time):
        server.seed(
            projects=[{"id": "proj_2", "owner_id": "usr_9", "user_ids": ["usr_9"]}],
            users=[{"id": "usr_9", "project_ids": [], "keys": [{"key": "kto_9"}]}],
        )
        client = connect("kto_9")
        assert [project["id"] for project in client.get("/projects").json()["projects"]] == ["proj_2"]
        assert log_time(client, project_id="proj_2")["user_id"] == "usr_9"

    def test_running_entries(self, server, api):
        server.seed(entries=[{**ENTRY, "is_running": True, "timer_started_at": "2026-03-05T08:30:00Z"}])
        (entry,) = api.get("/time_entries").json()["time_entries"]
        assert api.patch(f"/time_entries/{entry['id']}/stop").json()["hours"] == 1

    @pytest.mark.parametrize(
        "records",
        [
            {"planets": []},
            {"projects": [{"id": "p", "size": 1}]},
            {"projects": [{"id": "p", "client_id": "nope"}]},
            {"entries": [{"id": "e"}]},
            {"users": {"id": "u"}},
            {"companies": [{"id": "acc_2", "timezone": "Europe/Atlantis"}]},
        ],
    )
    def test_unusable(self, control, refused, records):
        refused(control.post("/seed", json=records), 400)

    def test_all_or_nothing(self, control, api):
        control.post("/seed", json={"projects": [{"id": "p"}, {"id": "q", "client_id": "nope"}]})
        assert api.get("/projects").json()["total_entries"] == 1


class TestSettings:
    def test_change(self, control):
        changed = control.post("/settings", json={"rate_limit": 5, "rounding": "up_15"}).json()
        assert changed == {"idempotency": True, "rate_limit": 5, "latency": 0.0, "rounding": "up_15"}
        assert control.get("/settings").json() == changed
        assert control.post("/settings", json={"rate_limit": None}).json()["rate_limit"] is None

    @pytest.mark.parametrize("change", [{"rate_limit": 0}, {"latency": -1}, {"rounding": "down"}, {"speed": 1}, []])
    def test_unusable(self, control, refused, change):
        refused(control.post("/settings", json=change), 400)

    def test_latency(self, server, api):
        server.configure(latency=0.2)
        begin = time.monotonic()
        api.get("/tasks")
        assert time.monotonic() - begin >= 0.2


class TestRateLimit:
    def test_per_minute_and_key(self, server, api, member, clock):
        server.configure(rate_limit=2)
        clock.tick(seconds=15)
        assert [api.get("/tasks").status_code for _ in range(3)] == [200, 200, 429]
        assert member.get("/tasks").status_code == 200
        refusal = api.get("/tasks")
        assert refusal.headers["Retry-After"] == "45"
        assert refusal.json() == {
            "error": "rate limited",
            "error_description": "Too many requests",
            "message": "Too many API requests. Retry in 45 seconds.",
        }
        clock.tick(seconds=45)
        assert api.get("/tasks").status_code == 200

    def test_control_routes_do_not_count(self, server, control):
        server.configure(rate_limit=1)
        assert [control.get("/health").status_code for _ in range(3)] == [200] * 3


class TestStates:
    def test_routes(self, control, api, log_time):
        entry = log_time()
        answer = control.post(f"/time_entries/{entry['id']}/state", json={"locked": True, "approved": True})
        assert answer.json() == {"id": entry["id"], "is_locked": True, "is_closed": True}
        invoice = api.post("/invoices", json={"client_id": "cli_acme"}).json()
        control.post(f"/invoices/{invoice['id']}/state", json={"state": "closed"})
        assert api.get(f"/invoices/{invoice['id']}").json()["closed_at"] == "2026-03-05T09:30:00.000Z"

    @pytest.mark.parametrize(
        ("path", "state", "status"),
        [
            ("/time_entries/nope/state", {"locked": True}, 404),
            ("/planets/nope/state", {}, 404),
            ("/invoices/inv/state", {"state": "lost"}, 400),
            ("/invoices/inv/state", {}, 400),
            ("/invoices/inv/state", {"locked": True}, 400),
        ],
    )
    def test_unusable(self, server, control, refused, path, state, status):
        server.seed(invoices=[{"id": "inv", "number": "1", "issue_date": "2026-03-05"}])
        refused(control.post(path, json=state), status)


def test_unknown_control_route(control):
    assert control.get("/nope").status_code == 404
