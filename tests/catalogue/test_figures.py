"""What can be counted in the catalogue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from camdl.catalogue.database import Database
from camdl.catalogue.figures import SqlFigures
from camdl.catalogue.ledger import SqlLedger
from camdl.catalogue.rows import SqlCatalogue
from camdl.domain.captures import Capture, ListedCapture
from camdl.domain.figures import Figures, Gaps
from camdl.domain.gaps import Cause, Gap, State
from camdl.domain.outcomes import Outcome, RunRecord
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


def test_a_catalogue_that_is_damaged(database: Database, store: Store) -> None:
    """What camdl never wrote is told as that, and what cannot be used too."""
    store.sql("INSERT INTO totals VALUES ('nonsense', '', '', 1)")
    with pytest.raises(CatalogueError, match="is damaged"):
        SqlFigures(database).figures()
    store.break_it()
    with pytest.raises(CatalogueError):
        SqlFigures(database).figures()
