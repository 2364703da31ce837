"""Which store a URL names, and what is said of one that cannot be used."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from keito.outbox import OutboxError, open_store

HERE = "acc_1@https://app.keito.io"


def mode(path):
    return stat.S_IMODE(Path(path).stat().st_mode)


@pytest.fixture
def opened():
    """Opens stores that are closed at the end."""
    stores = []

    def opened(url=None):
        stores.append(open_store(url))
        return stores[-1]

    yield opened
    for store in stores:
        store.close()


def test_by_default_records_are_in_the_users_state_directory(opened, monkeypatch, tmp_path):
    monkeypatch.delenv("KEITO_OUTBOX_URL", raising=False)
    monkeypatch.setattr("platformdirs.user_state_dir", lambda name, **_: str(tmp_path / name))
    store = opened()
    store.counts()
    assert store.url == f"sqlite:///{tmp_path / 'keito' / 'outbox.db'}"
    assert (tmp_path / "keito" / "outbox.db").exists()


def test_the_environment_names_the_store(opened, monkeypatch, tmp_path):
    monkeypatch.setenv("KEITO_OUTBOX_URL", f"sqlite:///{tmp_path}/elsewhere.db")
    assert opened().url == f"sqlite:///{tmp_path}/elsewhere.db"


def test_three_slashes_are_relative_to_where_the_store_was_opened(opened, monkeypatch, tmp_path, record):
    monkeypatch.chdir(tmp_path)
    store = opened("sqlite:///sub/outbox.db")
    monkeypatch.chdir("/")
    store.add([record("a")], HERE)
    assert (tmp_path / "sub" / "outbox.db").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_only_its_owner_reads_what_is_billed(opened, tmp_path, record):
    old = os.umask(0)
    try:
        opened(f"sqlite:///{tmp_path}/new/outbox.db").add([record("a")], HERE)
    finally:
        os.umask(old)
    assert mode(tmp_path / "new") == 0o700
    assert {path.name: mode(path) for path in (tmp_path / "new").iterdir()} == {
        "outbox.db": 0o600,
        "outbox.db-wal": 0o600,
        "outbox.db-shm": 0o600,
    }


def test_a_commit_is_on_the_disk_when_it_returns(opened, tmp_path, record):
    store = opened(f"sqlite:///{tmp_path}/outbox.db")
    store.add([record("a")], HERE)
    settings = {name: store._db.read(lambda tx, n=name: tx.rows(f"PRAGMA {n}"))[0][0] for name in ("synchronous",)}
    with sqlite3.connect(tmp_path / "outbox.db") as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
    assert settings == {"synchronous": 2}


def test_memory_warns_loudly(opened, caplog):
    with caplog.at_level(logging.WARNING, logger="keito.billing"):
        assert opened("memory://").url == "memory://"
    assert "lost" in caplog.text


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://host/db", "not mysql:"),
        ("outbox.db", "sqlite:///PATH"),
        ("sqlite://outbox.db", "sqlite:///PATH"),
        ("sqlite:///", "names no file"),
        ("sqlite:///:memory:", "memory://"),
        ("sqlite:///x.db?limit=many", "limit=NUMBER"),
        ("sqlite:///x.db?limit=0", "limit=NUMBER of 1 or more; 0 is none"),
        ("sqlite:///x.db?mode=ro", "mode is none"),
        ("memory://x", "no path"),
        ("direct://", "without a store"),
        ("postgresql://host/db?schema=Bad%20name", "plain name"),
        ("postgresql://user:secret@host:port/db?bad=1", "PostgreSQL takes"),
    ],
)
def test_a_wrong_url_is_refused_with_the_right_forms(url, said):
    with pytest.raises(ValueError, match=said) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_without_psycopg_the_error_says_what_to_install(tmp_path):
    program = """
import sys
sys.modules["psycopg"] = None
from keito.outbox import open_store
try:
    open_store("postgresql://host/db")
except ImportError as error:
    print(error)
"""
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert 'pip install "keito[postgres]"' in output


def test_opening_a_store_loads_only_what_it_needs(tmp_path):
    program = f"""
import sys
import keito.outbox
print([name for name in ("sqlite3", "psycopg", "httpx", "pydantic") if name in sys.modules])
store = keito.outbox.open_store("sqlite:///{tmp_path}/outbox.db")
store.counts()
print([name for name in ("psycopg", "httpx", "pydantic") if name in sys.modules])
store.close()
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n[]\n"


