"""Runs commands side by side, in turn, and tells their costs as ratios."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_SAMPLES_PER_SECOND = 20


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one command: wall and CPU time (seconds, children included)."""

    wall: float
    cpu: float


def run(command: Sequence[str], cwd: Path | None = None) -> Cost:
    """Run `command` to its end.

    Raises:
        subprocess.CalledProcessError: it failed; its stderr went to ours.
    """
    before, began = os.times(), time.perf_counter()
    subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - began, os.times()
    user = after.children_user - before.children_user
    return Cost(wall, user + after.children_system - before.children_system)


def peak_memory(command: Sequence[str], cwd: Path | None = None) -> float:
    """The most memory (MB) that `command` and all that it starts hold at once.

    Memory that processes share is counted once. Taken in a run of its own: looking costs time.
    """
    peak = 0.0
    with subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, _memory(process.pid))
            time.sleep(1 / _SAMPLES_PER_SECOND)
    return peak / 1e6


def medians(rounds: Sequence[Cost]) -> Cost:
    """The median of each cost."""
    return Cost(
        statistics.median(cost.wall for cost in rounds),
        statistics.median(cost.cpu for cost in rounds),
    )


def side_by_side(
    contender: Callable[[], Cost], baseline: Callable[[], Cost], rounds: int
) -> tuple[Cost, Cost]:
    """The medians of both, run in turn, after one round that does not count."""
    contender(), baseline()
    costs = [(contender(), baseline()) for _ in range(rounds)]
    return medians([one for one, _ in costs]), medians([other for _, other in costs])


def tell(
    what: str, unit: str, contender: float, baseline: float, goal: float | None = None
) -> None:
    """Print one comparison."""
    aim = f"   (goal: at most {goal})" if goal else ""
    ratio = contender / baseline
    print(f"{what:<34} {contender:9.3f} {unit:<3} {baseline:9.3f} {unit:<3} {ratio:6.2f}{aim}")


def tell_heading(title: str, contender: str, baseline: str) -> None:
    """Print what the columns are."""
    print(f"\n{title}\n{'':<34} {contender:>13} {baseline:>13}  ratio")


def _memory(root: int) -> int:
    try:
        parent = psutil.Process(root)
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    return sum(_own_share(process) for process in family)


def _own_share(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0
