"""Every error that keito raises.

    KeitoError
      KeitoApiError            the API answered, and the answer was not a success
        KeitoValidationError     400, 422; also what is refused before a request is sent
        KeitoAuthError           401; also a client without usable credentials
        KeitoForbiddenError      403
        KeitoNotFoundError       404
        KeitoConflictError       409
        KeitoRateLimitError      429
        KeitoServerError         5xx
      KeitoTimeoutError        no answer within the timeout
      KeitoConnectionError     no answer: the connection failed or broke

All of them pickle and copy, and none of them shows the API key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Optional

if TYPE_CHECKING:  # errors are loaded also where nothing is sent
    import httpx


class KeitoError(Exception):
    """Root of all errors of keito.

    Attributes:
        status_code: The HTTP status, `None` where there was no answer.
        body: The answer's JSON, or its text where it was not JSON.
        headers: The answer's headers.
        raw_response: The answer as httpx read it, its request without credentials.
    """

    status_code: Optional[int] = None
    body: Any = None
    headers: Mapping[str, str] = {}
    raw_response: Optional[httpx.Response] = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class KeitoApiError(KeitoError):
    """The API answered with something else than the success that was asked for.

    Args:
        message: What was attempted, such as `POST /api/v2/expenses`.
        status_code: The HTTP status; each subclass has its own default.
        body: The parsed answer; `error` and `error_description` (else `message`) become part of `str(error)`.
        headers: The answer's headers; a request id among them becomes part of `str(error)`.
        raw_response: The httpx response.
        retry_after: Seconds that the server asked to wait.
    """

    default_status: ClassVar[Optional[int]] = None

    def __init__(
        self,
        message: Optional[str] = None,
        *,
        status_code: Optional[int] = None,
        body: Any = None,
        headers: Optional[Mapping[str, str]] = None,
        raw_response: Optional[httpx.Response] = None,
        retry_after: Optional[float] = None,
    ) -> None:
        super().__init__(*(() if message is None else (message,)))
        self.status_code = self.default_status if status_code is None else status_code
        self.body = body
        self.headers = {} if headers is None else headers
        self.raw_response = raw_response
        self.retry_after = retry_after

    @property
    def request_id(self) -> Optional[str]:
        """The server's id of the request, if it sent one; name it to Keito's support."""
        names = {name.lower(): value for name, value in self.headers.items()}
        return names.get("x-request-id") or names.get("request-id")

    def __str__(self) -> str:
        word, description = describe(self.body)
        code = " ".join(str(part) for part in (self.status_code, word) if part is not None)
        text = ": ".join(str(part) for part in (*self.args, code, description) if part)
        return f"{text} (request id {self.request_id})" if self.request_id else text


class KeitoValidationError(KeitoApiError, ValueError):
    """400 (or 422): the request is not valid.

    Arguments that the API's contract forbids are refused with this error before anything is sent;
    `raw_response` is `None` then.
    """

    default_status = 400


class KeitoAuthError(KeitoApiError):
    """401: the credentials are missing or wrong. Also raised by a client that is built without any."""

    default_status = 401


class KeitoForbiddenError(KeitoApiError):
    """403: the user may not do this."""

    default_status = 403


class KeitoNotFoundError(KeitoApiError):
    """404: there is no such thing in this account."""

    default_status = 404


class KeitoConflictError(KeitoApiError):
    """409: the state does not allow it, such as a second running timer or an approved entry."""

    default_status = 409


class KeitoRateLimitError(KeitoApiError):
    """429: too many requests; `retry_after` is what the server asked to wait, in seconds."""

    default_status = 429


class KeitoServerError(KeitoApiError):
    """5xx: the server failed. A write may or may not have happened."""

    default_status = 500


class _NoAnswerError(KeitoError):
    """No answer arrived.

    Attributes:
        sent: `False` when the connection was never made, so that the server cannot have seen the request;
            `True` when a write may have happened.
    """

    def __init__(self, message: str = "", *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class KeitoTimeoutError(_NoAnswerError):
    """No complete answer arrived within the timeout."""


class KeitoConnectionError(_NoAnswerError):
    """The connection could not be made, or broke before the answer was complete."""


_BY_STATUS: dict[int, type[KeitoApiError]] = {
    400: KeitoValidationError,
    401: KeitoAuthError,
    403: KeitoForbiddenError,
    404: KeitoNotFoundError,
    409: KeitoConflictError,
    422: KeitoValidationError,
    429: KeitoRateLimitError,
}


def error_class(status: int) -> type[KeitoApiError]:
    """The class of error for an HTTP status."""
    return KeitoServerError if status >= 500 else _BY_STATUS.get(status, KeitoApiError)


def describe(body: Any) -> tuple[Optional[str], Optional[str]]:
    """The `error` word and the best description in an error body of any shape.

    The API's bodies are `{"error", "error_description"}`; 429 and 503 were seen with `message` instead.
    """
    if not isinstance(body, Mapping):
        return None, None
    error: Any = body.get("error")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if isinstance(error, Mapping):  # the shape that older documentation showed
        return describe({"error": error.get("code"), "message": error.get("message")})  # pyright: ignore[reportUnknownMemberType]
    text: Any = body.get("error_description") or body.get("message")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return (error if isinstance(error, str) else None), (text if isinstance(text, str) else None)


def refused(field: str, value: object, rule: str) -> KeitoValidationError:
    """The error for an argument that the contract forbids; nothing has been sent."""
    shown = _shown(value)
    text = f"{field}: {shown if len(shown) <= 120 else shown[:117] + '...'} is refused: {rule}"
    return KeitoValidationError(body={"error": "invalid argument", "error_description": text})


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception:
        return f"<{type(value).__name__}>"
