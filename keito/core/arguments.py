"""What callers pass in becomes paths, queries and bodies, or is refused before anything is sent."""

from enum import Enum
from typing import Any, Callable, TypeVar
from urllib.parse import quote

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from keito.core.errors import KeitoValidationError, refused
from keito.types.given import NotGiven, encode
from keito.types.request import Request

R = TypeVar("R", bound=Request)


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
        raise refused("id", segments[1], "must be text that UTF-8 can carry") from None


def query_of(**given: object) -> dict[str, str]:
    """The query parameters of a list; what is `None` or was not given is left out.

    Raises:
        KeitoValidationError: A text holds half a surrogate pair.
    """
    return {
        name: _sendable(name, _text(name, value))
        for name, value in given.items()
        if value is not None and value is not NotGiven.NOT_GIVEN
    }


def _sendable(name: str, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise refused(name, text, "must be text that UTF-8 can carry") from None
    return text


def _text(name: str, value: Any) -> str:
    if name.startswith("is_") and not isinstance(value, bool):
        raise refused(name, value, "must be True or False")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, (list, tuple, set, frozenset)):
        items: list[Any] = [*value]  # pyright: ignore[reportUnknownArgumentType]
        if not items:
            raise refused(name, items, "must name at least one, or be left out for all")
        return ",".join(_text(name, item) for item in items)
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
    fields = request.model_dump(exclude_unset=True)
    try:
        return encode(fields)
    except ValueError:
        raise _not_json(fields) from None


def _not_json(fields: dict[str, Any]) -> KeitoValidationError:
    for name, value in fields.items():
        try:
            encode(value)
        except ValueError as error:  # noqa: PERF203 - which one it is
            return refused(name, value, str(error))
    return refused("body", fields, "is not JSON")


def _refusal(error: ValidationError) -> KeitoValidationError:
    text = "; ".join(_described(detail) for detail in error.errors(include_url=False))
    return KeitoValidationError(body={"error": "invalid argument", "error_description": text})


def _described(detail: ErrorDetails) -> str:
    """One refusal in words; a rule about the whole body has no field and shows no value."""
    name = ".".join(str(part) for part in detail["loc"])
    rule = detail["msg"].replace("Value error, ", "").replace("Input should be", "must be")
    return str(refused(name, detail["input"], rule).body["error_description"]) if name else rule
