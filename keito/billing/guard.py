"""The agent never breaks because of its billing."""

from __future__ import annotations

import logging
import threading

_log = logging.getLogger("keito.billing")


def is_stop(error: BaseException) -> bool:
    """Whether it is the error by which a budget stops the agent: the only one of keito's that may reach it."""
    # Imported here: an error is rare, and its class brings httpx along.
    from keito.billing.exceeded import KeitoBudgetExceeded  # noqa: PLC0415

    return isinstance(error, KeitoBudgetExceeded)


class Guard:
    """Takes the errors of keito's own code where they must not reach the agent: counts all, logs each kind once.

    Attributes:
        count: How many there were.
    """

    def __init__(self) -> None:
        self.count = 0
        self._known: set[tuple[str, type[BaseException]]] = set()
        self._lock = threading.Lock()

    def caught(self, where: str, error: Exception) -> None:
        """Take an error that happened in `where`."""
        with self._lock:
            self.count += 1
            first = (where, type(error)) not in self._known
            self._known.add((where, type(error)))
        if first:
            _log.error("Billing failed in %s; the agent goes on", where, exc_info=error)

    def refused(self, what: str, error: Exception) -> None:
        """Take a value of the program's that cannot be billed. Each one is money, so that each one is said."""
        with self._lock:
            self.count += 1
        _log.error("%s is not billed: %s", what, error)
