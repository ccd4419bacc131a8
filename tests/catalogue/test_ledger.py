"""The rows that tell what is missing, in a real database."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from camdl.catalogue.database import Database
from camdl.catalogue.ledger import SqlLedger
from camdl.catalogue.rows import SqlCatalogue
from camdl.domain.captures import Capture, ListedCapture
from camdl.domain.gaps import Cause, Gap
from camdl.domain.ledger import Attempt
from camdl.domain.outcomes import Counts, Outcome, RunRecord, Saved, StoredImage, StreamResult
from camdl.domain.windows import Window
from camdl.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.catalogues import Store

NOON = datetime(2025, 9, 8, 12, 0, tzinfo=UTC)
NOW = NOON + timedelta(hours=1, microseconds=123_456)
HOUR = timedelta(hours=1)


@pytest.fixture
def database(store: Store) -> Iterator[Database]:
    """A catalogue with nothing in it."""
    with closing(Database(store.url)) as opened:
        yield opened


@pytest.fixture
def ledger(database: Database) -> SqlLedger:
    """What is missing in it."""
    return SqlLedger(database)


@pytest.fixture
def catalogue(database: Database) -> SqlCatalogue:
    """What is in it."""
    return SqlCatalogue(database)


def archive(catalogue: SqlCatalogue, *minutes: float, stream: str = "in_gate") -> None:
    """Record captures so many minutes after noon."""
    outcomes = []
    for one in minutes:
        capture = Capture(NOON + timedelta(minutes=one), stream)
        image = StoredImage(capture, capture.key, "a" * 64, 1, 1200, 675, "u", NOW)
        outcomes.append((ListedCapture(capture, "u"), Saved(image)))
    catalogue.record("r", outcomes, NOW)


def after(*minutes: float) -> list[datetime]:
    """These instants after noon."""
    return [NOON + timedelta(minutes=one) for one in minutes]


def gap(hours: float, stream: str = "in_gate", cause: Cause = Cause.NOT_RUN) -> Gap:
    """A gap of an hour that begins so many after noon."""
    start = NOON + hours * HOUR
    return Gap(stream, Window(start, start + HOUR), 6, cause, "why")


def run(
    catalogue: SqlCatalogue,
    minutes: float,
    *results: StreamResult,
    outcome: Outcome = Outcome.OK,
    error: str = "",
    verb: str = "download",
) -> None:
    """A run that began so many minutes after noon and ended."""
    (began,) = after(minutes)
    record = RunRecord(f"{verb}{minutes}", verb, began, began, outcome, 0, error, results)
    catalogue.begin_run(record.id, record.verb, record.started_at)
    catalogue.finish_run(record)


def result(
    outcome: Outcome, reason: str = "", *, stream: str = "in_gate", unreachable: bool = False
) -> StreamResult:
    """A stream's part of a run."""
    return StreamResult(stream, outcome, Counts(), None, 1.0, reason, unreachable)


def test_an_empty_catalogue_expects_nothing(ledger: SqlLedger) -> None:
    """Every question has an answer before anything was recorded."""
    assert ledger.begins("in_gate") is None
    assert ledger.instants("in_gate", NOON) == []
    assert ledger.attempts("in_gate", NOON) == []
    assert ledger.readings("in_gate", NOON.date()) == {}
    assert ledger.gaps() == ()


def test_captures_are_expected_from_the_oldest_on(
    ledger: SqlLedger, catalogue: SqlCatalogue
) -> None:
    """A stream begins with its first capture, and has none before."""
    archive(catalogue, 30, 10, 20)
    archive(catalogue, 0, stream="out_gate")
    assert ledger.begins("in_gate") == NOON + timedelta(minutes=10)


def test_captures_that_were_deleted_are_not_expected(
    store: Store, ledger: SqlLedger, catalogue: SqlCatalogue
) -> None:
    """A pinned old capture does not make a gap of all that was deleted between it and the rest."""
    archive(catalogue, 0, 600)
    store.sql("INSERT INTO horizons VALUES ('in_gate', '2025-09-08 20:00:00.000000')")
    assert ledger.begins("in_gate") == NOON + 8 * HOUR
    store.sql("DELETE FROM captures")
    assert ledger.begins("in_gate") == NOON + 8 * HOUR


