"""Runs that are interrupted or killed, and the runs after them."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from camdl.ops.lock import FileLock
from tests.support.http import RawServer
from tests.support.processes import await_that, children

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.support.gate import Gate
    from tests.support.program import Program

# What the contract allows a run that was asked to end; the machine may be busy.
LIMIT = 10.0


@pytest.fixture
def stuck(gate: Gate) -> Iterator[Gate]:
    """The site, which gives the first image and holds all others back until the test is over."""
    may_go = threading.Event()
    gate.meanwhile = lambda: len(gate.asked) > 1 and may_go.wait(60)
    yield gate
    may_go.set()


def in_the_middle(run: subprocess.Popen[str], gate: Gate) -> None:
    """Wait until `run` has got one image and asks for more."""
    assert await_that(lambda: len(gate.asked) > 1 or run.poll() is not None, 60)
    assert run.poll() is None, run.communicate()


def handles(pid: int, number: signal.Signals) -> bool:
    """Whether the process has a handler for a signal by now."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(re.search(r"^SigCgt:\s*(\w+)$", status, re.MULTILINE)[1], 16)  # type: ignore[index]
    return bool(caught >> (number - 1) & 1)


def ended(run: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, float]:
    """Exit code, stderr, and how long it took `run` to end after the signal."""
    began = time.monotonic()
    run.send_signal(number)
    try:
        out, err = run.communicate(timeout=60)
    finally:
        run.kill()
    assert out == ""
    return run.returncode, err, time.monotonic() - began


@pytest.mark.fault(16)
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 143)]
)
def test_a_signal_in_the_middle(
    program: Program, stuck: Gate, number: signal.Signals, code: int
) -> None:
    """The run ends within ten seconds, is recorded as interrupted, and the next goes on."""
    with program.start("download") as run:
        in_the_middle(run, stuck)
        returned, said, seconds = ended(run, number)
    assert (returned, seconds < LIMIT) == (code, True)
    assert said.splitlines()[-2:] == [
        f"camdl: interrupted by {number.name}",
        "       The next run continues where this one stopped.",
    ]
    assert program.runs() == [("interrupted", code)]
    assert program.health()["jobs"][0]["outcome"] == "interrupted"
    stuck.meanwhile = lambda: None
    assert program.run("download").returncode == 0
    assert program.archived() == stuck.all_keys()


def test_a_signal_while_a_page_is_read(program: Program) -> None:
    """A page that never answers does not keep the run from ending."""
    with RawServer(lambda conversation: conversation.hold()) as server:
        program.configure(
            "[sites.demo]\n"
            f"page = '{server.origin}/{{stream}}'\n"
            f"image = '{server.origin}/{{time:%s}}-{{stream}}.jpeg'\n"
            "[streams.in_gate]\nsite = 'demo'"
        )
        with program.start("download") as run:
            assert await_that(lambda: server.connections > 0, 60)
            code, _, seconds = ended(run, signal.SIGTERM)
    assert (code, seconds < LIMIT) == (143, True)
    assert program.runs() == [("interrupted", 143)]


def test_a_second_signal_changes_nothing(program: Program, stuck: Gate) -> None:
    """An impatient person does not keep the run from recording its end."""
    with program.start("download") as run:
        in_the_middle(run, stuck)
        run.send_signal(signal.SIGINT)
        run.send_signal(signal.SIGINT)
        code, _, _ = ended(run, signal.SIGTERM)
    assert code in (130, 143)  # whichever of the two came first
    assert program.runs() == [("interrupted", code)]


def test_a_signal_while_waiting_for_the_lock(program: Program) -> None:
    """There is no run yet, so nothing is written."""
    with FileLock(program.lock_file).hold(0), program.start("download", "--wait", "60") as run:
        assert await_that(lambda: handles(run.pid, signal.SIGTERM), 60)
        assert not await_that(lambda: run.poll() is not None, 1)
        code, _, _ = ended(run, signal.SIGTERM)
    assert code == 143
    assert not program.images.exists()


def test_a_run_that_is_killed(program: Program, stuck: Gate) -> None:
    """Nothing of it survives, the lock is free, and the next run repairs what it left."""
    program.configure(stuck, concurrent_downloads=1)
    with program.start("download") as run:
        in_the_middle(run, stuck)
        run.kill()
        run.communicate()
    with FileLock(program.lock_file).hold(0):
        pass
    assert program.runs() == [(None, None)]
    stuck.meanwhile = lambda: None
    asked = len(stuck.asked)
    done = program.run("download", "-v")
    assert done.returncode == 0
    # The first image was stored and not recorded yet: it is known again without a fetch.
    assert "1 already in the archive" in done.stdout
    assert len(stuck.asked) - asked == 3
    assert program.archived() == stuck.all_keys()
    assert program.health()["status"] == "healthy"


def test_a_browser_that_is_killed(program: Program) -> None:
    """The browser's death in the middle of reading is a failed stream, not a failed run."""
    with RawServer(lambda conversation: conversation.hold()) as server:
        program.configure(
            "[sites.demo]\n"
            f"page = '{server.origin}/{{stream}}'\n"
            f"image = '{server.origin}/{{time:%s}}-{{stream}}.jpeg'\n"
            "[streams.in_gate]\nsite = 'demo'"
        )
        with program.start("download") as run:
            assert await_that(lambda: server.connections > 0, 60)
            for guard in children(run.pid):
                for started in children(guard):
                    os.kill(started, signal.SIGKILL)
            _, said = run.communicate(timeout=60)
    assert run.returncode in (1, 69)
    assert "in_gate failed: " in said
    assert "Traceback" not in said
    assert program.runs() == [("failed", run.returncode)]
