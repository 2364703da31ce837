"""Turn a method that describes a call into one that performs it, in both clients.

A resource is generic in the `Mode` that performs its calls. `endpoint` and `paginated` are descriptors whose
`__get__` is overloaded on that mode: `TimeEntries[Sync].create` returns a `TimeEntry`, `TimeEntries[Async].create`
a coroutine of one.
"""

from __future__ import annotations

import inspect
from collections.abc import Coroutine
from types import MethodType
from typing import TYPE_CHECKING, Any, Callable, Generic, TypeVar, Union, overload

from typing_extensions import Concatenate, ParamSpec

from keito.core.call import Call
from keito.core.mode import Async, AsyncRaw, Mode, Sync, SyncRaw
from keito.core.page import Page
from keito.core.pager import Pager
from keito.core.raw_response import RawResponse
from keito.core.survey import Survey

if TYPE_CHECKING:
    from keito.core.pager_async import AsyncPager

P = ParamSpec("P")
T = TypeVar("T")
S_co = TypeVar("S_co", covariant=True)
A_co = TypeVar("A_co", covariant=True)


class Resource(Generic[Mode]):
    """The methods of one kind of object."""

    def __init__(self, mode: Mode) -> None:
        self.mode: Mode = mode


def _like(plan: Callable[..., Any], returns: str, *runners: Callable[..., Any]) -> None:
    """Give `runners` the name, docstring and parameters of `plan`, returning `returns`."""
    names = {name: getattr(plan, name) for name in ("__module__", "__name__", "__qualname__", "__doc__")}
    names["__annotations__"] = {**plan.__annotations__, "return": returns}
    names["__signature__"] = inspect.signature(plan).replace(return_annotation=returns)
    for runner in runners:
        for name, value in names.items():
            setattr(runner, name, value)


def _result(plan: Callable[..., Any]) -> str:
    """The text of `T` in a plan annotated `Call[T]`, `Call[Page[T]]` or `Survey[T]`."""
    text = str(plan.__annotations__["return"])
    for prefix in ("Call[", "Page[", "Survey["):
        if text.startswith(prefix):
            text = text[len(prefix) : -1]
    return text


class endpoint(Generic[P, T]):  # noqa: N801 - used as a decorator
    """Mark a method that describes a call; reading it from a client performs the call."""

    def __init__(self, plan: Callable[Concatenate[Any, P], Call[T]]) -> None:
        self._carry_out(plan, lambda mode, call: mode.perform(call))

    def _carry_out(self, plan: Callable[..., Any], act: Callable[[Any, Any], Any]) -> None:
        def blocking(self: Resource[Any], *args: Any, **kwargs: Any) -> Any:
            return act(self.mode, plan(self, *args, **kwargs))

        async def awaiting(self: Resource[Any], *args: Any, **kwargs: Any) -> Any:
            return await act(self.mode, plan(self, *args, **kwargs))

        self.plan = plan
        self.__doc__ = plan.__doc__
        self.blocking: Callable[..., Any] = blocking
        self.awaiting: Callable[..., Any] = awaiting
        _like(plan, _result(plan), blocking, awaiting)

    @overload
    def __get__(self, resource: None, owner: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, resource: Resource[Sync], owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, resource: Resource[Async], owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, resource: Resource[SyncRaw], owner: type) -> Callable[P, RawResponse[T]]: ...
    @overload
    def __get__(
        self, resource: Resource[AsyncRaw], owner: type
    ) -> Callable[P, Coroutine[Any, Any, RawResponse[T]]]: ...
    def __get__(self, resource: Union[Resource[Any], None], owner: type) -> Any:
        if resource is None:
            return self.blocking
        return MethodType(self.awaiting if resource.mode.awaits else self.blocking, resource)


class surveyed(endpoint[P, T]):  # noqa: N801 - used as a decorator
    """Mark a method that describes what is computed from whole lists; reading it from a client reads them all."""

    def __init__(self, plan: Callable[Concatenate[Any, P], Survey[T]]) -> None:
        self._carry_out(plan, lambda mode, survey: mode.survey(survey))


class paginated(Generic[P, T]):  # noqa: N801 - used as a decorator
    """Mark a method that describes the first page of a list; calling it gives an iterator over all pages."""

    def __init__(self, plan: Callable[Concatenate[Any, P], Call[Page[T]]]) -> None:
        def pager(self: Resource[Any], *args: P.args, **kwargs: P.kwargs) -> Any:
            return self.mode.paginate(plan(self, *args, **kwargs))

        self.plan = plan
        self.__doc__ = plan.__doc__
        self.pager: Callable[..., Any] = pager
        _like(plan, f"Pager[{_result(plan)}]", pager)

    @overload
    def __get__(self, resource: None, owner: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, resource: Resource[Sync], owner: type) -> Callable[P, Pager[T]]: ...
    @overload
    def __get__(self, resource: Resource[Async], owner: type) -> Callable[P, AsyncPager[T]]: ...
    @overload
    def __get__(self, resource: Resource[SyncRaw], owner: type) -> Callable[P, RawResponse[Page[T]]]: ...
    @overload
    def __get__(
        self, resource: Resource[AsyncRaw], owner: type
    ) -> Callable[P, Coroutine[Any, Any, RawResponse[Page[T]]]]: ...
    def __get__(self, resource: Union[Resource[Any], None], owner: type) -> Any:
        return self.pager if resource is None else MethodType(self.pager, resource)


class raw_view(Generic[S_co, A_co]):  # noqa: N801 - reads like a property
    """The same resource with methods that return `RawResponse`: `client.expenses.with_raw_response.create(...)`."""

    @overload
    def __get__(self, resource: None, owner: type) -> Any: ...
    @overload
    def __get__(self, resource: Resource[Sync], owner: type) -> S_co: ...
    @overload
    def __get__(self, resource: Resource[Async], owner: type) -> A_co: ...
    def __get__(self, resource: Union[Resource[Any], None], owner: type) -> Any:
        return self if resource is None else owner(resource.mode.raw)
