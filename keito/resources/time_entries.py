"""Time entries: recording, correcting and timing work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from keito.core.answer import nothing, reader
from keito.core.arguments import checked, path_of
from keito.core.call import Call
from keito.core.endpoint import Resource, endpoint, paginated, raw_view
from keito.core.mode import AsyncRaw, Mode, SyncRaw
from keito.core.page import Page
from keito.resources.plan import delete, pages, post, write
from keito.types.common import Source
from keito.types.given import (
    NOT_GIVEN,
    ClockLike,
    DateLike,
    InstantLike,
    NotGiven,
    Number,
    parse_day,
    parse_instant,
)
from keito.types.request_options import RequestOptions
from keito.types.time_entry import TimeEntry, TimeEntryCreate, TimeEntryRestart, TimeEntryStop, TimeEntryUpdate


class TimeEntries(Resource[Mode]):
    """Record, read, correct and remove time entries; run timers."""

    with_raw_response: raw_view[TimeEntries[SyncRaw], TimeEntries[AsyncRaw]] = raw_view()

    @paginated
    def list(
        self,
        *,
        user_id: str | None = None,
        client_id: str | None = None,
        project_id: str | None = None,
        task_id: str | None = None,
        is_billed: bool | None = None,
        is_running: bool | None = None,
        from_date: DateLike | None = None,
        to_date: DateLike | None = None,
        updated_since: InstantLike | None = None,
        source: Source | str | Sequence[Source | str] | None = None,
        page: int = 1,
        per_page: int = 100,
        prefetch: int = 0,
        request_options: RequestOptions | None = None,
    ) -> Call[Page[TimeEntry]]:
        """Iterate over time entries; members see their own.

        Args:
            user_id: Only this user's entries.
            client_id: Only entries on this client's projects.
            project_id: Only entries on this project.
            task_id: Only entries on this task.
            is_billed: Only entries that are (or are not) on an invoice.
            is_running: Only running timers, or only the others.
            from_date: First day, inclusive.
            to_date: Last day, inclusive.
            updated_since: Only entries that changed at or after this moment; it needs a time zone.
            source: One source, or several of them.
            page: The page to start at.
            per_page: Entries fetched at once, 1 to 2000.
            prefetch: Pages to fetch ahead of the one that is read, 0 to 64.
            request_options: Overrides for this call's requests.

        Raises:
            KeitoValidationError: An argument is not valid; nothing was sent.
        """
        return pages(
            "/time_entries",
            TimeEntry,
            request_options,
            page,
            per_page,
            prefetch,
            **{"from": checked("from_date", from_date, parse_day), "to": checked("to_date", to_date, parse_day)},
            user_id=user_id,
            client_id=client_id,
            project_id=project_id,
            task_id=task_id,
            is_billed=is_billed,
            is_running=is_running,
            updated_since=checked("updated_since", updated_since, parse_instant),
            source=source,
        )

    @endpoint
    def create(
        self,
        *,
        project_id: str,
        task_id: str,
        spent_date: DateLike,
        user_id: str | NotGiven | None = NOT_GIVEN,
        hours: Number | NotGiven | None = NOT_GIVEN,
        notes: str | NotGiven | None = NOT_GIVEN,
        billable: bool | NotGiven | None = NOT_GIVEN,
        is_running: bool | NotGiven | None = NOT_GIVEN,
        replace_running: bool | NotGiven | None = NOT_GIVEN,
        started_time: ClockLike | NotGiven | None = NOT_GIVEN,
        ended_time: ClockLike | NotGiven | None = NOT_GIVEN,
        source: Source | str | NotGiven | None = NOT_GIVEN,
        metadata: Mapping[str, Any] | NotGiven | None = NOT_GIVEN,
        request_options: RequestOptions | None = None,
    ) -> Call[TimeEntry]:
        """Record time that was spent on a task.

        A POST is not sent twice unless `request_options` has an `idempotency_key`.

        Args:
            project_id: The project to bill.
            task_id: The task that the time went into.
            spent_date: The day of the work in the workspace's time zone.
            user_id: Whose time it is; for managers.
            hours: Decimal hours, 0 to 24.
            notes: What was done; the client may read it.
            billable: Leave it out to take the project's default.
            is_running: Start a timer instead of recording hours; see `start`.
            replace_running: With `is_running`: stop the timer that is running now.
            started_time: `HH:mm` in the workspace's time zone.
            ended_time: `HH:mm` in the workspace's time zone.
            source: Where the entry comes from; the server's default is `api`. It cannot be changed later.
            metadata: A JSON object of at most 4,096 bytes.
            request_options: Overrides for this call.

        Raises:
            KeitoValidationError: An argument is not valid (nothing was sent), or the server says so.
            KeitoConflictError: A timer is already running.
        """
        return post(
            "/time_entries",
            reader(TimeEntry),
            request_options,
            TimeEntryCreate,
            project_id=project_id,
            task_id=task_id,
            spent_date=spent_date,
            user_id=user_id,
            hours=hours,
            notes=notes,
            billable=billable,
            is_running=is_running,
            replace_running=replace_running,
            started_time=started_time,
            ended_time=ended_time,
            source=source,
            metadata=metadata,
        )

    @endpoint
    def update(
        self,
        id: str,
        *,
        project_id: str | NotGiven | None = NOT_GIVEN,
        task_id: str | NotGiven | None = NOT_GIVEN,
        spent_date: DateLike | NotGiven | None = NOT_GIVEN,
        hours: Number | NotGiven | None = NOT_GIVEN,
        notes: str | NotGiven | None = NOT_GIVEN,
        billable: bool | NotGiven | None = NOT_GIVEN,
        started_time: ClockLike | NotGiven | None = NOT_GIVEN,
        ended_time: ClockLike | NotGiven | None = NOT_GIVEN,
        metadata: Mapping[str, Any] | NotGiven | None = NOT_GIVEN,
        request_options: RequestOptions | None = None,
    ) -> Call[TimeEntry]:
        """Change fields of a time entry; what is not given stays as it is.

        Args:
            id: The entry.
            project_id: Move it to this project.
            task_id: Move it to this task.
            spent_date: The day of the work.
            hours: Decimal hours, 0 to 24.
            notes: New notes; `None` removes them.
            billable: Whether the client pays for it.
            started_time: `HH:mm`; `None` removes it.
            ended_time: `HH:mm`; `None` removes it.
            metadata: Merged into what is there, key by key at the top level; `None` clears all of it.
            request_options: Overrides for this call.

        Raises:
            KeitoForbiddenError: The entry is locked.
            KeitoNotFoundError: There is no such entry.
        """
        return write(
            "PATCH",
            path_of("time_entries", id),
            reader(TimeEntry),
            request_options,
            TimeEntryUpdate,
            project_id=project_id,
            task_id=task_id,
            spent_date=spent_date,
            hours=hours,
            notes=notes,
            billable=billable,
            started_time=started_time,
            ended_time=ended_time,
            metadata=metadata,
        )

    @endpoint
    def delete(self, id: str, *, request_options: RequestOptions | None = None) -> Call[None]:
        """Remove a time entry; a running one is discarded. A retry that finds it gone has succeeded.

        Args:
            id: The entry.
            request_options: Overrides for this call.

        Raises:
            KeitoForbiddenError: The entry is locked.
            KeitoConflictError: The entry is approved.
            KeitoNotFoundError: There is no such entry.
        """
        return delete(path_of("time_entries", id), nothing, request_options)

    @endpoint
    def start(
        self,
        *,
        project_id: str,
        task_id: str,
        spent_date: DateLike | NotGiven = NOT_GIVEN,
        replace_running: bool | NotGiven | None = NOT_GIVEN,
        user_id: str | NotGiven | None = NOT_GIVEN,
        notes: str | NotGiven | None = NOT_GIVEN,
        billable: bool | NotGiven | None = NOT_GIVEN,
        started_time: ClockLike | NotGiven | None = NOT_GIVEN,
        source: Source | str | NotGiven | None = NOT_GIVEN,
        metadata: Mapping[str, Any] | NotGiven | None = NOT_GIVEN,
        request_options: RequestOptions | None = None,
    ) -> Call[TimeEntry]:
        """Start a timer: a time entry with `is_running`. Each user has one running timer at most.

        Args:
            project_id: The project to bill.
            task_id: The task that the time goes into.
            spent_date: The day in the workspace's time zone; this machine's today if not given.
            replace_running: Stop the timer that is running now instead of refusing.
            user_id: Whose timer it is; for managers.
            notes: What is being done.
            billable: Leave it out to take the project's default.
            started_time: `HH:mm`, where the workspace allows starts in the past.
            source: Where the entry comes from.
            metadata: A JSON object of at most 4,096 bytes.
            request_options: Overrides for this call.

        Raises:
            KeitoConflictError: A timer is running, and `replace_running` was not set; `body["running_entry"]` names it.
        """
        return post(
            "/time_entries",
            reader(TimeEntry),
            request_options,
            TimeEntryCreate,
            project_id=project_id,
            task_id=task_id,
            spent_date=date.today() if isinstance(spent_date, NotGiven) else spent_date,  # noqa: DTZ011 - as documented
            is_running=True,
            replace_running=replace_running,
            user_id=user_id,
            notes=notes,
            billable=billable,
            started_time=started_time,
            source=source,
            metadata=metadata,
        )

    @endpoint
    def stop(
        self, id: str, *, notes: str | NotGiven | None = NOT_GIVEN, request_options: RequestOptions | None = None
    ) -> Call[TimeEntry]:
        """Stop a running timer; the server computes the hours.

        When an answer is lost and the call repeated, the timer may have been stopped by the first attempt: the second
        then finds it so, with a `KeitoConflictError`.

        Args:
            id: The running entry.
            notes: Replaces the notes; `None` removes them.
            request_options: Overrides for this call.

        Raises:
            KeitoConflictError: The entry is not running.
        """
        path = path_of("time_entries", id, "stop")
        return write("PATCH", path, reader(TimeEntry), request_options, TimeEntryStop, notes=notes)

    @endpoint
    def restart(
        self,
        id: str,
        *,
        replace_running: bool | NotGiven | None = NOT_GIVEN,
        request_options: RequestOptions | None = None,
    ) -> Call[TimeEntry]:
        """Make a stopped entry the running timer again; time adds up on it, on its own day.

        Like a POST, it is not sent twice unless `request_options` has an `idempotency_key`.

        Args:
            id: The stopped entry.
            replace_running: Stop the timer that is running now instead of refusing.
            request_options: Overrides for this call.

        Raises:
            KeitoConflictError: A timer is running, and `replace_running` was not set.
        """
        return write(
            "PATCH",
            path_of("time_entries", id, "restart"),
            reader(TimeEntry),
            request_options,
            TimeEntryRestart,
            repeatable=False,
            replace_running=replace_running,
        )
