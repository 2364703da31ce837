"""Values as JSON text, exactly: what comes back is equal to what was written."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any


class NotPlainError(TypeError):
    """A value that no text can carry, such as a function."""


class Codec:
    """Writes and reads values of the plain types and of some classes.

    Text, numbers, `None` and lists are what JSON has. Everything else is an object with one name, that of its type:
    `{"Decimal": "0.10"}`, `{"Usage": {"input_tokens": 900}}`. Fields that have their default value are left out, so
    that a reader with more fields understands it. One with fewer must not, and does not, guess.

    Args:
        kinds: Dataclasses and enums.
    """

    def __init__(self, *kinds: type) -> None:
        self.kinds = kinds
        readers: dict[str, Callable[[Any], Any]] = {
            "Decimal": Decimal,
            "datetime": datetime.fromisoformat,
            "date": date.fromisoformat,
            "tuple": lambda items: tuple(self._read_items(items)),
            "dict": lambda pairs: {self._read(key): self._read(value) for key, value in pairs},
        }
        self._readers = {**readers, **{kind.__name__: self._reader(kind) for kind in kinds}}

    def write(self, value: Any) -> str:
        """The text, on one line and in ASCII.

        Raises:
            NotPlainError: There is something in it that is neither plain nor of a known class.
        """
        return json.dumps(self._plain(value), separators=(",", ":"))

    def read(self, text: str) -> Any:
        """The value.

        Raises:
            ValueError: It is no such text.
            TypeError: A newer keito has written it, with names that are not known here.
        """
        return self._read(json.loads(text))

    def _plain(self, value: Any) -> Any:
        if type(value) in self.kinds:
            return {type(value).__name__: value.value if isinstance(value, Enum) else self._fields(value)}
        if value is None or isinstance(value, (str, int, float)):  # of whatever class: they compare as equal
            return value
        return self._items(value) if isinstance(value, list) else self._tagged(value)

    def _tagged(self, value: Any) -> dict[str, Any]:
        if isinstance(value, Decimal):
            return {"Decimal": str(value)}
        if isinstance(value, datetime):  # before dates, which it is one of
            return {"datetime": value.isoformat()}
        if isinstance(value, date):
            return {"date": value.isoformat()}
        if isinstance(value, tuple):
            return {"tuple": self._items(value)}
        if isinstance(value, Mapping):
            return {"dict": self._pairs(value)}
        raise NotPlainError(f"a {type(value).__qualname__} is not plain: {value!r}")

    def _items(self, value: Any) -> list[Any]:
        return [self._plain(item) for item in value]

    def _pairs(self, value: Any) -> list[Any]:
        return [[self._plain(key), self._plain(item)] for key, item in value.items()]

    def _fields(self, value: Any) -> dict[str, Any]:
        given = ((field, getattr(value, field.name)) for field in fields(value) if field.init)
        return {field.name: self._plain(found) for field, found in given if found is not field.default}

    def _read(self, value: Any) -> Any:
        if isinstance(value, dict):
            return self._untagged(value)
        return self._read_items(value) if isinstance(value, list) else value

    def _read_items(self, items: Any) -> list[Any]:
        return [self._read(item) for item in items]

    def _untagged(self, tagged: Any) -> Any:
        ((name, content),) = tagged.items()
        if name not in self._readers:
            raise TypeError(f"{name!r} is not known to this version of keito")
        return self._readers[name](content)

    def _reader(self, kind: type) -> Callable[[Any], Any]:
        make: Callable[..., Any] = kind
        if issubclass(kind, Enum):
            return make
        return lambda content: make(**{name: self._read(item) for name, item in content.items()})
