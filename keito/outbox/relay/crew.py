"""Threads that are started when there is work, and end when there is none."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

_LINGER = 5.0
"""Seconds that a thread waits for more work."""

Job = Callable[[], None]


class Crew:
    """Does jobs in daemon threads, several at a time. A job must not raise.

    Args:
        size: How many threads there are at most.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._threads = 0
        self._idle = 0
        self._lock = threading.Lock()

    def do(self, job: Job) -> None:
        """Do a job soon; at once, in this thread, where no thread can be started: the interpreter is ending."""
        with self._lock:
            if self._jobs.qsize() >= self._idle and self._threads < self._size:
                self._start()
            if self._threads:
                self._jobs.put(job)
                return
        job()

    def take_back(self) -> list[Job]:
        """The jobs that nobody has begun."""
        jobs: list[Job] = []
        try:
            while True:
                jobs.append(self._jobs.get_nowait())
        except queue.Empty:
            return jobs

    def _start(self) -> None:
        try:
            threading.Thread(target=self._work, name="keito-sender", daemon=True).start()
        except RuntimeError:
            return
        self._threads += 1
        self._idle += 1

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=_LINGER)
            except queue.Empty:
                with self._lock:
                    if self._jobs.empty():
                        self._threads -= 1
                        self._idle -= 1
                        return
                continue
            with self._lock:
                self._idle -= 1
            job()
            with self._lock:
                self._idle += 1