def test_instants_come_with_the_last_one_before(ledger: SqlLedger, catalogue: SqlCatalogue) -> None:
    """However long ago it was, it tells whether the first one since is late; ascending."""
    archive(catalogue, 30, 0, 10, 20)
    archive(catalogue, 15, stream="out_gate")
    since = NOON + timedelta(minutes=15)
    assert ledger.instants("in_gate", since) == after(10, 20, 30)
    assert ledger.instants("in_gate", NOON + 9 * HOUR) == after(30)
    assert ledger.instants("in_gate", NOON - HOUR) == after(0, 10, 20, 30)
    assert ledger.instants("in_gate", NOON) == after(0, 10, 20, 30)
    assert ledger.instants("other", since) == []


@pytest.mark.parametrize(
    ("met", "error", "attempt"),
    [
        (result(Outcome.OK), "", (Cause.NOTHING_LISTED, "")),
        (result(Outcome.PARTLY, "1 x HTTP 404"), "", (Cause.NOTHING_LISTED, "")),
        (
            result(Outcome.FAILED, "no such host", unreachable=True),
            "",
            (Cause.UNREACHABLE, "no such host"),
        ),
        (result(Outcome.FAILED, "no image"), "", (Cause.UNREADABLE, "no image")),
        (result(Outcome.FAILED, "no space"), "no space", (Cause.FAULT, "no space")),
    ],
)
def test_what_a_run_met_is_told(
    ledger: SqlLedger,
    catalogue: SqlCatalogue,
    met: StreamResult,
    error: str,
    attempt: tuple[Cause, str],
) -> None:
    """Each way in which a stream's part can end explains a gap in its own words."""
    run(catalogue, 10, met, error=error)
    (told,) = ledger.attempts("in_gate", NOON)
    assert (told.started_at, told.cause, told.reason) == (NOON + timedelta(minutes=10), *attempt)


def test_runs_of_others_and_of_other_times_are_left_out(
    ledger: SqlLedger, catalogue: SqlCatalogue
) -> None:
    """Those of other verbs, those before, those that asked for other streams; the rest ascends."""
    run(catalogue, -1, result(Outcome.OK))
    run(catalogue, 20, result(Outcome.OK))
    run(catalogue, 10, result(Outcome.OK))
    run(catalogue, 11, result(Outcome.OK), verb="cleanup")
    run(catalogue, 12, result(Outcome.OK, stream="out_gate"))
    run(catalogue, 13, result(Outcome.FAILED, stream="out_gate"), error="no space")
    run(catalogue, 14, result(Outcome.INTERRUPTED), outcome=Outcome.INTERRUPTED)
    assert [one.started_at for one in ledger.attempts("in_gate", NOON)] == after(10, 20)


def test_a_run_that_was_killed_is_a_fault(ledger: SqlLedger, catalogue: SqlCatalogue) -> None:
    """It has no end, and so no results; the newest one may be going on."""
    catalogue.begin_run("r1", "download", NOON)
    assert ledger.attempts("in_gate", NOON) == []
    catalogue.begin_run("r2", "download", NOW)
    assert ledger.attempts("in_gate", NOON) == [Attempt(NOON, Cause.FAULT, "the run was killed")]


def test_a_run_that_failed_before_it_asked_is_a_fault(
    ledger: SqlLedger, catalogue: SqlCatalogue
) -> None:
    """Without a browser there are no results of streams; camdl did run, though."""
    run(catalogue, 0, outcome=Outcome.FAILED, error="no browser was found")
    run(catalogue, 1, outcome=Outcome.INTERRUPTED, error="SIGTERM")
    assert ledger.attempts("in_gate", NOON) == [Attempt(NOON, Cause.FAULT, "no browser was found")]


