"""The SQL of a store on PostgreSQL, from 12 on. Its tables are in a schema of their own, the first of the search path.

`epoch()` is the server's clock when it received the statement.
"""

from __future__ import annotations

from keito.outbox.fate import LONGEST_PAUSE
from keito.outbox.stores.queries import Queries

_FIRST_VERSION = (
    """
    CREATE FUNCTION epoch() RETURNS float8 LANGUAGE sql STABLE PARALLEL SAFE
    AS 'SELECT extract(epoch FROM statement_timestamp())::float8'
    """,
    # `duty` is what there is to do with a record when `not_before` has come; that is the end of the lease while it
    # is being sent. Of held records only those come back by themselves that met a rate limit. Room is left in the
    # pages, since every record changes a few times.
    """
    CREATE TABLE records (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      key text NOT NULL UNIQUE,
      kind text NOT NULL,
      body text NOT NULL,
      destination text NOT NULL,
      run_id text,
      project_id text NOT NULL,
      spent_date text NOT NULL,
      members text NOT NULL,
      state text NOT NULL,
      attempts integer NOT NULL,
      created_at float8 NOT NULL,
      changed_at float8 NOT NULL,
      not_before float8 NOT NULL,
      sent_at float8,
      api_id text,
      status_code integer,
      reason text,
      owner text,
      duty text GENERATED ALWAYS AS (
        CASE WHEN state = 'pending' OR (state = 'held' AND status_code = 429) THEN 'send'
             WHEN state = 'unsure' THEN 'ask'
             WHEN state = 'sending' THEN 'expire' END
      ) STORED
    ) WITH (fillfactor = 70)
    """,
    "CREATE INDEX records_due ON records (destination, duty, not_before, id) WHERE duty IS NOT NULL",
    "CREATE INDEX records_by_state ON records (destination, state, id)",
    "CREATE INDEX records_by_run ON records (run_id) WHERE run_id IS NOT NULL",
    "CREATE INDEX records_in_doubt ON records (destination, project_id, spent_date) WHERE state = 'unsure'",
    "CREATE INDEX records_delivered ON records (changed_at, destination) WHERE state = 'delivered'",
    """
    CREATE TABLE shares (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      key text NOT NULL UNIQUE,
      destination text NOT NULL,
      name text NOT NULL,
      ends_at float8 NOT NULL,
      body text NOT NULL,
      closed_at float8
    )
    """,
    "CREATE INDEX shares_open ON shares (destination, name) WHERE closed_at IS NULL",
    "CREATE INDEX shares_due ON shares (destination, ends_at) WHERE closed_at IS NULL",
    "CREATE INDEX shares_closed ON shares (closed_at) WHERE closed_at IS NOT NULL",
    """
    CREATE TABLE carried (
      destination text NOT NULL, place text NOT NULL, amount text NOT NULL, PRIMARY KEY (destination, place)
    )
    """,
    # Counting a million records takes too long: triggers keep the numbers. Each connection has rows of its own, which
    # nobody else locks; the number is their sum. Open shares count as 'share'.
    """
    CREATE TABLE tallies (
      destination text NOT NULL, state text NOT NULL, backend integer NOT NULL, number bigint NOT NULL,
      PRIMARY KEY (backend, destination, state)
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE FUNCTION tally() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
      IF TG_OP = 'INSERT' THEN
        INSERT INTO tallies SELECT destination, state, pg_backend_pid(), count(*) FROM added GROUP BY 1, 2
        ON CONFLICT (backend, destination, state) DO UPDATE SET number = tallies.number + excluded.number;
      ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO tallies SELECT destination, state, pg_backend_pid(), -count(*) FROM gone GROUP BY 1, 2
        ON CONFLICT (backend, destination, state) DO UPDATE SET number = tallies.number + excluded.number;
      ELSE
        INSERT INTO tallies SELECT destination, state, pg_backend_pid(), sum(number) FROM (
          SELECT destination, state, 1 AS number FROM added UNION ALL SELECT destination, state, -1 FROM gone
        ) AS changes GROUP BY 1, 2 HAVING sum(number) <> 0
        ON CONFLICT (backend, destination, state) DO UPDATE SET number = tallies.number + excluded.number;
      END IF;
      RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER records_added AFTER INSERT ON records REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION tally()
    """,
    """
    CREATE TRIGGER records_changed AFTER UPDATE ON records REFERENCING NEW TABLE AS added OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION tally()
    """,
    """
    CREATE TRIGGER records_deleted AFTER DELETE ON records REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION tally()
    """,
    """
    CREATE FUNCTION tally_shares() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
      INSERT INTO tallies SELECT destination, 'share', pg_backend_pid(),
        count(*) * CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END FROM changed GROUP BY 1
      ON CONFLICT (backend, destination, state) DO UPDATE SET number = tallies.number + excluded.number;
      RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER shares_added AFTER INSERT ON shares REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION tally_shares()
    """,
    """
    CREATE TRIGGER shares_closed AFTER UPDATE ON shares REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION tally_shares()
    """,
    "CREATE TABLE pauses (destination text PRIMARY KEY, until float8 NOT NULL)",
    """
    CREATE TABLE runs (
      uid text PRIMARY KEY,
      destination text NOT NULL,
      header text NOT NULL,
      owner text NOT NULL,
      started_at float8 NOT NULL,
      seen_at float8
    )
    """,
    "CREATE INDEX runs_by_owner ON runs (owner)",
    "CREATE TABLE events (uid text NOT NULL, number bigint NOT NULL, event text NOT NULL, PRIMARY KEY (uid, number))",
    "CREATE TABLE owners (owner text PRIMARY KEY, seen_at float8 NOT NULL, lease_until float8 NOT NULL)",
)

