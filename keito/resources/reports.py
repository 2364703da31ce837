"""Reports: aggregates over many entries."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from keito.core.arguments import checked
from keito.core.call import Call
from keito.core.endpoint import Resource, paginated, raw_view, surveyed
from keito.core.errors import refused
from keito.core.mode import AsyncRaw, Mode, SyncRaw
from keito.core.page import Page
from keito.core.survey import Reading, Survey, reading
from keito.resources.agent_report import AgentReport
from keito.resources.dimensions import chosen
from keito.resources.places import Places
from keito.resources.plan import pages
from keito.types.client import ClientModel
from keito.types.common import Source
from keito.types.given import DateLike, parse_report_day
from keito.types.project import Project
from keito.types.report import AgentSummary, Dimension, TeamTimeResult
from keito.types.request_options import RequestOptions
from keito.types.time_entry import TimeEntry

_LARGEST = 2000
_CURRENCY = re.compile(r"[A-Z]{3}\Z")


def _day(name: str, value: object) -> date:
    if value is None:
        raise refused(name, value, "must be a date: reports have no open period")
    day: date = checked(name, value, parse_report_day)
    return day


def _compact(name: str, value: object) -> str:
    return _day(name, value).strftime("%Y%m%d")


def _period(from_date: object, to_date: object) -> tuple[date, date]:
    first, last = _day("from_date", from_date), _day("to_date", to_date)
    if last < first:  # the API would answer with an empty list, which looks like a month without work
        raise refused("to_date", to_date, f"must not be before from_date, {first}")
    return first, last


def _lists(places: Places, options: RequestOptions | None, *, currency: bool, client: bool) -> list[Reading]:
    """What must be read to know the client of each project, and the currency of each client."""
    lists: list[Reading] = []
    # The API lists active projects only, unless it is asked for the others.
    for is_active in (True, False) if currency or client else ():
        projects = pages("/projects", Project, options, 1, _LARGEST, 0, is_active=is_active)
        lists.append(reading(projects, places.take_projects))
    if currency:
        lists.append(reading(pages("/clients", ClientModel, options, 1, _LARGEST, 0), places.take_clients))
    return lists


class Reports(Resource[Mode]):
    """Read reports: the one that the API has, and one that is computed from time entries."""

    with_raw_response: raw_view[Reports[SyncRaw], Reports[AsyncRaw]] = raw_view()

    @paginated
    def team_time(
        self,
        from_date: DateLike,
        to_date: DateLike,
        *,
        page: int = 1,
        per_page: int = 100,
        prefetch: int = 0,
        request_options: RequestOptions | None = None,
    ) -> Call[Page[TeamTimeResult]]:
        """Iterate over the team's hours in a period, people and agents alike; for managers and administrators.

        Args:
            from_date: First day; a date, `YYYY-MM-DD` or `YYYYMMDD`.
            to_date: Last day; at most 365 days after the first.
            page: The page to start at.
            per_page: Results fetched at once, 1 to 2000.
            prefetch: Pages to fetch ahead of the one that is read, 0 to 64.
            request_options: Overrides for this call's requests.

        Raises:
            KeitoValidationError: A date is not valid (nothing was sent), or the period is too long.
            KeitoForbiddenError: The user is neither manager nor administrator.
        """
        return pages(
            "/reports/time/team",
            TeamTimeResult,
            request_options,
            page,
            per_page,
            prefetch,
            **{"from": _compact("from_date", from_date), "to": _compact("to_date", to_date)},
        )

    @surveyed
    def agent_summary(
        self,
        from_date: DateLike,
        to_date: DateLike,
        *,
        agent_id: str | None = None,
        user_id: str | None = None,
        client_id: str | None = None,
        project_id: str | None = None,
        task_id: str | None = None,
        is_billed: bool | None = None,
        source: Source | str | Sequence[Source | str] | None = Source.AGENT,
        group_by: Dimension | Sequence[Dimension] = (),
        currency: str | None = None,
        per_page: int = 2000,
        prefetch: int = 2,
        request_options: RequestOptions | None = None,
    ) -> Survey[AgentSummary]:
        """Sum up what agents did in a period: hours, outcomes, and what both are worth.

        The API has no such report: all time entries of the period are read, page by page, and only sums are kept.
        Members see their own entries only.

        Args:
            from_date: First day; a date, `YYYY-MM-DD` or `YYYYMMDD`.
            to_date: Last day.
            agent_id: Only the agent that the metadata names so.
            user_id: Only this user's entries.
            client_id: Only entries on this client's projects.
            project_id: Only entries on this project.
            task_id: Only entries on this task.
            is_billed: Only entries that are (or are not) on an invoice.
            source: Only entries from there; `None` counts those of people, too.
            group_by: Also divide the sums: by `client`, `project`, `task`, `user`, `agent`, `outcome_type`, `currency`,
                `day`, `week` or `month`, or by several of them.
            currency: ISO code of the currency that all amounts are in. If it is not given, it is that of each
                project's client; for that, the projects and clients are read, too.
            per_page: Entries fetched at once, 1 to 2000.
            prefetch: Pages to fetch ahead of the one that is counted, 0 to 64.
            request_options: Overrides for each of the requests.

        Raises:
            KeitoValidationError: An argument is not valid; nothing was sent.
            KeitoForbiddenError: The user may not read clients, and `currency` was not given.
        """
        period = _period(from_date, to_date)
        dimensions = chosen(group_by)
        places = Places(checked("currency", currency, _code))
        report = AgentReport(period, dimensions, checked("agent_id", agent_id, _id), places)
        entries = pages(
            "/time_entries",
            TimeEntry,
            request_options,
            1,
            per_page,
            prefetch,
            **{"from": period[0], "to": period[1]},
            user_id=user_id,
            client_id=client_id,
            project_id=project_id,
            task_id=task_id,
            is_billed=is_billed,
            source=source,
        )
        lists: list[Reading] = _lists(places, request_options, currency=currency is None, client="client" in dimensions)
        return Survey([*lists, reading(entries, report.take)], report.summary)


def _code(value: object) -> str:
    if not isinstance(value, str) or not _CURRENCY.match(value):
        raise ValueError("must be the ISO code of a currency, such as 'EUR'")
    return value


def _id(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("must be a non-empty string")
    return value
