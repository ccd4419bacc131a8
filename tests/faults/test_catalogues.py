"""The whole program whose catalogue is locked, damaged, lost, empty, or full of secrets."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from camdl.errors import ExitCode
from tests.support import invariants
from tests.support.catalogues import empty_catalogue, spoil

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.gate import Gate
    from tests.support.program import Program

FACTS = "SELECT stream, captured_at, key, sha256, bytes, width, height FROM captures ORDER BY key"


# The catalogue is waited for for five seconds, at the beginning of a run and at its end.
SOON = 40

# Whoever opens the file in this process loses its locks, so another process holds them.
HOLDER = """
import sqlite3, sys
shell = sqlite3.connect(sys.argv[1], isolation_level=None)
shell.execute(f"BEGIN {sys.argv[2]}")
print("held", flush=True)
sys.stdin.read()
"""


def overwrite_a_page(file: Path) -> None:
    """What a bad disk does, as `dd` would."""
    spoil(file, "captures")


def fill_with_zeros(file: Path) -> None:
    """What a power failure may leave."""
    file.write_bytes(bytes(file.stat().st_size))


@pytest.fixture
def old(program: Program, gate: Gate) -> list[str]:
    """What is archived before the fault; the cameras have taken more since."""
    gate.take(15)
    assert program.run("download").returncode == 0
    gate.take(5, 15)
    gate.asked.clear()
    return program.archived()


def is_told(program: Program, reason: str) -> None:
    """Make sure that runs end soon, with that reason, and that the verdict is no good one."""
    for command in ("download", "cleanup"):
        began = time.monotonic()
        done = program.run(command)
        assert time.monotonic() - began < SOON
        # Without a catalogue a clean-up has nothing to go by, and refuses.
        refuses = command == "cleanup" and "empty" in reason
        code = ExitCode.CONFIG if refuses else ExitCode.STORAGE
        assert (done.returncode, done.stdout) == (code, "")
        assert done.stderr.startswith("camdl: ")
        assert reason in done.stderr
        assert program.health()["status"] != "healthy"


@pytest.mark.fault(10)
@pytest.mark.parametrize("lock", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_catalogue_that_is_locked(
    program: Program, gate: Gate, old: list[str], lock: str
) -> None:
    """Somebody's shell in the middle of a transaction: 74 after a while, and nothing is changed."""
    before = program.database.read_bytes()
    command = [sys.executable, "-c", HOLDER, str(program.database), lock]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
        assert shell.stdout
        assert shell.stdout.readline() == b"held\n"
        began = time.monotonic()
        done = program.run("download")
        assert time.monotonic() - began < SOON
        assert (done.returncode, done.stdout) == (ExitCode.STORAGE, "")
        assert "locked" in done.stderr
        assert program.health()["status"] != "healthy"
        shell.communicate()
    assert (program.database.read_bytes(), gate.asked) == (before, [])
    assert program.archived() == old
    program.goes_on(gate)


@pytest.mark.fault(10)
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (overwrite_a_page, "malformed"),
        (fill_with_zeros, "not a database"),
        (lambda file: file.write_bytes(b""), "is missing or empty"),
    ],
    ids=["a page", "zeros", "zero bytes"],
)
def test_a_catalogue_that_is_damaged(
    program: Program, gate: Gate, old: list[str], damage: Callable[[Path], None], reason: str
) -> None:
    """It is told and not touched, nor made anew; put back, it is as good as ever."""
    whole = program.database.read_bytes()
    damage(program.database)
    damaged = program.database.read_bytes()
    is_told(program, reason)
    assert program.database.read_bytes() == damaged
    assert set(invariants.files(program.images)) >= set(old)
    program.database.write_bytes(whole)
    program.goes_on(gate)


@pytest.mark.fault(38)
def test_a_catalogue_that_is_lost(program: Program, gate: Gate) -> None:
    """It is made anew from the files: the same captures, times and hashes; and runs go on."""
    assert program.run("download").returncode == 0
    before = invariants.rows(program.database, FACTS)
    for file in program.home.glob(f"{program.database.name}*"):
        file.unlink()
    assert program.run("download").returncode == ExitCode.STORAGE
    done = program.run("verify", "--rebuild")
    assert (done.returncode, done.stdout) == (0, "")
    assert invariants.rows(program.database, FACTS) == before
    gate.asked.clear()
    program.goes_on(gate)
    assert gate.asked == []
    assert program.run("verify", "--full").returncode == 0


@pytest.mark.fault(39)
def test_a_catalogue_that_is_empty(program: Program, gate: Gate) -> None:
    """Nothing is deleted, whatever anybody says: nobody knows what these images are."""
    assert program.run("download").returncode == 0
    whole = program.database.read_bytes()
    empty_catalogue(program.database)
    for arguments in ((), ("--days", "1", "--force"), ("--min-free", "99", "--force")):
        done = program.run("cleanup", *arguments)
        assert (done.returncode, done.stdout) == (ExitCode.CONFIG, "")
        assert "the catalogue is empty, but the archive has images" in done.stderr
    assert invariants.files(program.images) == sorted(gate.all_keys())
    program.database.write_bytes(whole)
    program.goes_on(gate)


@pytest.mark.fault(31)
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://camdl:hunter2@127.0.0.1:9/camdl",
        "postgresql://camdl@127.0.0.1:9/camdl?password=hunter2",
        "postgres://camdl:hunter%322@127.0.0.1:9/camdl?sslmode=disable&password=hunter2",
    ],
)
def test_a_password_in_the_catalogues_url(program: Program, gate: Gate, url: str) -> None:
    """Neither an error, nor the verdict, nor the configuration that is shown has it."""
    program.configure(gate, database_url=url)
    for command in (
        "download",
        "cleanup",
        "health -v",
        "gaps",
        "db upgrade",
        "verify",
        "config show",
    ):
        done = (
            program.run(*command.split(), "-v")
            if command == "download"
            else program.run(*command.split())
        )
        said = f"{done.stdout}{done.stderr}"
        assert "hunter" not in said
        assert "127.0.0.1:9" in said, command
    assert "hunter" not in program.health_file.read_text()
    # 78 where there is no driver for it.
    assert program.run("download").returncode in (ExitCode.STORAGE, ExitCode.CONFIG)
    program.configure(gate)
    program.goes_on(gate)
