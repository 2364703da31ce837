"""What a call is, before anybody performs it. Nothing in this module does I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Callable, Generic, Optional, TypeVar
from urllib.parse import quote, urlencode

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from keito.core.errors import KeitoValidationError, refused
from keito.core.reply import Reply
from keito.types.given import NotGiven, encode
from keito.types.request import Request
from keito.types.request_options import RequestOptions

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
R = TypeVar("R", bound=Request)

API_ROOT = "/api/v2"
IDEMPOTENCY_HEADERS = ("idempotency-key", "x-idempotency-key")
LONGEST_TIMEOUT = 1_000_000
"""Seconds; operating systems refuse to wait for more than 24 days."""
_HEADER_VALUE = re.compile(r"(?![\t ])[\t\x20-\x7e\x80-\xff]*(?<![\t ])\Z")
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")


@dataclass(frozen=True)
class Call(Generic[T_co]):
    """One request, and how to read its answer.

    Attributes:
        repeatable: Whether the method alone makes it safe to send it twice.
        prefetch: For a list, how many pages to fetch ahead.
    """

    method: str
    path: str
    parse: Callable[[Reply], T_co]
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Optional[bytes] = None
    options: RequestOptions = field(default_factory=RequestOptions)
    repeatable: bool = True
    prefetch: int = 0

    @property
    def name(self) -> str:
        """The call as messages name it, such as `POST /api/v2/expenses`."""
        return f"{self.method} {API_ROOT}{self.path}"

    @property
    def target(self) -> str:
        """Path and query as they are sent."""
        path = API_ROOT + self.path
        return f"{path}?{urlencode(self.query)}" if self.query else path

    @property
    def retryable(self) -> bool:
        """Whether the call may be sent again when the first attempt's fate is unknown."""
        keys = (value.strip() for name, value in self.headers.items() if name.lower() in IDEMPOTENCY_HEADERS)
        return self.repeatable or any(keys)

    @property
    def headers(self) -> dict[str, str]:
        """The caller's headers for this call."""
        headers = dict(self.options.get("additional_headers") or {})
        key = self.options.get("idempotency_key")
        return headers if key is None else {**headers, "Idempotency-Key": key}


class Links(BaseModel):
    """The relative URLs of neighbouring pages."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    first: Optional[str] = None
    next: Optional[str] = None
    previous: Optional[str] = None
    last: Optional[str] = None


# The API names the array of a list after what it holds.
_ITEM_KEYS = AliasChoices(
    "time_entries", "expenses", "projects", "clients", "contacts", "tasks", "invoices", "invoice_messages", "results"
)


class Page(BaseModel, Generic[T]):
    """One page of a list. An empty list has `total_pages` 0."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    items: list[T] = Field(validation_alias=_ITEM_KEYS)
    page: Optional[int] = None
    per_page: Optional[int] = None
    total_pages: Optional[int] = None
    total_entries: Optional[int] = None
    links: Optional[Links] = None


def at_page(first: Call[Page[T]], number: int) -> Call[Page[T]]:
    """The call for another page of the same list."""
    return replace(first, query={**first.query, "page": str(number)})


def path_of(*segments: str) -> str:
    """Join segments to a path below the API's root; each is encoded as one segment.

    Raises:
        KeitoValidationError: An id is empty, `.` or `..` (which would reach another endpoint), or not a string.
    """
    for segment in segments:
        if not isinstance(segment, str) or segment in {"", ".", ".."}:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise refused("id", segment, "must be a non-empty string other than '.' and '..'")
    try:
        return "".join(f"/{quote(segment, safe='')}" for segment in segments)
    except UnicodeEncodeError:
        raise refused("id", segments, "must be text that UTF-8 can carry") from None


def query_of(**given: object) -> dict[str, str]:
    """The query parameters of a list; what is `None` or was not given is left out.

    Raises:
        KeitoValidationError: A text holds half a surrogate pair.
    """
    return {
        name: _sendable(name, _text(value))
        for name, value in given.items()
        if value is not None and value is not NotGiven.NOT_GIVEN
    }


