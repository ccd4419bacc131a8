"""The ledger of gaps as time goes by, on a real catalogue."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from camdl.catalogue.database import Database
from camdl.catalogue.ledger import SqlLedger
from camdl.catalogue.rows import SqlCatalogue
from camdl.domain.captures import Capture, ListedCapture
from camdl.domain.closing import ClosedHours
from camdl.domain.gaps import Cause, State
from camdl.domain.outcomes import Counts, Outcome, RunRecord, Saved, StoredImage, StreamResult
from camdl.verbs.stocktaking import Stocktaking
from tests.support.catalogues import empty_catalogue, sql
from tests.support.world import gate_stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from camdl.domain.gaps import Gap

NOON = datetime(2025, 9, 8, 12, 0, tzinfo=UTC)
TEN = timedelta(minutes=10)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LATE = timedelta(minutes=30)


class Ledger:
    """A catalogue of one stream, with a capture every ten minutes unless the test says otherwise.

    Hours are those after noon. A week is looked back, if the test says no other time.
    """

    def __init__(self, file: Path, catch_up: timedelta = 7 * DAY) -> None:
        self.file = empty_catalogue(file)
        self.stream = gate_stream("in_gate")
        database = Database(f"sqlite:///{file}")
        self.rows, self.catalogue = SqlLedger(database), SqlCatalogue(database)
        self.stocktaking = Stocktaking(self.rows, self.catalogue, catch_up, TEN)
        self.close = database.close

    def archive(self, first: float, last: float) -> None:
        """Have captures from `first` up to and without `last`."""
        outcomes = []
        for number in range(round(first * 6), round(last * 6)):
            capture = Capture(NOON + number * TEN, "in_gate")
            image = StoredImage(capture, capture.key, "a" * 64, 1, 1200, 675, "u", NOON)
            outcomes.append((ListedCapture(capture, "u"), Saved(image)))
        self.catalogue.record("r", outcomes, NOON)

    def read(self, *days: int, hours: float) -> None:
        """The source told all of these days of September then."""
        told = dict.fromkeys((NOON.date().replace(day=day) for day in days), 0)
        self.rows.record_reading("in_gate", told, NOON + hours * HOUR)

    def run(self, first: float, last: float) -> None:
        """Runs every ten minutes found nothing listed, from `first` to `last`."""
        for number in range(round(first * 6), round(last * 6)):
            began = NOON + number * TEN
            met = StreamResult("in_gate", Outcome.OK, Counts(), None, 1.0)
            run = RunRecord(f"r{number}", "download", began, began, Outcome.OK, 0, "", (met,))
            self.catalogue.begin_run(run.id, run.verb, run.started_at)
            self.catalogue.finish_run(run)

    def record(self, hours: float, since: float | None = None) -> None:
        """Bring it up to date."""
        earlier = None if since is None else NOON + since * HOUR
        self.stocktaking.record(self.stream, NOON + hours * HOUR, earlier)

    def known(self, *, resolved: bool = False) -> list[tuple[float, float, State]]:
        """Each gap: from, to, state."""
        return [told(gap) for gap in self.rows.gaps(resolved=resolved)]


def told(gap: Gap) -> tuple[float, float, State]:
    """From, to, state; hours to the millionth."""
    start, end = ((moment - NOON) / HOUR for moment in (gap.window.start, gap.window.end))
    return round(start, 6), round(end, 6), gap.state


@contextmanager
def opened(file: Path, catch_up: timedelta = 7 * DAY) -> Iterator[Ledger]:
    """A ledger, closed in the end."""
    ledger = Ledger(file, catch_up)
    try:
        yield ledger
    finally:
        ledger.close()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger of nothing yet."""
    with opened(tmp_path / "camdl.db") as found:
        yield found


def test_nothing_is_expected_before_the_first_capture(ledger: Ledger) -> None:
    """An archive that is empty, or has just begun, lacks nothing."""
    ledger.record(0)
    ledger.archive(0, 1)
    ledger.record(1)
    assert ledger.known() == []


def test_a_capture_is_missing_when_it_cannot_be_just_late(ledger: Ledger) -> None:
    """Half an hour is what a site may take to publish; then what did not come is a gap."""
    ledger.archive(0, 1)
    # The last one was at 0:50, and fifteen minutes between two are still usual.
    ledger.record(0.5 + 65 / 60)
    assert ledger.known() == []
    ledger.record(0.5 + 66 / 60)
    assert ledger.known() == [(1, 1.1, State.OPEN)]


