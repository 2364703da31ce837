"""What only a store on PostgreSQL has: a server that goes away, a password, a schema of its own."""

from __future__ import annotations

import threading
import time
from urllib.parse import urlsplit

import psycopg
import pytest

from keito.outbox import OutboxError, RecordState, open_store

HERE = "acc_1@https://app.keito.io"


@pytest.fixture
def store(postgres_url):
    store = open_store(postgres_url)
    yield store
    store.close()


@pytest.fixture
def server(postgres_server):
    """Asks the server something."""
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        yield lambda query: connection.execute(query).fetchall()


def schema_of(url):
    return url.split("schema=")[1]


def end_connections(server):
    server("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'keito'")


def test_connections_that_the_server_ended_are_opened_again(store, server, record):
    store.add([record("a")], HERE)
    store.wait(0)
    end_connections(server)
    assert store.add([record("b")], HERE) == ["b"]
    assert store.counts()[RecordState.PENDING] == 2
    deadline = time.monotonic() + 10
    while not store.wait(0.1):
        assert time.monotonic() < deadline


def test_a_server_that_is_away_is_waited_for_once(store, record, monkeypatch, postgres_url):
    monkeypatch.setattr("keito.outbox.stores.postgres_database._PATIENCE", 0.5)
    address = urlsplit(postgres_url)
    away = open_store(postgres_url.replace(f":{address.port}/", ":1/"))
    for least in (0.5, 0.0):  # each run of an agent would wait for it
        start = time.monotonic()
        with pytest.raises(OutboxError, match="refused"):
            away.add([record("a")], HERE)
        assert least <= time.monotonic() - start < least + 2
    away.close()


def test_the_password_is_nowhere(store, postgres_url):
    password = urlsplit(postgres_url).password or "nothing"
    assert password not in store.url
    assert f"schema={schema_of(postgres_url)}" in store.url
    wrong = open_store(postgres_url.replace(password, "wrong-word"))
    with pytest.raises(OutboxError, match="check the user and the password") as caught:
        wrong.counts()
    wrong.close()
    assert "wrong-word" not in str(caught.value) + repr(caught.value.__cause__) + repr(vars(caught.value))


def test_schemas_are_apart(store, postgres_server, postgres_url, record):
    other_url = postgres_url + "_b"
    other = open_store(other_url)
    store.add([record("a")], HERE)
    assert other.find() == []
    other.close()
    with psycopg.connect(postgres_server) as connection:
        connection.execute(f"DROP SCHEMA {schema_of(other_url)} CASCADE")


def test_many_who_open_a_new_store_at_once_make_it_once(postgres_url):
    failures = []

    def use():
        store = open_store(postgres_url)
        try:
            store.counts()
        except Exception as error:
            failures.append(error)
        store.close()

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_store_of_a_newer_keito_is_left_alone(store, server, postgres_url):
    store.counts()
    server(f"UPDATE {schema_of(postgres_url)}.store_version SET version = 99 RETURNING 1")
    other = open_store(postgres_url)
    with pytest.raises(OutboxError, match=r"newer keito \(version 99\)"):
        other.counts()
    other.close()


def test_the_clock_is_the_servers(store, server, record):
    store.add([record("a")], HERE)
    (before,) = server("SELECT extract(epoch FROM clock_timestamp())::float8")[0]
    assert store.now() >= before
    assert abs(store.find(key="a")[0].created_at - before) < 30


def test_no_more_than_eight_connections_are_open(store, server, record):
    threads = [
        threading.Thread(target=lambda n=n: [store.add([record(f"{n}-{i}")], HERE) for i in range(5)])
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    most = 0
    while any(thread.is_alive() for thread in threads):
        most = max(most, server("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'keito'")[0][0])
    assert 1 < most <= 8
    assert store.counts()[RecordState.PENDING] == 100


def test_numbers_stay_true_when_what_they_are_counted_from_is_folded(store, postgres_url, server, record):
    schema = schema_of(postgres_url)
    for number in range(5):
        one = open_store(postgres_url)
        one.add([record(f"k{number}")], HERE)
        one.close()
    rows = f"SELECT count(*) FROM {schema}.tallies"
    assert server(rows) == [(5,)]
    store.prune(3600)
    assert server(rows) == [(1,)]
    assert store.counts()[RecordState.PENDING] == 5


def test_folding_while_others_add_counts_each_record_once(store, postgres_url, record):
    stop = threading.Event()

    def fold():
        while not stop.is_set():
            store.prune(3600)

    folding = [threading.Thread(target=fold) for _ in range(2)]
    adding = [
        threading.Thread(target=lambda n=n: [store.add([record(f"{n}-{i}")], HERE) for i in range(40)])
        for n in range(4)
    ]
    for thread in (*folding, *adding):
        thread.start()
    for thread in adding:
        thread.join()
    stop.set()
    for thread in folding:
        thread.join()
    assert store.counts()[RecordState.PENDING] == 160
