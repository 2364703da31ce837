"""What a rule knows while it answers one request."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import Any, Optional
from zoneinfo import ZoneInfo

from keito.sandbox.errors import ApiError, bad_request, forbidden, not_found
from keito.sandbox.fields import utc_text
from keito.sandbox.settings import Settings

Json = dict[str, Any]
Row = Mapping[str, Any]

ROLES = ("member", "manager", "administrator")


@dataclass(frozen=True)
class Caller:
    """Who sent the request: the user behind the API key, and the company that the key belongs to."""

    user: Row
    company: Row
    read_only: bool

    @property
    def no(self) -> int:
        """The user's number."""
        return int(self.user["no"])

    @property
    def is_manager(self) -> bool:
        """Whether the user is a manager or more; roles are cumulative."""
        return self.user["role"] in ("manager", "administrator")

    @property
    def is_administrator(self) -> bool:
        """Whether the user may do everything."""
        return bool(self.user["role"] == "administrator")


@dataclass(frozen=True)
class Context:
    """The database inside the request's transaction, the caller and the time."""

    db: sqlite3.Connection
    caller: Caller
    now: datetime
    settings: Settings

    @property
    def company(self) -> int:
        """The number of the caller's company, to which every record read or written belongs."""
        return int(self.caller.company["no"])

    @property
    def stamp(self) -> str:
        """Now, as it is stored."""
        return utc_text(self.now)

    @property
    def local_now(self) -> datetime:
        """Now on the workspace's clock: days and times of day are in its time zone, not in UTC."""
        return self.now.astimezone(zone(self.caller.company["timezone"]))

    @property
    def today(self) -> date:
        """The workspace's calendar day."""
        return self.local_now.date()

    def find(self, table: str, id_: str) -> Row:
        """The company's record of that id.

        Raises:
            ApiError: 404 when there is none, or it is another company's.
        """
        statement = f"SELECT * FROM {table} WHERE id = ? AND company = ?"  # noqa: S608
        row: Optional[Row] = self.db.execute(statement, (id_, self.company)).fetchone()
        if row is None:
            raise not_found()
        return row

    def find_active(self, table: str, id_: str, field: str) -> Row:
        """As `find`, and the record must not be archived."""
        row = self.find(table, id_)
        if not row["is_active"]:
            raise bad_request(f"{field} is not active")
        return row

    def require_manager(self) -> None:
        """Refuse members."""
        if not self.caller.is_manager:
            raise forbidden("manager required")

    def refuse_sync_key(self) -> None:
        """Refuse a read-only sync key, which sees a few lists and nothing else."""
        if self.caller.read_only:
            raise forbidden("This API key is read-only")


def zone(name: str) -> Any:
    """The time zone of that name; UTC needs no data files."""
    return timezone.utc if name == "UTC" else ZoneInfo(name)


def new_id() -> str:
    """An opaque id of the API's look."""
    return "cm" + uuid.uuid4().hex[:23]


def authenticate(db: sqlite3.Connection, headers: Mapping[str, str]) -> Caller:
    """The caller whom the two headers name.

    Raises:
        ApiError: 401, 400 or 403. The key is looked at first, then the account: without the account header
            even a valid key gets a 400, so that the id of the account cannot be learnt from a key.
    """
    scheme, _, key = headers.get("authorization", "").partition(" ")
    row = db.execute(
        "SELECT u.*, k.kind FROM api_keys k JOIN users u ON u.no = k.user WHERE k.key = ?", (key.strip(),)
    ).fetchone()
    if scheme.lower() != "bearer" or row is None or not row["is_active"]:
        raise ApiError(401)
    account = headers.get("keito-account-id")
    if not account:
        raise bad_request("Missing Keito-Account-Id header")
    company = db.execute("SELECT * FROM companies WHERE no = ?", (row["company"],)).fetchone()
    if company["id"] != account:
        raise forbidden("The API key does not belong to this account")
    return Caller(user=row, company=company, read_only=row["kind"] == "sync")