def test_the_last_reading_of_a_day_counts(ledger: SqlLedger) -> None:
    """A day that is told again has the newer time and number; other streams' days are theirs."""
    day, before = date(2025, 9, 8), date(2025, 9, 7)
    ledger.record_reading("in_gate", {day: 3, before: 144}, NOON)
    ledger.record_reading("in_gate", {day: 5}, NOW)
    ledger.record_reading("out_gate", {day: 1}, NOON)
    ledger.record_reading("out_gate", {}, NOON)
    assert ledger.readings("in_gate", before) == {before: NOON, day: NOW}
    assert ledger.readings("in_gate", day) == {day: NOW}
    assert ledger.told("in_gate", before) == {before: 144, day: 5}
    assert ledger.readings("out_gate", before) == {day: NOON}


def test_gaps_come_by_stream_and_time(ledger: SqlLedger) -> None:
    """All of them, those of some streams, or those that end after a time."""
    found = [gap(2), gap(0), gap(1, "out_gate")]
    ledger.replace_gaps(found, [], NOW)
    assert ledger.gaps() == (gap(0), gap(2), gap(1, "out_gate"))
    assert ledger.gaps(["out_gate", "other"]) == (gap(1, "out_gate"),)
    assert ledger.gaps(["in_gate"], NOON + HOUR) == (gap(2),)
    assert ledger.gaps(["in_gate"], NOON + HOUR - timedelta(seconds=1)) == (gap(0), gap(2))


def test_a_gap_is_one_row_however_it_changes(store: Store, ledger: SqlLedger) -> None:
    """Its end, number, cause and times are the last ones; when it was found stays."""
    ledger.replace_gaps([gap(0)], [], NOON)
    changed = replace(
        gap(0, cause=Cause.NOTHING_LISTED),
        window=Window(NOON, NOON + 3 * HOUR),
        missing=18,
        detail="",
        confirmed_at=NOW,
    )
    ledger.replace_gaps([changed], [], NOW)
    assert ledger.gaps() == (changed,)
    assert store.sql("SELECT found_at FROM gaps") == [("2025-09-08 12:00:00.000000",)]


def test_what_is_resolved_is_told_only_if_asked_for(ledger: SqlLedger) -> None:
    """It stays in the ledger, and is open again when it is found again."""
    resolved = replace(gap(0), resolved_at=NOW)
    ledger.replace_gaps([gap(0)], [], NOON)
    ledger.replace_gaps([resolved], [], NOW)
    assert ledger.gaps() == ()
    assert ledger.gaps(resolved=True) == (resolved,)
    ledger.replace_gaps([gap(0)], [], NOW)
    assert ledger.gaps() == (gap(0),)


def test_what_is_gone_is_forgotten(ledger: SqlLedger) -> None:
    """A gap that others replace leaves no row, and those with other beginnings stay."""
    ledger.replace_gaps([gap(0), gap(1), gap(0, "out_gate")], [], NOON)
    ledger.replace_gaps([gap(0.5)], [gap(0)], NOW)
    assert ledger.gaps() == (gap(0.5), gap(1), gap(0, "out_gate"))


def test_gaps_are_replaced_together_or_not_at_all(store: Store, ledger: SqlLedger) -> None:
    """What cannot be written leaves what was there."""
    ledger.replace_gaps([gap(0)], [], NOON)
    store.refuse_inserts("gaps")
    with pytest.raises(CatalogueError):
        ledger.replace_gaps([gap(0.5)], [gap(0)], NOW)
    assert ledger.gaps() == (gap(0),)


def test_a_broken_database_says_so(store: Store, ledger: SqlLedger) -> None:
    """Whatever is asked of it, the error is its own."""
    store.break_it()
    day = NOON.date()
    attempts: list[Callable[[], object]] = [
        lambda: ledger.begins("in_gate"),
        lambda: ledger.instants("in_gate", NOON),
        lambda: ledger.attempts("in_gate", NOON),
        lambda: ledger.readings("in_gate", day),
        lambda: ledger.record_reading("in_gate", {day: 1}, NOON),
        ledger.gaps,
        lambda: ledger.replace_gaps([gap(0)], [], NOON),
    ]
    for attempt in attempts:
        with pytest.raises(CatalogueError):
            attempt()