def _sendable(name: str, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise refused(name, text, "must be text that UTF-8 can carry") from None
    return text


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return ",".join(_text(item) for item in value)  # pyright: ignore[reportUnknownVariableType]
    return str(value)


def checked(name: str, value: Any, parse: Callable[[Any], Any]) -> Any:
    """Run a check over an optional argument.

    Raises:
        KeitoValidationError: `parse` refused the value; the message names the field, the value and the rule.
    """
    if value is None or value is NotGiven.NOT_GIVEN:
        return None
    try:
        return parse(value)
    except ValueError as error:
        raise refused(name, value, str(error)) from None


def body_of(model: Callable[..., R], **given: Any) -> bytes:
    """The JSON of a request body: what was not given is absent, `None` is null.

    Raises:
        KeitoValidationError: The contract forbids a value; every refused field is named.
    """
    try:
        request = model(**{name: value for name, value in given.items() if value is not NotGiven.NOT_GIVEN})
    except ValidationError as error:
        raise _refusal(error) from None
    try:
        return encode(request.model_dump(exclude_unset=True))
    except ValueError as error:
        raise refused("body", given, str(error)) from None


def _refusal(error: ValidationError) -> KeitoValidationError:
    details = error.errors(include_url=False)
    texts: list[str] = []
    for detail in details:
        name = ".".join(str(part) for part in detail["loc"])
        rule = detail["msg"].replace("Value error, ", "").replace("Input should be", "must be")
        texts.append(str(describe_refusal(name, detail["input"], rule)))
    return KeitoValidationError(body={"error": "invalid argument", "error_description": "; ".join(texts)})


def describe_refusal(name: str, value: object, rule: str) -> str:
    """One refusal in words; a rule about the whole body has no field and shows no value."""
    return refused(name, value, rule).body["error_description"] if name else rule


def options_of(given: Optional[RequestOptions]) -> RequestOptions:
    """Check one call's options.

    Raises:
        KeitoValidationError: An option is unknown, or has a value that cannot be sent.
    """
    if not given:
        return RequestOptions()
    if not isinstance(given, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise refused("request_options", given, "must be a mapping")
    unknown = sorted(set(given) - RequestOptions.__annotations__.keys())
    if unknown:
        raise refused("request_options", unknown[0], f"must be one of {', '.join(RequestOptions.__annotations__)}")
    if "timeout" in given:
        check_timeout(given["timeout"], "request_options.timeout")
    if "max_retries" in given:
        check_retries(given["max_retries"], "request_options.max_retries")
    if "idempotency_key" in given:
        check_header("Idempotency-Key", given["idempotency_key"] or None)
    headers = given.get("additional_headers") or {}
    if not isinstance(headers, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise refused("request_options.additional_headers", headers, "must be a mapping of names to values")
    for name, value in headers.items():
        check_header(name, value)
    return given


def check_header(name: str, value: object) -> None:
    """Refuse a header that HTTP cannot carry. The value is not shown: it may be a secret."""
    if not isinstance(name, str) or not _HEADER_NAME.match(name):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise refused("additional_headers", name, "must be the name of an HTTP header")
    if not isinstance(value, str) or not _HEADER_VALUE.match(value):
        raise refused(
            f"additional_headers.{name}", "...", "must be text that an HTTP header can carry (one line, trimmed)"
        )


def check_timeout(value: object, name: str = "timeout") -> None:
    """Refuse a timeout that is neither `None` nor a positive number of seconds."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= LONGEST_TIMEOUT
    if value is not None and not number:
        rule = f"must be a positive number of seconds (at most {LONGEST_TIMEOUT:,}), or None to wait for ever"
        raise refused(name, value, rule)


def check_retries(value: object, name: str = "max_retries") -> None:
    """Refuse a number of retries that is not 0 or more."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise refused(name, value, "must be an integer of 0 or more")


def check_paging(page: object, per_page: object, prefetch: object = 0) -> None:
    """Refuse a page below 1, a page size outside 1 to 2000, or a negative prefetch."""
    for name, value, low, high in (
        ("page", page, 1, None),
        ("per_page", per_page, 1, 2000),
        ("prefetch", prefetch, 0, 64),
    ):
        if value is None or value is NotGiven.NOT_GIVEN:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < low or (high is not None and value > high):
            raise refused(
                name, value, f"must be an integer of at least {low}" + (f" and at most {high}" if high else "")
            )
