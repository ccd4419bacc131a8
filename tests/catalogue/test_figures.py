"""What can be counted in the catalogue."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from camdl.catalogue.database import Database
from camdl.catalogue.figures import SqlFigures
from camdl.catalogue.ledger import SqlLedger
from camdl.catalogue.rows import SqlCatalogue
from camdl.domain.captures import Capture, ListedCapture
from camdl.domain.figures import Figures, Gaps
from camdl.domain.gaps import Cause, Gap, State
from camdl.domain.outcomes import (
    Counts,
    JobHistory,
    Outcome,
    RunRecord,
    StreamHistory,
    StreamResult,
)
from camdl.domain.totals import Name, Total
from camdl.domain.windows import Window
from camdl.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.catalogues import Store

NOON = datetime(2025, 9, 8, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def database(store: Store) -> Iterator[Database]:
    """An empty catalogue."""
    found = Database(store.url)
    yield found
    found.close()


def gap(
    stream: str, hour: int, missing: int, *, confirmed: bool = False, filled: bool = False
) -> Gap:
    """A gap of an hour."""
    start = NOON + hour * HOUR
    return Gap(
        stream,
        Window(start, start + HOUR),
        missing,
        Cause.NOT_RUN,
        "",
        NOON if confirmed else None,
        NOON if filled else None,
    )


def plan(database: Database, text: str, values: Any) -> list[str]:
    """How the database would go about a question, if its tables were long."""
    with database.engine.connect() as connection:
        if database.is_sqlite:
            found = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", tuple(values))
        else:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            found = connection.exec_driver_sql(f"EXPLAIN {text}", values)
        return [str(row[-1]) for row in found]


def test_an_empty_catalogue(database: Database) -> None:
    """There is nothing to count, and every sum is none."""
    figures = SqlFigures(database).figures()
    assert figures == Figures()
    assert figures.total(Name.CAPTURES, "in_gate") == 0
    assert figures.subjects(Name.CAPTURES) == []


def test_what_is_counted(database: Database) -> None:
    """Gaps by what may become of them, what is waited for, and the sums that are kept."""
    catalogue = SqlCatalogue(database)
    run = RunRecord("r1", "download", NOON, NOON, Outcome.OK, 0)
    catalogue.begin_run(run.id, run.verb, run.started_at)
    catalogue.finish_run(run)
    listed = [
        (ListedCapture(Capture(NOON + n * HOUR, stream), "u"), None)
        for stream, number in (("in_gate", 2), ("out_gate", 1))
        for n in range(number)
    ]
    catalogue.record("r1", listed, NOON)
    found = [
        gap("in_gate", 0, 3),
        gap("in_gate", 2, 4),
        gap("in_gate", 4, 1, confirmed=True),
        gap("in_gate", 6, 9, filled=True),
        gap("out_gate", 0, 2, confirmed=True),
    ]
    SqlLedger(database).replace_gaps(found, [], NOON)
    figures = SqlFigures(database).figures()
    assert figures.gaps == (
        Gaps("in_gate", State.OPEN, 2, 7),
        Gaps("in_gate", State.CONFIRMED, 1, 1),
        Gaps("out_gate", State.CONFIRMED, 1, 2),
    )
    assert figures.pending == {"in_gate": 2, "out_gate": 1}
    assert figures.totals == {Total(Name.RUNS, "download", "ok"): 1}
    assert figures.total(Name.RUNS, "download", Outcome.OK) == 1
    assert figures.subjects(Name.RUNS) == ["download"]


def test_no_question_of_a_verdict_reads_every_row(database: Database) -> None:
    """Neither of captures nor of what runs did: monitoring asks often, and archives are long."""
    catalogue = SqlCatalogue(database)
    asked: list[tuple[str, Any]] = []

    def note(_c: object, _k: object, text: str, values: object, *_: object) -> None:
        asked.append((text, values))

    for number, outcome in enumerate((Outcome.OK, Outcome.FAILED)):
        result = StreamResult("in_gate", outcome, Counts(), None, 1.0, "gone")
        started_at = NOON + number * HOUR
        run = RunRecord(str(number), "download", started_at, started_at, outcome, 0, "", (result,))
        catalogue.begin_run(run.id, run.verb, started_at)
        catalogue.finish_run(run)
    catalogue.begin_run("2", "download", NOON + 2 * HOUR)
    event.listen(database.engine, "before_cursor_execute", note)
    assert catalogue.stream_history("in_gate").consecutive_failures == 1
    assert catalogue.stream_history("new") == StreamHistory("new", None, 0, "")
    assert catalogue.job_history("download").last_good == NOON
    assert catalogue.job_history("verify") == JobHistory()
    catalogue.clock_reading()
    catalogue.first_run()
    SqlFigures(database).figures()
    event.remove(database.engine, "before_cursor_execute", note)
    questions = [one for one in asked if one[0].startswith("SELECT")]
    assert len(questions) > 12
    large = re.compile(
        r"SCAN (captures|stream_results|failures)\b|SCAN runs(?! USING COVERING)"
        r"|Seq Scan on (captures|stream_results|failures|runs)\b"
    )
    for text, values in questions:
        steps = plan(database, text, values)
        assert not any(large.search(step) for step in steps), (text, steps)


def test_a_catalogue_that_is_damaged(database: Database, store: Store) -> None:
    """What camdl never wrote is told as that, and what cannot be used too."""
    store.sql("INSERT INTO totals VALUES ('nonsense', '', '', 1)")
    with pytest.raises(CatalogueError, match="is damaged"):
        SqlFigures(database).figures()
    store.break_it()
    with pytest.raises(CatalogueError):
        SqlFigures(database).figures()
