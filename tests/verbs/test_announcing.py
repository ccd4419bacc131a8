"""Telling people: one message of everything, by each way, whatever fails meanwhile."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from camdl.catalogue.alerts import SqlAlertBook
from camdl.catalogue.database import Database as SqlDatabase
from camdl.deadline import Deadline
from camdl.domain.alerts import Rules
from camdl.domain.health import Check, Database, Health, Status, Thresholds
from camdl.domain.notices import Kind, Place
from camdl.domain.outbox import LEASE
from camdl.domain.outcomes import Counts, Outcome, RunRecord, StreamResult
from camdl.errors import CatalogueError, ExitCode, StorageError
from camdl.ops.alert_file import AlertFile
from camdl.verbs.announcing import Order, account, announce, is_good, try_out
from tests.support.catalogues import empty_catalogue, sql
from tests.support.fake_notifier import FakeNotifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from camdl.ports import AlertBook, Notifier

NOW = datetime(2026, 11, 24, 20, 40, tzinfo=UTC)
EVERY = timedelta(minutes=10)
SECRET = "hunter2"  # noqa: S105  # of nothing
PLACE = Place("gate1", "", lambda text: text.replace(SECRET, "***"))
SITES = {"in_gate": "apm", "out_gate": "apm"}


def check(name: str, status: Status) -> Check:
    """What is looked at, and found so."""
    return Check(name, status, f"it is {status}", "look")


def verdict(*bad: str, unknown: Sequence[str] = ()) -> Health:
    """All is well but what is named."""
    names = ("database", "disk", "stream.in_gate.newest", "stream.out_gate.newest")
    checks = []
    for name in names:
        status = Status.UNKNOWN if name in unknown else Status.HEALTHY
        checks.append(check(name, Status.CRITICAL if name in bad else status))
    return Health(
        Status.WARNING, NOW, "1", Database.CONNECTED, None, Thresholds(), (), (), tuple(checks)
    )


WELL = verdict()
ILL = verdict("disk")
NO_CATALOGUE = verdict("database", unknown=["stream.in_gate.newest", "stream.out_gate.newest"])


class World:
    """Implements `camdl.verbs.announcing.Tools` with a real catalogue and a real spare book.

    Each run is 10 minutes after the last one.
    """

    def __init__(self, home: Path) -> None:
        self.database = empty_catalogue(home / "camdl.db")
        self.path = home / ".health.alerts"
        self.mail, self.hook = FakeNotifier("mail"), FakeNotifier("webhook")
        self.notifiers: Sequence[Notifier] = [self.mail, self.hook]
        self.clock = NOW
        self.fault: CatalogueError | None = None
        self.written_at: datetime | None = NOW
        self.rules = Rules(every=EVERY, sites=SITES)

    @property
    def spare(self) -> AlertFile:
        """A new process's."""
        return AlertFile(self.path)

    def now(self) -> datetime:
        """The instant that the test says."""
        return self.clock

    @contextmanager
    def book(self) -> Iterator[AlertBook]:
        """The catalogue, unless it is out of order."""
        if self.fault:
            raise self.fault
        with closing(SqlDatabase(f"sqlite:///{self.database}")) as database:
            yield SqlAlertBook(database)

    def last_verdict(self) -> datetime | None:
        """What the test says."""
        return self.written_at

    def run(self, seen: Health, *, seconds: float = 30, is_new: bool = True) -> None:
        """A run that ended with this verdict."""
        self.clock += EVERY
        announce(Order(self.rules, PLACE, is_new), seen, self, Deadline.after(seconds))

    def runs(self, seen: Health, times: int) -> None:
        """Several of them."""
        for _ in range(times):
            self.run(seen)

    def told(self) -> list[str]:
        """The titles of the mail, and the hook has had the same."""
        assert [one.id for one in self.mail.sent] == [one.id for one in self.hook.sent]
        return [one.title.removeprefix("[camdl gate1] ") for one in self.mail.sent]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world in which all is well."""
    return World(tmp_path)


@pytest.fixture
def without_spare(world: World) -> World:
    """One in which no spare book can be had either."""
    world.path.mkdir()
    return world


CLOSED = CatalogueError("the catalogue is closed today")


# In the catalogue.


def test_what_turns_bad_and_well_is_told_once_each(world: World) -> None:
    """By every way, and each run is a new process."""
    world.runs(verdict("stream.in_gate.newest", "stream.out_gate.newest"), 6)
    world.runs(WELL, 3)
    assert world.told() == ["CRITICAL: in_gate, out_gate", "recovered: in_gate, out_gate"]
    assert [one.kind for one in world.mail.sent] == [Kind.ALERT, Kind.RECOVERY]


def test_looks_without_a_run_count_by_their_time(world: World) -> None:
    """The order says which one this is."""
    for _ in range(5):
        world.clock -= EVERY - timedelta(minutes=1)
        world.run(ILL, is_new=False)
    assert world.told() == []


def test_a_dead_mail_server_repeats_no_hook(world: World) -> None:
    """What could not be sent goes out with a later run, in order and by its own way alone."""
    world.mail.fault = "it is down"
    world.runs(ILL, 5)
    world.runs(WELL, 2)
    assert (world.mail.sent, world.mail.tried) == ([], 5)
    assert len(world.hook.sent) == 2
    world.mail.fault = ""
    world.run(WELL)
    assert world.told() == ["CRITICAL: disk", "recovered: disk"]
    world.run(WELL)
    assert len(world.told()) == 2


def test_only_the_first_failure_is_worth_a_line_to_cron(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Later ones are for those who ask; none tells a secret."""
    caplog.set_level(logging.INFO, "camdl")
    world.mail.fault = f"wrong password {SECRET}"
    world.runs(ILL, 5)
    failures = [one for one in caplog.records if "could not be sent" in one.getMessage()]
    assert [one.levelname for one in failures] == ["WARNING", "INFO", "INFO"]
    assert failures[0].getMessage() == (
        "'[camdl gate1] CRITICAL: disk' could not be sent by mail: wrong password ***; "
        "the next run tries again"
    )
    assert SECRET not in caplog.text
    rows = sql(world.database, "SELECT answer FROM parcels ORDER BY channel")
    assert rows == [("wrong password ***",), ("remembered",)]


