"""What the verdict looks at on a real machine, and who is told it."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from camdl import wiring
from camdl.archive.local import MARKER, LocalArchive
from camdl.config import Loaded, load
from camdl.domain.captures import Capture
from camdl.domain.health import Database, Status
from camdl.domain.outcomes import RunRecord
from camdl.errors import StorageError
from camdl.ops import health_file
from camdl.ops.lock import FileLock
from camdl.ops.signals import Signals
from camdl.wiring import watching
from tests.support import invariants
from tests.support.catalogues import empty_catalogue, sql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from camdl.domain.health import Check, Health


_MONITORING = """
from camdl.config import load
from camdl.wiring import watching
holder = watching.health(load({}, None, {})).lock
print(holder.verb, holder.pid)
"""


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Logging belongs to the whole process."""
    root = logging.getLogger()
    handlers = list(root.handlers)
    yield
    root.handlers[:] = handlers
    logging.getLogger("camdl").setLevel(logging.NOTSET)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where relative paths of the settings are."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def loaded(**environment: str) -> Loaded:
    """The defaults, with these settings and a browser that is one by its name only."""
    browser = {"CAMDL_BROWSER_EXECUTABLE": "/bin/true"}
    return load({}, None, browser | environment)


def said(verdict: Health, name: str) -> Check | None:
    """The check of that name."""
    return next((one for one in verdict.checks if one.name == name), None)


def test_an_archive_that_lost_its_catalogue(home: Path) -> None:
    """Images without a catalogue are no fresh start: critical."""
    image = home / "data/images" / Capture(wiring.utc_now().replace(microsecond=0), "a").key
    image.parent.mkdir(parents=True)
    image.touch()
    verdict = watching.health(loaded())
    assert (verdict.status, verdict.database) == (Status.CRITICAL, Database.DISCONNECTED)
    assert "is missing or empty, but the archive has images" in verdict.problems[0].reason
    assert "camdl_runs_total" not in watching.metrics(loaded(), verdict)


def test_an_archive_that_cannot_be_looked_into(home: Path) -> None:
    """It is a verdict and no error: nobody knows whether a catalogue is missing."""
    verdict = watching.health(loaded(CAMDL_DOWNLOAD_DIR="x" * 256))
    assert (verdict.status, verdict.database) == (Status.CRITICAL, Database.DISCONNECTED)
    assert "File name too long" in verdict.problems[0].reason


def test_an_archive_that_is_not_mounted(home: Path) -> None:
    """The catalogue knows of images, and the directory is an empty one."""
    (home / "data").mkdir()
    file = empty_catalogue(home / "data/camdl.db")
    sql(
        file,
        "INSERT INTO captures VALUES ('in_gate', '2025-09-08 12:00:00.000000', 'k', 's', 1, 1, 1, "
        "'u', '2025-09-08 12:00:00.000000', 'r', NULL)",
    )
    LocalArchive(home / "data/images").begin(holds_captures=False)
    found = said(watching.health(loaded()), "archive")
    assert found is not None
    assert (found.status, found.reason) == (Status.HEALTHY, "the archive is at data/images")
    (home / "data/images" / MARKER).unlink()
    found = said(watching.health(loaded()), "archive")
    assert found is not None
    assert found.status is Status.CRITICAL
    assert "has neither camdl's marker nor any image" in found.reason
    assert "Mount the archive's disk" in found.advice


def test_a_browser_that_is_missing(home: Path) -> None:
    """It is found out without starting one; who downloads nothing needs none."""
    settings = {"CAMDL_BROWSER_EXECUTABLE": "/nowhere"}
    found = said(watching.health(loaded(**settings)), "browser")
    assert found is not None
    assert found.status is Status.CRITICAL
    assert "browser_executable" in found.reason
    verdict = watching.health(loaded(**settings, CAMDL_JOBS="cleanup, verify"))
    assert said(verdict, "browser") is None
    there = said(watching.health(loaded()), "browser")
    assert there is not None
    assert there.status is Status.HEALTHY


def test_the_jobs_are_those_of_the_settings(home: Path) -> None:
    """All are told of; those that nothing starts have no next run."""
    verdict = watching.health(loaded(CAMDL_JOBS="download"))
    assert [(one.id, one.next_run is not None) for one in verdict.jobs] == [
        ("download", True),
        ("health", False),
        ("cleanup", False),
        ("verify", False),
    ]


