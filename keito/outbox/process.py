"""Which process it is, so that another one can tell whether it is gone."""

from __future__ import annotations

import os
import socket
import uuid
from functools import lru_cache
from pathlib import Path
from typing import Optional

_PARTS = 5


def owner() -> str:
    """The name of this process: host, boot, process namespace, number and start, of which no two are alike."""
    return _owner(os.getpid())


def worker() -> str:
    """A name for one of several things of this process that own something, by which `is_gone` knows the process."""
    return f"{owner()}#{uuid.uuid4().hex[:8]}"


def is_worker(name: str) -> bool:
    """Whether it is the name of a `worker`, and not of a process."""
    return "#" in name


def is_gone(name: str) -> Optional[bool]:
    """Whether the process of that name, or of that `worker`, is gone; `None` if this one cannot see.

    It is certain for the processes of the same machine and container on Linux. Of others, and on systems that have
    no `/proc`, nobody can tell: there a run is over when its process has not been heard of for the time of a lease.
    """
    theirs, mine = name.partition("#")[0].split("/"), owner().split("/")
    if len(theirs) != _PARTS or not all(mine) or theirs[:3] != mine[:3] or not theirs[3].isdecimal():
        return None
    pid = int(theirs[3])
    started = _started(pid)
    return None if not started and _is_hidden(pid) else started != theirs[4]


@lru_cache(maxsize=1)  # a forked child has another number
def _owner(pid: int) -> str:
    host = socket.gethostname().replace("/", "-")
    boot = _read("/proc/sys/kernel/random/boot_id")
    return "/".join((host, boot, _namespace(), str(pid), _started(pid)))


def _namespace() -> str:
    """Containers number their processes by themselves: the same number may be another process there."""
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When a process started, in ticks since boot; empty where there is none. Numbers of processes come again."""
    # The name of the program stands in brackets and may have any character in it, so the fields after it count.
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    is_dead = not fields or fields[0] in "ZX"  # a zombie has ended, and only waits for its parent
    return "" if is_dead else fields[19]


def _is_hidden(pid: int) -> bool:
    """Whether it is another user's, of which `/proc` may say nothing (`hidepid`, or systemd's `ProtectProc`)."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