def test_a_way_that_hangs_is_left_behind(world: World) -> None:
    """The others go out, and it is tried again."""
    may_go = threading.Event()
    world.mail.meanwhile = lambda: may_go.wait(60)
    world.runs(ILL, 2)
    began = time.monotonic()
    world.run(ILL, seconds=0.2)
    assert time.monotonic() - began < 30
    assert (len(world.mail.sent), len(world.hook.sent)) == (0, 1)
    rows = sql(world.database, "SELECT tries, answer FROM parcels WHERE channel = 'mail'")
    assert rows == [(1, "it did not end in time")]
    may_go.set()


def test_a_bug_of_one_way_stops_no_other(world: World) -> None:
    """It is told like any failure."""

    def fail() -> None:
        raise ZeroDivisionError(SECRET)

    world.mail.meanwhile = fail
    world.runs(ILL, 3)
    assert len(world.hook.sent) == 1
    rows = sql(world.database, "SELECT answer FROM parcels WHERE channel = 'mail'")
    assert rows == [("ZeroDivisionError: ***",)]


def test_what_two_see_at_once_is_told_once(world: World) -> None:
    """A health timer and a run: whoever comes second finds it taken, and sends nothing."""
    second = World.__new__(World)
    second.__dict__ |= world.__dict__
    world.runs(ILL, 2)
    second.clock = world.clock
    world.mail.meanwhile = lambda: second.run(ILL)
    world.run(ILL)
    assert world.told() == ["CRITICAL: disk"]


# Without the catalogue.


def test_a_catalogue_that_is_down_is_told_all_the_same(world: World) -> None:
    """Once, with its recovery, although the catalogue knows nothing of it."""
    world.runs(WELL, 1)
    world.fault = CLOSED
    world.runs(NO_CATALOGUE, 6)
    world.fault = None
    world.runs(WELL, 3)
    assert world.told() == ["CRITICAL: catalogue", "recovered: catalogue"]


def test_what_was_open_before_is_not_told_anew(world: World) -> None:
    """The spare book has a copy, and what changed meanwhile is in the catalogue afterwards."""
    world.runs(ILL, 3)
    world.fault = CLOSED
    ill = verdict("database", "disk", unknown=["stream.in_gate.newest", "stream.out_gate.newest"])
    world.runs(ill, 6)
    world.fault = None
    world.runs(ILL, 3)
    world.runs(WELL, 3)
    assert world.told() == [
        "CRITICAL: disk",
        "ALSO CRITICAL: catalogue",
        "recovered: catalogue; still bad: disk",
        "recovered: disk",
    ]


def test_a_recovery_without_the_catalogue_is_none_with_it(world: World) -> None:
    """What the catalogue remembers of it is older."""
    world.runs(ILL, 3)
    world.fault = CLOSED
    world.runs(verdict("database"), 3)
    world.fault = None
    world.runs(WELL, 3)
    assert world.told() == [
        "CRITICAL: disk",
        "recovered: disk",
        "CRITICAL: catalogue",
        "recovered: catalogue",
    ]


def test_what_could_not_be_sent_then_is_sent_by_the_catalogue(world: World) -> None:
    """The spare book's outbox is taken over too."""
    world.fault = CLOSED
    world.mail.fault = "no network"
    world.runs(NO_CATALOGUE, 4)
    world.fault = None
    world.run(NO_CATALOGUE)
    world.mail.fault = ""
    world.run(NO_CATALOGUE)
    assert world.told() == ["CRITICAL: catalogue"]


