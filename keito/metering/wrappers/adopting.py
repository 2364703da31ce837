"""Giving an object of somebody else's class further behaviour, without changing what it is."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any, TypeVar, cast

_Object = TypeVar("_Object")


class Adopted:
    """Base of the methods that an object can be given. They are copied into a subclass of the object's own class.

    Such a subclass sees every call, also those that come from inside of the object, and forms no reference cycle with
    it, which an attribute that holds a bound method would.
    """

    _keito_methods: type[Adopted]
    _keito_class: type[Any]

    def _keito_inner(self) -> Any:
        """The object with the methods that it had before."""
        return cast("Any", super(self._keito_class, self))


def adopt(thing: _Object, methods: type[Adopted], **attributes: Any) -> _Object:
    """Give `thing` these methods and attributes. It stays the same object, and an instance of its class."""
    if getattr(thing, "_keito_methods", None) is not methods:
        thing.__class__ = _subclass(cast("Any", type(thing)), cast("Any", methods))
    for name, value in attributes.items():
        setattr(thing, name, value)
    return thing


@lru_cache(maxsize=256)
def _subclass(kind: Any, methods: Any) -> Any:
    # Python lets an object change to a class that only adds methods; a second base would change the layout.
    body: dict[str, Any] = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    body.update(inspect.getmembers(methods, inspect.isfunction), _keito_methods=methods)
    subclass: Any = type(kind.__name__, (kind,), body)
    subclass._keito_class = subclass
    return subclass