def test_a_gap_that_grows_is_one_gap(ledger: Ledger) -> None:
    """Run after run it ends later, and it began when it began."""
    ledger.archive(0, 1)
    for hours in (2.0, 3.0, 30.0):
        ledger.record(hours)
        assert ledger.known(resolved=True) == [(1, hours - 0.5, State.OPEN)]


def test_a_gap_that_was_filled_is_resolved(ledger: Ledger) -> None:
    """It stays in the ledger, with the time at which it was found to be filled."""
    ledger.archive(0, 1)
    ledger.record(3)
    ledger.archive(1, 3)
    ledger.record(3)
    assert ledger.known() == []
    assert ledger.known(resolved=True) == [(1, 2.5, State.RESOLVED)]
    (gap,) = ledger.rows.gaps(resolved=True)
    assert gap.resolved_at == NOON + 3 * HOUR


def test_what_a_gap_still_lacks_stays_open(ledger: Ledger) -> None:
    """A gap that was filled in its middle is two."""
    ledger.archive(0, 1)
    ledger.archive(5, 6)
    ledger.record(6)
    ledger.archive(2, 3)
    ledger.record(6)
    assert ledger.known() == [(1, 2, State.OPEN), (3, 5, State.OPEN)]
    ledger.archive(1, 2)
    ledger.record(6)
    assert ledger.known(resolved=True) == [(1, 2, State.RESOLVED), (3, 5, State.OPEN)]


def test_a_gap_does_not_end_because_it_is_long_ago(ledger: Ledger) -> None:
    """When no run looks so far back any more, it is neither cut nor resolved."""
    ledger.archive(0, 1)
    ledger.archive(3, 300)
    for hours in (4, 24 * 7 + 1.5, 24 * 7 + 2.9, 24 * 7 + 3.1, 250):
        ledger.record(hours)
        assert ledger.known(resolved=True) == [(1, 3, State.OPEN)]


def test_a_gap_is_told_whole_though_it_began_long_ago(ledger: Ledger) -> None:
    """After a month without a run all of the month is missing, not just the last week."""
    ledger.archive(0, 1)
    ledger.archive(30 * 24, 30 * 24 + 1)
    ledger.record(30 * 24 + 1)
    (gap,) = ledger.rows.gaps()
    assert told(gap) == (1, 30 * 24, State.OPEN)
    assert (gap.cause, gap.missing) == (Cause.NOT_RUN, 29 * 144 + 138)


def test_the_part_that_is_long_ago_stays_when_the_rest_is_filled(ledger: Ledger) -> None:
    """What was caught up with is missing no more; what came before still is."""
    ledger.archive(0, 1)
    ledger.archive(30 * 24, 30 * 24 + 1)
    ledger.record(30 * 24 + 1)
    ledger.archive(23 * 24, 30 * 24)
    for hours in (30 * 24 + 1, 30 * 24 + 1):
        ledger.record(hours)
        assert ledger.known() == [(1, 23 * 24, State.OPEN)]


def test_why_is_judged_by_all_the_runs_of_a_gap(ledger: Ledger) -> None:
    """Those before the time that is looked back to count too."""
    ledger.archive(0, 1)
    ledger.run(1, 10)
    ledger.archive(11, 12)
    ledger.record(12)
    (before,) = ledger.rows.gaps()
    ledger.record(7 * 24 + 10.5)
    assert ledger.rows.gaps()[0] == before
    assert before.cause is Cause.NOTHING_LISTED


def test_a_gap_that_the_source_confirmed_says_when(ledger: Ledger) -> None:
    """The first time counts, and reading the day again changes nothing."""
    ledger.archive(0, 1)
    ledger.archive(3, 6)
    ledger.read(8, hours=3.4)
    ledger.record(4)
    assert ledger.known() == [(1, 3, State.OPEN)]
    for hours in (3.5, 5.0, 6.0):
        ledger.read(8, hours=hours)
        ledger.record(hours)
        (gap,) = ledger.rows.gaps()
        assert gap.confirmed_at == NOON + 3.5 * HOUR


def test_captures_that_were_deleted_are_no_gap(ledger: Ledger) -> None:
    """What was cleaned up is not missing, and gaps in it are forgotten and not resolved."""
    ledger.archive(0, 1)
    ledger.archive(2, 6)
    ledger.archive(8, 9)
    ledger.record(9)
    assert ledger.known() == [(1, 2, State.OPEN), (6, 8, State.OPEN)]
    # The first capture is pinned.
    sql(
        ledger.file,
        "DELETE FROM captures WHERE captured_at > '2025-09-08 12:00:01' "
        "AND captured_at < '2025-09-08 15:00:00'",
        "INSERT INTO horizons VALUES ('in_gate', '2025-09-08 14:50:00.000000')",
    )
    ledger.record(9)
    assert ledger.known(resolved=True) == [(6, 8, State.OPEN)]


