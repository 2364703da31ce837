"""Invoices: drafting, correcting and sending them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keito.core.answer import object_of, reader
from keito.core.arguments import checked, path_of
from keito.core.call import Call
from keito.core.endpoint import Resource, endpoint, paginated, raw_view
from keito.core.mode import AsyncRaw, Mode, SyncRaw
from keito.core.page import Page
from keito.core.reply import Reply
from keito.resources.invoice_messages import InvoiceMessages
from keito.resources.plan import delete, get, pages, post, write
from keito.types.common import InvoiceState, PaymentTerm
from keito.types.given import NOT_GIVEN, DateLike, InstantLike, NotGiven, Number, parse_day, parse_instant
from keito.types.invoice import Invoice, InvoiceCreate, InvoiceUpdate, LineItemCreate
from keito.types.request_options import RequestOptions


class Invoices(Resource[Mode]):
    """Draft, read, change, delete and (through `messages`) send invoices."""

    with_raw_response: raw_view[Invoices[SyncRaw], Invoices[AsyncRaw]] = raw_view()

    def __init__(self, mode: Mode) -> None:
        self.mode = mode  # not by super(), which mypy cannot type for some orders of modules
        self.messages: InvoiceMessages[Mode] = InvoiceMessages(mode)

    @paginated
    def list(
        self,
        *,
        client_id: str | None = None,
        state: InvoiceState | str | None = None,
        from_date: DateLike | None = None,
        to_date: DateLike | None = None,
        updated_since: InstantLike | None = None,
        page: int = 1,
        per_page: int = 100,
        prefetch: int = 0,
        request_options: RequestOptions | None = None,
    ) -> Call[Page[Invoice]]:
        """Iterate over invoices.

        Args:
            client_id: Only this client's invoices.
            state: Only invoices in this state.
            from_date: First issue date, inclusive.
            to_date: Last issue date, inclusive.
            updated_since: Only invoices that changed at or after this moment; it needs a time zone.
            page: The page to start at.
            per_page: Invoices fetched at once, 1 to 2000.
            prefetch: Pages to fetch ahead of the one that is read, 0 to 64.
            request_options: Overrides for this call's requests.

        Raises:
            KeitoValidationError: An argument is not valid; nothing was sent.
        """
        return pages(
            "/invoices",
            Invoice,
            request_options,
            page,
            per_page,
            prefetch,
            **{"from": checked("from_date", from_date, parse_day), "to": checked("to_date", to_date, parse_day)},
            client_id=client_id,
            state=state,
            updated_since=checked("updated_since", updated_since, parse_instant),
        )

    @endpoint
    def create(
        self,
        *,
        client_id: str,
        subject: str | NotGiven | None = NOT_GIVEN,
        issue_date: DateLike | NotGiven | None = NOT_GIVEN,
        due_date: DateLike | NotGiven | None = NOT_GIVEN,
        payment_term: PaymentTerm | str | NotGiven | None = NOT_GIVEN,
        currency: str | NotGiven | None = NOT_GIVEN,
        purchase_order: str | NotGiven | None = NOT_GIVEN,
        tax: Number | NotGiven | None = NOT_GIVEN,
        tax2: Number | NotGiven | None = NOT_GIVEN,
        discount: Number | NotGiven | None = NOT_GIVEN,
        notes: str | NotGiven | None = NOT_GIVEN,
        period_start: DateLike | NotGiven | None = NOT_GIVEN,
        period_end: DateLike | NotGiven | None = NOT_GIVEN,
        line_items: Sequence[LineItemCreate | Mapping[str, Any]] | NotGiven | None = NOT_GIVEN,
        request_options: RequestOptions | None = None,
    ) -> Call[Invoice]:
        """Draft an invoice. Its lines come from `line_items` only; time entries are not marked as billed.

        Args:
            client_id: Who pays.
            subject: Shown above the lines.
            issue_date: The server's today if not given.
            due_date: Follows from the issue date and the payment term if not given.
            payment_term: Net 30 days if not given. (Clients call it `payment_terms`.)
            currency: ISO code of three letters; the client's own if not given.
            purchase_order: The client's reference.
            tax: Percentage on lines that are `taxed`.
            tax2: Percentage on lines that are `taxed2`.
            discount: Percentage off the subtotal.
            notes: Shown below the lines.
            period_start: First day of the work.
            period_end: Last day of the work.
            line_items: Lines with `kind`, `description`, `quantity`, `unit_price`, `taxed`, `taxed2`, `project_id`.
            request_options: Overrides for this call.

        Raises:
            KeitoValidationError: An argument is not valid (nothing was sent), or the server says so.
            KeitoForbiddenError: The user is neither manager nor administrator.
        """
        return post(
            "/invoices",
            reader(Invoice),
            request_options,
            InvoiceCreate,
            client_id=client_id,
            subject=subject,
            issue_date=issue_date,
            due_date=due_date,
            payment_term=payment_term,
            currency=currency,
            purchase_order=purchase_order,
            tax=tax,
            tax2=tax2,
            discount=discount,
            notes=notes,
            period_start=period_start,
            period_end=period_end,
            line_items=line_items,
        )

    @endpoint
    def get(self, id: str, *, request_options: RequestOptions | None = None) -> Call[Invoice]:
        """Read one invoice with its lines.

        Args:
            id: The invoice.
            request_options: Overrides for this call.

        Raises:
            KeitoNotFoundError: There is no such invoice.
        """
        return get(path_of("invoices", id), reader(Invoice), request_options)

    @endpoint
    def update(
        self,
        id: str,
        *,
        subject: str | NotGiven | None = NOT_GIVEN,
        issue_date: DateLike | NotGiven | None = NOT_GIVEN,
        due_date: DateLike | NotGiven | None = NOT_GIVEN,
        purchase_order: str | NotGiven | None = NOT_GIVEN,
        tax: Number | NotGiven | None = NOT_GIVEN,
        tax2: Number | NotGiven | None = NOT_GIVEN,
        discount: Number | NotGiven | None = NOT_GIVEN,
        notes: str | NotGiven | None = NOT_GIVEN,
        period_start: DateLike | NotGiven | None = NOT_GIVEN,
        period_end: DateLike | NotGiven | None = NOT_GIVEN,
        request_options: RequestOptions | None = None,
    ) -> Call[Invoice]:
        """Change fields of a draft; what is not given stays as it is. Lines cannot be changed.

        Args:
            id: The invoice.
            subject: Shown above the lines.
            issue_date: The date on the invoice.
            due_date: When it is to be paid.
            purchase_order: The client's reference.
            tax: Percentage on lines that are `taxed`.
            tax2: Percentage on lines that are `taxed2`.
            discount: Percentage off the subtotal.
            notes: Shown below the lines.
            period_start: First day of the work.
            period_end: Last day of the work.
            request_options: Overrides for this call.

        Raises:
            KeitoForbiddenError: The invoice is not a draft any more, or the user may not change it.
            KeitoNotFoundError: There is no such invoice.
        """
        return write(
            "PATCH",
            path_of("invoices", id),
            reader(Invoice),
            request_options,
            InvoiceUpdate,
            subject=subject,
            issue_date=issue_date,
            due_date=due_date,
            purchase_order=purchase_order,
            tax=tax,
            tax2=tax2,
            discount=discount,
            notes=notes,
            period_start=period_start,
            period_end=period_end,
        )

    @endpoint
    def delete(self, id: str, *, request_options: RequestOptions | None = None) -> Call[dict[str, Any]]:
        """Delete a draft; for administrators.

        Args:
            id: The invoice.
            request_options: Overrides for this call.

        Returns:
            `{"id": ..., "deleted": True}`.

        Raises:
            KeitoForbiddenError: It is not a draft, or the user is no administrator.
            KeitoNotFoundError: There is no such invoice.
        """

        def parse(reply: Reply) -> dict[str, Any]:
            # A retry that finds nothing: the first attempt did it, and its answer was lost.
            return {"id": id, "deleted": True} if reply.status == 404 else object_of(reply)

        return delete(path_of("invoices", id), parse, request_options)
