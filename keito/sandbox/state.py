"""Everything that one running sandbox consists of, apart from the HTTP around it."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Callable, Optional

from keito.sandbox import seed
from keito.sandbox.faults import Faults
from keito.sandbox.holds import Holds
from keito.sandbox.rate_limit import RateLimit
from keito.sandbox.request_log import RequestLog
from keito.sandbox.seed_models import SeedRequest
from keito.sandbox.settings import Settings
from keito.sandbox.storage import Storage

Now = Callable[[], datetime]


def utc_now() -> datetime:
    """The time, unless a test brings its own."""
    return datetime.now(timezone.utc)


class Sandbox:
    """A workspace and how it behaves.

    Args:
        path: the file that keeps the workspace; None keeps it in memory.
        settings: what a reset returns to.
        now: the clock.
    """

    def __init__(self, path: Optional[Path] = None, settings: Optional[Settings] = None, now: Now = utc_now) -> None:
        self._initial = settings or Settings()
        self.settings = self._initial
        self.now = now
        self.faults = Faults()
        self.holds = Holds()
        self.log = RequestLog()
        self.rate_limit = RateLimit()
        self.storage = Storage(path)
        self.storage.write(partial(seed.ensure_demo, now=now())).result()

    def reset(self) -> Future[None]:
        """Return to the demo workspace: no faults, no log, the first settings, and no request still waiting."""
        self.faults.clear()
        self.holds.release()
        self.settings = self._initial
        self.rate_limit = RateLimit()
        self.log.clear()
        return self.storage.write(partial(seed.reset, now=self.now()))

    def plant(self, records: SeedRequest) -> Future[None]:
        """Put records into the workspace."""
        return self.storage.write(partial(seed.plant, seed=records, now=self.now()))
