"""What is told of a command, around all that it does, and what never is."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from camdl import wiring
from camdl.config import Loaded, load
from camdl.domain.health import Check, Database, Health, Status, Thresholds
from camdl.domain.outcomes import Outcome, RunRecord
from camdl.errors import (
    ConfigError,
    EndOfRun,
    ExitCode,
    InterruptedRunError,
    LockHeldError,
    StorageError,
    UsageError,
)
from camdl.ops.alert_file import AlertFile
from camdl.ops.lock import FileLock
from camdl.ops.signals import Signals
from camdl.wiring import announcing as module
from camdl.wiring.announcing import announce, announcing, try_out
from tests.support.catalogues import empty_catalogue, sql
from tests.support.hook import Hook
from tests.support.http import RawServer, self_signed
from tests.support.mailbox import PASSWORD, USER, Mailbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 24, 20, 40, tzinfo=UTC)
TOKEN = "T0PSECRET"  # noqa: S105  # of nothing


@dataclass(frozen=True)
class Finished:
    """How a run ended."""

    run: RunRecord
    error: EndOfRun | None = None


def finished(outcome: Outcome, code: int = 0, error: EndOfRun | None = None) -> Finished:
    """A download's end."""
    said = str(error) if error else ""
    return Finished(RunRecord("r1", "download", NOW, NOW, outcome, code, said), error)


def verdict(status: Status) -> Health:
    """On the disk alone."""
    check = Check("disk", status, "92 % of the disk is used")
    return Health(status, NOW, "1", Database.CONNECTED, None, Thresholds(), (), (), (check,))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where relative paths of the settings are, on a machine without a configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("camdl.config.layers.SYSTEM_FILE", tmp_path / "etc" / "config.toml")
    return tmp_path


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A web hook at `/hook`, and a dead man's switch at `/ping/{job}`."""
    with Hook() as server:
        yield server


def loaded(hook: Hook | None = None, **settings: str) -> Loaded:
    """The defaults, with these settings, and with what is at `hook`."""
    values = {f"CAMDL_{name.upper()}": value for name, value in settings.items()}
    if hook:
        ping = f"{hook.origin}/ping/{TOKEN}/{{job}}"
        values = {"CAMDL_ALERT_WEBHOOK_URL": f"{hook.origin}/hook", "CAMDL_PING_URL": ping} | values
    return load({}, None, {"CAMDL_ALERT_AFTER": "1"} | values)


class Bench(wiring.Bench):
    """Remembers that signals are not wanted any more."""

    is_on_its_way_out = False

    def is_ending(self) -> None:
        """Remember it."""
        self.is_on_its_way_out = True


def bench(settings: Loaded, status: Status = Status.HEALTHY) -> Bench:
    """A bench on which that verdict was made."""
    made = Bench(settings, Signals(), "download")
    made.verdict = verdict(status)
    return made


def pings(hook: Hook) -> list[str]:
    """Which pings came."""
    return [path.removeprefix(f"/ping/{TOKEN}/") for path in hook.paths() if "/ping/" in path]


def alerts(hook: Hook) -> list[str]:
    """Which alerts came."""
    return [post.json["event"] for post in hook.posts if post.path == "/hook"]


def comes_up(
    error: BaseException, settings: Loaded, made: wiring.Bench, after: Finished | None = None
) -> None:
    """A run in which `error` comes up: before it begins, or after it has ended as `after`."""
    with announcing(settings, "download") as told:
        told.about(made)
        if after:
            made.begun()
            told.ended(after)
        raise error


# How a run ended.


