"""What stands in the rows, beyond what the catalogue tells."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from camdl.catalogue.database import Database
from camdl.catalogue.rows import SqlCatalogue
from camdl.domain.captures import Capture, ListedCapture
from camdl.domain.outcomes import (
    Counts,
    Duplicate,
    Failed,
    Outcome,
    RunRecord,
    Saved,
    StoredImage,
    StreamResult,
)
from camdl.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.catalogues import Store

NOON = datetime(2025, 9, 8, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(hours=3, microseconds=5)
LISTED = ListedCapture(Capture(NOON, "in_gate"), "https://cdn/x")
RESULT = StreamResult("in_gate", Outcome.OK, Counts(), NOON, 1.0)
RUN = RunRecord("r1", "download", NOON, LATER, Outcome.OK, 0, "", (RESULT,))


@pytest.fixture
def catalogue(store: Store) -> Iterator[SqlCatalogue]:
    """The catalogue in `store`."""
    with closing(Database(store.url)) as database:
        yield SqlCatalogue(database)


def image(digit: str, fetched_at: datetime) -> StoredImage:
    """An image of LISTED."""
    capture = LISTED.capture
    return StoredImage(
        capture, capture.key, digit * 64, 2**40, 1200, 675, "https://cdn/x", fetched_at
    )


def test_every_fact_of_an_image_is_recorded(store: Store, catalogue: SqlCatalogue) -> None:
    """Enough to check its file, and to know where it came from; times are UTC."""
    catalogue.record("r1", [(LISTED, Saved(image("a", LATER)))], NOON)
    assert store.sql("SELECT * FROM captures") == [
        (
            *("in_gate", "2025-09-08 12:00:00.000000"),
            "in_gate/2025-09-08/20250908T120000Z_in_gate.jpg",
            *("a" * 64, 2**40, 1200, 675, "https://cdn/x"),
            *("2025-09-08 15:00:00.000005", "r1", None),
        )
    ]


def test_the_first_record_of_a_capture_stays(store: Store, catalogue: SqlCatalogue) -> None:
    """What a second run found of the same capture does not replace what the first recorded."""
    catalogue.record("r1", [(LISTED, Saved(image("a", NOON)))], NOON)
    before = store.sql("SELECT * FROM captures")
    for outcome in (Duplicate(image("b", LATER)), Saved(image("c", LATER))):
        catalogue.record("r2", [(LISTED, outcome)], LATER)
        assert store.sql("SELECT * FROM captures") == before


def test_when_it_was_first_listed_stays(store: Store, catalogue: SqlCatalogue) -> None:
    """However often it is listed again or fails, it is known since when it is missing."""
    catalogue.record("r1", [(LISTED, None)], NOON)
    catalogue.record("r2", [(LISTED, Failed("HTTP 503"))], LATER)
    catalogue.record("r3", [(LISTED, None)], LATER)
    assert store.sql("SELECT listed_at, reason FROM pending") == [
        ("2025-09-08 12:00:00.000000", "HTTP 503")
    ]


def test_what_is_saved_is_pending_no_more(store: Store, catalogue: SqlCatalogue) -> None:
    """Its row goes; a row that another run adds afterwards is not told."""
    catalogue.record("r1", [(LISTED, Failed("HTTP 503"))], NOON)
    catalogue.record("r1", [(LISTED, Saved(image("a", NOON)))], NOON)
    assert store.sql("SELECT * FROM pending") == []
    catalogue.record("r2", [(LISTED, None)], LATER)
    assert catalogue.pending("in_gate", NOON) == ()


def test_results_belong_to_a_run(store: Store, catalogue: SqlCatalogue) -> None:
    """There are none of a run that never began, and they go with their run; images stay."""
    with pytest.raises(CatalogueError, match=r"(?i)foreign key"):
        catalogue.finish_run(RUN)
    catalogue.begin_run(RUN.id, RUN.verb, RUN.started_at)
    catalogue.finish_run(RUN)
    catalogue.record("r1", [(LISTED, Saved(image("a", NOON)))], NOON)
    store.sql("DELETE FROM runs")
    assert store.sql("SELECT * FROM stream_results") == []
    assert store.sql("SELECT run_id FROM captures") == [("r1",)]


def test_a_run_begins_once(catalogue: SqlCatalogue) -> None:
    """Two runs of one name would be told as one."""
    catalogue.begin_run("r1", "download", NOON)
    with pytest.raises(CatalogueError, match=r"(?i)unique"):
        catalogue.begin_run("r1", "download", LATER)


ANYWHERE = [
    "UPDATE pending SET stream = 'In Gate'",
    "UPDATE runs SET outcome = 'splendid'",
    "UPDATE stream_results SET outcome = ''",
]
IN_SQLITE = [
    "UPDATE pending SET captured_at = 'yesterday'",
    "UPDATE pending SET captured_at = x'00ff'",
    "UPDATE pending SET captured_at = '2025-09-08 12:00:00.5'",
    "UPDATE pending SET url = CAST(x'ff' AS TEXT)",
    "UPDATE captures SET captured_at = 'later'",
    "UPDATE runs SET started_at = ''",
]
IN_POSTGRES = [
    "UPDATE pending SET captured_at = 'infinity'",
    "UPDATE captures SET captured_at = '10000-01-01 00:00:00'",
    "UPDATE runs SET started_at = '0001-01-01 00:00:00 BC'",
]


@pytest.mark.parametrize(
    ("store", "damage"),
    [
        *(("sqlite", damage) for damage in ANYWHERE + IN_SQLITE),
        *(("postgres", damage) for damage in ANYWHERE + IN_POSTGRES),
    ],
    indirect=["store"],
)
def test_what_camdl_never_wrote_is_told(store: Store, catalogue: SqlCatalogue, damage: str) -> None:
    """A row that cannot be understood is a fault of the catalogue, in one line, and no bug."""
    catalogue.record("r1", [(LISTED, Failed("HTTP 503"))], NOON)
    other = Capture(LATER.replace(microsecond=0), "in_gate")
    stored = StoredImage(other, other.key, "a" * 64, 1, 1, 1, "https://cdn/y", LATER)
    catalogue.record("r1", [(ListedCapture(other, "https://cdn/y"), Saved(stored))], NOON)
    catalogue.begin_run(RUN.id, RUN.verb, RUN.started_at)
    catalogue.finish_run(RUN)
    store.sql(damage)
    stream = "In Gate" if "In Gate" in damage else "in_gate"
    questions: list[Callable[[], object]] = [
        lambda: catalogue.pending(stream, NOON - timedelta(days=10_000)),
        lambda: catalogue.newest("in_gate"),
        lambda: catalogue.last_runs("download", 1),
    ]
    errors = []
    for ask in questions:
        try:
            ask()
        except CatalogueError as error:
            errors.append(error)
    assert len(errors) == 1
    assert str(errors[0]).startswith(f"the catalogue {store.name}")
    assert str(errors[0]).isprintable()
