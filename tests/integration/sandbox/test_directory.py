"""Projects, clients, contacts and tasks."""

import pytest


class TestProjects:
    def test_demo_project(self, api):
        (project,) = api.get("/projects").json()["projects"]
        assert project["id"] == "proj_support"
        assert project["client"] == {"id": "cli_acme", "name": "Acme"}
        assert [task["id"] for task in project["tasks"]] == ["task_tickets"]
        assert (project["is_active"], project["is_billable"], project["hourly_rate"]) == (True, True, 90)

    def test_active_ones_unless_asked(self, server, api):
        server.seed(projects=[{"id": "proj_old", "is_active": False}])
        body = api.get("/projects").json()
        assert [project["id"] for project in body["projects"]] == ["proj_support"]
        assert body["links"]["first"] == "/api/v2/projects?page=1&is_active=true&per_page=100"
        assert [p["id"] for p in api.get("/projects?is_active=false").json()["projects"]] == ["proj_old"]

    def test_filters(self, server, api):
        server.seed(clients=[{"id": "cli_2"}], projects=[{"id": "proj_2", "client_id": "cli_2"}])
        assert [p["id"] for p in api.get("/projects?client_id=cli_2").json()["projects"]] == ["proj_2"]
        assert api.get("/projects?updated_since=2027-01-01T00:00:00Z").json()["total_entries"] == 0

    def test_create(self, server, manager):
        server.seed(tasks=[{"id": "task_extra"}])
        body = {
            "client_id": "cli_acme",
            "name": "Chat",
            "code": "CH",
            "notes": "n",
            "is_billable": False,
            "bill_by": "PROJECT",
            "budget_by": "NONE",
            "task_ids": ["task_extra", "task_tickets", "task_extra"],
        }
        project = manager.post("/projects", json=body).json()
        assert {name: project[name] for name in body if name in project} == {
            name: body[name] for name in body if name in project
        }
        assert [task["id"] for task in project["tasks"]] == ["task_tickets", "task_extra"]
        assert project["owner"] == {"id": "usr_manager", "name": "Mona", "email": "usr_manager@example.com"}
        assert manager.get("/projects").json()["projects"][0] == project

    def test_create_takes_the_default_tasks(self, server, api):
        server.seed(tasks=[{"id": "task_extra"}])
        project = api.post("/projects", json={"client_id": "cli_acme", "name": "Chat"}).json()
        assert [task["id"] for task in project["tasks"]] == ["task_tickets"]
        assert (project["is_billable"], project["bill_by"], project["code"]) == (True, "none", None)
        entry = {"project_id": project["id"], "task_id": "task_tickets", "spent_date": "2026-03-05"}
        assert api.post("/time_entries", json=entry).status_code == 200

    def test_code_is_unique(self, api):
        body = {"client_id": "cli_acme", "name": "Chat", "code": "CH"}
        assert api.post("/projects", json=body).status_code == 200
        response = api.post("/projects", json=body)
        assert response.status_code == 409
        assert response.json() == {
            "error": "conflict",
            "error_description": "A project with this code already exists in your account",
        }

    def test_no_code_is_not_a_code(self, api):
        for _ in range(2):
            assert api.post("/projects", json={"client_id": "cli_acme", "name": "Chat"}).status_code == 200

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ({"client_id": "nope"}, 404),
            ({"client_id": None}, 400),
            ({"name": ""}, 400),
            ({"task_ids": ["nope"]}, 404),
            ({"task_ids": "task_tickets"}, 400),
            ({"hourly_rate": 1}, 400),
        ],
    )
    def test_unusable(self, api, refused, change, status):
        refused(api.post("/projects", json={"client_id": "cli_acme", "name": "Chat", **change}), status)


