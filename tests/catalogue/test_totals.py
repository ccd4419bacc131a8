"""Sums that are kept: whatever happens to the rows, they are what counting would give."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from camdl.catalogue.database import Database
from camdl.catalogue.keeping import SqlKeeping
from camdl.catalogue.rows import SqlCatalogue
from camdl.catalogue.verifying import SqlVerifying
from camdl.domain.captures import Capture, ListedCapture
from camdl.domain.failures import FailureKind
from camdl.domain.outcomes import (
    Counts,
    Outcome,
    RunRecord,
    Saved,
    StoredImage,
    StreamResult,
)
from camdl.domain.retention import Limits
from tests.support.catalogues import SqliteStore, empty_catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.support.catalogues import Store
    from tests.support.postgres import Postgres

NOON = datetime(2025, 9, 8, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
STREAMS = ("in_gate", "out_gate")

taken = st.lists(
    st.builds(
        lambda minute, stream: Capture(NOON + minute * MINUTE, stream),
        st.integers(0, 5),
        st.sampled_from(STREAMS),
    ),
    max_size=5,
)
kinds = st.dictionaries(st.sampled_from(FailureKind), st.integers(1, 9), max_size=2)


def image(capture: Capture) -> StoredImage:
    """An image of it, with a size of its own."""
    digest = hashlib.sha256(capture.key.encode()).hexdigest()
    size = 100 + capture.captured_at.minute
    return StoredImage(capture, capture.key, digest, size, 640, 360, "http://x", NOON)


class Sums(RuleBasedStateMachine):
    """All that changes rows of which sums are kept, in any order."""

    def __init__(self, new: Callable[[ExitStack], Store]) -> None:
        super().__init__()
        self.closing = ExitStack()
        self.store = new(self.closing)
        self.database = self.closing.enter_context(closing(Database(self.store.url)))
        self.catalogue = SqlCatalogue(self.database)
        self.keeping = SqlKeeping(self.database)
        self.verifying = SqlVerifying(self.database)
        self.numbers = count()
        self.added: dict[str, int] = dict.fromkeys(STREAMS, 0)
        self.deleted: dict[str, int] = dict.fromkeys(STREAMS, 0)
        self.lost: dict[str, int] = dict.fromkeys(STREAMS, 0)
        self.runs: dict[str, int] = {}
        self.failures: dict[tuple[str, str], int] = {}

    def teardown(self) -> None:
        """Leave nothing."""
        self.closing.close()

    def archived(self) -> set[Capture]:
        """What is archived."""
        return {one.capture for one in self.keeping.holdings()}

    @rule(captures=taken)
    def save(self, captures: list[Capture]) -> None:
        """A run saves these; some may be there already, and some come twice."""
        before = self.archived()
        saved = [(ListedCapture(one, "u"), Saved(image(one))) for one in captures]
        self.catalogue.record("r", saved, NOON)
        for one in self.archived() - before:
            self.added[one.stream] += 1

    @rule(captures=taken)
    def register(self, captures: list[Capture]) -> None:
        """A repair finds these."""
        before = self.archived()
        self.verifying.register([image(one) for one in captures], "r")
        for one in self.archived() - before:
            self.added[one.stream] += 1

    @rule(captures=taken)
    def delete(self, captures: list[Capture]) -> None:
        """A clean-up deletes these, as far as they are there."""
        gone = {
            one.capture
            for one in self.keeping.doom(
                [one for one in self.keeping.holdings() if one.capture in captures]
            )
        }
        for one in gone:
            self.deleted[one.stream] += 1

    @rule(captures=taken)
    def lose(self, captures: list[Capture]) -> None:
        """A verification finds that these are gone."""
        rows = [row for name in STREAMS for row in self.verifying.of(name)]
        gone = [(row, "gone") for row in rows if row.capture in captures]
        self.verifying.give_back(gone, NOON)
        for row, _ in gone:
            self.lost[row.capture.stream] += 1

    @rule(
        first=st.sampled_from(Outcome),
        then=st.none() | st.sampled_from(Outcome),
        failed=kinds,
        verb=st.sampled_from(["download", "cleanup"]),
    )
    def run(
        self, first: Outcome, then: Outcome | None, failed: Mapping[FailureKind, int], verb: str
    ) -> None:
        """A run ends, and perhaps it ends again."""
        number = next(self.numbers)
        started_at = NOON + number * MINUTE
        pairs = tuple(failed.items())
        result = StreamResult("in_gate", first, Counts(), None, 1.0, failures=pairs)
        self.catalogue.begin_run(str(number), verb, started_at)
        for outcome in filter(None, (first, then)):
            ended = RunRecord(
                str(number), verb, started_at, started_at, outcome, 0, streams=(result,)
            )
            self.catalogue.finish_run(ended)
        last = f"{verb} {then or first}"
        self.runs[last] = self.runs.get(last, 0) + 1
        for kind, times in pairs:
            place = ("in_gate", str(kind))
            self.failures[place] = self.failures.get(place, 0) + times

    @rule()
    def forget(self) -> None:
        """A clean-up forgets runs; what they came to stays."""
        soon = NOON + timedelta(days=1)
        self.keeping.forget_outdated(Limits(soon, soon, soon))

    @invariant()
    def sums_are_counts(self) -> None:
        """Each sum is what its rows, or all that ever happened, come to."""
        kept = {
            (str(name), str(subject), str(kind)): amount
            for name, subject, kind, amount in self.store.sql("SELECT * FROM totals")
            if amount
        }
        counted = self.store.sql(
            "SELECT stream, COUNT(*), SUM(bytes) FROM captures GROUP BY stream"
        )
        expected: dict[tuple[str, str, str], object] = {}
        for stream, number, size in counted:
            expected["captures", str(stream), ""] = number
            expected["bytes", str(stream), ""] = size
        for name, sums in (("added", self.added), ("deleted", self.deleted), ("lost", self.lost)):
            expected |= {(name, stream, ""): n for stream, n in sums.items() if n}
        expected |= {("runs", *last.split()): n for last, n in self.runs.items()}  # type: ignore[misc]
        expected |= {("failures", *place): times for place, times in self.failures.items()}
        sized = {("added-bytes"), ("deleted-bytes")}
        assert {place: n for place, n in kept.items() if place[0] not in sized} == expected
        for stream in STREAMS:
            added, deleted, here, lost = (
                kept.get((name, stream, ""), 0) for name in ("added", "deleted", "captures", "lost")
            )
            assert added == here + deleted + lost  # type: ignore[operator]


def in_a_file(closing: ExitStack) -> Store:
    """A new catalogue in SQLite."""
    directory = closing.enter_context(TemporaryDirectory())
    return SqliteStore(empty_catalogue(Path(directory) / "camdl.db"))


@pytest.mark.parametrize(("kind", "examples"), [("sqlite", 25), ("postgres", 5)])
def test_sums_are_what_counting_gives(
    kind: str, examples: int, request: pytest.FixtureRequest
) -> None:
    """After any sequence of runs, clean-ups and repairs."""

    def on_a_server(closing: ExitStack) -> Store:
        server: Postgres = request.getfixturevalue("postgres")
        return closing.enter_context(server.catalogue())

    new = {"sqlite": in_a_file, "postgres": on_a_server}[kind]

    class Here(Sums):
        """With a new catalogue for each sequence."""

        def __init__(self) -> None:
            super().__init__(new)

    run_state_machine_as_test(
        Here, settings=settings(max_examples=examples, stateful_step_count=12, deadline=None)
    )