@pytest.mark.parametrize(
    ("outcome", "ending"),
    [(Outcome.OK, "download"), (Outcome.PARTLY, "download"), (Outcome.FAILED, "download/fail")],
)
def test_a_run_is_told_from_its_begin_to_its_end(hook: Hook, outcome: Outcome, ending: str) -> None:
    """It begins when it holds the lock, and all of it is over when it is told."""
    settings = loaded(hook)
    with announcing(settings, "download") as told:
        made = told.about(bench(settings, Status.CRITICAL))
        for _ in range(2):  # as a backfill, which lets go of it in between
            with made.lock.hold(0):
                pass
        told.ended(finished(outcome))
        assert alerts(hook) == []
    assert made.is_on_its_way_out
    assert pings(hook) == ["download/start", ending]
    assert alerts(hook) == ["alert"]


def test_a_verification_that_takes_no_lock_begins_by_itself(hook: Hook) -> None:
    """The bench says so."""
    settings = loaded(hook)
    with announcing(settings, "verify") as told:
        made = told.about(bench(settings))
        made.begun()
        told.ended(finished(Outcome.OK))
    assert pings(hook) == ["verify/start", "verify"]


def test_a_failed_ping_says_why(hook: Hook) -> None:
    """With the last words of the log, and what to do, and without secrets."""
    settings = loaded(hook)
    error = StorageError(f"no space for {TOKEN}", advice="Free some.")
    with announcing(settings, "download") as told:
        told.about(bench(settings)).begun()
        logging.getLogger("camdl").warning("in_gate failed: %s", "no image\nfound")
        told.ended(finished(Outcome.FAILED, 74, error))
    (failed,) = [post for post in hook.posts if post.path.endswith("/fail")]
    assert failed.body.splitlines()[0].endswith(": failed, exit code 74")
    assert failed.body.splitlines()[1:] == [
        "in_gate failed: no image found",
        "no space for ***",
        "Free some.",
    ]


def test_a_bug_is_told_and_stays_one(hook: Hook) -> None:
    """Whatever comes up inside goes on its way."""
    settings = loaded(hook)
    with (
        pytest.raises(ZeroDivisionError),
        announcing(settings, "download") as told,
        told.about(bench(settings, Status.WARNING)).lock.hold(0),
    ):
        raise ZeroDivisionError
    assert pings(hook) == ["download/start", "download/fail"]
    assert "ZeroDivisionError" in hook.posts[-1].body + hook.posts[-2].body
    assert alerts(hook) == ["alert"]


def test_output_that_nobody_reads_makes_no_failure(hook: Hook) -> None:
    """The run had ended well before."""
    settings = loaded(hook)
    with pytest.raises(BrokenPipeError):
        comes_up(BrokenPipeError(), settings, bench(settings), finished(Outcome.OK))
    assert pings(hook) == ["download/start", "download"]


def test_a_run_that_never_began_is_told_with_a_verdict_of_its_own(hook: Hook) -> None:
    """As when the lock's file cannot be made: nobody has judged the archive then."""
    settings = loaded(hook)
    day = settings.settings.download_dir / "in_gate" / "2026-11-24"
    day.mkdir(parents=True)
    (day / "20261124T203049Z_in_gate.jpg").write_bytes(b"an image, and no catalogue")
    unjudged = Bench(settings, Signals(), "download")
    with pytest.raises(StorageError):
        comes_up(StorageError("no room for the lock"), settings, unjudged)
    assert pings(hook) == ["download/fail"]
    (post,) = [post for post in hook.posts if post.path == "/hook"]
    assert [one["name"] for one in post.json["subjects"]] == ["catalogue"]


# What is not told.


@pytest.mark.parametrize(
    "error",
    [
        LockHeldError("another run holds it"),
        UsageError("no such stream"),
        InterruptedRunError("SIGTERM", ExitCode.SIGTERM),
    ],
)
def test_what_is_no_run_is_not_told(hook: Hook, error: EndOfRun) -> None:
    """A lock that is held, a wrong command line, a signal before anything began."""
    settings = loaded(hook)
    with pytest.raises(type(error)):
        comes_up(error, settings, bench(settings, Status.CRITICAL))
    assert hook.posts == []


