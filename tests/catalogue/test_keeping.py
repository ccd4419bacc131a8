"""The rows that clean-up and pins work on, in a real database."""

from __future__ import annotations

import hashlib
import re
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, insert

from camdl.catalogue.alerts import SqlAlertBook
from camdl.catalogue.database import Database
from camdl.catalogue.keeping import SqlKeeping
from camdl.catalogue.rows import SqlCatalogue
from camdl.catalogue.tables import runs
from camdl.domain.captures import Capture, ListedCapture
from camdl.domain.notices import Kind, Notice
from camdl.domain.outcomes import Counts, Outcome, RunRecord, Saved, StoredImage, StreamResult
from camdl.domain.retention import Holding, Limits, Outdated, Pin
from camdl.domain.windows import Window
from camdl.errors import CatalogueError
from camdl.ports import Parcel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.catalogues import Store

START = datetime(2025, 9, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
ALWAYS = Window(START - 1000 * DAY, START + 1000 * DAY)


class Kept:
    """A catalogue in a database, and what looks after it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.database = Database(store.url)
        self.keeping = SqlKeeping(self.database)

    def archive(self, *captures: Capture) -> list[Holding]:
        """Have these recorded; each has as many bytes as the minute it was taken at."""
        images = [
            StoredImage(
                one,
                one.key,
                hashlib.sha256(one.key.encode()).hexdigest(),
                one.captured_at.minute,
                640,
                360,
                "http://x",
                START,
            )
            for one in captures
        ]
        listed = [(ListedCapture(one.capture, "http://x"), Saved(one)) for one in images]
        SqlCatalogue(self.database).record("r", listed, START)
        return [Holding(one.capture, one.key, one.size) for one in images]

    def plan(self, text: str, values: Any) -> list[str]:
        """How the database would go about a statement, if its tables were long."""
        if self.database.is_sqlite:
            explain, values = "EXPLAIN QUERY PLAN", tuple(values)
        else:
            explain = "EXPLAIN"
        with self.database.engine.connect() as connection:
            if not self.database.is_sqlite:
                connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            found = connection.exec_driver_sql(f"{explain} {text}", values)
            return [str(row[-1]) for row in found]

    @contextmanager
    def statements(self) -> Iterator[list[tuple[str, Sequence[object]]]]:
        """What is executed inside the `with`."""
        found: list[tuple[str, Sequence[object]]] = []

        def note(_c: object, _k: object, text: str, values: Sequence[object], *_: object) -> None:
            found.append((text, values))

        event.listen(self.database.engine, "before_cursor_execute", note)
        yield found
        event.remove(self.database.engine, "before_cursor_execute", note)


@pytest.fixture
def kept(store: Store) -> Iterator[Kept]:
    """An empty catalogue."""
    found = Kept(store)
    yield found
    found.database.close()


def at(minute: float, stream: str = "in_gate") -> Capture:
    """The capture that `stream` took so long after the start."""
    return Capture(START + minute * MINUTE, stream)


def test_holdings_come_oldest_first(kept: Kept) -> None:
    """Over all streams, or the named ones, and of before an instant if one is given."""
    one, two, three, four = kept.archive(at(4), at(1, "yard"), at(2), at(2, "out_gate"))
    keeping = kept.keeping
    assert list(keeping.holdings()) == [two, three, four, one]
    assert list(keeping.holdings(["in_gate", "unknown"])) == [three, one]
    assert list(keeping.holdings(before=at(2).captured_at)) == [two]
    assert list(keeping.holdings(["unknown"])) == []
    assert (keeping.captures(), keeping.captures(["in_gate"])) == (4, 2)
    assert keeping.newest() == at(4).captured_at


def test_an_empty_catalogue(kept: Kept) -> None:
    """Has nothing to tell."""
    keeping = kept.keeping
    assert (keeping.captures(), keeping.newest(), keeping.runs_between()) == (0, None, None)
    assert list(keeping.holdings()) == list(keeping.doomed()) == []
    assert keeping.pins() == ()
    assert keeping.doom([]) == ()
    keeping.forget([])
    keeping.trim_pins({})


def test_holdings_may_go_while_they_are_read(kept: Kept) -> None:
    """More than a batch of them, from two streams: each comes once."""
    captures = [at(minute, stream) for minute in range(1200) for stream in ("in_gate", "out_gate")]
    kept.archive(*captures)
    found = []
    batch = []
    for holding in kept.keeping.holdings():
        found.append(holding.capture)
        batch.append(holding)
        if len(batch) == 300:
            assert kept.keeping.doom(batch) == tuple(batch)
            batch = []
    assert found == captures
    assert kept.keeping.captures() == 0
    assert len(list(kept.keeping.doomed())) == 2400


def test_the_doomed_are_archived_no_more(kept: Kept) -> None:
    """But known, until they are forgotten."""
    one, two, three = kept.archive(at(1), at(2), at(3))
    assert kept.keeping.doom([one, two]) == (one, two)
    assert list(kept.keeping.holdings()) == [three]
    assert [holding.key for holding in kept.keeping.doomed()] == [one.key, two.key]
    keys = [one.key, two.key, three.key, at(4).key, "no key"]
    assert kept.keeping.knows(keys) == {one.key, two.key, three.key}
    kept.keeping.forget([one])
    assert [holding.capture for holding in kept.keeping.doomed()] == [two.capture]
    assert kept.keeping.knows(keys) == {two.key, three.key}


def test_only_what_is_archived_can_be_doomed(kept: Kept) -> None:
    """Else a file would be deleted that the catalogue does not list."""
    one, _ = kept.archive(at(1), at(2))
    unknown = Holding(at(3), at(3).key, 3)
    assert kept.keeping.doom([one, unknown]) == (one,)
    assert [holding.key for holding in kept.keeping.doomed()] == [one.key]


def test_what_is_pinned_is_not_doomed(kept: Kept) -> None:
    """Though it was not pinned when somebody decided that it is to go."""
    one, two, three = kept.archive(at(1), at(2), at(1, "out_gate"))
    kept.keeping.pin("in_gate", Window(START, at(2).captured_at), "", START)
    assert kept.keeping.doom([one, two, three]) == (two, three)
    assert list(kept.keeping.holdings()) == [one]
    assert {holding.key for holding in kept.keeping.doomed()} == {two.key, three.key}


def test_what_is_archived_anew_is_doomed_no_more(kept: Kept) -> None:
    """Its file is one that a row points at."""
    one, two = kept.archive(at(1), at(2))
    kept.keeping.doom([one, two])
    kept.archive(at(1))
    assert [holding.key for holding in kept.keeping.doomed()] == [two.key]
    kept.keeping.reprieve()
    assert kept.store.sql("SELECT key FROM doomed") == [(two.key,)]


def test_deleting_on_purpose_is_remembered(kept: Kept) -> None:
    """Up to the newest of each stream, and never less than before."""
    one, two, three, other = kept.archive(at(1), at(2), at(3), at(9, "out_gate"))
    since = "SELECT stream, kept_since FROM horizons ORDER BY stream"
    kept.keeping.doom([three, other])
    first = kept.store.sql(since)
    kept.keeping.doom([one, two])
    assert kept.store.sql(since) == first
    assert [row[1] for row in first] == [
        "2025-09-01 00:03:00.000000",
        "2025-09-01 00:09:00.000000",
    ]


def test_pins_are_kept_in_order(kept: Kept) -> None:
    """By their times, of all streams or the named ones."""
    keeping = kept.keeping
    late = keeping.pin("in_gate", Window(START + DAY, START + 2 * DAY), "why", START)
    early = keeping.pin("out_gate", Window(START, START + DAY), "", START)
    assert late == Pin(late.id, "in_gate", Window(START + DAY, START + 2 * DAY), "why")
    assert keeping.pins() == (early, late)
    assert keeping.pins(["in_gate"]) == (late,)
    assert len({late.id, early.id, 0}) == 3


def test_pins_can_be_trimmed(kept: Kept) -> None:
    """To several windows, with the note, or to nothing; the others are as they were."""
    keeping = kept.keeping
    first = keeping.pin("in_gate", Window(START, START + 9 * DAY), "why", START)
    second = keeping.pin("in_gate", Window(START, START + DAY), "", START)
    third = keeping.pin("yard", ALWAYS, "", START)
    rest = [Window(START, START + DAY), Window(START + 5 * DAY, START + 9 * DAY)]
    keeping.trim_pins({first.id: rest, second.id: [], 99: rest})
    assert [(pin.window, pin.note) for pin in keeping.pins(["in_gate"])] == [
        (rest[0], "why"),
        (rest[1], "why"),
    ]
    assert keeping.pins(["yard"]) == (third,)


def test_captures_in_a_window_are_counted(kept: Kept) -> None:
    """Its end is not in it."""
    kept.archive(at(1), at(2), at(3), at(2, "out_gate"))
    window = Window(at(1).captured_at, at(3).captured_at)
    assert kept.keeping.captures_in("in_gate", window) == 2


def test_runs_are_told(kept: Kept) -> None:
    """The first and the last, and those since an instant, whatever they were."""
    catalogue = SqlCatalogue(kept.database)
    for number, verb in enumerate(["download", "verify", "download"]):
        catalogue.begin_run(f"{number}", verb, START + number * DAY)
    assert kept.keeping.runs_between() == (START, START + 2 * DAY)
    assert kept.keeping.runs_since(START) == (START + DAY, START + 2 * DAY)


def test_old_rows_are_forgotten(kept: Kept) -> None:
    """With the results of runs; never the first run, nor the last of a verb."""
    catalogue = SqlCatalogue(kept.database)
    result = StreamResult("in_gate", Outcome.OK, Counts(), None, 1.0)
    began = [
        {"id": f"{number:04}", "verb": "download", "started_at": START + number * MINUTE}
        for number in range(1200)
    ]
    with kept.database.transaction(writes=True) as connection:
        connection.execute(insert(runs), began)
    catalogue.finish_run(RunRecord("0005", "download", START, START, streams=(result,)))
    catalogue.begin_run("v", "verify", START + MINUTE / 2)
    limits = Limits(START + 1500 * MINUTE, START, START)
    assert kept.keeping.outdated(limits) == Outdated(runs=1198)
    assert kept.keeping.forget_outdated(limits) == Outdated(runs=1198)
    assert kept.keeping.forget_outdated(limits) == Outdated()
    left = [("0000",), ("v",), ("1199",)]
    assert kept.store.sql("SELECT id FROM runs ORDER BY started_at") == left
    assert kept.store.sql("SELECT count(*) FROM stream_results") == [(0,)]


def test_the_last_good_run_is_not_forgotten(kept: Kept) -> None:
    """Of each verb, however long ago it was: since then it is not done well."""
    catalogue = SqlCatalogue(kept.database)
    for verb in ("download", "verify"):
        for number, outcome in enumerate([Outcome.OK, Outcome.OK, *[Outcome.FAILED] * 3]):
            started_at = START + number * MINUTE
            run = RunRecord(f"{number}-{verb}", verb, started_at, started_at, outcome, 0)
            catalogue.begin_run(run.id, verb, started_at)
            catalogue.finish_run(run)
    limits = Limits(START + DAY, START, START)
    kept.keeping.forget_outdated(limits)
    left = kept.store.sql("SELECT id FROM runs WHERE verb = 'verify' ORDER BY id")
    assert left == [("0-verify",), ("1-verify",), ("4-verify",)]
    assert catalogue.job_history("download").last_good == START + MINUTE


def test_old_notices_are_forgotten(kept: Kept) -> None:
    """What people were told, with what became of it, for as long as runs are remembered."""
    book = SqlAlertBook(kept.database)
    told = [
        Notice(f"n{number}", Kind.ALERT, START + number * DAY, "title", "text\n")
        for number in range(3)
    ]
    book.turn(lambda old: (old, [Parcel(one, "mail") for one in told]), [], START)
    limits = Limits(START + 2 * DAY, START, START)
    assert kept.keeping.outdated(limits) == Outdated(notices=2)
    assert kept.keeping.forget_outdated(limits) == Outdated(notices=2)
    assert kept.store.sql("SELECT notice_id FROM parcels") == [("n2",)]


def test_young_runs_are_kept(kept: Kept) -> None:
    """Only what began before the limit goes."""
    catalogue = SqlCatalogue(kept.database)
    for number in range(5):
        catalogue.begin_run(f"{number}", "download", START + number * DAY)
    kept.keeping.forget_outdated(Limits(START + 2 * DAY, START, START))
    assert kept.store.sql("SELECT id FROM runs ORDER BY id") == [("0",), ("2",), ("3",), ("4",)]


def test_no_question_reads_every_row(kept: Kept) -> None:
    """Each that is asked for each batch is answered by an index, as an archive is long."""
    holdings = kept.archive(*(at(minute) for minute in range(30)))
    with kept.statements() as asked:
        list(kept.keeping.holdings(before=at(20).captured_at))
        kept.keeping.newest()
        kept.keeping.knows([holding.key for holding in holdings])
        kept.keeping.captures_in("in_gate", ALWAYS)
        kept.keeping.doom(holdings)
        list(kept.keeping.doomed())
        kept.keeping.reprieve()
    leave_out = ("INSERT INTO horizons", "INSERT INTO totals", "PRAGMA", "SELECT set_config")
    questions = [one for one in asked if not one[0].startswith(leave_out)]
    assert len(questions) > 10
    for text, values in questions:
        steps = kept.plan(text, values)
        read = [step for step in steps if re.search("SCAN captures|Seq Scan on captures", step)]
        assert not read, (text, steps)


def test_nothing_is_held_while_holdings_are_read(kept: Kept) -> None:
    """Who deletes for an hour keeps nobody waiting, and has one batch in memory."""
    kept.archive(*(at(minute) for minute in range(1100)))
    with kept.statements() as asked:
        for number, _ in enumerate(kept.keeping.holdings()):
            if number in (0, 600, 1099):
                kept.store.lock_whole()
    pages = [text for text, _ in asked if "LIMIT" in text]
    assert len(pages) == 3


def test_a_pin_and_the_doom_of_what_it_keeps(kept: Kept) -> None:
    """Whichever is first: what a pin says that it keeps is there afterwards."""
    one, two = kept.archive(at(1), at(2))
    other = Database(kept.store.url)
    told: list[int] = []

    def pin() -> None:
        keeping = SqlKeeping(other)
        keeping.pin("in_gate", ALWAYS, "", START)
        told.append(keeping.captures_in("in_gate", ALWAYS))

    pinning = threading.Thread(target=pin)

    def meanwhile(_c: object, _k: object, text: str, *_: object) -> None:
        if text.startswith("DELETE FROM captures"):
            pinning.start()
            pinning.join(0.3)

    event.listen(kept.database.engine, "before_cursor_execute", meanwhile)
    assert kept.keeping.doom([one]) == (one,)
    pinning.join()
    other.close()
    assert told == [1]
    assert list(kept.keeping.holdings()) == [two]


def test_two_who_trim_one_pin(kept: Kept) -> None:
    """The second finds nothing of it any more: its windows are not kept twice."""
    found = kept.keeping.pin("in_gate", Window(START, START + 9 * DAY), "", START)
    rest = {found.id: [Window(START, START + DAY)]}
    other = Database(kept.store.url)
    trimming = threading.Thread(target=lambda: SqlKeeping(other).trim_pins(rest))

    def meanwhile(_c: object, _k: object, text: str, *_: object) -> None:
        if text.startswith("DELETE FROM pins") and not trimming.ident:
            trimming.start()
            trimming.join(0.3)

    event.listen(kept.database.engine, "after_cursor_execute", meanwhile)
    kept.keeping.trim_pins(rest)
    trimming.join()
    other.close()
    assert [one.window for one in kept.keeping.pins()] == rest[found.id]


def test_more_than_a_database_takes_values_at_once(kept: Kept) -> None:
    """PostgreSQL takes 65535 of them: lists of any length are asked and changed in pieces."""
    (known,) = kept.archive(at(1))
    others = [f"in_gate/no-capture-{number}" for number in range(66_000)]
    assert kept.keeping.knows([known.key, *others]) == {known.key}
    kept.keeping.forget([Holding(known.capture, key, 0) for key in others])


@pytest.mark.parametrize("moment", [datetime(2025, 9, 1)])  # noqa: DTZ001  # what must be refused
def test_times_need_a_zone(kept: Kept, moment: datetime) -> None:
    """Nobody knows which instant a naive one means."""
    kept.archive(at(1))
    with pytest.raises((TypeError, CatalogueError), match="no time zone"):
        list(kept.keeping.holdings(before=moment))


def test_a_catalogue_that_cannot_be_used_is_told(kept: Kept) -> None:
    """Whatever is asked of it."""
    holdings = kept.archive(at(1))
    kept.store.break_it()
    keeping = kept.keeping
    for ask in (
        keeping.captures,
        keeping.newest,
        keeping.runs_between,
        lambda: keeping.runs_since(START),
        lambda: keeping.knows([holdings[0].key]),
        lambda: list(keeping.holdings()),
        lambda: keeping.doom(holdings),
        lambda: list(keeping.doomed()),
        keeping.reprieve,
        lambda: keeping.forget(holdings),
        lambda: keeping.pin("in_gate", ALWAYS, "", START),
        keeping.pins,
        lambda: keeping.trim_pins({1: []}),
        lambda: keeping.captures_in("in_gate", ALWAYS),
        lambda: keeping.outdated(Limits(START, START, START)),
        lambda: keeping.forget_outdated(Limits(START, START, START)),
    ):
        with pytest.raises(CatalogueError, match=r"not a database|not currently accepting"):
            ask()
