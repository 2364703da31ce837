"""Clients: who pays."""

from __future__ import annotations

from keito.core.answer import reader
from keito.core.arguments import checked, path_of
from keito.core.call import Call
from keito.core.endpoint import Resource, endpoint, paginated, raw_view
from keito.core.mode import AsyncRaw, Mode, SyncRaw
from keito.core.page import Page
from keito.resources.plan import get, pages, post, write
from keito.types.client import ClientCreate, ClientModel, ClientUpdate
from keito.types.common import PaymentTerm
from keito.types.given import NOT_GIVEN, InstantLike, NotGiven, Number, parse_instant
from keito.types.request_options import RequestOptions


class Clients(Resource[Mode]):
    """Add, read and change clients; writing needs a manager or an administrator."""

    with_raw_response: raw_view[Clients[SyncRaw], Clients[AsyncRaw]] = raw_view()

    @paginated
    def list(
        self,
        *,
        is_active: bool | None = None,
        updated_since: InstantLike | None = None,
        page: int = 1,
        per_page: int = 100,
        prefetch: int = 0,
        request_options: RequestOptions | None = None,
    ) -> Call[Page[ClientModel]]:
        """Iterate over clients.

        Args:
            is_active: Only active clients, or only the others.
            updated_since: Only clients that changed at or after this moment; it needs a time zone.
            page: The page to start at.
            per_page: Clients fetched at once, 1 to 2000.
            prefetch: Pages to fetch ahead of the one that is read, 0 to 64.
            request_options: Overrides for this call's requests.

        Raises:
            KeitoForbiddenError: The user is a member.
        """
        return pages(
            "/clients",
            ClientModel,
            request_options,
            page,
            per_page,
            prefetch,
            is_active=is_active,
            updated_since=checked("updated_since", updated_since, parse_instant),
        )

    @endpoint
    def create(
        self,
        *,
        name: str,
        address: str | NotGiven | None = NOT_GIVEN,
        currency: str | NotGiven | None = NOT_GIVEN,
        payment_terms: PaymentTerm | str | NotGiven | None = NOT_GIVEN,
        payment_days: int | NotGiven | None = NOT_GIVEN,
        tax: Number | NotGiven | None = NOT_GIVEN,
        tax2: Number | NotGiven | None = NOT_GIVEN,
        discount: Number | NotGiven | None = NOT_GIVEN,
        is_active: bool | NotGiven | None = NOT_GIVEN,
        request_options: RequestOptions | None = None,
    ) -> Call[ClientModel]:
        """Add a client.

        Args:
            name: The client's name.
            address: As it appears on invoices.
            currency: ISO code of three letters; the company's own if not given.
            payment_terms: When invoices are due. (Invoices themselves call it `payment_term`.)
            payment_days: Days until invoices are due, with the term `custom`.
            tax: Percentage on invoices.
            tax2: A second percentage on invoices.
            discount: Percentage off invoices.
            is_active: Whether new work may be recorded for it.
            request_options: Overrides for this call.

        Raises:
            KeitoForbiddenError: The user is neither manager nor administrator.
        """
        return post(
            "/clients",
            reader(ClientModel),
            request_options,
            ClientCreate,
            name=name,
            address=address,
            currency=currency,
            payment_terms=payment_terms,
            payment_days=payment_days,
            tax=tax,
            tax2=tax2,
            discount=discount,
            is_active=is_active,
        )

    @endpoint
    def get(self, id: str, *, request_options: RequestOptions | None = None) -> Call[ClientModel]:
        """Read one client.

        Args:
            id: The client.
            request_options: Overrides for this call.

        Raises:
            KeitoNotFoundError: There is no such client.
        """
        return get(path_of("clients", id), reader(ClientModel), request_options)

    @endpoint
    def update(
        self,
        id: str,
        *,
        name: str | NotGiven = NOT_GIVEN,
        address: str | NotGiven | None = NOT_GIVEN,
        currency: str | NotGiven | None = NOT_GIVEN,
        payment_terms: PaymentTerm | str | NotGiven | None = NOT_GIVEN,
        payment_days: int | NotGiven | None = NOT_GIVEN,
        tax: Number | NotGiven | None = NOT_GIVEN,
        tax2: Number | NotGiven | None = NOT_GIVEN,
        discount: Number | NotGiven | None = NOT_GIVEN,
        is_active: bool | NotGiven | None = NOT_GIVEN,
        request_options: RequestOptions | None = None,
    ) -> Call[ClientModel]:
        """Change fields of a client; what is not given stays as it is.

        Args:
            id: The client.
            name: The client's name.
            address: As it appears on invoices.
            currency: ISO code of three letters.
            payment_terms: When invoices are due.
            payment_days: Days until invoices are due, with the term `custom`.
            tax: Percentage on invoices.
            tax2: A second percentage on invoices.
            discount: Percentage off invoices.
            is_active: Whether new work may be recorded for it.
            request_options: Overrides for this call.

        Raises:
            KeitoForbiddenError: The user is neither manager nor administrator.
            KeitoNotFoundError: There is no such client.
        """
        return write(
            "PATCH",
            path_of("clients", id),
            reader(ClientModel),
            request_options,
            ClientUpdate,
            name=name,
            address=address,
            currency=currency,
            payment_terms=payment_terms,
            payment_days=payment_days,
            tax=tax,
            tax2=tax2,
            discount=discount,
            is_active=is_active,
        )
