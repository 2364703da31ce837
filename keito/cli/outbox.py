"""`python -m keito outbox`: what waits to be billed, and what is in its way."""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Optional

import typer

from keito.cli.records import UNDELIVERED, as_json, body_of, quantity, walk
from keito.cli.screen import Json, fail, print_fields, print_json, print_table, say
from keito.cli.store import Url, opened
from keito.cli.times import duration
from keito.outbox.stored import RecordState, StoredRecord

app = typer.Typer(help="Look into the outbox, and send what waits in it.", no_args_is_help=True)

States = Annotated[Optional[list[RecordState]], typer.Option("--state", help="Only records that stand so; repeatable.")]
Run = Annotated[Optional[str], typer.Option("--run", metavar="RUN_ID", help="Only records of this run.")]

_ADVICE = {
    RecordState.UNSURE: "may have arrived; a relay asks Keito before anything is sent again",
    RecordState.HELD: "refused for a reason that you can put right: outbox list --state held; then outbox retry",
    RecordState.DEAD: "refused for good: outbox list --state dead",
}


@app.command()
def status(url: Url = None, output: Json = False) -> None:
    """Count the records. Exit status 1 when some are held or dead."""
    with opened(url) as store:
        counts, oldest, where = store.counts(), store.oldest_pending(), store.url
    stuck = bool(counts.get(RecordState.HELD) or counts.get(RecordState.DEAD))
    if output:
        records = {state.value: counts.get(state, 0) for state in RecordState}
        print_json({"ok": not stuck, "outbox": where, "records": records, "oldest_undelivered_s": oldest})
    else:
        say(f"outbox {where}")
        print_fields((state, _about(state, counts.get(state, 0))) for state in RecordState)
        if oldest is not None:
            say(f"the oldest that waits has been there for {duration(oldest)}")
    raise typer.Exit(int(stuck))


def _about(state: RecordState, count: int) -> str:
    advice = _ADVICE.get(state) if count else None
    return f"{count:,}" + (f"  {advice}" if advice else "")


@app.command("list")
def list_(
    state: States = None,
    run: Run = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    after: Annotated[Optional[str], typer.Option(metavar="KEY", help="Those that came after this one.")] = None,
    url: Url = None,
    output: Json = False,
) -> None:
    """List records in the order of their arrival: what is not delivered yet, unless you name states or a run."""
    states = state or (None if run else UNDELIVERED)
    with opened(url) as store:
        if after and not store.find(key=after):
            raise fail(f"--after: there is no record {after} in {store.url}")
        found = store.find(states=states, run_id=run, after=after, limit=limit + 1)
        now = store.now()
    shown = found[:limit]
    if output:
        print_json([as_json(record, body=False) for record in shown])
    elif not shown:
        say("Nothing." if state or run else "Nothing waits: all that was stored is delivered.")
    else:
        print_table(("Key", "State", "Kind", "Day", "Quantity", "Age", "Reason"), [_row(one, now) for one in shown])
    if len(found) > limit and not output:
        say(f"There are more: --after {shown[-1].key}")


def _row(record: StoredRecord, now: float) -> Sequence[object]:
    age = duration(now - record.created_at)
    return (record.key, record.state, record.kind, record.spent_date, quantity(record), age, record.reason)


@app.command()
def show(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key of a record, or the id of a run.")],
    url: Url = None,
    output: Json = False,
) -> None:
    """Show everything about a record, or about the records of a run."""
    with opened(url) as store:
        found = store.find(key=key) or list(walk(store, run_id=key))
        where = store.url
    if not found:
        raise fail(f"there is no record or run {key} in {where}")
    if output:
        print_json([as_json(record) for record in found])
        return
    for number, record in enumerate(found):
        if number:
            say("")
        _print(record)


def _print(record: StoredRecord) -> None:
    about = as_json(record, body=False)
    about["members"] = ", ".join(record.members)
    print_fields((name, value) for name, value in about.items() if not _is_idle(record, name))
    say("body")
    say(json.dumps(body_of(record), indent=2, ensure_ascii=False))


def _is_idle(record: StoredRecord, name: str) -> bool:
    """Whether a field says nothing any more: when to send what is delivered or dead."""
    return name == "not_before" and record.state in (RecordState.DELIVERED, RecordState.DEAD)


@app.command()
def retry(
    keys: Annotated[Optional[list[str]], typer.Argument(metavar="[KEY]...", help="Only these records.")] = None,
    dead: Annotated[bool, typer.Option("--dead", help="Also what was refused for good.")] = False,
    url: Url = None,
    output: Json = False,
) -> None:
    """Let what is held be sent again, once the reason is put right. With KEYs, those: also dead ones."""
    states = [RecordState.HELD, *([RecordState.DEAD] if dead or keys else [])]
    with opened(url) as store:
        if keys:
            _check_retryable({key: store.find(key=key) for key in keys}, states)
        released = store.release(None, states, keys or None)
    if output:
        print_json({"released": released})
        return
    say(f"{released:,} {'record is' if released == 1 else 'records are'} pending again.")
    if released:
        say("A relay or an agent that uses this outbox sends them; so does: outbox flush")


def _check_retryable(found: Mapping[str, Sequence[StoredRecord]], states: Sequence[RecordState]) -> None:
    for key, records in found.items():
        if not records:
            raise fail(f"there is no record {key}; nothing was changed")
        if records[0].state not in states:
            raise fail(f"{key} is {records[0].state}, neither held nor dead; nothing was changed")


@app.command()
def export(
    path: Annotated[Optional[Path], typer.Option("--output", "-o", help="A file, in place of the terminal.")] = None,
    state: States = None,
    run: Run = None,
    url: Url = None,
) -> None:
    """Write records whole, one JSON object a line: all of them, unless you name states or a run."""
    with opened(url) as store, ExitStack() as files:
        file = files.enter_context(path.open("w", encoding="utf-8")) if path else sys.stdout
        count = 0
        for record in walk(store, state, run_id=run):
            file.write(json.dumps(as_json(record), ensure_ascii=False, separators=(",", ":")) + "\n")
            count += 1
    if path:
        say(f"{count:,} {'record' if count == 1 else 'records'} written to {path}")