def test_a_lock_that_another_run_holds_begins_nothing(hook: Hook) -> None:
    """Neither start nor end is pinged."""
    settings = loaded(hook)
    with (
        FileLock(settings.settings.lock_file).hold(0),
        pytest.raises(LockHeldError),
        announcing(settings, "download") as told,
        told.about(bench(settings)).lock.hold(0),
    ):
        pytest.fail("both hold it")
    assert hook.posts == []


def test_an_interrupted_run_tells_nothing_more(hook: Hook) -> None:
    """It has to end at once; the next run tells what there is."""
    settings = loaded(hook)
    with announcing(settings, "download") as told:
        told.about(bench(settings, Status.CRITICAL))
        told.ended(finished(Outcome.INTERRUPTED, 143))
    assert hook.posts == []


def test_a_dry_run_tells_nothing(hook: Hook) -> None:
    """Whatever it finds."""
    settings = loaded(hook)
    with announcing(settings, "download", dry_run=True) as told:
        told.about(bench(settings, Status.CRITICAL)).begun()
        told.ended(finished(Outcome.OK))
    with pytest.raises(StorageError), announcing(settings, "download", dry_run=True):
        raise StorageError("no")
    assert hook.posts == []


def test_without_any_setting_nothing_is_made(home: Path) -> None:
    """No file, and no connection."""
    settings = loaded()
    with announcing(settings, "download") as told:
        told.about(bench(settings, Status.CRITICAL)).begun()
        told.ended(finished(Outcome.OK))
    announce(settings, verdict(Status.CRITICAL))
    assert list(home.iterdir()) == []


# Commands that make no run.


def test_a_verdict_alone_is_told(hook: Hook) -> None:
    """As that of a timer that only looks."""
    settings = loaded(hook)
    announce(settings, verdict(Status.CRITICAL))
    announce(settings, verdict(Status.HEALTHY))
    assert alerts(hook) == ["alert", "recovery"]
    assert pings(hook) == []


def test_a_job_that_only_looks_has_its_pings_too(hook: Hook) -> None:
    """Its end is good whatever it has found: the alerts tell that."""
    settings = loaded(hook)
    with announcing(settings, "health") as told:
        told.begin()
        assert told.judged(verdict(Status.CRITICAL)).status is Status.CRITICAL
    assert pings(hook) == ["health/start", "health"]
    assert alerts(hook) == ["alert"]


# Where it is remembered.


def test_the_catalogue_remembers_what_was_told(home: Path, hook: Hook) -> None:
    """And the spare book beside the health file is a copy of it."""
    (home / "data").mkdir()
    file = empty_catalogue(home / "data" / "camdl.db")
    announce(loaded(hook), verdict(Status.CRITICAL))
    assert sql(file, "SELECT subject, bad FROM standings") == [("disk", 1)]
    assert sql(file, "SELECT channel, sent_at IS NULL FROM parcels") == [("webhook", 0)]
    spare = AlertFile(home / "data" / "images" / ".health.alerts")
    with spare.held():
        assert spare.ahead() is None
        assert spare.read().book.keys() == {"disk"}


def test_the_last_verdict_is_as_old_as_its_file(home: Path, hook: Hook) -> None:
    """Where nothing else remembers, that tells since when."""
    file = loaded(hook).settings.health_file
    assert module._Tools(loaded(hook), []).last_verdict() is None
    file.parent.mkdir(parents=True)
    file.touch()
    os.utime(file, (NOW.timestamp(), NOW.timestamp()))
    assert module._Tools(loaded(hook), []).last_verdict() == NOW


# What goes wrong meanwhile.


