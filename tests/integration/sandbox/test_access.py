"""Who gets in, and what is said to those who do not."""

import pytest

ACCOUNT = {"Keito-Account-Id": "acc_sandbox"}
KEY = {"Authorization": "Bearer kto_sandbox"}


@pytest.fixture
def anyone(server):
    import httpx

    with httpx.Client(base_url=f"{server.url}/api/v2", verify=False) as client:
        yield client


@pytest.mark.parametrize("authorization", [None, "", "kto_sandbox", "Bearer", "Bearer kto_wrong", "Basic kto_sandbox"])
def test_without_a_known_key(anyone, authorization):
    headers = {**ACCOUNT, **({"Authorization": authorization} if authorization is not None else {})}
    response = anyone.get("/users/me", headers=headers)
    assert response.status_code == 401
    assert response.json() == {"error": "unauthorized", "error_description": "Invalid API key"}
    assert response.headers["X-Keito-API-Version"] == "2"


def test_without_an_account(anyone):
    response = anyone.get("/users/me", headers=KEY)
    assert response.status_code == 400
    assert response.json() == {"error": "bad request", "error_description": "Missing Keito-Account-Id header"}


def test_of_another_account(anyone, refused):
    refused(anyone.get("/users/me", headers={**KEY, "Keito-Account-Id": "acc_other"}), 403)


def test_the_key_is_looked_at_before_the_account_and_the_body(anyone, refused):
    refused(anyone.get("/users/me"), 401)
    refused(anyone.post("/time_entries", headers=ACCOUNT, content=b"{"), 401)


def test_key_of_an_inactive_user(server, connect, refused):
    server.seed(users=[{"id": "usr_gone", "is_active": False, "keys": [{"key": "kto_gone"}]}])
    refused(connect("kto_gone").get("/users/me"), 401)


def test_unknown_route_is_a_web_page(api):
    for path in ("/me", "/time-entries", "/users", "/users/usr_agent", "/projects/proj_support", "/expenses/x"):
        response = api.get(path)
        assert response.status_code == 404
        assert response.headers["content-type"].startswith("text/html")
        assert response.headers["X-Keito-API-Version"] == "2"


def test_single_time_entry_cannot_be_read(api, log_time, refused):
    response = api.get(f"/time_entries/{log_time()['id']}")
    refused(response, 405)
    assert response.headers["Allow"] == "DELETE, PATCH"
    assert response.headers["X-Keito-API-Version"] == "2"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE"])
def test_other_methods(api, method, refused):
    response = api.request(method, "/time_entries")
    refused(response, 405)
    assert response.headers["Allow"] == "GET, POST"


def test_version_header_is_everywhere(api, log_time):
    entry = log_time()
    for response in (api.get("/projects"), api.delete(f"/time_entries/{entry['id']}"), api.get("/time_entries?page=x")):
        assert response.headers["X-Keito-API-Version"] == "2"


def test_health_needs_no_key(anyone):
    response = anyone.get("/../health")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


class TestMe:
    def test_administrator(self, api):
        me = api.get("/users/me").json()
        assert me["id"] == "usr_agent"
        assert me["user_type"] == "agent"
        assert me["roles"] == ["administrator", "manager", "member"]
        assert me["company"]["id"] == "acc_sandbox"
        assert me["company"]["time_rounding"] == "none"
        assert me["capabilities"]["can_view_team_time"] is True
        assert me["weekly_capacity"] == 144000

    def test_member(self, member):
        me = member.get("/users/me").json()
        assert (me["roles"], me["user_type"]) == (["member"], "human")
        assert me["capabilities"]["can_view_team_time"] is False

    def test_manager(self, manager):
        assert manager.get("/users/me").json()["roles"] == ["manager", "member"]

    def test_sync_key_is_not_told_the_company(self, sync):
        me = sync.get("/users/me").json()
        assert not {"company", "user_type"} & me.keys()
        assert set(me["capabilities"]) == {
            "can_read_own_time_entries",
            "can_read_users",
            "can_read_own_profile",
            "can_read_clients",
            "can_read_projects",
        }
        assert all(me["capabilities"].values())