def test_who_holds_the_lock(home: Path) -> None:
    """Another process is told; this one, at the end of its run, is about to let go."""
    settings = loaded()
    file = home / "data/camdl.lock"
    with FileLock(file, "download").hold(0):
        assert watching.health(settings).lock is None
        monitoring = subprocess.run(
            [sys.executable, "-c", _MONITORING], capture_output=True, text=True, check=True
        )
        assert monitoring.stdout == f"download {os.getpid()}\n"
    assert watching.health(settings).lock is None


def test_the_health_is_written_where_the_settings_say(home: Path) -> None:
    """With its directory, and at any time."""
    run = RunRecord("r1", "download", datetime.now(UTC))
    settings = loaded(CAMDL_HEALTH_FILE="here/health.json")
    wiring.Bench(settings, Signals(), "download").write_health(run)
    assert invariants.health(home / "here/health.json")["database"] == "disconnected"


def test_metrics_are_written_beside_it_if_they_are_wanted(home: Path) -> None:
    """Both say the same of the same moment; Prometheus's collector is another user."""
    umask = os.umask(0o027)
    try:
        watching.look_and_tell(loaded(CAMDL_METRICS_FILE="here/camdl.prom"))
    finally:
        os.umask(umask)
    assert (home / "here/camdl.prom").stat().st_mode & 0o777 == 0o644
    settings = loaded(CAMDL_METRICS_FILE="here/camdl.prom", CAMDL_HEALTH_FILE="here/.health")
    verdict, error = watching.look_and_tell(settings)
    assert error is None
    assert sorted(one.name for one in (home / "here").iterdir()) == [".health", "camdl.prom"]
    text = (home / "here/camdl.prom").read_text()
    assert 'camdl_status{status="unknown"} 1.0' in text
    at = re.search(r"^camdl_health_timestamp_seconds (\S+)$", text, re.MULTILINE)
    assert at is not None
    assert float(at[1]) == pytest.approx(verdict.timestamp.timestamp())
    assert json.loads((home / "here/.health").read_text())["status"] == "unknown"


def test_metrics_that_cannot_be_written_are_told_and_end_nothing(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The verdict is what counts."""
    (home / "file").touch()
    settings = loaded(CAMDL_METRICS_FILE="file/camdl.prom")
    watching.tell(settings, watching.health(settings))
    assert "the metrics file file/camdl.prom cannot be written" in caplog.text
    assert (home / "data/images/.health").exists()


def test_a_health_file_that_cannot_be_written_keeps_nothing_from_the_metrics(home: Path) -> None:
    """It is an error, and all others are told all the same."""
    (home / "file").touch()
    settings = loaded(CAMDL_METRICS_FILE="camdl.prom", CAMDL_HEALTH_FILE="file/.health")
    with pytest.raises(StorageError, match=r"the health file file/\.health"):
        watching.tell(settings, watching.health(settings))
    assert (home / "camdl.prom").exists()
    _, error = watching.look_and_tell(settings)
    assert isinstance(error, StorageError)


def test_a_run_that_ends_meanwhile_is_looked_at_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its verdict is newer than what was looked at before it: that must not be put in its place."""
    settings = loaded()
    looks = watching.health
    seen: list[Health] = []

    def interrupted(loaded: Loaded, last_run: RunRecord | None = None) -> Health:
        seen.append(looks(loaded, last_run))
        if len(seen) == 1:
            health_file.write(loaded.settings.health_file, {"status": "a run's own"})
        return seen[-1]

    monkeypatch.setattr(watching, "health", interrupted)
    verdict, _ = watching.look_and_tell(settings)
    assert len(seen) == 2
    assert verdict is seen[-1]
    written = invariants.health(settings.settings.health_file)
    assert written["timestamp"] == f"{seen[-1].timestamp:%Y-%m-%dT%H:%M:%SZ}"


def test_who_never_stops_writing_is_not_waited_for(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a few looks the last one counts."""
    looks = watching.health
    seen: list[Health] = []

    def interrupted(loaded: Loaded, last_run: RunRecord | None = None) -> Health:
        seen.append(looks(loaded, last_run))
        health_file.write(loaded.settings.health_file, {"status": str(len(seen))})
        return seen[-1]

    monkeypatch.setattr(watching, "health", interrupted)
    verdict, _ = watching.look_and_tell(loaded())
    assert len(seen) == 3
    assert verdict is seen[-1]
