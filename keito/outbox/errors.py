"""What goes wrong with a store."""

from __future__ import annotations

from keito.core.errors import KeitoError


class OutboxError(KeitoError):
    """The store of records cannot do what it is asked for; the message says what to do about it."""
