"""The whole program on a machine whose clock is wrong by years."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from camdl.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.gate import Gate
    from tests.support.program import Program

AHEAD, BEHIND = "+3650d", "-3650d"


@pytest.fixture
def wrong(needs: Callable[[str, str], None]) -> Callable[[str], tuple[str, ...]]:
    """What starts a program whose clock is wrong by so much, and stays so."""
    lacks = "" if shutil.which("faketime") else "apt-get install faketime"
    needs("libfaketime", lacks)
    return lambda offset: ("faketime", "-f", offset)


def recovers(program: Program, offset: str) -> None:
    """Make sure that the next download forgets what runs of the future have left, and says so.

    One of the past makes the archive look as old, so that it should have been verified by now.
    """
    for command in ("cleanup", "verify"):
        assert program.run(command).returncode == 0
    done = program.run("download")
    assert done.returncode == 0
    warning = "camdl: the clock was far ahead for a while;"
    assert done.stderr.startswith(warning) if offset == AHEAD else done.stderr == ""


@pytest.mark.fault(34)
@pytest.mark.parametrize(
    ("offset", "why"),
    [(AHEAD, "this computer's clock has jumped"), (BEHIND, "this computer's clock has gone back")],
)
def test_a_clean_up_at_a_wrong_time(
    program: Program, gate: Gate, wrong: Callable[[str], tuple[str, ...]], offset: str, why: str
) -> None:
    """Everything would be too old: it refuses, and the next at the right time is as good as any."""
    assert program.run("download").returncode == 0
    for arguments in (("--days", "1"), ()):
        done = program.behind(wrong(offset), "cleanup", *arguments)
        assert (done.returncode, done.stdout) == (ExitCode.CONFIG, "")
        assert "nothing is deleted: " in done.stderr
        assert why in done.stderr
    assert program.archived() == gate.all_keys()
    recovers(program, offset)
    program.goes_on(gate)


@pytest.mark.fault(34)
@pytest.mark.parametrize("offset", [AHEAD, BEHIND])
def test_a_download_at_a_wrong_time(
    program: Program, gate: Gate, wrong: Callable[[str], tuple[str, ...]], offset: str
) -> None:
    """Captures have the source's times; what else it leaves misleads nobody for long."""
    gate.take(15)
    assert program.run("download").returncode == 0
    gate.take(10, 15)
    assert program.behind(wrong(offset), "download").returncode == 0
    assert program.archived() == gate.all_keys()
    assert program.behind(wrong(offset), "health").returncode == (2 if offset == AHEAD else 1)
    gate.take(5, 10, 15)
    recovers(program, offset)
    program.goes_on(gate)
    assert program.run("health").returncode == 0
    assert program.run("gaps").stdout == "No captures are known to be missing.\n"
