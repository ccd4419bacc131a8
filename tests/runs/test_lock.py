"""More than one run at a time."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from camdl.ops.lock import FileLock
from tests.support.processes import await_that

if TYPE_CHECKING:
    from tests.support.gate import Gate
    from tests.support.program import Program


@pytest.mark.fault(12)
def test_thirty_starts_at_once(program: Program, gate: Gate) -> None:
    """Each either does its work or finds the lock held; nothing is archived twice."""
    with ExitStack() as stack:
        runs = [stack.enter_context(program.start("download")) for _ in range(30)]
        said = [run.communicate(timeout=120) for run in runs]
    codes = sorted(run.returncode for run in runs)
    assert set(codes) == {0, 75}, said
    assert len(gate.asked) == len(set(gate.asked)) == 4
    assert program.archived() == gate.all_keys()
    assert program.runs() == [("ok", 0)] * codes.count(0)
    program.goes_on(gate)


def test_a_second_run_ends_at_once(program: Program) -> None:
    """75, with who holds the lock and what to do, and nothing is written."""
    with FileLock(program.lock_file, "download").hold(0):
        done = program.run("download", "--json")
    assert (done.returncode, done.stdout) == (75, "")
    assert (
        f"camdl: another run holds the lock {program.lock_file} (camdl download, pid" in done.stderr
    )
    assert "--wait SECONDS" in done.stderr
    assert not program.images.exists()
    assert not program.database.exists()


def test_a_second_run_may_wait(program: Program, gate: Gate) -> None:
    """With `--wait` it begins when the first has ended, and finds nothing new."""
    may_go = threading.Event()
    gate.meanwhile = lambda: may_go.wait(60)
    with program.start("download") as first:
        assert await_that(lambda: bool(gate.asked), 60)
        with program.start("download", "--wait", "60", "-v") as second:
            time.sleep(0.5)
            may_go.set()
            said, _ = second.communicate(timeout=60)
        first.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0)
    assert "2 streams: 0 new" in said
    assert len(gate.asked) == 4


def test_waiting_ends_too(program: Program) -> None:
    """A run that waited in vain ends with 75."""
    with FileLock(program.lock_file).hold(0):
        began = time.monotonic()
        assert program.run("download", "--wait", "0.5").returncode == 75
        assert time.monotonic() - began >= 0.5
