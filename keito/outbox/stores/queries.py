"""The SQL of a store by name: what each statement does, in any dialect."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Queries:
    """The statements of one dialect. All moments are of the database's clock; durations are in seconds.

    Those of records:

    Attributes:
        insert_record: Add one, unless its key is known.
        undelivered: How many records are not delivered, with the shares of open windows.
        to_send: Ids of those that may be sent now, the ones that wait longest first.
        claim: Make the ones with these ids `sending`.
        in_doubt: Ids of those to ask for now, of the project, day and resource that waits longest.
        claim_in_doubt: Give the ones with these ids to an owner.
        by_ids: Those with these ids.
        settle: Set the state of one that belongs to an owner.
        give_back: Undo the claim of one.
        workers: The owners of those that are being sent or asked for.
        expire: Make some unsure whose lease is over.
        expire_gone: Make some unsure of owners that are gone.
        stop_asking: Let others ask for some that such owners were asking for.
        follow_clock: Let some wait from now on that were changed at a moment which is still to come.
        release: Make some of a destination and a state pending.
        release_key: Make one pending.
        withdraw: Take one back that is in a state.
        counts: Destination, state and number.
        fold_counts: Make what they are counted from small again.
        destinations: Those of all records.
        delivered_since: How many.
        id_of: The id of a key.
        by_key: The one with a key.
        by_run: Those of a run.
        by_state: Those of a destination in a state.
        all_records: Those of all destinations and states.
        next_due: For each duty, how long until the first one is due.
        oldest: The age of the first of a destination in a state.
        prune: Delete some that were delivered long ago.
        prune_shares: Forget some shares that went into records long ago.
        prune_owners: Forget processes that have no open run.
        pause: Let nobody send for a while.
        paused: For how long.

    Those of windows:

    Attributes:
        insert_share: Add one, unless its key is known.
        due_windows: Windows that are over.
        open_windows: All windows with shares.
        next_window_end: How long until the first is over.
        lock_windows: Let nobody else close a window of a destination until the transaction ends.
        shares: Those of a window, in the order of their arrival.
        close_shares: Forget all but their keys.
        carried: What a destination carries over, by place.
        carry: Set it.
        drop_carry: Remove it.

    Those of the journal:

    Attributes:
        insert_run: Enter a run, unless it is there.
        insert_event: Append to a run, unless it is not there or has that event.
        delete_run: Remove a run.
        delete_events: Remove its events.
        sign_of_life: Say that a process lives, and for how long that counts at least.
        keep_alive: Say that a process lives, and for how long that counts.
        owners: Other processes with open runs, and whether their lease is over.
        orphans: Open runs of processes that are gone.
        adopt: Give runs to another process.
        events: What happened in a run.
    """

    insert_record: str
    undelivered: str
    to_send: str
    claim: str
    in_doubt: str
    claim_in_doubt: str
    by_ids: str
    settle: str
    give_back: str
    workers: str
    expire: str
    expire_gone: str
    stop_asking: str
    follow_clock: str
    release: str
    release_key: str
    withdraw: str
    counts: str
    fold_counts: str
    destinations: str
    delivered_since: str
    id_of: str
    by_key: str
    by_run: str
    by_state: str
    all_records: str
    next_due: str
    oldest: str
    prune: str
    prune_shares: str
    prune_owners: str
    pause: str
    paused: str

    insert_share: str
    due_windows: str
    open_windows: str
    next_window_end: str
    lock_windows: str
    shares: str
    close_shares: str
    carried: str
    carry: str
    drop_carry: str

    insert_run: str
    insert_event: str
    delete_run: str
    delete_events: str
    sign_of_life: str
    keep_alive: str
    owners: str
    orphans: str
    adopt: str
    events: str
