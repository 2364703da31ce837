"""Short ways to describe the calls of the API; used by every resource."""

from typing import Any, Callable, Optional, TypeVar

from keito.core.answer import page_reader
from keito.core.arguments import body_of, query_of
from keito.core.call import Call
from keito.core.options import check_paging, options_of
from keito.core.page import Page
from keito.core.reply import Reply
from keito.types.common import Model
from keito.types.request import Request
from keito.types.request_options import RequestOptions

T = TypeVar("T")
M = TypeVar("M", bound=Model)


def get(path: str, parse: Callable[[Reply], T], options: Optional[RequestOptions]) -> "Call[T]":
    """A call that reads one object."""
    return Call("GET", path, parse, options=options_of(options))


def write(
    method: str,
    path: str,
    parse: Callable[[Reply], T],
    options: Optional[RequestOptions],
    model: type[Request],
    repeatable: bool = True,
    **fields: Any,
) -> "Call[T]":
    """A call that sends `fields` as a `model`."""
    body = body_of(model, **fields)
    return Call(method, path, parse, body=body, options=options_of(options), repeatable=repeatable)


def post(
    path: str, parse: Callable[[Reply], T], options: Optional[RequestOptions], model: type[Request], **fields: Any
) -> "Call[T]":
    """A call that creates an object. A POST that is sent twice may create two."""
    return write("POST", path, parse, options, model, repeatable=False, **fields)


def delete(path: str, parse: Callable[[Reply], T], options: Optional[RequestOptions]) -> "Call[T]":
    """A call that removes an object."""
    return Call("DELETE", path, parse, options=options_of(options))


def pages(
    path: str,
    model: type[M],
    options: Optional[RequestOptions],
    page: int,
    per_page: int,
    prefetch: int,
    **filters: object,
) -> "Call[Page[M]]":
    """The call for the first page of a list.

    Raises:
        KeitoValidationError: `page` is below 1, `per_page` is not 1 to 2000, or `prefetch` is not 0 to 64.
    """
    check_paging(page, per_page, prefetch)
    query = {**query_of(**filters), "page": str(page), "per_page": str(per_page)}
    return Call("GET", path, page_reader(model), query=query, options=options_of(options), prefetch=prefetch)
