"""Messages that send invoices to clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keito.core.answer import reader
from keito.core.arguments import path_of
from keito.core.call import Call
from keito.core.endpoint import Resource, endpoint, paginated, raw_view
from keito.core.mode import AsyncRaw, Mode, SyncRaw
from keito.core.page import Page
from keito.resources.plan import pages, post
from keito.types.common import MessageEvent
from keito.types.given import NOT_GIVEN, NotGiven
from keito.types.invoice import InvoiceMessage, InvoiceMessageCreate, Recipient
from keito.types.request_options import RequestOptions


class InvoiceMessages(Resource[Mode]):
    """Send invoices and read what was sent."""

    with_raw_response: raw_view[InvoiceMessages[SyncRaw], InvoiceMessages[AsyncRaw]] = raw_view()

    @paginated
    def list(
        self,
        invoice_id: str,
        *,
        page: int = 1,
        per_page: int = 100,
        prefetch: int = 0,
        request_options: RequestOptions | None = None,
    ) -> Call[Page[InvoiceMessage]]:
        """Iterate over the messages of an invoice.

        Args:
            invoice_id: The invoice.
            page: The page to start at.
            per_page: Messages fetched at once, 1 to 2000.
            prefetch: Pages to fetch ahead of the one that is read, 0 to 64.
            request_options: Overrides for this call's requests.

        Raises:
            KeitoNotFoundError: There is no such invoice.
        """
        path = path_of("invoices", invoice_id, "messages")
        return pages(path, InvoiceMessage, request_options, page, per_page, prefetch)

    @endpoint
    def create(
        self,
        invoice_id: str,
        *,
        recipients: Sequence[Recipient | Mapping[str, str]],
        subject: str | NotGiven | None = NOT_GIVEN,
        body: str | NotGiven | None = NOT_GIVEN,
        attach_pdf: bool | NotGiven | None = NOT_GIVEN,
        send_me_a_copy: bool | NotGiven | None = NOT_GIVEN,
        include_attachments: bool | NotGiven | None = NOT_GIVEN,
        event_type: MessageEvent | str | NotGiven | None = NOT_GIVEN,
        request_options: RequestOptions | None = None,
    ) -> Call[InvoiceMessage]:
        """Mail an invoice to its recipients; a draft becomes open.

        Args:
            invoice_id: The invoice.
            recipients: People with `name` and `email`.
            subject: The mail's subject.
            body: The mail's text.
            attach_pdf: Whether the invoice is attached; the server's default is yes.
            send_me_a_copy: Whether the sender gets the mail, too; the server's default is no.
            include_attachments: Whether the invoice's attachments are sent along; the server's default is no.
            event_type: `send`, `reminder` or `thank_you`; the server's default is `send`.
            request_options: Overrides for this call.

        Raises:
            KeitoValidationError: A recipient lacks its name or email (nothing was sent), or the server says so.
            KeitoForbiddenError: The user is neither manager nor administrator.
        """
        return post(
            path_of("invoices", invoice_id, "messages"),
            reader(InvoiceMessage),
            request_options,
            InvoiceMessageCreate,
            recipients=recipients,
            subject=subject,
            body=body,
            attach_pdf=attach_pdf,
            send_me_a_copy=send_me_a_copy,
            include_attachments=include_attachments,
            event_type=event_type,
        )