MIGRATIONS = (_FIRST_VERSION,)
"""The statements that lead from each version to the next; the store's version is how many of them were applied."""

LOCK_MIGRATIONS = "SELECT pg_advisory_xact_lock(hashtext('keito outbox ' || %(schema)s))"
SCHEMA_EXISTS = "SELECT 1 FROM pg_namespace WHERE nspname = %(schema)s"
VERSION_EXISTS = "SELECT to_regclass('store_version') IS NOT NULL"
VERSION = "SELECT version FROM store_version"
CREATE_VERSION = "CREATE TABLE store_version (version integer NOT NULL)"
INSERT_VERSION = "INSERT INTO store_version VALUES (0)"
SET_VERSION = "UPDATE store_version SET version = %(version)s"
NOW = "SELECT extract(epoch FROM clock_timestamp())::float8"
NOTIFY = "SELECT pg_notify(%(channel)s, '')"

_PAUSED = f"""pauses.destination = %(destination)s AND pauses.until > epoch()
  AND pauses.until <= epoch() + {LONGEST_PAUSE}"""
"""What would last longer than any pause was wished for before the clock was set back."""

_COLUMNS = """key, kind, body, destination, run_id, project_id, spent_date, members, state, attempts, created_at,
  changed_at, not_before, sent_at, api_id, status_code, reason"""

