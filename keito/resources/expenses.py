"""Expenses: money that was spent for a project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keito.core.answer import reader
from keito.core.arguments import checked
from keito.core.call import Call
from keito.core.endpoint import Resource, endpoint, paginated, raw_view
from keito.core.mode import AsyncRaw, Mode, SyncRaw
from keito.core.page import Page
from keito.resources.plan import pages, post
from keito.types.common import Source
from keito.types.expense import Expense, ExpenseCreate
from keito.types.given import NOT_GIVEN, DateLike, InstantLike, NotGiven, Number, parse_day, parse_instant
from keito.types.request_options import RequestOptions


class Expenses(Resource[Mode]):
    """Record and read expenses."""

    with_raw_response: raw_view[Expenses[SyncRaw], Expenses[AsyncRaw]] = raw_view()

    @paginated
    def list(
        self,
        *,
        user_id: str | None = None,
        client_id: str | None = None,
        project_id: str | None = None,
        is_billed: bool | None = None,
        from_date: DateLike | None = None,
        to_date: DateLike | None = None,
        updated_since: InstantLike | None = None,
        source: Source | str | Sequence[Source | str] | None = None,
        page: int = 1,
        per_page: int = 100,
        prefetch: int = 0,
        request_options: RequestOptions | None = None,
    ) -> Call[Page[Expense]]:
        """Iterate over expenses.

        Args:
            user_id: Only this user's expenses.
            client_id: Only expenses on this client's projects.
            project_id: Only expenses on this project.
            is_billed: Only expenses that are (or are not) on an invoice.
            from_date: First day, inclusive.
            to_date: Last day, inclusive.
            updated_since: Only expenses that changed at or after this moment; it needs a time zone.
            source: One source, or several of them.
            page: The page to start at.
            per_page: Expenses fetched at once, 1 to 2000.
            prefetch: Pages to fetch ahead of the one that is read, 0 to 64.
            request_options: Overrides for this call's requests.

        Raises:
            KeitoValidationError: An argument is not valid; nothing was sent.
        """
        return pages(
            "/expenses",
            Expense,
            request_options,
            page,
            per_page,
            prefetch,
            **{"from": checked("from_date", from_date, parse_day), "to": checked("to_date", to_date, parse_day)},
            user_id=user_id,
            client_id=client_id,
            project_id=project_id,
            is_billed=is_billed,
            updated_since=checked("updated_since", updated_since, parse_instant),
            source=source,
        )

    @endpoint
    def create(
        self,
        *,
        project_id: str,
        expense_category_id: str,
        spent_date: DateLike,
        total_cost: Number | NotGiven | None = NOT_GIVEN,
        units: int | NotGiven | None = NOT_GIVEN,
        notes: str | NotGiven | None = NOT_GIVEN,
        billable: bool | NotGiven | None = NOT_GIVEN,
        source: Source | str | NotGiven | None = NOT_GIVEN,
        metadata: Mapping[str, Any] | NotGiven | None = NOT_GIVEN,
        request_options: RequestOptions | None = None,
    ) -> Call[Expense]:
        """Record an expense.

        A POST is not sent twice unless `request_options` has an `idempotency_key`.

        Args:
            project_id: The project to bill.
            expense_category_id: The category; Keito has one named "LLM Usage".
            spent_date: The day of the expense in the workspace's time zone.
            total_cost: The amount in the account's currency, 0 or more. It or `units` is needed.
            units: How many units of a category that has a unit price, 1 or more.
            notes: What it was for; the client may read it.
            billable: Whether the client pays for it.
            source: Where the expense comes from; the server's default is `api`. It cannot be changed later.
            metadata: A JSON object of at most 4,096 bytes.
            request_options: Overrides for this call.

        Raises:
            KeitoValidationError: An argument is not valid (nothing was sent), or the server says so.
            KeitoNotFoundError: There is no such project or category.
        """
        return post(
            "/expenses",
            reader(Expense),
            request_options,
            ExpenseCreate,
            project_id=project_id,
            expense_category_id=expense_category_id,
            spent_date=spent_date,
            total_cost=total_cost,
            units=units,
            notes=notes,
            billable=billable,
            source=source,
            metadata=metadata,
        )
