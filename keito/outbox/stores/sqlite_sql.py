"""The SQL of a store on SQLite, from 3.31 on: without RETURNING. `:now` is the machine's clock in every statement."""

from __future__ import annotations

from keito.outbox.fate import LONGEST_PAUSE
from keito.outbox.stores.queries import Queries

APPLICATION_ID = 0x6B65746F
"""Tells an outbox from other SQLite databases: "keto"."""

_FIRST_VERSION = (
    # `duty` is what there is to do with a record when `not_before` has come; that is the end of the lease while it
    # is being sent. Of held records only those come back by themselves that met a rate limit.
    """
    CREATE TABLE records (
      id INTEGER PRIMARY KEY,
      key TEXT NOT NULL UNIQUE,
      kind TEXT NOT NULL,
      body TEXT NOT NULL,
      destination TEXT NOT NULL,
      run_id TEXT,
      project_id TEXT NOT NULL,
      spent_date TEXT NOT NULL,
      members TEXT NOT NULL,
      state TEXT NOT NULL,
      attempts INTEGER NOT NULL,
      created_at REAL NOT NULL,
      changed_at REAL NOT NULL,
      not_before REAL NOT NULL,
      sent_at REAL,
      api_id TEXT,
      status_code INTEGER,
      reason TEXT,
      owner TEXT,
      duty TEXT GENERATED ALWAYS AS (
        CASE WHEN state = 'pending' OR (state = 'held' AND status_code = 429) THEN 'send'
             WHEN state = 'unsure' THEN 'ask'
             WHEN state = 'sending' THEN 'expire' END
      ) VIRTUAL
    )
    """,
    "CREATE INDEX records_due ON records (destination, duty, not_before) WHERE duty IS NOT NULL",
    "CREATE INDEX records_by_state ON records (destination, state)",
    "CREATE INDEX records_by_run ON records (run_id) WHERE run_id IS NOT NULL",
    "CREATE INDEX records_in_doubt ON records (destination, project_id, spent_date) WHERE state = 'unsure'",
    "CREATE INDEX records_delivered ON records (changed_at, destination) WHERE state = 'delivered'",
    """
    CREATE TABLE shares (
      id INTEGER PRIMARY KEY,
      key TEXT NOT NULL UNIQUE,
      destination TEXT NOT NULL,
      name TEXT NOT NULL,
      ends_at REAL NOT NULL,
      body TEXT NOT NULL,
      closed_at REAL
    )
    """,
    "CREATE INDEX shares_open ON shares (destination, name) WHERE closed_at IS NULL",
    "CREATE INDEX shares_due ON shares (destination, ends_at) WHERE closed_at IS NULL",
    "CREATE INDEX shares_closed ON shares (closed_at) WHERE closed_at IS NOT NULL",
    """
    CREATE TABLE carried (
      destination TEXT NOT NULL, place TEXT NOT NULL, amount TEXT NOT NULL, PRIMARY KEY (destination, place)
    ) WITHOUT ROWID
    """,
    # Counting a million records takes too long: triggers keep the numbers. Open shares count as 'share'.
    """
    CREATE TABLE tallies (
      destination TEXT NOT NULL, state TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (destination, state)
    ) WITHOUT ROWID
    """,
    """
    CREATE TRIGGER record_added AFTER INSERT ON records BEGIN
      INSERT INTO tallies VALUES (new.destination, new.state, 1)
        ON CONFLICT (destination, state) DO UPDATE SET number = number + 1;
    END
    """,
    """
    CREATE TRIGGER record_changed AFTER UPDATE OF state ON records WHEN new.state <> old.state BEGIN
      UPDATE tallies SET number = number - 1 WHERE destination = old.destination AND state = old.state;
      INSERT INTO tallies VALUES (new.destination, new.state, 1)
        ON CONFLICT (destination, state) DO UPDATE SET number = number + 1;
    END
    """,
    """
    CREATE TRIGGER record_deleted AFTER DELETE ON records BEGIN
      UPDATE tallies SET number = number - 1 WHERE destination = old.destination AND state = old.state;
    END
    """,
    """
    CREATE TRIGGER share_added AFTER INSERT ON shares BEGIN
      INSERT INTO tallies VALUES (new.destination, 'share', 1)
        ON CONFLICT (destination, state) DO UPDATE SET number = number + 1;
    END
    """,
    """
    CREATE TRIGGER share_closed AFTER UPDATE OF closed_at ON shares BEGIN
      UPDATE tallies SET number = number - 1 WHERE destination = old.destination AND state = 'share';
    END
    """,
    "CREATE TABLE pauses (destination TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID",
    """
    CREATE TABLE runs (
      uid TEXT PRIMARY KEY,
      destination TEXT NOT NULL,
      header TEXT NOT NULL,
      owner TEXT NOT NULL,
      started_at REAL NOT NULL,
      seen_at REAL
    )
    """,
    "CREATE INDEX runs_by_owner ON runs (owner)",
    """
    CREATE TABLE events (
      uid TEXT NOT NULL, number INTEGER NOT NULL, event TEXT NOT NULL, PRIMARY KEY (uid, number)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE owners (
      owner TEXT PRIMARY KEY, seen_at REAL NOT NULL, lease_until REAL NOT NULL
    ) WITHOUT ROWID
    """,
)

