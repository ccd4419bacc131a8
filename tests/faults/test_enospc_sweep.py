"""Runs that meet a full disk, or a broken one, at every call by which camdl changes its files.

As in `test_kill_sweep`, they are of the whole program but for its browser. A full disk is met in
an archive that is in use, a broken one from the very first run on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from camdl.errors import ExitCode
from tests.support.sweep import GROUPS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.nursery import Done
    from tests.support.sweep import Ground

FULL, BROKEN = "error=ENOSPC", "error=EIO"


def not_told(sweep: Ground, done: Done) -> list[str]:
    """What a run after a fault hides: success is file, row and health, all of them."""
    found = []
    if done.code == 0:
        found += [f"it exits 0 without {key}" for key in sweep.missing()]
        if not sweep.says_healthy():
            found.append("it exits 0 without a health file")
        if done.stderr:
            found.append(f"it exits 0 and complains: {done.stderr}")
    elif done.code != ExitCode.STORAGE:
        found.append(f"it exits {done.code}: {done.stderr}")
    elif not done.stderr.startswith("camdl: "):
        found.append(f"it gives no reason: {done.stderr}")
    # Without its lock no run begins, and the verdict is another's.
    if done.code and sweep.says_healthy() and "the lock file" not in done.stderr:
        found.append(f"it exits {done.code}, and the health file says healthy")
    if "Traceback" in done.stdout + done.stderr:
        found.append(f"it shows a traceback: {done.stderr}")
    return found


@pytest.mark.fault(2)
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize(("start", "fault"), [("half-filled", FULL), ("fresh", BROKEN)])
def test_a_fault_at_any_call(
    ground: Callable[[str], Ground],
    walked: Callable[[int], None],
    start: str,
    fault: str,
    group: str,
) -> None:
    """The run exits 74 with a reason, or has done all of its work; the next repairs the rest."""
    sweep = ground(start)
    wrong, points = {}, 0
    for point, done in sweep.walk(group, fault):
        points += 1
        if found := [*not_told(sweep, done), *sweep.broken(), *sweep.unrepaired()]:
            wrong[point] = found
    walked(points)
    assert wrong == {}


def test_a_silent_writer_is_caught(ground: Callable[[str], Ground]) -> None:
    """The same sweep finds a program that takes what it could not write for written."""
    sweep = ground("fresh")
    faults = sweep.walk("images", FULL, "silent about errors")
    assert sweep.is_caught(any([*not_told(sweep, done), *sweep.broken()] for _, done in faults))