QUERIES = Queries(
    insert_record="""
      INSERT INTO records (key, kind, body, destination, run_id, project_id, spent_date, members, state, attempts,
        created_at, changed_at, not_before)
      VALUES (%(key)s, %(kind)s, %(body)s, %(destination)s, %(run_id)s, %(project_id)s, %(spent_date)s, %(members)s,
        'pending', 0, epoch(), epoch(), epoch())
      ON CONFLICT (key) DO NOTHING
    """,
    undelivered="SELECT coalesce(sum(number), 0) FROM tallies WHERE state NOT IN ('delivered', 'withdrawn')",
    to_send=f"""
      SELECT id FROM records
      WHERE destination = %(destination)s AND duty = 'send' AND not_before <= epoch()
        AND NOT EXISTS (SELECT 1 FROM pauses WHERE {_PAUSED})
      ORDER BY not_before, id LIMIT %(limit)s FOR UPDATE OF records SKIP LOCKED
    """,
    claim="""
      UPDATE records SET state = 'sending', owner = %(owner)s, attempts = attempts + 1, sent_at = epoch(),
        changed_at = epoch(), not_before = epoch() + %(lease)s
      WHERE id = ANY(%(ids)s)
    """,
    in_doubt="""
      SELECT records.id FROM records JOIN (
        SELECT project_id, spent_date, kind = 'expense' AS is_expense FROM records
        WHERE destination = %(destination)s AND duty = 'ask' AND not_before <= epoch() ORDER BY not_before, id LIMIT 1
      ) AS first
        ON records.project_id = first.project_id AND records.spent_date = first.spent_date
        AND (records.kind = 'expense') = first.is_expense
      WHERE records.destination = %(destination)s AND state = 'unsure' AND not_before <= epoch()
      ORDER BY records.id LIMIT %(limit)s FOR UPDATE OF records SKIP LOCKED
    """,
    claim_in_doubt="UPDATE records SET owner = %(owner)s, not_before = epoch() + %(lease)s WHERE id = ANY(%(ids)s)",
    by_ids=f"SELECT {_COLUMNS} FROM records WHERE id = ANY(%(ids)s) ORDER BY id",
    settle="""
      UPDATE records SET state = %(state)s, owner = NULL, changed_at = epoch(), not_before = epoch() + %(delay)s,
        api_id = coalesce(%(api_id)s, api_id), status_code = %(status_code)s, reason = %(reason)s
      WHERE key = %(key)s AND owner = %(owner)s AND state IN ('sending', 'unsure')
        AND attempts = coalesce(%(attempt)s, attempts)
    """,
    give_back="""
      UPDATE records SET state = 'pending', owner = NULL, changed_at = epoch(), not_before = created_at,
        sent_at = CASE WHEN attempts > 1 THEN sent_at END, attempts = attempts - 1
      WHERE key = %(key)s AND owner = %(owner)s AND state = 'sending'
    """,
    workers="""
      SELECT DISTINCT owner FROM records
      WHERE destination = %(destination)s AND duty IN ('ask', 'expire') AND owner IS NOT NULL
    """,
    expire="""
      UPDATE records SET state = 'unsure', changed_at = epoch(), not_before = epoch() + %(quiet)s,
        reason = 'the relay that sent it did not say what came of it', status_code = NULL, owner = NULL
      WHERE id IN (
        SELECT id FROM records WHERE destination = %(destination)s AND duty = 'expire' AND not_before <= epoch()
        LIMIT %(limit)s FOR UPDATE SKIP LOCKED
      )
    """,
    expire_gone="""
      UPDATE records SET state = 'unsure', changed_at = epoch(), not_before = least(epoch(), not_before) + %(quiet)s,
        reason = 'the relay that sent it was killed', status_code = NULL, owner = NULL
      WHERE id IN (
        SELECT id FROM records WHERE destination = %(destination)s AND duty = 'expire' AND owner = ANY(%(gone)s)
        LIMIT %(limit)s FOR UPDATE SKIP LOCKED
      )
    """,
    stop_asking="""
      UPDATE records SET owner = NULL, not_before = epoch()
      WHERE id IN (
        SELECT id FROM records WHERE destination = %(destination)s AND duty = 'ask' AND owner = ANY(%(gone)s)
        LIMIT %(limit)s FOR UPDATE SKIP LOCKED
      )
    """,
    follow_clock="""
      UPDATE records SET not_before = epoch() + greatest(0, not_before - changed_at), changed_at = epoch()
      WHERE id IN (
        SELECT id FROM records
        WHERE destination = %(destination)s AND duty IN ('send', 'ask', 'expire') AND not_before > epoch()
          AND changed_at > epoch() + 1
        LIMIT %(limit)s FOR UPDATE SKIP LOCKED
      )
    """,
    release="""
      UPDATE records SET state = 'pending', changed_at = epoch(), not_before = epoch()
      WHERE id IN (
        SELECT id FROM records WHERE destination = %(destination)s AND state = %(state)s
        LIMIT %(limit)s FOR UPDATE SKIP LOCKED
      )
    """,
    release_key="""
      UPDATE records SET state = 'pending', changed_at = epoch(), not_before = epoch()
      WHERE key = %(key)s AND destination = %(destination)s AND state = %(state)s
    """,
    withdraw="""
      UPDATE records SET state = 'withdrawn', owner = NULL, changed_at = epoch(), reason = %(reason)s
      WHERE key = %(key)s AND state = %(state)s
    """,
    counts="SELECT destination, state, sum(number)::bigint FROM tallies WHERE state <> 'share' GROUP BY 1, 2",
    # Nobody waits here: rows in use are left alone, and only one connection does it at a time.
    fold_counts="""
      WITH old AS (
        DELETE FROM tallies WHERE (backend, destination, state) IN (
          SELECT backend, destination, state FROM tallies
          WHERE backend <> pg_backend_pid() AND (SELECT pg_try_advisory_xact_lock(hashtext('keito tallies')))
          FOR UPDATE SKIP LOCKED
        ) RETURNING destination, state, number
      )
      INSERT INTO tallies SELECT destination, state, pg_backend_pid(), sum(number) FROM old
      GROUP BY 1, 2 HAVING sum(number) <> 0
      ON CONFLICT (backend, destination, state) DO UPDATE SET number = tallies.number + excluded.number
    """,
    destinations="SELECT DISTINCT destination FROM tallies",
    delivered_since="""
      SELECT count(*) FROM records
      WHERE state = 'delivered' AND changed_at >= %(moment)s AND destination = %(destination)s
    """,
    id_of="SELECT id FROM records WHERE key = %(key)s",
    by_key=f"SELECT id, {_COLUMNS} FROM records WHERE key = %(key)s",
    by_run=f"SELECT id, {_COLUMNS} FROM records WHERE run_id = %(run_id)s ORDER BY id",
    by_state=f"""
      SELECT id, {_COLUMNS} FROM records
      WHERE destination = %(destination)s AND state = %(state)s AND id > %(after)s ORDER BY id LIMIT %(limit)s
    """,
    all_records=f"SELECT id, {_COLUMNS} FROM records WHERE id > %(after)s ORDER BY id LIMIT %(limit)s",
    next_due="""
      SELECT duty, (
        SELECT not_before FROM records
        WHERE destination = %(destination)s AND records.duty = duties.duty ORDER BY not_before LIMIT 1
      ) - epoch()
      FROM (VALUES ('send'), ('ask'), ('expire')) AS duties (duty)
    """,
    oldest="""
      SELECT epoch() - created_at FROM records WHERE destination = %(destination)s AND state = %(state)s
      ORDER BY id LIMIT 1
    """,
    prune="""
      DELETE FROM records WHERE id IN (
        SELECT id FROM records WHERE state = 'delivered' AND changed_at < epoch() - %(older_than)s
        LIMIT %(limit)s FOR UPDATE SKIP LOCKED
      )
    """,
    prune_shares="""
      DELETE FROM shares WHERE id IN (
        SELECT id FROM shares WHERE closed_at < epoch() - %(older_than)s LIMIT %(limit)s FOR UPDATE SKIP LOCKED
      )
    """,
    prune_owners="""
      DELETE FROM owners WHERE lease_until < epoch() AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.owner = owners.owner)
    """,
    pause=f"""
      INSERT INTO pauses VALUES (%(destination)s, epoch() + %(seconds)s)
      ON CONFLICT (destination) DO UPDATE
        SET until = greatest(excluded.until, CASE WHEN {_PAUSED} THEN pauses.until END)
    """,
    paused=f"SELECT until - epoch() FROM pauses WHERE {_PAUSED}",
    insert_share="""
      INSERT INTO shares (key, destination, name, ends_at, body)
      VALUES (%(key)s, %(destination)s, %(window)s, %(ends_at)s, %(body)s) ON CONFLICT (key) DO NOTHING
    """,
    due_windows="""
      SELECT name FROM shares WHERE destination = %(destination)s AND closed_at IS NULL AND ends_at <= epoch()
      GROUP BY name ORDER BY min(ends_at), name
    """,
    open_windows="""
      SELECT name FROM shares WHERE destination = %(destination)s AND closed_at IS NULL
      GROUP BY name ORDER BY min(ends_at), name
    """,
    next_window_end="""
      SELECT min(ends_at) - epoch() FROM shares WHERE destination = %(destination)s AND closed_at IS NULL
    """,
    lock_windows="SELECT pg_advisory_xact_lock(hashtext('keito windows ' || %(destination)s))",
    shares="""
      SELECT id, body FROM shares WHERE destination = %(destination)s AND name = %(window)s AND closed_at IS NULL
      ORDER BY id
    """,
    close_shares="UPDATE shares SET closed_at = epoch(), body = '' WHERE id = ANY(%(ids)s)",
    carried="SELECT place, amount FROM carried WHERE destination = %(destination)s",
    carry="""
      INSERT INTO carried VALUES (%(destination)s, %(place)s, %(amount)s)
      ON CONFLICT (destination, place) DO UPDATE SET amount = excluded.amount
    """,
    drop_carry="DELETE FROM carried WHERE destination = %(destination)s AND place = %(place)s",
    insert_run="""
      INSERT INTO runs (uid, destination, header, owner, started_at)
      VALUES (%(uid)s, %(destination)s, %(header)s, %(owner)s, epoch()) ON CONFLICT (uid) DO NOTHING
    """,
    # The lock lets a run not end while something is appended to it.
    insert_event="""
      INSERT INTO events SELECT uid, %(number)s, %(event)s FROM runs WHERE uid = %(uid)s FOR KEY SHARE
      ON CONFLICT (uid, number) DO NOTHING
    """,
    delete_run="DELETE FROM runs WHERE uid = %(uid)s",
    delete_events="DELETE FROM events WHERE uid = %(uid)s",
    sign_of_life="""
      INSERT INTO owners VALUES (%(owner)s, epoch(), epoch() + %(lease)s)
      ON CONFLICT (owner) DO UPDATE
      SET seen_at = excluded.seen_at, lease_until = greatest(owners.lease_until, excluded.lease_until)
    """,
    keep_alive="""
      INSERT INTO owners VALUES (%(owner)s, epoch(), epoch() + %(lease)s)
      ON CONFLICT (owner) DO UPDATE SET seen_at = excluded.seen_at, lease_until = excluded.lease_until
    """,
    owners="""
      SELECT runs.owner, coalesce(max(lease_until) < epoch(), true)
      FROM runs LEFT JOIN owners ON owners.owner = runs.owner
      WHERE runs.owner <> %(owner)s GROUP BY runs.owner
    """,
    orphans="""
      SELECT uid, destination, header, started_at, coalesce(runs.seen_at, owners.seen_at, started_at)
      FROM runs LEFT JOIN owners ON owners.owner = runs.owner
      WHERE runs.owner = ANY(%(gone)s)
        OR (runs.owner = ANY(%(silent)s) AND coalesce(lease_until < epoch(), true))
      ORDER BY started_at, uid FOR UPDATE OF runs SKIP LOCKED
    """,
    adopt="""
      UPDATE runs SET
        seen_at = coalesce(seen_at, (SELECT seen_at FROM owners WHERE owners.owner = runs.owner)), owner = %(owner)s
      WHERE uid = ANY(%(uids)s)
    """,
    events="SELECT event FROM events WHERE uid = %(uid)s ORDER BY number",
)
