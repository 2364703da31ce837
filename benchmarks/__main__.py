"""`make bench`: keito against keito 0.2.0 and plain httpx, in one run on loopback.

Every figure is the median over rounds in which the contenders take turns, each in a process of its own. Absolute
figures depend on the machine and on how busy it is; the ratios are what to read.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.environments import ROOT, build, on_core

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Contender:
    """A client in its environment."""

    label: str
    python: Path
    client: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """What the project promises: a bound for keito's figure divided by that of 0.2.0, or for the figure itself."""

    figure: str
    least: float | None = None
    most: float | None = None
    absolute: bool = False

    def verdict(self, ours: dict[str, float], base: dict[str, float]) -> tuple[bool, str]:
        """Whether the promise is kept, and the line to print."""
        value = ours[self.figure] / (1 if self.absolute else base[self.figure])
        kept = (self.least is None or value >= self.least) and (self.most is None or value <= self.most)
        bound = f"at least {self.least}" if self.least is not None else f"at most {self.most}"
        return kept, f"{self.figure}: {value:.2f}, target {bound}: {'kept' if kept else 'MISSED'}"


@contextmanager
def stub(latency: float) -> Iterator[str]:
    """A server in a process of its own; yields its URL."""
    command = [sys.executable, str(HERE / "stub.py"), "--latency", str(latency)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **on_core(-1))  # type: ignore[call-overload]
    try:
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


def measure(contender: Contender, workload: str, url: str) -> dict[str, float]:
    """One round of one contender."""
    command = [str(contender.python), str(HERE / "workload.py"), contender.client, workload, url, *contender.flags]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tempfile.gettempdir(), **on_core(0))  # type: ignore[call-overload]
    if done.returncode:
        raise SystemExit(f"{contender.label} failed at {workload}: {done.stderr.strip().splitlines()[-1]}")
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def compare(
    title: str, workload: str, contenders: list[Contender], rounds: int, targets: list[Target], latency: float = 0.0
) -> bool:
    """Measure the contenders in turns and print a table; whether every target was met."""
    results: dict[str, list[dict[str, float]]] = {contender.label: [] for contender in contenders}
    with stub(latency) as url:
        for _ in range(rounds):
            for contender in contenders:
                results[contender.label].append(measure(contender, workload, url))
    medians = {label: _median(rows) for label, rows in results.items()}
    return _print(title, medians, targets, base=contenders[0].label)


def _median(rows: list[dict[str, float]]) -> dict[str, float]:
    return {figure: statistics.median(row[figure] for row in rows) for figure in rows[0]}


def _print(title: str, medians: dict[str, dict[str, float]], targets: list[Target], base: str) -> bool:
    figures = list(medians[base])
    print(f"\n{title}\n  {'':28}" + "".join(f"{figure:>14}" for figure in figures))
    for label, row in medians.items():
        print(f"  {label:28}" + "".join(f"{row[figure]:14,.1f}" for figure in figures))
    ours = list(medians)[1]
    verdicts = [target.verdict(medians[ours], medians[base]) for target in targets]
    for (_, line), target in zip(verdicts, targets):
        print(f"  {ours if target.absolute else f'{ours} / {base}'}, {line}")
    return all(kept for kept, _ in verdicts)


def plan(peer: Path, ours: Path, fast: Path) -> list[tuple[Any, ...]]:
    """All comparisons; in each the first contender is the base and the second is keito."""
    old = Contender("keito 0.2.0", peer, "keito")
    new = Contender("keito", ours, "keito")
    prefetching = Contender("keito prefetch=4", ours, "keito", ("--prefetch",))
    aiohttp = Contender("keito[aiohttp]", fast, "keito")
    httpx = Contender("httpx", ours, "httpx")
    return [
        ("sync create", "create", [old, new, httpx], [Target("p50_us", most=0.75), Target("cpu_us", most=0.7)]),
        ("list 100,000 entries, per_page=100", "list_100", [old, new, httpx], [Target("items_per_s", least=1.5)]),
        ("list 100,000 entries, per_page=2000", "list_2000", [old, new, httpx], [Target("items_per_s", least=1.8)]),
        (
            "list 20,000 entries, 20 ms latency",
            "list_latency",
            [old, prefetching, httpx],
            [Target("items_per_s", least=4)],
            0.02,
        ),
        ("async create, 32 tasks, no extra", "acreate", [old, new, httpx], [Target("per_s", least=2)]),
        ("async create, 32 tasks, aiohttp extra", "acreate", [old, aiohttp, httpx], [Target("per_s", least=8)]),
        ("import keito", "bare_import", [old, new, httpx], [Target("ms", most=80, absolute=True)]),
        ("from keito import Keito", "client_import", [old, new, httpx], [Target("ms", most=1.0)]),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="only comparisons whose title contains this")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        peer = build(Path(folder), "peer", "keito==0.2.0")
        ours = build(Path(folder), "ours", str(ROOT))
        fast = build(Path(folder), "fast", f"{ROOT}[aiohttp]")
        chosen = [row for row in plan(peer, ours, fast) if arguments.only in row[0]]
        met = [
            compare(title, workload, who, arguments.rounds, targets, *rest)
            for title, workload, who, targets, *rest in chosen
        ]
    print("\nEvery target is met." if all(met) else "\nSome targets are MISSED.")
    return 0 if all(met) else 1


if __name__ == "__main__":
    raise SystemExit(main())
