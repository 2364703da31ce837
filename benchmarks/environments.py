"""Throw-away environments, so that each contender runs with exactly what its users install."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def build(folder: Path, name: str, *requirements: str) -> Path:
    """Make an environment with `requirements` and return its Python."""
    home = folder / name
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, str(home)], check=True)
    python = home / "bin" / "python"
    install = [*uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), *requirements]
    subprocess.run(install, check=True, cwd=ROOT)
    return python


def on_core(core: int) -> "dict[str, object]":
    """Keyword arguments that keep a subprocess on one core where the system can, client and server apart."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        return {}
    return {"preexec_fn": lambda: os.sched_setaffinity(0, {cores[core]})}
