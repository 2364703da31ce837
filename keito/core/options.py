"""Settings of a client and of single calls, checked before anything is sent."""

import re
from collections.abc import Mapping
from typing import Optional

from keito.core.errors import refused
from keito.types.given import NotGiven
from keito.types.request_options import RequestOptions

LONGEST_TIMEOUT = 1_000_000
"""Seconds; operating systems refuse to wait for more than 24 days."""

_HEADER_VALUE = re.compile(r"(?![\t ])[\t\x20-\x7e\x80-\xff]*(?<![\t ])\Z")
_FRAMING = frozenset({"content-length", "transfer-encoding"})
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")


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
        _check_key(given["idempotency_key"])
    headers = given.get("additional_headers") or {}
    if not isinstance(headers, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise refused("request_options.additional_headers", headers, "must be a mapping of names to values")
    for name, value in headers.items():
        check_header(name, value)
    return given


def _check_key(key: object) -> None:
    if not isinstance(key, str) or not key or not _HEADER_VALUE.match(key):
        raise refused("request_options.idempotency_key", key, "must be one line of text for the header Idempotency-Key")


def check_header(name: str, value: object) -> None:
    """Refuse a header that HTTP cannot carry. The value is not shown: it may be a secret."""
    if not isinstance(name, str) or not _HEADER_NAME.match(name):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise refused("additional_headers", name, "must be the name of an HTTP header")
    if name.lower() in _FRAMING:
        raise refused("additional_headers", name, "must not be a header that says how long the body is")
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
