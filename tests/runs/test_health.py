"""`camdl health` and the health file, of archives that real runs have made."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.support.program import Program

if TYPE_CHECKING:
    from tests.support.gate import Gate


@pytest.fixture(scope="module")
def fresh(site: Gate, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The program with an archive that it has just made."""
    site.begin()
    site.take(5, 15)
    program = Program(tmp_path_factory.mktemp("fresh"), site)
    assert program.run("download").returncode == 0
    return program


def test_nothing_is_known_before_the_first_run(program: Program) -> None:
    """3, as monitoring plugins say unknown, and looking makes nothing."""
    done = program.run("health")
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("camdl UNKNOWN - there is no catalogue yet")
    assert not program.images.exists()
    assert not program.database.exists()


def test_a_fresh_archive_is_healthy(fresh: Program) -> None:
    """0, one line, and the file says the same."""
    done = fresh.run("health")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("camdl OK - 2 streams, newest capture 5 min ago | in_gate_age=")
    assert done.stdout.count("\n") == 1
    assert fresh.health()["status"] == "healthy"


@pytest.mark.parametrize(
    ("ages", "code", "status"),
    [((45, 5), 1, "warning"), ((90, 5), 1, "degraded"), ((90, 90), 2, "critical")],
)
def test_an_archive_that_gets_old(
    program: Program, gate: Gate, ages: tuple[int, int], code: int, status: str
) -> None:
    """Captures that stay out are a warning, then critical; one stream alone is degraded."""
    for stream, age in zip(gate.streams, ages, strict=True):
        gate.take(age, streams=(stream,))
    assert program.run("download").returncode == 0
    done = program.run("health")
    assert (done.returncode, program.health()["status"]) == (code, status)
    assert f"camdl {status.upper()} - in_gate: the newest capture is" in done.stdout


def test_a_machine_that_was_down(fresh: Program) -> None:
    """When nothing has run for hours the verdict is critical, whatever the file says."""
    done = fresh.run("health", at=datetime.now(UTC) + timedelta(hours=5))
    assert done.returncode == 2
    assert "camdl has not run since" in done.stdout
    assert fresh.health()["status"] == "healthy"


def test_the_verdict_as_json(fresh: Program) -> None:
    """`--json` prints what a run writes into the file, as it is now."""
    done = fresh.run("health", "--json")
    now, then = json.loads(done.stdout), fresh.health()
    assert list(now) == list(then)
    assert (now["status"], now["jobs"]) == (then["status"], then["jobs"])
    assert now["timestamp"] >= then["timestamp"]


def test_every_check_with_its_reason(fresh: Program) -> None:
    """`-v` prints a table with every check; `-q` leaves the exit code alone to speak."""
    verbose = fresh.run("health", "-v")
    assert verbose.returncode == 0
    for check in fresh.health()["checks"]:
        assert check["name"] in verbose.stdout
    assert fresh.run("health", "-q").stdout == ""
