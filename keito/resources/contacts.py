"""Contacts: the people at a client."""

from __future__ import annotations

from keito.core.answer import reader
from keito.core.arguments import checked
from keito.core.call import Call
from keito.core.endpoint import Resource, endpoint, paginated, raw_view
from keito.core.mode import AsyncRaw, Mode, SyncRaw
from keito.core.page import Page
from keito.resources.plan import pages, post
from keito.types.contact import Contact, ContactCreate
from keito.types.given import NOT_GIVEN, InstantLike, NotGiven, parse_instant
from keito.types.request_options import RequestOptions


class Contacts(Resource[Mode]):
    """Add and read contacts; adding needs a manager or an administrator."""

    with_raw_response: raw_view[Contacts[SyncRaw], Contacts[AsyncRaw]] = raw_view()

    @paginated
    def list(
        self,
        *,
        client_id: str | None = None,
        updated_since: InstantLike | None = None,
        page: int = 1,
        per_page: int = 100,
        prefetch: int = 0,
        request_options: RequestOptions | None = None,
    ) -> Call[Page[Contact]]:
        """Iterate over contacts.

        Args:
            client_id: Only this client's contacts.
            updated_since: Only contacts that changed at or after this moment; it needs a time zone.
            page: The page to start at.
            per_page: Contacts fetched at once, 1 to 2000.
            prefetch: Pages to fetch ahead of the one that is read, 0 to 64.
            request_options: Overrides for this call's requests.

        Raises:
            KeitoValidationError: An argument is not valid; nothing was sent.
        """
        return pages(
            "/contacts",
            Contact,
            request_options,
            page,
            per_page,
            prefetch,
            client_id=client_id,
            updated_since=checked("updated_since", updated_since, parse_instant),
        )

    @endpoint
    def create(
        self,
        *,
        client_id: str,
        first_name: str,
        last_name: str | NotGiven | None = NOT_GIVEN,
        title: str | NotGiven | None = NOT_GIVEN,
        email: str | NotGiven | None = NOT_GIVEN,
        phone_office: str | NotGiven | None = NOT_GIVEN,
        phone_mobile: str | NotGiven | None = NOT_GIVEN,
        fax: str | NotGiven | None = NOT_GIVEN,
        request_options: RequestOptions | None = None,
    ) -> Call[Contact]:
        """Add a contact to a client.

        Args:
            client_id: The client.
            first_name: The person's first name.
            last_name: The person's last name.
            title: The person's position.
            email: Where invoices may be sent.
            phone_office: A telephone number.
            phone_mobile: A telephone number.
            fax: A fax number.
            request_options: Overrides for this call.

        Raises:
            KeitoForbiddenError: The user is neither manager nor administrator.
        """
        return post(
            "/contacts",
            reader(Contact),
            request_options,
            ContactCreate,
            client_id=client_id,
            first_name=first_name,
            last_name=last_name,
            title=title,
            email=email,
            phone_office=phone_office,
            phone_mobile=phone_mobile,
            fax=fax,
        )
