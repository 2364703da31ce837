"""Reports: aggregates over many entries."""

from __future__ import annotations

from datetime import date

from keito.core.arguments import checked
from keito.core.call import Call
from keito.core.endpoint import Resource, paginated, raw_view
from keito.core.errors import refused
from keito.core.mode import AsyncRaw, Mode, SyncRaw
from keito.core.page import Page
from keito.resources.plan import pages
from keito.types.given import DateLike, parse_report_day
from keito.types.report import TeamTimeResult
from keito.types.request_options import RequestOptions


def _compact(name: str, value: object) -> str:
    if value is None:
        raise refused(name, value, "must be a date: reports have no open period")
    day: date = checked(name, value, parse_report_day)
    return day.strftime("%Y%m%d")


class Reports(Resource[Mode]):
    """Read reports; for managers and administrators."""

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
        """Iterate over the team's hours in a period, people and agents alike.

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