def refusal(url, action=lambda store: store.counts()):
    store = open_store(url)
    with pytest.raises(OutboxError) as caught:
        action(store)
    store.close()
    return str(caught.value)


def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("dear diary " * 100)
    said = refusal(f"sqlite:///{tmp_path}/notes.txt")
    assert str(tmp_path / "notes.txt") in said
    assert "move it away" in said
    assert (tmp_path / "notes.txt").read_text() == "dear diary " * 100


def test_another_programs_database_is_left_alone(tmp_path):
    with sqlite3.connect(tmp_path / "app.db") as other:
        other.execute("CREATE TABLE users (name TEXT)")
    other.close()
    assert "some other program's" in refusal(f"sqlite:///{tmp_path}/app.db")
    with sqlite3.connect(tmp_path / "app.db") as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("users",)]
    other.close()


def test_a_store_of_a_newer_keito_is_left_alone(tmp_path):
    open_store(f"sqlite:///{tmp_path}/outbox.db").counts()
    with sqlite3.connect(tmp_path / "outbox.db") as other:
        other.execute("PRAGMA user_version = 99")
    other.close()
    assert "newer keito (version 99)" in refusal(f"sqlite:///{tmp_path}/outbox.db")


def test_a_damaged_store_is_said_to_be_kept(tmp_path, record):
    store = open_store(f"sqlite:///{tmp_path}/outbox.db")
    store.add([record(f"k{number}") for number in range(300)], HERE)
    store.close()
    content = bytearray((tmp_path / "outbox.db").read_bytes())
    content[8192:-4096] = b"\xff" * (len(content) - 12288)
    (tmp_path / "outbox.db").write_bytes(content)
    said = refusal(f"sqlite:///{tmp_path}/outbox.db", lambda store: store.find())
    assert "damaged: move it away and keep it" in said


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    said = refusal(f"sqlite:///{tmp_path}/file/outbox.db")
    assert f"{tmp_path}/file/outbox.db" in said


def test_a_full_store_leaves_nothing_of_a_run_behind(tmp_path, record, opened):
    store = opened(f"sqlite:///{tmp_path}/outbox.db")
    store.add([record("a")], HERE)
    pages = store._db.read(lambda tx: tx.rows("PRAGMA page_count"))[0][0]
    store._db.read(lambda tx: tx.rows(f"PRAGMA max_page_count = {pages + 2}"))  # as a full disk
    with pytest.raises(OutboxError, match="disk is full: make room"):
        store.add([record("b"), record("c", notes="x" * 50_000)], HERE)
    assert [one.key for one in store.find()] == ["a"]
    store._db.read(lambda tx: tx.rows("PRAGMA max_page_count = 1000000"))
    assert store.add([record("b")], HERE) == ["b"]


def test_a_file_that_was_deleted_is_made_anew(tmp_path, record, opened):
    store = opened(f"sqlite:///{tmp_path}/outbox.db")
    store.add([record("a")], HERE)
    for path in tmp_path.iterdir():
        path.unlink()
    assert store.add([record("b")], HERE) == ["b"]
    other = opened(f"sqlite:///{tmp_path}/outbox.db")
    assert [one.key for one in other.find()] == ["b"]


def test_a_lock_that_nobody_lets_go_is_said(tmp_path, record, opened, monkeypatch):
    monkeypatch.setattr("keito.outbox.stores.sqlite_database._LOCK_TIMEOUT", 0.2)
    store = opened(f"sqlite:///{tmp_path}/outbox.db")
    store.add([record("a")], HERE)
    other = sqlite3.connect(tmp_path / "outbox.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OutboxError, match="kept it locked"):
        store.add([record("b")], HERE)
    other.execute("ROLLBACK")
    other.close()
    assert store.add([record("b")], HERE) == ["b"]


def test_a_store_on_a_network_file_system_is_refused(tmp_path, monkeypatch):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        f"23 22 0:44 / {tmp_path}/net rw,relatime shared:9 - nfs4 server:/home rw\n"
    )
    monkeypatch.setattr("keito.outbox.stores.sqlite_file.MOUNTS", mounts)
    (tmp_path / "net").mkdir()
    said = refusal(f"sqlite:///{tmp_path}/net/outbox.db")
    assert "network file system (nfs4)" in said
    assert "postgresql://" in said
    store = open_store(f"sqlite:///{tmp_path}/network.db")
    store.counts()
    store.close()
