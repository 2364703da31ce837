"""A write that is sent twice under one key is done once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

ENTRY = {"project_id": "proj_support", "task_id": "task_tickets", "spent_date": "2026-03-05", "hours": 1}


@pytest.fixture
def post(api):
    def post(key="k-1", client=api, header="Idempotency-Key", path="/time_entries", **fields):
        return client.post(path, json={**ENTRY, **fields}, headers={header: key})

    return post


@pytest.fixture
def total(api):
    return lambda: api.get("/time_entries").json()["total_entries"]


def test_replay(post, total, clock):
    first = post()
    clock.tick(hours=1)
    again = post()
    assert (again.status_code, again.content) == (200, first.content)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["X-Keito-API-Version"] == "2"
    assert total() == 1


def test_the_spelling_of_the_body_does_not_matter(api, post, total):
    import json

    first = post()
    body = json.dumps(dict(reversed(ENTRY.items())), indent=2)
    again = api.post("/time_entries", content=body, headers={"Idempotency-Key": "k-1"})
    assert (again.json(), total()) == (first.json(), 1)


def test_another_body_is_a_conflict(post, total, refused):
    post()
    assert "Idempotency-Key" in refused(post(hours=2), 409)
    assert total() == 1


def test_another_path_is_a_conflict(post, refused):
    post()
    refused(post(path="/expenses"), 409)


def test_other_keys_and_other_users(post, member, total):
    ids = {post().json()["id"], post("k-2").json()["id"], post(client=member).json()["id"]}
    assert (len(ids), total()) == (3, 3)


def test_without_a_key(api, total):
    for _ in range(2):
        api.post("/time_entries", json=ENTRY)
    assert total() == 2


def test_x_header(post, total):
    assert post(header="X-Idempotency-Key").json() == post(header="Idempotency-Key").json()
    assert total() == 1


def test_refusals_are_not_kept(server, post, refused):
    refused(post(project_id="proj_late"), 404)
    server.seed(projects=[{"id": "proj_late"}])
    assert post(project_id="proj_late").status_code == 200


def test_updates_and_deletes(api, log_time):
    path = f"/time_entries/{log_time()['id']}"
    changed = [api.patch(path, json={"notes": "x"}, headers={"Idempotency-Key": "u"}) for _ in range(2)]
    assert changed[0].json() == changed[1].json()
    deleted = [api.delete(path, headers={"Idempotency-Key": "d"}) for _ in range(2)]
    assert [response.status_code for response in deleted] == [204, 204]
    assert api.delete(path).status_code == 404


def test_stop_is_replayed_instead_of_refused(api, log_time):
    path = f"/time_entries/{log_time(is_running=True)['id']}/stop"
    stopped = [api.patch(path, headers={"Idempotency-Key": "s"}) for _ in range(2)]
    assert stopped[0].json() == stopped[1].json()
    assert api.patch(path).status_code == 409


def test_reading_takes_no_key(api, log_time):
    headers = {"Idempotency-Key": "g"}
    before = api.get("/time_entries", headers=headers).json()["total_entries"]
    log_time()
    assert api.get("/time_entries", headers=headers).json()["total_entries"] == before + 1


def test_too_long_a_key(post, refused):
    assert post("k" * 255).status_code == 200
    refused(post("k" * 256), 400)


def test_a_key_does_not_open_the_door(api, post, refused):
    post()
    refused(post(client=api, key="k-1", project_id=5), 409)
    response = api.post("/time_entries", json=ENTRY, headers={"Idempotency-Key": "k-1", "Authorization": "Bearer no"})
    refused(response, 401)


def test_switched_off(server, post, total):
    server.configure(idempotency=False)
    assert post().json()["id"] != post().json()["id"]
    assert total() == 2


def test_answer_lost_after_the_commit(server, api, post, total):
    import httpx

    server.faults.add("drop_after", method="POST", path="/time_entries")
    with pytest.raises(httpx.RemoteProtocolError):
        post()
    assert total() == 1
    again = post()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (total(), api.get("/time_entries").json()["time_entries"]) == (1, [again.json()])


def test_many_at_once_are_one(server, connect, total):
    clients = [connect() for _ in range(16)]

    def send(client):
        return client.post("/time_entries", json=ENTRY, headers={"Idempotency-Key": "race"})

    with ThreadPoolExecutor(len(clients)) as pool:
        answers = list(pool.map(send, clients))
    assert {answer.content for answer in answers} == {answers[0].content}
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert total() == 1
