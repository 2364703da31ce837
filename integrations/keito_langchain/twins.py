"""Open LangChain runs that have the same id."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from itertools import count
from typing import Any, Optional

from keito.metering import current_run
from keito.metering.framework_call import FrameworkCall
from keito_langchain.nodes import Key, Node

_ENDS_KEPT = 64
"""Ends by which a second report of them is recognised."""


class Twins:
    """Tells runs apart to which the program gave one `run_id`, while several of them are open.

    A service that names its runs after its requests does so where it repeats one that is still going on. LangChain's
    events bring nothing else that tells them apart, so it goes by the context in which they arrive. An event that is in
    none of theirs is of none of them.

    Handlers that are given twice report each event twice. The metadata of a start, and the tags of an end, are one
    object in all reports of it, and another one in each run.

    Args:
        nodes: The open runs.

    Attributes:
        keys: Of the runs that share an id, by what the id is hashed by. It is nearly always empty.
    """

    def __init__(self, nodes: Mapping[Key, Node]) -> None:
        self._nodes = nodes
        self.keys: dict[Key, list[Key]] = {}
        self._shared: dict[Key, Key] = {}
        self._numbers = count(1)
        self._ended: deque[Any] = deque(maxlen=_ENDS_KEPT)

    def admit(self, key: Key, told: Any) -> Optional[Key]:
        """A key for a further run that starts with an id; `None` if this is the second report of one that is open."""
        keys = self.keys.get(key, [key])
        if told is None or any(node.told is told for one in keys if (node := self._nodes.get(one)) is not None):
            return None
        own = ("twin", next(self._numbers))
        for one in (*keys, own):
            self._shared[one] = key
        self.keys[key] = [*keys, own]
        return own

    def which(self, key: Key) -> Optional[Key]:
        """The key of the run of this id that the code is a part of."""
        keys = self.keys.get(key)
        if keys is None:
            return key
        call, run = FrameworkCall.current(), current_run()
        open_ones = [(one, node) for one in reversed(keys) if (node := self._nodes.get(one)) is not None]
        calls = (one for one, node in open_ones if node.model is not None and node.model is call)
        codes = (one for one, node in open_ones if node.model is None and node.run is run)
        return next(calls, None) or next(codes, None)

    def ending(self, key: Key, told: Any) -> Optional[Key]:
        """The key of the run of this id that ends; `None` if its end was reported before."""
        if key in self.keys and told is not None:
            if any(one is told for one in self._ended):
                return None
            self._ended.append(told)
        return self.which(key)

    def forget(self, key: Key) -> None:
        """A run is open no longer."""
        shared = self._shared.pop(key, None)
        if shared is None:
            return
        self.keys[shared] = [one for one in self.keys[shared] if one != key]
        if not self.keys[shared]:
            del self.keys[shared]
