"""The verdict on an archive, from whatever can be looked at."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

import pytest

from camdl import __version__
from camdl.domain.health import Database, DiskUsage, Status, Thresholds
from camdl.domain.outcomes import Outcome, RunRecord, StreamHistory
from camdl.domain.sites import Stream
from camdl.domain.templates import UrlTemplate
from camdl.errors import (
    CamdlError,
    CatalogueError,
    ConfigError,
    EndOfRun,
    ExitCode,
    InterruptedRunError,
    StorageError,
)
from camdl.ops.disk import usage
from camdl.verbs.health import health

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from camdl.domain.health import Health
    from camdl.ports import Catalogue

NOW = datetime(2025, 9, 8, 20, 0, tzinfo=UTC)
INTERVAL = timedelta(minutes=10)
ROOM = DiskUsage(10, 10**12, 1)


class Remembered:
    """The part of a catalogue that a verdict asks for, with what the test says is in it."""

    def __init__(self, newest: dict[str, datetime | CamdlError], runs: int = 1) -> None:
        self.newest = newest
        self.runs = [
            RunRecord(str(n), "download", NOW - n * INTERVAL, NOW - n * INTERVAL, Outcome.OK, 0)
            for n in range(runs)
        ]

    def last_runs(self, verb: str, limit: int) -> tuple[RunRecord, ...]:
        """The newest runs."""
        assert verb == "download"
        return tuple(self.runs[:limit])

    def stream_history(self, stream: str) -> StreamHistory:
        """The newest capture, and no failure; or the error that the test wants."""
        newest = self.newest[stream]
        if isinstance(newest, CamdlError):
            raise newest
        return StreamHistory(stream, newest, 0, "")


def stream(name: str) -> Stream:
    """A camera of some site."""
    image = UrlTemplate("http://127.0.0.1/{time:%Y-%m-%dT%H:%M:%S}-{stream}.jpeg")
    page = "http://127.0.0.1/{stream}"
    return Stream(name, page, image, None, ZoneInfo("UTC"), "", (), 640, 360, INTERVAL)


def judged(
    open_catalogue: Callable[[], object],
    disk: Callable[[], DiskUsage] | None = lambda: ROOM,
    thresholds: Thresholds | None = None,
    note: str = "",
    last_run: RunRecord | None = None,
) -> Health:
    """The verdict on two streams."""
    return health(
        cast("Callable[[], Catalogue | None]", open_catalogue),
        disk,
        (stream("a"), stream("b")),
        interval=INTERVAL,
        now=NOW,
        thresholds=thresholds,
        browser_note=note,
        last_run=last_run,
    )


def failing(error: EndOfRun) -> Callable[[], DiskUsage]:
    """Something that cannot be looked at."""

    def look() -> DiskUsage:
        raise error

    return look


def test_all_is_well() -> None:
    """With fresh captures, a run and room on the disk the archive is healthy."""
    found = judged(lambda: Remembered({"a": NOW, "b": NOW - INTERVAL}))
    assert (found.status, found.database) == (Status.HEALTHY, Database.CONNECTED)
    assert [one.newest for one in found.streams] == [NOW, NOW - INTERVAL]
    assert (found.version, found.timestamp, found.disk) == (__version__, NOW, ROOM)


def test_what_was_said_earlier_does_not_count() -> None:
    """An archive that nothing ran on for hours is critical, whatever an old verdict says."""
    old = NOW - timedelta(hours=6)
    remembered = Remembered({"a": old, "b": old}, runs=40)
    remembered.runs = remembered.runs[36:]
    found = judged(lambda: remembered)
    assert (found.status, found.exit_code) == (Status.CRITICAL, 2)
    assert "camdl has not run since 2025-09-08 14:00 UTC, 6 h ago" in found.line()


@pytest.mark.parametrize("error", [CatalogueError("it is locked"), ConfigError("an old schema")])
def test_a_catalogue_that_cannot_be_opened(error: CamdlError) -> None:
    """It is disconnected, with the reason and its advice, and the disk is judged all the same."""
    found = judged(failing(error))
    assert (found.status, found.database) == (Status.CRITICAL, Database.DISCONNECTED)
    assert (found.problems[0].reason, found.problems[0].advice) == (str(error), error.advice)
    assert found.disk == ROOM


def test_a_catalogue_that_breaks_on_the_way() -> None:
    """What was read before it broke is told, the rest is unknown."""
    found = judged(lambda: Remembered({"a": NOW, "b": CatalogueError("page 7 is corrupt")}))
    assert found.status is Status.CRITICAL
    assert [one.status for one in found.streams] == [Status.HEALTHY, Status.UNKNOWN]
    assert found.problems[0].reason == "page 7 is corrupt"


def test_no_catalogue_yet() -> None:
    """Before the first run nothing is known, and nothing is wrong."""
    found = judged(lambda: None)
    assert (found.status, found.exit_code) == (Status.UNKNOWN, 3)


def test_a_disk_that_cannot_be_looked_at() -> None:
    """Its error becomes a check, and the archive is not called healthy."""
    fresh = Remembered({"a": NOW, "b": NOW})
    found = judged(lambda: fresh, failing(StorageError("stale file handle")))
    assert (found.status, found.line()) == (
        Status.UNKNOWN,
        "camdl UNKNOWN - stale file handle | a_age=0s;1800;3600 b_age=0s;1800;3600",
    )


def test_the_real_disk(tmp_path: Path) -> None:
    """With a threshold below what is used, the disk is critical."""
    fresh = Remembered({"a": NOW, "b": NOW})
    found = judged(lambda: fresh, lambda: usage(tmp_path), Thresholds(0, 0))
    assert found.status is Status.CRITICAL
    assert "of the disk is used" in found.line()


def test_a_run_that_could_not_be_recorded_counts() -> None:
    """What has just ended is judged as it ended, whatever the catalogue says of it."""
    ended = RunRecord("0", "download", NOW, NOW, Outcome.FAILED, 74, "no space left")
    found = judged(lambda: Remembered({"a": NOW, "b": NOW}), last_run=ended)
    assert found.status is Status.WARNING
    assert "no space left" in found.problems[0].reason
    (job,) = found.jobs
    assert job.outcome is Outcome.FAILED


def test_no_disk_and_a_note() -> None:
    """An archive on no disk has no check of one; a note is told and changes nothing."""
    found = judged(lambda: Remembered({"a": NOW, "b": NOW}), None, note="the sandbox is off")
    assert found.status is Status.HEALTHY
    assert found.checks[-1].name.startswith("stream.")
    assert "the sandbox is off" in [one.reason for one in found.checks]
    assert not {"disk", "inodes"} & {one.name for one in found.checks}


def test_a_signal_is_no_finding() -> None:
    """An interruption while looking goes through."""
    interrupted = InterruptedRunError("SIGTERM", ExitCode.SIGTERM)
    with pytest.raises(InterruptedRunError):
        judged(failing(interrupted))


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