class TestSyncKey:
    def test_reads(self, sync, member, log_time):
        mine = log_time(member)
        log_time()
        assert [each["id"] for each in sync.get("/time_entries").json()["time_entries"]] == [mine["id"]]
        assert sync.get("/clients").json()["clients"][0]["name"] == "Acme"
        assert sync.get("/clients/cli_acme").status_code == 200
        assert sync.get("/projects").json()["projects"][0]["client"]["name"] == "Acme"

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("GET", "/tasks", None),
            ("GET", "/expenses", None),
            ("GET", "/contacts", None),
            ("GET", "/invoices", None),
            ("GET", "/reports/time/team?from=20260301&to=20260302", None),
            (
                "POST",
                "/time_entries",
                {"project_id": "proj_support", "task_id": "task_tickets", "spent_date": "2026-03-05"},
            ),
            ("POST", "/clients", {"name": "X"}),
        ],
    )
    def test_all_else_is_refused(self, sync, refused, method, path, body):
        refused(sync.request(method, path, json=body), 403)


class TestMember:
    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("GET", "/clients", None),
            ("GET", "/clients/cli_acme", None),
            ("GET", "/contacts", None),
            ("GET", "/invoices", None),
            ("GET", "/reports/time/team?from=20260301&to=20260302", None),
            ("POST", "/clients", {"name": "X"}),
            ("PATCH", "/clients/cli_acme", {"name": "X"}),
            ("POST", "/contacts", {"client_id": "cli_acme", "first_name": "X"}),
            ("POST", "/projects", {"client_id": "cli_acme", "name": "X"}),
            ("POST", "/invoices", {"client_id": "cli_acme"}),
            ("POST", "/invoices/x/messages", {"recipients": [{"name": "A", "email": "a@b.example"}]}),
            ("DELETE", "/invoices/x", None),
        ],
    )
    def test_is_refused(self, member, refused, method, path, body):
        refused(member.request(method, path, json=body), 403)

    def test_sees_assigned_projects_without_client_names(self, member, server):
        server.seed(projects=[{"id": "proj_other"}])
        (project,) = member.get("/projects").json()["projects"]
        assert project["id"] == "proj_support"
        assert project["client"] == {"id": "cli_acme", "name": ""}

    def test_sees_own_time_only(self, member, log_time):
        log_time()
        mine = log_time(member)
        for query in ("", "?user_id=usr_member"):
            assert [each["id"] for each in member.get(f"/time_entries{query}").json()["time_entries"]] == [mine["id"]]
        assert member.get("/time_entries?user_id=usr_agent").json()["total_entries"] == 0

    def test_cannot_touch_the_time_of_others(self, member, log_time, refused):
        path = f"/time_entries/{log_time()['id']}"
        refused(member.patch(path, json={"notes": "mine now"}), 403)
        refused(member.delete(path), 403)
        refused(member.patch(f"{path}/stop"), 403)
        refused(member.patch(f"{path}/restart"), 403)


class TestOtherCompany:
    @pytest.fixture
    def stranger(self, server, connect):
        server.seed(
            companies=[{"id": "acc_other", "name": "Other"}],
            users=[
                {"id": "usr_other", "account_id": "acc_other", "role": "administrator", "keys": [{"key": "kto_other"}]}
            ],
        )
        return connect("kto_other", "acc_other")

    def test_sees_nothing(self, stranger, log_time):
        log_time()
        for name in ("time_entries", "expenses", "projects", "clients", "contacts", "tasks", "invoices"):
            assert stranger.get(f"/{name}").json()["total_entries"] == 0

    def test_finds_nothing(self, stranger, log_time, refused):
        entry = log_time()
        assert refused(stranger.delete(f"/time_entries/{entry['id']}"), 404) == "Resource not found"
        refused(stranger.get("/clients/cli_acme"), 404)
        body = {"project_id": "proj_support", "task_id": "task_tickets", "spent_date": "2026-03-05"}
        refused(stranger.post("/time_entries", json=body), 404)