class TestClients:
    def test_create(self, manager):
        body = {
            "name": "Umbrella",
            "address": "1 Hive",
            "currency": "GBP",
            "payment_terms": "net_15",
            "payment_days": 15,
            "tax": 20,
            "tax2": 1.5,
            "discount": 10,
            "is_active": False,
        }
        client = manager.post("/clients", json=body).json()
        assert {name: client[name] for name in body} == body
        assert client["statement_key"]
        assert manager.get(f"/clients/{client['id']}").json() == client

    def test_defaults(self, server, api):
        server.seed(companies=[{"id": "acc_sandbox", "currency": "EUR"}])
        client = api.post("/clients", json={"name": "Umbrella"}).json()
        assert (client["currency"], client["is_active"], client["payment_terms"]) == ("EUR", True, "net_30")
        assert client["address"] is client["tax"] is client["payment_days"] is None

    def test_update(self, api, clock):
        clock.tick(seconds=1)
        client = api.patch("/clients/cli_acme", json={"name": "Acme Ltd", "address": "2 Road", "tax": 5}).json()
        assert (client["name"], client["address"], client["tax"]) == ("Acme Ltd", "2 Road", 5)
        assert client["updated_at"] == "2026-03-05T09:30:01.000Z"
        assert api.patch("/clients/cli_acme", json={"address": None}).json()["address"] is None

    @pytest.mark.parametrize(
        "change",
        [
            {"name": None},
            {"currency": "eur"},
            {"currency": None},
            {"payment_terms": "net_7"},
            {"tax": 101},
            {"discount": -1},
            {"payment_days": 1.5},
            {"is_active": None},
            {"statement_key": "x"},
        ],
    )
    def test_unusable(self, api, refused, change):
        (field,) = change
        assert field in refused(api.patch("/clients/cli_acme", json=change), 400)
        refused(api.post("/clients", json={"name": "X", **change}), 400)

    def test_unknown(self, api, refused):
        refused(api.get("/clients/nope"), 404)
        refused(api.patch("/clients/nope", json={"name": "X"}), 404)
        assert refused(api.post("/clients", json={}), 400) == "name is required"

    def test_list(self, server, api):
        server.seed(clients=[{"id": "cli_old", "is_active": False}])
        assert [client["id"] for client in api.get("/clients").json()["clients"]] == ["cli_old", "cli_acme"]
        assert [client["id"] for client in api.get("/clients?is_active=true").json()["clients"]] == ["cli_acme"]
        assert api.get("/clients?updated_since=2027-01-01T00:00:00Z").json()["total_entries"] == 0


class TestContacts:
    def test_create_and_list(self, manager, server):
        server.seed(clients=[{"id": "cli_2"}])
        body = {
            "client_id": "cli_acme",
            "first_name": "Ada",
            "last_name": "L",
            "title": "Dr",
            "email": "ada@acme.example",
            "phone_office": "1",
            "phone_mobile": "2",
            "fax": "3",
        }
        contact = manager.post("/contacts", json=body).json()
        assert contact["client"] == {"id": "cli_acme", "name": "Acme"}
        assert {name: contact[name] for name in body if name != "client_id"} == {
            name: value for name, value in body.items() if name != "client_id"
        }
        assert manager.get("/contacts?client_id=cli_acme").json()["contacts"] == [contact]
        assert manager.get("/contacts?client_id=cli_2").json()["total_entries"] == 0
        assert manager.get("/contacts?updated_since=2027-01-01T00:00:00Z").json()["total_entries"] == 0

    def test_optional_fields(self, api):
        contact = api.post("/contacts", json={"client_id": "cli_acme", "first_name": "Ada"}).json()
        assert contact["last_name"] is contact["email"] is contact["fax"] is None

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"first_name": "Ada"}, 400),
            ({"client_id": "cli_acme"}, 400),
            ({"client_id": "nope", "first_name": "Ada"}, 404),
            ({"client_id": "cli_acme", "first_name": "Ada", "name": "x"}, 400),
        ],
    )
    def test_unusable(self, api, refused, body, status):
        refused(api.post("/contacts", json=body), status)

    def test_inactive_client(self, server, api, refused):
        server.seed(clients=[{"id": "cli_old", "is_active": False}])
        refused(api.post("/contacts", json={"client_id": "cli_old", "first_name": "Ada"}), 400)


class TestTasks:
    def test_list(self, member):
        (task,) = member.get("/tasks").json()["tasks"]
        assert task == {
            "id": "task_tickets",
            "name": "Tickets",
            "billable_by_default": True,
            "default_hourly_rate": None,
            "is_default": True,
            "is_active": True,
            "parent_task_id": None,
            "created_at": task["created_at"],
            "updated_at": task["updated_at"],
        }

    def test_of_a_project(self, server, api):
        server.seed(tasks=[{"id": "task_rated", "default_hourly_rate": 70}, {"id": "task_else", "project_ids": []}])
        server.seed(projects=[{"id": "proj_2", "task_ids": ["task_rated"], "budget": 10}])
        (task,) = api.get("/tasks?project_id=proj_2").json()["tasks"]
        assert (task["id"], task["effective_billable_rate"], task["currency"]) == ("task_rated", 70, "USD")
        assert task["budget"] == 10
        of_support = api.get("/tasks?project_id=proj_support").json()["tasks"]
        assert [(task["id"], task["effective_billable_rate"]) for task in of_support] == [
            ("task_rated", 90),
            ("task_tickets", 90),
        ]
        assert api.get("/tasks?project_id=nope").json()["total_entries"] == 0

    def test_filters(self, server, api):
        server.seed(tasks=[{"id": "task_old", "is_active": False}])
        assert api.get("/tasks").json()["total_entries"] == 2
        assert [task["id"] for task in api.get("/tasks?is_active=false").json()["tasks"]] == ["task_old"]
        assert api.get("/tasks?updated_since=2027-01-01T00:00:00Z").json()["total_entries"] == 0
