"""Users: whose key this is."""

from __future__ import annotations

from keito.core.answer import reader
from keito.core.call import Call
from keito.core.endpoint import Resource, endpoint, raw_view
from keito.core.mode import AsyncRaw, Mode, SyncRaw
from keito.resources.plan import get
from keito.types.request_options import RequestOptions
from keito.types.user import User


class Users(Resource[Mode]):
    """Read who the API key belongs to."""

    with_raw_response: raw_view[Users[SyncRaw], Users[AsyncRaw]] = raw_view()

    @endpoint
    def me(self, *, request_options: RequestOptions | None = None) -> Call[User]:
        """Read the user of the API key; `user_type` tells agents from people.

        Args:
            request_options: Overrides for this call.

        Raises:
            KeitoAuthError: The key is not valid.
        """
        return get("/users/me", reader(User), request_options)
