"""The verdict on an archive, from whatever can be looked at."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from camdl import __version__
from camdl.domain.health import Database, LockHolder, Status, Thresholds
from camdl.domain.outcomes import ClockReading, JobHistory, Outcome, RunRecord, StreamHistory
from camdl.domain.schedule import JOBS, jobs
from camdl.domain.sites import Stream
from camdl.domain.templates import UrlTemplate
from camdl.errors import (
    BrowserMissingError,
    CamdlError,
    CatalogueError,
    ConfigError,
    ExitCode,
    InterruptedRunError,
    StorageError,
)
from camdl.ops.disk import usage
from camdl.verbs.health import Order, health
from tests.support.looks import ROOM, FakeLooks

if TYPE_CHECKING:
    from pathlib import Path

    from camdl.domain.health import Health

NOW = datetime(2025, 9, 8, 20, 0, tzinfo=UTC)
INTERVAL = timedelta(minutes=10)


class Remembered:
    """The part of a catalogue that a verdict asks for, with what the test says is in it."""

    def __init__(
        self, newest: dict[str, datetime | CamdlError | None], ran: timedelta = timedelta()
    ) -> None:
        self.newest = newest
        self.runs = {
            verb: RunRecord(verb, verb, NOW - ran, NOW - ran, Outcome.OK, 0)
            for verb in ("download", "cleanup", "verify")
        }
        self.clock: ClockReading | None = None
        self.first_was_asked_for = False

    def job_history(self, verb: str) -> JobHistory:
        """The last run of `verb`, a good one."""
        assert verb != "health", "looking is never recorded"
        run = self.runs.get(verb)
        good = run.started_at if run and run.outcome is Outcome.OK else None
        return JobHistory(run, run, good)

    def first_run(self) -> datetime | None:
        """Long ago."""
        self.first_was_asked_for = True
        return NOW - timedelta(days=30)

    def clock_reading(self) -> ClockReading | None:
        """What the test says."""
        return self.clock

    def stream_history(self, stream: str) -> StreamHistory:
        """The newest capture, and no failure; or the error that the test wants."""
        newest = self.newest[stream]
        if isinstance(newest, CamdlError):
            raise newest
        return StreamHistory(stream, newest, 0, "", NOW)


def stream(name: str) -> Stream:
    """A camera of some site."""
    image = UrlTemplate("http://127.0.0.1/{time:%Y-%m-%dT%H:%M:%S}-{stream}.jpeg")
    page = "http://127.0.0.1/{stream}"
    return Stream(name, page, image, None, ZoneInfo("UTC"), "", (), 640, 360, INTERVAL, site="apm")


STREAMS = (stream("a"), stream("b"))


def fresh() -> Remembered:
    """A catalogue in which all is well."""
    return Remembered({"a": NOW, "b": NOW})


def judged(
    looks: FakeLooks, last_run: RunRecord | None = None, order: Order | None = None
) -> Health:
    """The verdict on two streams."""
    return health(order or Order(STREAMS, jobs(10), INTERVAL), looks, NOW, last_run)


def test_all_is_well() -> None:
    """With fresh captures, runs and room on the disk the archive is healthy."""
    known = Remembered({"a": NOW, "b": NOW - INTERVAL})
    found = judged(FakeLooks(known))
    assert (found.status, found.database) == (Status.HEALTHY, Database.CONNECTED)
    assert [one.newest for one in found.streams] == [NOW, NOW - INTERVAL]
    assert (found.version, found.timestamp, found.disk) == (__version__, NOW, ROOM)
    assert [one.id for one in found.jobs] == list(JOBS)
    assert not known.first_was_asked_for


def test_what_was_said_earlier_does_not_count() -> None:
    """An archive that nothing ran on for hours is critical, whatever an old verdict says."""
    old = timedelta(hours=6)
    found = judged(FakeLooks(Remembered({"a": NOW - old, "b": NOW - old}, old)))
    assert (found.status, found.exit_code) == (Status.CRITICAL, 2)
    assert "camdl download has not run since 2025-09-08 14:00 UTC, 6 h ago" in found.line()


@pytest.mark.parametrize("error", [CatalogueError("it is locked"), ConfigError("an old schema")])
def test_a_catalogue_that_cannot_be_opened(error: CamdlError) -> None:
    """It is disconnected, with the reason and its advice, and all else is judged all the same."""
    looks = FakeLooks(error)
    found = judged(looks)
    assert (found.status, found.database) == (Status.CRITICAL, Database.DISCONNECTED)
    assert (found.problems[0].reason, found.problems[0].advice) == (str(error), error.advice)
    assert found.disk == ROOM
    assert looks.holds_captures is False


def test_a_catalogue_that_breaks_on_the_way() -> None:
    """What was read before it broke is told, the rest is unknown."""
    found = judged(FakeLooks(Remembered({"a": NOW, "b": CatalogueError("page 7 is corrupt")})))
    assert found.status is Status.CRITICAL
    assert [one.status for one in found.streams] == [Status.HEALTHY, Status.UNKNOWN]
    assert found.problems[0].reason == "page 7 is corrupt"


def test_no_catalogue_yet() -> None:
    """Before the first run nothing is known, and nothing is wrong."""
    found = judged(FakeLooks(None))
    assert (found.status, found.exit_code) == (Status.UNKNOWN, 3)


def test_a_disk_that_cannot_be_looked_at() -> None:
    """Its error becomes a check, and the archive is not called healthy."""
    found = judged(FakeLooks(fresh(), StorageError("stale file handle")))
    assert (found.status, found.line()) == (
        Status.UNKNOWN,
        "camdl UNKNOWN - stale file handle | a_age=0s;1800;3600 b_age=0s;1800;3600",
    )


def test_the_real_disk(tmp_path: Path) -> None:
    """With a threshold below what is used, the disk is critical."""
    order = Order(STREAMS, jobs(10), INTERVAL, thresholds=Thresholds(0, 0))
    found = judged(FakeLooks(fresh(), usage(tmp_path)), order=order)
    assert found.status is Status.CRITICAL
    assert "of the disk is used" in found.line()


def test_what_is_not_there() -> None:
    """An archive that is not mounted and a browser that is missing are told with their advice."""
    for looks, name in (
        (FakeLooks(fresh(), place=StorageError("not mounted", advice="Mount it.")), "archive"),
        (FakeLooks(fresh(), program=BrowserMissingError("none", advice="Get one.")), "browser"),
    ):
        found = judged(looks)
        (problem,) = found.problems
        assert (found.status, problem.name) == (Status.CRITICAL, name)
        assert problem.advice in ("Mount it.", "Get one.")
        assert looks.holds_captures is True


def test_an_archive_that_holds_nothing_yet() -> None:
    """Then it is no fault that nothing is there."""
    looks = FakeLooks(Remembered({"a": None, "b": None}))
    judged(looks)
    assert looks.holds_captures is False


def test_the_lock_and_the_clock() -> None:
    """Who holds the one, and how the other stands, are judged."""
    known = fresh()
    known.clock = ClockReading(7200, NOW)
    holder = LockHolder("cleanup", 7, NOW - timedelta(hours=2))
    found = judged(FakeLooks(known, holder=holder))
    assert [one.name for one in found.problems] == ["lock", "clock"]
    order = Order(STREAMS, jobs(10), INTERVAL, timedelta(hours=3))
    assert judged(FakeLooks(fresh(), holder=holder), order=order).status is Status.HEALTHY


def test_a_job_that_has_never_run() -> None:
    """It is judged by the first run of all; one that nothing is to start is not."""
    known = fresh()
    del known.runs["verify"]
    found = judged(FakeLooks(known))
    assert [one.name for one in found.problems] == ["verify.schedule"]
    assert found.status is Status.CRITICAL
    assert known.first_was_asked_for
    order = Order(STREAMS, jobs(10), INTERVAL, scheduled=("download", "cleanup"))
    assert judged(FakeLooks(known), order=order).status is Status.HEALTHY


def test_a_camera_that_is_quicker_than_the_runs() -> None:
    """Its captures come with the runs, and get no older than those are apart."""
    quick = replace(stream("a"), interval=timedelta(minutes=1))
    known = Remembered({"a": NOW - timedelta(minutes=25)})
    found = judged(FakeLooks(known), order=Order((quick,), jobs(10), INTERVAL))
    assert found.status is Status.HEALTHY
    assert "a_age=1500s;1800;3600" in found.line()


def test_runs_that_are_further_apart_than_the_schedule_has_them() -> None:
    """45 minutes have no cron line: who starts runs so is not late."""
    known = Remembered({"a": NOW, "b": NOW}, timedelta(minutes=80))
    found = judged(FakeLooks(known), order=Order(STREAMS, jobs(45), timedelta(minutes=45)))
    assert found.status is Status.HEALTHY


def test_a_run_that_could_not_be_recorded_counts() -> None:
    """What has just ended is judged as it ended, whatever the catalogue says of it."""
    ended = RunRecord("download", "download", NOW, NOW, Outcome.FAILED, 74, "no space left")
    found = judged(FakeLooks(fresh()), ended)
    assert found.status is Status.WARNING
    assert "no space left" in found.problems[0].reason
    job = found.jobs[0]
    assert (job.outcome, job.last_good_run) == (Outcome.FAILED, None)
    later = replace(ended, started_at=NOW + INTERVAL)
    assert judged(FakeLooks(fresh()), later).jobs[0].last_good_run == NOW
    broken = judged(FakeLooks(CatalogueError("gone")), ended)
    assert broken.jobs[0].outcome is Outcome.FAILED
    good = replace(ended, outcome=Outcome.OK, error="")
    assert judged(FakeLooks(CatalogueError("gone")), good).jobs[0].last_good_run == NOW


def test_a_run_of_no_job_changes_nothing() -> None:
    """A backfill is started by a person."""
    ended = RunRecord("b", "backfill", NOW, NOW, Outcome.FAILED, 74, "no space left")
    assert judged(FakeLooks(fresh()), ended) == judged(FakeLooks(fresh()))


def test_no_disk_and_a_note() -> None:
    """An archive on no disk has no check of one; a note is told and changes nothing."""
    found = judged(FakeLooks(fresh(), None, program="the sandbox is off"))
    assert found.status is Status.HEALTHY
    assert "the sandbox is off" in [one.reason for one in found.checks]
    assert not {"disk", "inodes"} & {one.name for one in found.checks}


def test_a_signal_is_no_finding() -> None:
    """An interruption while looking goes through."""
    interrupted = InterruptedRunError("SIGTERM", ExitCode.SIGTERM)
    with pytest.raises(InterruptedRunError):
        judged(FakeLooks(interrupted))


def test_it_loads_nothing_heavy() -> None:
    """Monitoring calls it often: no library beyond Python's own is imported for it."""
    program = (
        "import sys, camdl.verbs.health, camdl.ops.disk, camdl.ops.health_file, camdl.ops.lock\n"
        "heavy = {'rich', 'pydantic', 'sqlalchemy', 'playwright', 'PIL', 'urllib3', 'typer'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout == "[]\n"