def test_a_clock_that_was_put_back_resolves_nothing(ledger: Ledger) -> None:
    """What lies in its future is left as it is, and what it judged is right again afterwards."""
    ledger.archive(0, 1)
    ledger.archive(3, 6)
    for hours in (6, -24 * 365, -1, 0, 1, 2, 3, 6):
        ledger.record(hours)
        assert [start for start, *_ in ledger.known()] == [1]
    assert ledger.known(resolved=True) == [(1, 3, State.OPEN)]


def test_hours_in_which_the_gate_is_closed_are_no_gap(ledger: Ledger) -> None:
    """Nobody expects captures of them."""
    ledger.stream = replace(ledger.stream, closed=ClosedHours("daily 13:00-15:00"))
    ledger.archive(0, 1)
    ledger.archive(3, 6)
    ledger.record(6)
    assert ledger.known() == []


def test_how_far_back_it_looks_can_be_told(ledger: Ledger) -> None:
    """What a run a week ago could not know is found when older captures came in."""
    ledger.archive(24 * 10, 24 * 20)
    ledger.record(24 * 20)
    ledger.archive(0, 1)
    ledger.archive(2, 24 * 10)
    ledger.record(24 * 20)
    assert ledger.known() == []
    ledger.record(24 * 20, since=0)
    assert ledger.known() == [(1, 2, State.OPEN)]


def test_looking_changes_nothing(ledger: Ledger) -> None:
    """What the ledger would have is told, though no run brings it up to date any more."""
    ledger.archive(0, 1)
    ledger.archive(2, 3)
    ledger.record(3)
    ledger.archive(1, 2)
    before = ledger.file.read_bytes()
    found = ledger.stocktaking.gaps(ledger.stream, NOON + 30 * HOUR)
    assert ledger.file.read_bytes() == before
    ledger.record(30)
    assert [told(gap) for gap in found] == ledger.known(resolved=True)
    assert ledger.known(resolved=True) == [(1, 2, State.RESOLVED), (3, 29.5, State.OPEN)]


def test_what_no_run_was_to_get_yet_is_no_gap(ledger: Ledger) -> None:
    """Where runs come every four hours, three hours after one nobody expects captures since."""
    ledger.stocktaking = replace(ledger.stocktaking, run_every=4 * HOUR)
    ledger.archive(0, 1)
    ledger.run(1, 1.1)
    for hours in (1, 3, 6.9):
        assert ledger.stocktaking.gaps(ledger.stream, NOON + hours * HOUR) == []
    (gap,) = ledger.stocktaking.gaps(ledger.stream, NOON + 7 * HOUR)
    assert (told(gap), gap.cause) == ((1, 4.5, State.OPEN), Cause.NOT_RUN)


def test_nothing_is_written_where_nothing_changed(ledger: Ledger) -> None:
    """A run on a quiet day leaves the ledger's rows alone."""
    ledger.archive(0, 1)
    ledger.archive(2, 6)
    ledger.record(6)
    sql(ledger.file, "CREATE TRIGGER t BEFORE INSERT ON gaps BEGIN SELECT RAISE(ABORT, 'x'); END")
    ledger.record(6)
    ledger.record(6.2)


def test_a_catch_up_of_no_days_still_tells_gaps(tmp_path: Path) -> None:
    """Then no day before is asked for, and what is missing now is told all the same."""
    with opened(tmp_path / "camdl.db", timedelta()) as ledger:
        ledger.archive(0, 1)
        ledger.record(30)
        assert ledger.known() == [(1, 29.5, State.OPEN)]
        assert ledger.stocktaking.days_to_ask(ledger.stream, NOON + 30 * HOUR) == ()


def test_days_to_ask_are_those_that_lack_something(ledger: Ledger) -> None:
    """Days of gaps that the source has not told since; the day before until it was told late."""
    ledger.archive(0, 1)
    ledger.archive(50, 100)
    now = NOON + 100 * HOUR  # the 12th, 16:00
    assert [day.day for day in ledger.stocktaking.days_to_ask(ledger.stream, now)] == [
        *(11, 10, 9),
        8,
    ]
    ledger.read(9, 11, hours=99)
    assert [day.day for day in ledger.stocktaking.days_to_ask(ledger.stream, now)] == [10, 8]
