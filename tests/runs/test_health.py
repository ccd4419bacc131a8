"""`camdl health` and the health file, of archives that real runs have made."""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from camdl.ops.lock import FileLock
from tests.support.processes import marking, survivors
from tests.support.program import Program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.gate import Gate


@pytest.fixture(scope="module")
def fresh(site: Gate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The program with an archive that it has just made, and which is sound in the end."""
    site.begin()
    site.take(5, 15)
    with marking() as mark:
        program = Program(tmp_path_factory.mktemp("fresh"), site, mark=mark)
        assert program.run("download").returncode == 0
        yield program
        assert survivors(mark) == []
        program.is_sound()
        assert list(program.temporary.iterdir()) == []


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
    assert done.stdout.startswith(f"camdl {status.upper()} - ")
    assert "in_gate: the newest capture is" in done.stdout
    both = ages == (90, 90)
    assert ("all streams of site demo are silent: the site or the network" in done.stdout) == both
    one = "in_gate is silent, the others of site demo are fine: its camera"
    assert (one in done.stdout) != both


@pytest.mark.fault(37)
def test_a_machine_that_was_down(fresh: Program) -> None:
    """When nothing has run for hours the verdict is critical, whatever the file says."""
    before = fresh.health_file.read_bytes()
    done = fresh.run("health", at=datetime.now(UTC) + timedelta(hours=6))
    assert done.returncode == 2
    assert done.stdout.startswith("camdl CRITICAL - camdl download has not run since")
    assert fresh.health()["status"] == "healthy"
    assert fresh.health_file.read_bytes() == before
    # Others look at the same archive: not only when all of them are done.
    fresh.is_sound()


def test_what_a_timer_writes(fresh: Program) -> None:
    """`--write` puts what is so now in the place of what was so, and beside it the metrics."""
    file = fresh.home / "camdl.prom"
    later = datetime.now(UTC) + timedelta(hours=6)
    done = fresh.run("health", "--write", "--quiet", at=later, CAMDL_METRICS_FILE=str(file))
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")
    health = fresh.health()
    assert health["status"] == "critical"
    # What was good last stands beside what is bad now.
    job = health["jobs"][0]
    assert job["id"] == "download"
    assert job["last_good_run"] == job["last_run"] != ""
    metrics = file.read_text()
    assert 'camdl_status{status="critical"} 1.0' in metrics
    assert 'camdl_check_status{check="download.schedule"} 2.0' in metrics
    done = fresh.run("health", "--write", CAMDL_METRICS_FILE=str(file))
    assert (done.returncode, fresh.health()["status"]) == (0, "healthy")
    assert 'camdl_status{status="healthy"} 1.0' in file.read_text()


def test_looking_during_a_run(program: Program, gate: Gate) -> None:
    """It neither waits for the run nor is in its way, and the run before it counts."""
    assert program.run("download").returncode == 0
    gate.take(3, 12)
    began, may_go = threading.Event(), threading.Event()

    def wait() -> None:
        began.set()
        may_go.wait(60)

    gate.meanwhile = wait
    with program.start("download") as running:
        try:
            assert began.wait(60)
            done = program.run("health", "--write", "-v")
            assert done.returncode == 0
            assert f"camdl download (pid {running.pid}) holds the lock" in done.stdout
            assert "ended ok" in done.stdout
            assert program.health()["jobs"][0]["outcome"] is None
        finally:
            may_go.set()
        assert running.wait(60) == 0
    assert program.health()["jobs"][0]["outcome"] == "ok"
    assert program.runs() == [("ok", 0), ("ok", 0)]
    assert "no run holds the lock" in program.run("health", "-v").stdout


def test_a_run_that_hangs(fresh: Program) -> None:
    """Who holds the lock beyond the deadline is told, with the process that is to be ended."""
    with FileLock(fresh.lock_file, "download").hold(0):
        done = fresh.run("health", at=datetime.now(UTC) + timedelta(minutes=4))
        assert done.returncode == 1
        held = f"camdl download (pid {os.getpid()}) holds the lock since 4 min"
        assert held in done.stdout
        late = fresh.run("health", at=datetime.now(UTC) + timedelta(minutes=7))
        assert late.returncode == 2


def test_a_clock_that_is_wrong(program: Program, gate: Gate) -> None:
    """A run hears from the site what time it is; the verdict says how far off ours is."""
    gate.begin()
    gate.take(5)
    ahead = datetime.now(UTC) + timedelta(minutes=8)
    assert program.run("download", at=ahead).returncode == 0
    done = program.run("health", at=ahead + timedelta(minutes=1))
    assert (done.returncode, "clock is" in done.stdout) == (1, True)
    assert "ahead of the source's" in done.stdout


def test_the_metrics_of_an_archive(fresh: Program) -> None:
    """`--metrics` prints them, whatever the configuration writes; and the exit code is the same."""
    done = fresh.run("health", "--metrics")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert 'camdl_archive_captures{stream="in_gate"} 2.0' in lines
    assert 'camdl_runs_total{outcome="ok",verb="download"} 1.0' in lines
    assert lines[0].startswith("# HELP camdl_build_info ")


def test_a_verdict_that_cannot_be_written(fresh: Program) -> None:
    """What others read is not so any more: that is told, and no monitoring takes it for healthy."""
    (fresh.home / "file").touch()
    nowhere = str(fresh.home / "file" / ".health")
    done = fresh.run("health", "--write", CAMDL_HEALTH_FILE=nowhere)
    assert done.returncode == 3
    assert done.stdout.startswith("camdl OK")
    assert "the health file" in done.stderr
    at = datetime.now(UTC) + timedelta(hours=6)
    late = fresh.run("health", "--write", at=at, CAMDL_HEALTH_FILE=nowhere)
    assert late.returncode == 2


def test_the_verdict_as_json(fresh: Program) -> None:
    """`--json` prints what a run writes into the file, as it is now."""
    done = fresh.run("health", "--json")
    now, then = json.loads(done.stdout), fresh.health()
    assert list(now) == list(then)
    assert now["status"] == then["status"]
    # The next run may be another one by now.
    for one, other in zip(now["jobs"], then["jobs"], strict=True):
        assert one | {"next_run": ""} == other | {"next_run": ""}
    assert now["timestamp"] >= then["timestamp"]


def test_every_check_with_its_reason(fresh: Program) -> None:
    """`-v` prints a table with every check; `-q` leaves the exit code alone to speak."""
    verbose = fresh.run("health", "-v")
    assert verbose.returncode == 0
    for check in fresh.health()["checks"]:
        assert check["name"] in verbose.stdout
    assert fresh.run("health", "-q").stdout == ""
