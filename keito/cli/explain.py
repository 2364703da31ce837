"""What went wrong, in a sentence, and what an operator can do about it."""

from __future__ import annotations

from typing import Optional

from keito.core.errors import KeitoApiError, KeitoConnectionError, KeitoError, KeitoTimeoutError, describe

_ADVICE = {
    400: "if the account is missing, set KEITO_ACCOUNT_ID to the company's id (Settings > API & Developers)",
    401: "set KEITO_API_KEY to a key that is valid (Settings > API & Developers; a key is shown once)",
    402: "check the plan of the account",
    403: "check that KEITO_ACCOUNT_ID is the key's own account, and what the key's user may do",
    404: "check that KEITO_BASE_URL is the address of a Keito server, without a path of your own",
    429: "wait a moment and try again",
}

_UNREACHED = "check the network, and KEITO_BASE_URL if you set it; what is in the outbox waits meanwhile"


def explain(error: Exception) -> tuple[str, Optional[str]]:
    """A sentence on the error, and one on what to do, if there is anything."""
    if isinstance(error, KeitoApiError) and error.raw_response is None and not error.args:
        return describe(error.body)[1] or str(error), None  # refused before anything was sent: it says what to set
    if isinstance(error, (KeitoConnectionError, KeitoTimeoutError)):
        return str(error), _UNREACHED
    if isinstance(error, KeitoError):
        return str(error), _advice(error.status_code)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror, None
    return str(error) or type(error).__name__, None


def _advice(status: Optional[int]) -> Optional[str]:
    if status is not None and status >= 500:
        return "the server has a problem; try again later. What is in the outbox waits meanwhile"
    return _ADVICE.get(status or 0)