def test_what_takes_too_long_is_left_behind(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Servers that say nothing delay a run by their time together, and no more."""
    monkeypatch.setattr(module, "_SECONDS", 0.5)
    with RawServer(lambda conversation: conversation.hold()) as server:
        origin = server.origin
        settings = loaded(alert_webhook_url=f"{origin}/hook", ping_url=f"{origin}/ping")
        began = time.monotonic()
        with announcing(settings, "download") as told:
            told.about(bench(settings, Status.CRITICAL)).begun()
            told.ended(finished(Outcome.OK))
        assert time.monotonic() - began < 20
    assert "not all could be told in time; the next run goes on" in caplog.text


def test_all_of_it_is_bounded_below_what_a_signal_allows() -> None:
    """An interrupted run has ten seconds; sending leaves time to note what was sent."""
    assert module._PING_SECONDS < module._SENDING_SECONDS < module._SECONDS < 10


def test_a_bug_in_here_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, hook: Hook
) -> None:
    """A line tells of it; the run has ended as it has."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(module, "_rules", fail)
    settings = loaded(hook)
    with announcing(settings, "download") as told:
        told.about(bench(settings, Status.CRITICAL)).begun()
        told.ended(finished(Outcome.OK))
    assert "not everybody could be told: ZeroDivisionError" in caplog.text
    assert pings(hook) == ["download/start", "download"]


def test_a_machine_without_threads_to_spare_runs_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, hook: Hook
) -> None:
    """Nobody is told, and a line says so; the run is as good as ever."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    settings = loaded(hook)
    with announcing(settings, "download") as told:
        made = told.about(bench(settings, Status.CRITICAL))
        monkeypatch.setattr(threading.Thread, "start", refuse)
        made.begun()
        told.ended(finished(Outcome.OK))
    announce(settings, verdict(Status.CRITICAL))
    monkeypatch.undo()
    assert caplog.text.count("not everybody could be told: RuntimeError") == 3
    assert hook.posts == []


def test_a_ping_that_fails_is_a_line_for_those_who_ask(
    caplog: pytest.LogCaptureFixture, hook: Hook
) -> None:
    """The switch calls by itself."""
    caplog.set_level(logging.INFO, "camdl")
    hook.status = 404
    settings = loaded(hook)
    with announcing(settings, "download") as told:
        told.about(bench(settings)).begun()
        told.ended(finished(Outcome.OK))
    (line,) = [one for one in caplog.records if "ping" in one.getMessage()]
    assert line.levelname == "INFO"
    assert TOKEN not in line.getMessage()


def test_certificates_that_are_missing_keep_nobody_from_being_told(
    caplog: pytest.LogCaptureFixture, hook: Hook
) -> None:
    """Where the system's do."""
    settings = loaded(hook, alert_ca_file="/nowhere/ca.pem")
    announce(settings, verdict(Status.CRITICAL))
    assert alerts(hook) == ["alert"]
    assert "alert_ca_file /nowhere/ca.pem cannot be used: No such file or directory" in caplog.text


# What the settings choose.


def test_every_way_is_tried(tmp_path: Path, hook: Hook) -> None:
    """Mail with a login and a certificate of one's own, a web hook, and Apprise."""
    certificate = self_signed(tmp_path)
    with Mailbox("starttls", certificate) as box:
        settings = loaded(
            hook,
            alert_email_to="ops@example.org",
            alert_email_from="camdl@example.org",
            smtp_host="127.0.0.1",
            smtp_port=str(box.port),
            smtp_user=USER,
            smtp_password=PASSWORD,
            alert_ca_file=str(certificate),
            alert_apprise_urls=hook.origin.replace("http:", "json:"),
        )
        tried = try_out(settings)
    assert tried.exit_code == 0
    assert [name for name, _ in tried.outcomes] == ["mail", "webhook", "apprise.1"]
    assert len(box.messages) == 1
    assert len(hook.posts) == 2


def test_nobody_to_tell_is_told() -> None:
    """It is a matter of the configuration."""
    with pytest.raises(ConfigError, match="there is nobody to tell"):
        try_out(loaded())


def test_a_trial_tells_of_certificates_that_are_missing(hook: Hook) -> None:
    """It is the time to find out."""
    with pytest.raises(ConfigError, match=r"alert_ca_file /nowhere/ca\.pem cannot be used"):
        try_out(loaded(hook, alert_ca_file="/nowhere/ca.pem"))