def test_the_spare_book_tries_again_by_itself(world: World) -> None:
    """As long as there is no catalogue."""
    world.fault = CLOSED
    world.mail.fault = "no network"
    world.runs(NO_CATALOGUE, 4)
    world.mail.fault = ""
    world.runs(NO_CATALOGUE, 3)
    assert world.told() == ["CRITICAL: catalogue"]


def test_a_spare_book_that_is_behind_is_not_believed(world: World) -> None:
    """It could not be written when the catalogue came back, and is old news now."""
    world.fault = CLOSED
    world.runs(NO_CATALOGUE, 3)
    stale = world.path.read_bytes()
    world.fault = None
    world.runs(ILL, 4)
    world.path.write_bytes(stale)
    world.runs(ILL, 3)
    world.runs(WELL, 2)
    assert world.told() == [
        "CRITICAL: catalogue",
        "recovered: catalogue",
        "CRITICAL: disk",
        "recovered: disk",
    ]


def test_without_a_spare_book_the_catalogue_does(without_spare: World) -> None:
    """It is only for worse times."""
    without_spare.runs(ILL, 6)
    without_spare.runs(WELL, 3)
    assert without_spare.told() == ["CRITICAL: disk", "recovered: disk"]


def test_without_any_memory_one_run_tells(without_spare: World) -> None:
    """When it has been bad for as long as it takes, and then once in each repetition."""
    world = without_spare
    world.fault = CLOSED
    world.runs(NO_CATALOGUE, 2)
    assert world.told() == []
    world.runs(NO_CATALOGUE, 144)
    assert world.told() == ["CRITICAL: catalogue"]
    assert "catalogue: critical since 2026-11-24 20:40 UTC (30 min)" in world.mail.sent[0].body
    world.runs(NO_CATALOGUE, 1)
    assert len(world.told()) == 2


def test_without_any_memory_nor_a_verdict_it_is_told_once_a_day(without_spare: World) -> None:
    """Nobody knows since when it is so."""
    world = without_spare
    world.fault, world.written_at = CLOSED, None
    world.runs(NO_CATALOGUE, 144)
    assert world.told() == ["CRITICAL: catalogue"]


def test_what_was_sent_and_cannot_be_noted_is_sent_once_more(world: World) -> None:
    """At least once is better than perhaps never; but not before its time is up."""

    def close() -> None:
        world.fault = CLOSED

    world.runs(ILL, 2)
    world.hook.meanwhile = close
    world.run(ILL)
    world.hook.meanwhile = lambda: None
    world.fault = None
    world.clock += LEASE - EVERY - timedelta(seconds=1)
    world.run(ILL)
    assert len(world.mail.sent) == 1
    world.run(ILL)
    assert len(world.mail.sent) == 2
    assert world.mail.sent[0].id == world.mail.sent[1].id


# A trial.


def test_a_trial_goes_by_every_way() -> None:
    """And says what each answered, without a secret."""
    good, bad = FakeNotifier("mail"), FakeNotifier("webhook")
    bad.fault = f"403 {SECRET}"
    tried = try_out([good, bad], PLACE, NOW, Deadline.after(30))
    assert list(tried.lines()) == ["mail: sent: remembered", "webhook: NOT sent: 403 ***"]
    assert tried.exit_code == ExitCode.PARTLY
    assert try_out([good], PLACE, NOW, Deadline.after(30)).exit_code == ExitCode.OK
    assert {one.kind for one in good.sent} == {Kind.TRIAL}


# For the dead man's switch.


def record(outcome: Outcome, code: int, error: str = "", reason: str = "") -> RunRecord:
    """How a run ended."""
    part = StreamResult("in_gate", outcome, Counts(), None, 1.0, reason)
    return RunRecord("r", "download", NOW, NOW, outcome, code, error, (part,))


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [(Outcome.OK, True), (Outcome.PARTLY, True), (Outcome.FAILED, False)],
)
def test_a_camera_that_fails_keeps_no_switch_open(outcome: Outcome, expected: bool) -> None:
    """Else that could tell of nothing else for as long."""
    assert is_good(record(outcome, 1)) is expected


def test_the_account_of_a_run_says_why_it_failed() -> None:
    """With what was logged, and what to do; without a secret."""
    error = StorageError("no space left", advice="Free some.")
    run = record(Outcome.FAILED, 74, "no space left", f"token={SECRET}")
    assert account(run, error, ["a line of the log"], PLACE) == (
        "camdl download on gate1: failed, exit code 74\n"
        "in_gate: token=***\n"
        "a line of the log\n"
        "no space left\n"
        "Free some.\n"
    )
    assert account(record(Outcome.OK, 0), None, [], PLACE) == (
        "camdl download on gate1: ok, exit code 0\n"
    )