MIGRATIONS = (_FIRST_VERSION,)
"""The statements that lead from each version to the next; the store's version is how many of them were applied."""

_COLUMNS = """key, kind, body, destination, run_id, project_id, spent_date, members, state, attempts, created_at,
  changed_at, not_before, sent_at, api_id, status_code, reason"""

_PAUSED = f"pauses.destination = :destination AND until > :now AND until <= :now + {LONGEST_PAUSE}"
"""What would last longer than any pause was wished for before the clock was set back."""

_IDS = "(SELECT value FROM json_each(:ids))"

QUERIES = Queries(
    insert_record="""
      INSERT INTO records (key, kind, body, destination, run_id, project_id, spent_date, members, state, attempts,
        created_at, changed_at, not_before)
      VALUES (:key, :kind, :body, :destination, :run_id, :project_id, :spent_date, :members, 'pending', 0,
        :now, :now, :now)
      ON CONFLICT (key) DO NOTHING
    """,
    undelivered="SELECT coalesce(sum(number), 0) FROM tallies WHERE state NOT IN ('delivered', 'withdrawn')",
    to_send=f"""
      SELECT id FROM records
      WHERE destination = :destination AND duty = 'send' AND not_before <= :now
        AND NOT EXISTS (SELECT 1 FROM pauses WHERE {_PAUSED})
      ORDER BY not_before, id LIMIT :limit
    """,
    claim=f"""
      UPDATE records SET state = 'sending', owner = :owner, attempts = attempts + 1, sent_at = :now,
        changed_at = :now, not_before = :now + :lease
      WHERE id IN {_IDS}
    """,
    in_doubt="""
      SELECT records.id FROM records JOIN (
        SELECT project_id, spent_date, kind = 'expense' AS is_expense FROM records
        WHERE destination = :destination AND duty = 'ask' AND not_before <= :now ORDER BY not_before, id LIMIT 1
      ) AS first
        ON records.project_id = first.project_id AND records.spent_date = first.spent_date
        AND (records.kind = 'expense') = first.is_expense
      WHERE records.destination = :destination AND state = 'unsure' AND not_before <= :now
      ORDER BY records.id LIMIT :limit
    """,
    claim_in_doubt=f"UPDATE records SET owner = :owner, not_before = :now + :lease WHERE id IN {_IDS}",
    by_ids=f"SELECT {_COLUMNS} FROM records WHERE id IN {_IDS} ORDER BY id",
    settle="""
      UPDATE records SET state = :state, owner = NULL, changed_at = :now, not_before = :now + :delay,
        api_id = coalesce(:api_id, api_id), status_code = :status_code, reason = :reason
      WHERE key = :key AND owner = :owner AND state IN ('sending', 'unsure') AND attempts = coalesce(:attempt, attempts)
    """,
    give_back="""
      UPDATE records SET state = 'pending', owner = NULL, changed_at = :now, not_before = created_at,
        sent_at = CASE WHEN attempts > 1 THEN sent_at END, attempts = attempts - 1
      WHERE key = :key AND owner = :owner AND state = 'sending'
    """,
    workers="""
      SELECT DISTINCT owner FROM records
      WHERE destination = :destination AND duty IN ('ask', 'expire') AND owner IS NOT NULL
    """,
    expire="""
      UPDATE records SET state = 'unsure', changed_at = :now, not_before = :now + :quiet,
        reason = 'the relay that sent it did not say what came of it', status_code = NULL, owner = NULL
      WHERE id IN (
        SELECT id FROM records WHERE destination = :destination AND duty = 'expire' AND not_before <= :now LIMIT :limit
      )
    """,
    expire_gone="""
      UPDATE records SET state = 'unsure', changed_at = :now, not_before = min(:now, not_before) + :quiet,
        reason = 'the relay that sent it was killed', status_code = NULL, owner = NULL
      WHERE id IN (
        SELECT id FROM records WHERE destination = :destination AND duty = 'expire'
          AND owner IN (SELECT value FROM json_each(:gone)) LIMIT :limit
      )
    """,
    stop_asking="""
      UPDATE records SET owner = NULL, not_before = :now
      WHERE id IN (
        SELECT id FROM records WHERE destination = :destination AND duty = 'ask'
          AND owner IN (SELECT value FROM json_each(:gone)) LIMIT :limit
      )
    """,
    follow_clock="""
      UPDATE records SET not_before = :now + max(0, not_before - changed_at), changed_at = :now
      WHERE id IN (
        SELECT id FROM records
        WHERE destination = :destination AND duty IN ('send', 'ask', 'expire') AND not_before > :now
          AND changed_at > :now + 1
        LIMIT :limit
      )
    """,
    release="""
      UPDATE records SET state = 'pending', changed_at = :now, not_before = :now
      WHERE id IN (SELECT id FROM records WHERE destination = :destination AND state = :state LIMIT :limit)
    """,
    release_key="""
      UPDATE records SET state = 'pending', changed_at = :now, not_before = :now
      WHERE key = :key AND destination = :destination AND state = :state
    """,
    withdraw="""
      UPDATE records SET state = 'withdrawn', owner = NULL, changed_at = :now, reason = :reason
      WHERE key = :key AND state = :state
    """,
    counts="SELECT destination, state, number FROM tallies WHERE state <> 'share'",
    fold_counts="DELETE FROM tallies WHERE number = 0",
    destinations="SELECT DISTINCT destination FROM tallies",
    # By itself SQLite would read every record that was ever delivered.
    delivered_since="""
      SELECT count(*) FROM records INDEXED BY records_delivered
      WHERE state = 'delivered' AND changed_at >= :moment AND destination = :destination
    """,
    id_of="SELECT id FROM records WHERE key = :key",
    by_key=f"SELECT id, {_COLUMNS} FROM records WHERE key = :key",
    by_run=f"SELECT id, {_COLUMNS} FROM records WHERE run_id = :run_id ORDER BY id",
    by_state=f"""
      SELECT id, {_COLUMNS} FROM records
      WHERE destination = :destination AND state = :state AND id > :after ORDER BY id LIMIT :limit
    """,
    all_records=f"SELECT id, {_COLUMNS} FROM records WHERE id > :after ORDER BY id LIMIT :limit",
    next_due="""
      SELECT 'send', min(not_before) - :now FROM records WHERE destination = :destination AND duty = 'send'
      UNION ALL
      SELECT 'ask', min(not_before) - :now FROM records WHERE destination = :destination AND duty = 'ask'
      UNION ALL
      SELECT 'expire', min(not_before) - :now FROM records WHERE destination = :destination AND duty = 'expire'
    """,
    oldest="""
      SELECT :now - created_at FROM records WHERE destination = :destination AND state = :state ORDER BY id LIMIT 1
    """,
    prune="""
      DELETE FROM records WHERE id IN (
        SELECT id FROM records WHERE state = 'delivered' AND changed_at < :now - :older_than LIMIT :limit
      )
    """,
    prune_shares="""
      DELETE FROM shares WHERE id IN (
        SELECT id FROM shares WHERE closed_at < :now - :older_than LIMIT :limit
      )
    """,
    prune_owners="""
      DELETE FROM owners WHERE lease_until < :now AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.owner = owners.owner)
    """,
    pause=f"""
      INSERT INTO pauses VALUES (:destination, :now + :seconds)
      ON CONFLICT (destination) DO UPDATE SET until = max(excluded.until, CASE WHEN {_PAUSED} THEN until ELSE 0 END)
    """,
    paused=f"SELECT until - :now FROM pauses WHERE {_PAUSED}",
    insert_share="""
      INSERT INTO shares (key, destination, name, ends_at, body)
      VALUES (:key, :destination, :window, :ends_at, :body) ON CONFLICT (key) DO NOTHING
    """,
    due_windows="""
      SELECT name FROM shares WHERE destination = :destination AND closed_at IS NULL AND ends_at <= :now
      GROUP BY name ORDER BY min(ends_at), name
    """,
    open_windows="""
      SELECT name FROM shares WHERE destination = :destination AND closed_at IS NULL
      GROUP BY name ORDER BY min(ends_at), name
    """,
    next_window_end="""
      SELECT min(ends_at) - :now FROM shares WHERE destination = :destination AND closed_at IS NULL
    """,
    lock_windows="SELECT 1",  # a transaction that writes is alone
    shares="""
      SELECT id, body FROM shares WHERE destination = :destination AND name = :window AND closed_at IS NULL ORDER BY id
    """,
    close_shares=f"UPDATE shares SET closed_at = :now, body = '' WHERE id IN {_IDS}",
    carried="SELECT place, amount FROM carried WHERE destination = :destination",
    carry="""
      INSERT INTO carried VALUES (:destination, :place, :amount)
      ON CONFLICT (destination, place) DO UPDATE SET amount = excluded.amount
    """,
    drop_carry="DELETE FROM carried WHERE destination = :destination AND place = :place",
    insert_run="""
      INSERT INTO runs (uid, destination, header, owner, started_at)
      VALUES (:uid, :destination, :header, :owner, :now) ON CONFLICT (uid) DO NOTHING
    """,
    insert_event="""
      INSERT INTO events SELECT uid, :number, :event FROM runs WHERE uid = :uid
      ON CONFLICT (uid, number) DO NOTHING
    """,
    delete_run="DELETE FROM runs WHERE uid = :uid",
    delete_events="DELETE FROM events WHERE uid = :uid",
    sign_of_life="""
      INSERT INTO owners VALUES (:owner, :now, :now + :lease)
      ON CONFLICT (owner) DO UPDATE SET seen_at = :now, lease_until = max(lease_until, :now + :lease)
    """,
    keep_alive="""
      INSERT INTO owners VALUES (:owner, :now, :now + :lease)
      ON CONFLICT (owner) DO UPDATE SET seen_at = excluded.seen_at, lease_until = excluded.lease_until
    """,
    owners="""
      SELECT runs.owner, coalesce(max(lease_until) < :now, 1) FROM runs LEFT JOIN owners ON owners.owner = runs.owner
      WHERE runs.owner <> :owner GROUP BY runs.owner
    """,
    orphans="""
      SELECT uid, destination, header, started_at, coalesce(runs.seen_at, owners.seen_at, started_at)
      FROM runs LEFT JOIN owners ON owners.owner = runs.owner
      WHERE runs.owner IN (SELECT value FROM json_each(:gone))
        OR (runs.owner IN (SELECT value FROM json_each(:silent)) AND coalesce(lease_until < :now, 1))
      ORDER BY runs.rowid
    """,
    adopt="""
      UPDATE runs SET
        seen_at = coalesce(seen_at, (SELECT seen_at FROM owners WHERE owners.owner = runs.owner)), owner = :owner
      WHERE uid IN (SELECT value FROM json_each(:uids))
    """,
    events="SELECT event FROM events WHERE uid = :uid ORDER BY number",
)
