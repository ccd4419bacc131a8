"""The whole program whose driver, browser or renderer dies or hangs in the middle of a page."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from camdl.errors import ExitCode
from tests.support.browsers import the_browser, the_driver, the_renderer
from tests.support.groups import lacking, limited
from tests.support.pages.server import PageServer, page
from tests.support.processes import await_that, survivors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.gate import Gate
    from tests.support.program import Program

    Process = Callable[[int], int]

MEGABYTE = 1024 * 1024


@pytest.fixture
def server(program: Program, gate: Gate) -> Iterator[PageServer]:
    """A page that asks for something and waits, in the middle of which things happen."""
    with PageServer() as server:
        server.routes["/in_gate"] = page("<!doctype html><script>fetch('/now')</script>")
        server.routes["/now"] = lambda asked: asked.conversation.hold()
        program.configure(
            'stream_names = ["in_gate"]\n'
            f"[sites.other]\npage = '{server.origin}/{{stream}}'\nimage = '{gate.image}'\n"
            "[streams.in_gate]\nsite = 'other'",
            run_deadline_seconds=15,
        )
        yield server


@pytest.mark.fault(15)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("process", [the_driver, the_browser, the_renderer])
def test_it_dies_or_hangs(
    program: Program, gate: Gate, server: PageServer, process: Process, number: signal.Signals
) -> None:
    """That stream failed, by the run's deadline at the latest; nothing survives."""
    with program.start("download") as run:
        assert await_that(lambda: server.asked("/now") > 0, 60)
        os.kill(process(program.mark), number)
        out, said = run.communicate(timeout=60)
    assert (run.returncode in (ExitCode.PARTLY, ExitCode.UNREACHABLE), out) == (True, "")
    assert said.startswith("camdl: in_gate failed: ")
    assert "Traceback" not in said
    assert survivors(program.mark) == []
    program.configure(gate)
    program.goes_on(gate)


@pytest.mark.fault(15)
def test_a_page_that_takes_all_the_memory(
    program: Program, gate: Gate, needs: Callable[[str, str], None]
) -> None:
    """The kernel ends its renderer: that stream failed, and the other is archived."""
    needs("control groups of memory", lacking("memory"))
    greedy = "<script>for (const all = [];;) all.push(new Uint8Array(5e7).fill(1))</script>"
    with PageServer() as server:
        server.routes["/in_gate"] = page(f"<!doctype html>{greedy}")
        program.configure(
            'stream_names = ["in_gate", "out_gate"]\n'
            f"[sites.greedy]\npage = '{server.origin}/{{stream}}'\nimage = '{gate.image}'\n"
            "[streams.in_gate]\nsite = 'greedy'\n"
            f"[sites.modest]\npage = '{gate.page}'\nimage = '{gate.image}'\n"
            "[streams.out_gate]\nsite = 'modest'",
            run_deadline_seconds=30,
        )
        with limited("memory", 800 * MEGABYTE) as prefix:
            done = program.behind(prefix, "download")
    assert (done.returncode, done.stdout) == (ExitCode.PARTLY, ""), done.stderr
    assert done.stderr.startswith("camdl: in_gate failed: ")
    assert done.stderr.count("\n") == 1
    assert program.archived() == [key for key in gate.all_keys() if key.startswith("out_gate")]
    assert survivors(program.mark) == []
    program.configure(gate)
    program.goes_on(gate)


@pytest.mark.fault(15)
@pytest.mark.parametrize("process", [the_driver, the_browser])
def test_it_hangs_and_camdl_is_killed(
    program: Program, gate: Gate, server: PageServer, process: Process
) -> None:
    """Nobody is left to end what hangs, and still nothing survives."""
    with program.start("download") as run:
        assert await_that(lambda: server.asked("/now") > 0, 60)
        os.kill(process(program.mark), signal.SIGSTOP)
        run.kill()
        run.communicate(timeout=60)
    assert survivors(program.mark) == []
    program.configure(gate)
    program.goes_on(gate)
