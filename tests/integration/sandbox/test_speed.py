"""A filtered page stays quick in a large workspace, because each is answered from an index alone."""

import itertools

import pytest

from keito.sandbox.paging import Query
from keito.sandbox.storage import Storage

FILTERS = {
    "user": "t.user = 1",
    "client": "t.client = 1",
    "project": "t.project = 1",
    "task": "t.task = 1",
    "is_billed": "t.is_billed = 0",
    "is_running": "t.is_running = 1",
    "source": "t.source IN ('agent', 'cli')",
    "days": "t.spent_date >= '2026' AND t.spent_date <= '2027'",
    "updated_since": "t.updated_at >= '2026'",
}


@pytest.fixture(scope="module")
def storage():
    storage = Storage()
    yield storage
    storage.close()


def plan(db, statement):
    return " / ".join(row["detail"] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}"))


@pytest.mark.parametrize(
    "names", [names for size in (0, 1, 2, 3) for names in itertools.combinations(FILTERS, size)], ids="+".join
)
def test_entries_are_found_on_an_index_alone(storage, names):
    query = Query("time_entries", "t.company, t.spent_date DESC, t.no DESC")
    query.where("t.company = ?", 1)
    for name in names:
        query.where(FILTERS[name])

    def check(db):
        seen = []
        db.set_trace_callback(seen.append)
        query.count(db)
        query.rows(db, "SELECT t.* FROM time_entries t", 100, 0)
        db.set_trace_callback(None)
        count, page = seen
        inner = page.partition("t.no IN (")[2].rpartition(") ORDER BY")[0]
        return plan(db, count), plan(db, inner)

    for steps in storage.read(check).result():
        assert "SEARCH t USING COVERING INDEX time_entries_by_" in steps
        assert "B-TREE" not in steps