def left_by_a_clock_that_was_ahead(
    store: Store, ledger: SqlLedger, catalogue: SqlCatalogue
) -> None:
    """Have a run ten years from now, and all that one can leave."""
    later = NOON + timedelta(days=3650)
    ledger.record_reading("in_gate", {NOON.date(): 3}, later)
    ledger.record_reading("in_gate", {NOON.date() - timedelta(days=1): 144}, NOON)
    ledger.record_rests({"http://busy:80": later}, later)
    ledger.record_rests({"http://quiet:80": NOON + 23 * HOUR}, NOON)
    long = replace(gap(1), window=Window(NOON + HOUR, later))
    ledger.replace_gaps([gap(0), replace(gap(2), confirmed_at=later)], [], NOW)
    ledger.replace_gaps(
        [replace(gap(3), resolved_at=later), replace(gap(4), confirmed_at=NOON)], [], NOW
    )
    ledger.replace_gaps([long], [], later)
    (begun,) = after(60 * 24 * 3650)
    catalogue.begin_run("ahead", "download", begun)
    record = RunRecord("ahead", "download", begun, begun, Outcome.OK, 0, "", (result(Outcome.OK),))
    catalogue.finish_run(record)
    run(catalogue, 0, result(Outcome.OK))
    archive(catalogue, 0)
    store.sql("UPDATE captures SET verified_at = '2035-01-01 00:00:00.000000'")
    store.sql(
        "INSERT INTO pending VALUES ('in_gate', '2025-09-08 10:00:00.000000', 'u', 'busy', "
        "'2025-09-08 10:00:00.000000', '2035-01-01 00:00:00.000000', false)",
    )


def test_what_a_clock_far_ahead_has_left_is_forgotten(
    store: Store, ledger: SqlLedger, catalogue: SqlCatalogue
) -> None:
    """Runs, readings, rests and gaps of the future go, all else stays; once is enough."""
    left_by_a_clock_that_was_ahead(store, ledger, catalogue)
    assert ledger.forget_what_is_ahead(NOW)
    assert [one.started_at for one in ledger.attempts("in_gate", NOON)] == [NOON]
    assert store.sql("SELECT count(*) FROM stream_results") == [(1,)]
    assert ledger.readings("in_gate", date(2025, 9, 1)) == {date(2025, 9, 7): NOON}
    assert ledger.rests(NOON) == {"http://quiet:80": NOON + 23 * HOUR}
    assert ledger.gaps(resolved=True) == (
        gap(0),
        gap(2),
        replace(gap(3), resolved_at=NOW),
        replace(gap(4), confirmed_at=NOON),
    )
    (waiting,) = catalogue.pending("in_gate", NOON - 24 * HOUR)
    assert waiting.not_before is None
    assert store.sql("SELECT verified_at FROM captures") == [(None,)]
    assert not ledger.forget_what_is_ahead(NOW)


def test_a_clock_that_is_behind_forgets_nothing(
    store: Store, ledger: SqlLedger, catalogue: SqlCatalogue
) -> None:
    """Where captures are of the future too, it is the present that is wrong."""
    left_by_a_clock_that_was_ahead(store, ledger, catalogue)
    before = ledger.gaps(resolved=True)
    assert not ledger.forget_what_is_ahead(NOON - timedelta(days=365))
    assert ledger.gaps(resolved=True) == before
    assert store.sql("SELECT count(*) FROM runs") == [(2,)]


def test_clocks_that_differ_by_hours_are_no_matter(
    ledger: SqlLedger, catalogue: SqlCatalogue
) -> None:
    """Computers that share a catalogue are never of one mind to the second."""
    run(catalogue, 60 * 23, result(Outcome.OK))
    assert not ledger.forget_what_is_ahead(NOON)
    assert len(ledger.attempts("in_gate", NOON)) == 1
