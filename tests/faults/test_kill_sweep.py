"""Runs that are killed at every call by which camdl changes its files, and the runs after them.

The full sweep is of the whole program but for its browser (`tests.support.browserless`), which
has no part in what is written; with the real browser it is walked at a sample of the points.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from camdl.archive.local import MARKER
from camdl.ops.lock import FileLock
from tests.support import invariants
from tests.support.calls import CHANGES, Point, on
from tests.support.gate import PICTURE
from tests.support.nursery import has_bitten
from tests.support.processes import marking, survivors
from tests.support.sweep import GROUPS, STARTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.gate import Gate
    from tests.support.program import Program
    from tests.support.sweep import Ground

KILL = "signal=KILL"
# With the browser: directories and names of images, journals, rows and the health file.
SAMPLE = [
    Point("mkdir", 2),
    *(Point("fsync", nth) for nth in (2, 6)),
    *(Point("unlink", nth) for nth in (1, 5)),
    *(Point("pwrite64", nth) for nth in (60, 100)),
    Point("fdatasync", 20),
]


@pytest.mark.fault(1)
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("start", STARTS)
def test_killed_at_any_call(
    ground: Callable[[str], Ground], walked: Callable[[int], None], start: str, group: str
) -> None:
    """Every row has its file, nothing is torn, and the next run repairs all that was left."""
    sweep = ground(start)
    wrong, points = {}, 0
    for point, done in sweep.walk(group, KILL):
        points += 1
        if found := [
            *([] if done.code == -9 else [f"it ended with {done.code}: {done.stderr}"]),
            *sweep.broken(),
            *sweep.unrepaired(),
        ]:
            wrong[point] = found
    walked(points)
    assert wrong == {}


@pytest.mark.parametrize("flaw", ["writes in place", "records first"])
def test_a_careless_writer_is_caught(ground: Callable[[str], Ground], flaw: str) -> None:
    """The same sweep finds a program that tears images, or has rows without them."""
    sweep = ground("fresh")
    assert sweep.is_caught(any(sweep.broken() for _ in sweep.walk("images", KILL, flaw)))


@pytest.mark.fault(1)
@pytest.mark.parametrize("point", SAMPLE, ids=lambda point: f"{point.name}-{point.nth}")
def test_killed_with_its_browser(
    program: Program, gate: Gate, tmp_path: Path, walked: Callable[[int], None], point: Point
) -> None:
    """Neither browser nor driver survives, the lock is free, and the next run has everything."""
    log = tmp_path / "log"
    places = [program.images / key for key in gate.all_keys()]
    places += [above for path in places for above in (path.parent, path.parent.parent)]
    places += [program.images, program.home, program.health_file, program.database]
    places += [program.images / MARKER, Path(f"{program.database}-journal")]
    command = ["strace", "-f", "-qq", "-o", str(log), *CHANGES]
    command += on(dict.fromkeys(places))
    with marking() as mark:
        done = subprocess.run(
            [*command, *point.fault(KILL), sys.executable, "-m", "camdl", "download"],
            cwd=program.home,
            env=program.environment(),
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert has_bitten(log)
        assert done.returncode == -signal.SIGKILL
        assert survivors(mark) == []
    for key in invariants.files(program.images):
        assert (program.images / key).read_bytes() == PICTURE
    if program.health_file.exists():
        program.health()
    with FileLock(program.lock_file).hold(0):
        pass
    walked(1)
    done_next = program.run("download")
    assert (done_next.returncode, done_next.stderr) == (0, "")
    assert program.archived() == gate.all_keys()
