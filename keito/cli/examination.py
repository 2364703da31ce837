"""Everything that `doctor` looks at, in its order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Optional

from keito.cli.account import client_of_environment
from keito.cli.checks.duplicates import check_duplicates
from keito.cli.checks.finding import Finding, Level, guarded, ok, problem, warning
from keito.cli.checks.ids import check_ids
from keito.cli.checks.outbox import check_outbox
from keito.cli.checks.policy import check_policy
from keito.cli.checks.server import check_server
from keito.cli.explain import explain
from keito.core.errors import KeitoError
from keito.outbox.destination import destination_of

if TYPE_CHECKING:
    from keito.client import Keito

_NOT_KEPT = {
    "memory": "what is not delivered when a process ends is lost, unbilled",
    "direct": "what does not reach Keito at once is lost when the process ends, unbilled",
}


def examine(policy: Mapping[str, Any], days: int, url: Optional[str]) -> Iterator[Finding]:
    """Look at everything, the likeliest causes first; what was found twice is said once."""
    said: set[Finding] = set()
    home = None
    try:
        client = client_of_environment()
    except KeitoError as error:
        yield problem("credentials", *explain(error))
    else:
        with client:
            home = destination_of(client)
            for finding in _server(client, policy, days):
                said.add(finding)
                yield finding
    yield from check_policy(policy)
    for finding in guarded("outbox", _outbox(url, home, days)):
        if finding not in said:
            yield finding


def _server(client: Keito, policy: Mapping[str, Any], days: int) -> Iterator[Finding]:
    account = f"account {client.account_id}" if client.account_id else "the account that the token names"
    yield ok("credentials", f"there is an API key, for {account}")
    for finding in guarded("reachable", check_server(client, policy.get("timezone"))):
        yield finding
        if finding.check == "reachable" and finding.level is Level.PROBLEM:
            return
    yield from check_ids(client, policy)
    if days:
        yield from guarded("duplicates", check_duplicates(client, days))


def _outbox(url: Optional[str], home: Optional[str], days: int) -> Iterator[Finding]:
    from keito.outbox.stores.open_store import open_store  # noqa: PLC0415 - brings a database along

    scheme = (url or "").partition(":")[0].lower()
    if scheme in _NOT_KEPT:
        yield warning("outbox", f"KEITO_OUTBOX_URL is {scheme}://: {_NOT_KEPT[scheme]}", "set a file or a database")
        return
    try:
        store = open_store(url)
    except (ValueError, ImportError) as error:
        yield problem("outbox", str(error), "set KEITO_OUTBOX_URL, or leave it out for a file in the user's folder")
        return
    try:
        yield from check_outbox(store, home, look_for_duplicates=bool(days))
    finally:
        store.close()
