"""Lost captures come back: what is asked for, how much of it, and what is left by a fault."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from camdl.archive.local import LocalArchive
from camdl.catalogue.database import Database
from camdl.catalogue.ledger import SqlLedger
from camdl.catalogue.rows import SqlCatalogue
from camdl.deadline import Deadline
from camdl.domain.captures import ListedCapture
from camdl.domain.outcomes import Duplicate, Failed, Rejected, Saved
from camdl.errors import CatalogueError, StorageError
from camdl.rests import Rests
from camdl.verbs.obtaining import Ports
from camdl.verbs.refetching import Order, Refetching
from tests.support.fake_archive import FakeArchive
from tests.support.fake_fetcher import FakeFetcher
from tests.support.yard import STREAMS, Yard, capture, picture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from camdl.domain.outcomes import Body
    from camdl.ports import Archive

ORIGIN = "http://127.0.0.1:9"


def lost(*numbers: int) -> list[ListedCapture]:
    """What is to be fetched again: these captures of the first stream."""
    return [
        ListedCapture(capture(one), STREAMS["in_gate"].image.url(capture(one))) for one in numbers
    ]


class World:
    """An archive and a catalogue that have nothing, and a source that has captures 0 to 9."""

    def __init__(self, home: Path) -> None:
        self.yard = Yard(home)
        self.fetcher = FakeFetcher({one.url: picture(n) for n, one in enumerate(lost(*range(10)))})
        self.archive: Archive = LocalArchive(self.yard.images)
        self.rests = Rests()
        self.rows: type[SqlCatalogue] = SqlCatalogue
        self.deadlines: list[Deadline] = []

    def refetching(self, **order: float) -> Refetching:
        """What fetches again, with one worker unless `order` says otherwise."""
        limits = {"concurrent": 1, **order}
        return Refetching(Order(STREAMS, **limits), self.open, lambda: self.yard.now)  # type: ignore[arg-type]

    @contextmanager
    def open(self, deadline: Deadline) -> Iterator[Ports]:
        """The fake source, and what else is real."""
        self.deadlines.append(deadline)
        database = Database(self.yard.url)
        try:
            rows, ledger = self.rows(database), SqlLedger(database)
            yield Ports(self.fetcher, self.archive, rows, ledger, self.rests)
        finally:
            database.close()

    def here(self) -> list[str]:
        """The keys of what is archived."""
        return [str(row[2]) for row in self.yard.facts()]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Everything is lost."""
    return World(tmp_path)


def test_what_comes_is_stored_and_recorded(world: World) -> None:
    """Newest first; what does not come is pending with its reason."""
    found = world.refetching()("r1", lost(3, 5, 99, 4))
    assert [one.capture for one, _ in found] == [capture(n) for n in (99, 5, 4, 3)]
    assert isinstance(found[0][1], Rejected)
    assert all(isinstance(outcome, Saved) for _, outcome in found[1:])
    assert world.here() == [capture(n).key for n in (3, 4, 5)]
    assert world.yard.path(capture(4)).read_bytes() == picture(4)
    assert world.yard.pending() == {capture(99).key: "the answer is HTTP 404 Not Found"}


def test_no_more_is_asked_for_than_a_run_may(world: World) -> None:
    """The limit is that of all calls together, and the newest come first."""
    refetch = world.refetching(most_requests=3)
    assert len(refetch("r1", lost(0, 1))) == 2
    assert [one.capture for one, _ in refetch("r1", lost(2, 3))] == [capture(3)]
    assert refetch("r1", lost(4)) == []
    assert len(world.fetcher.asked) == 3
    assert refetch("r1", []) == []


def test_a_host_that_asked_to_be_left_alone_is_known(world: World) -> None:
    """What it asked of an earlier run holds here too, and what it asks here holds for the next."""
    with world.open(Deadline.after(1)) as ports:
        until = world.yard.now + timedelta(hours=1)
        ports.ledger.record_rests({"http://other.example:80": until}, world.yard.now)

    class Busy(FakeFetcher):
        def fetch(
            self, url: str, origins: frozenset[str], deadline: Deadline
        ) -> Body | Rejected | Failed:
            world.rests.ask(ORIGIN, 600)
            return Failed("it asks to be left alone", until)

    world.fetcher = Busy()
    ((_, outcome),) = world.refetching()("r1", lost(1))
    assert isinstance(outcome, Failed)
    assert world.rests.remaining("http://other.example:80") > 3500
    with world.open(Deadline.after(1)) as ports:
        assert set(ports.ledger.rests(world.yard.now)) == {"http://other.example:80", ORIGIN}


def test_the_lock_is_not_held_for_long(world: World) -> None:
    """What is not begun in time is left to the next download, and nothing is known of it here."""
    assert world.refetching(seconds=0)("r1", lost(1, 2)) == []
    assert (world.fetcher.asked, world.here()) == ([], [])
    world.refetching()("r1", lost(1))
    assert 20 < world.deadlines[-1].remaining() <= 30


def test_a_disk_that_is_full_ends_it(world: World) -> None:
    """What was stored before is recorded, and the error is told."""

    class Filling(FakeArchive):
        def put(self, *what: object) -> str:
            self.fault = StorageError("no space") if len(self.stored) == 1 else None
            return super().put(*what)  # type: ignore[arg-type]

    world.archive = Filling()
    with pytest.raises(StorageError, match="no space"):
        world.refetching()("r1", lost(1, 2, 3))
    assert world.here() == [capture(3).key]


def test_what_got_done_beside_an_error_is_recorded(world: World) -> None:
    """Other images are under way when one cannot be stored."""
    stored, may_fail = threading.Event(), threading.Barrier(2)

    class Failing(FakeArchive):
        def put(self, *what: object) -> str:
            may_fail.wait(20)
            if what[0] == capture(1):
                stored.wait(20)
                raise StorageError("no space")
            key = super().put(*what)  # type: ignore[arg-type]
            threading.Timer(0.2, stored.set).start()
            return key

    world.archive = Failing()
    with pytest.raises(StorageError, match="no space"):
        world.refetching(concurrent=2)("r1", lost(1, 2))
    assert world.here() == [capture(2).key]


def test_a_catalogue_that_breaks_meanwhile(world: World) -> None:
    """What cannot be recorded is told once, and the next run finds the files."""

    class Broken(SqlCatalogue):
        def record(self, *_: object) -> None:
            raise CatalogueError("gone")

    world.rows = Broken
    with pytest.raises(CatalogueError, match="gone"):
        world.refetching(batch_size=1)("r1", lost(1, 2))
    assert world.yard.path(capture(2)).read_bytes() == picture(2)
    world.rows = SqlCatalogue
    found = world.refetching()("r1", lost(2))
    assert isinstance(found[0][1], Duplicate)
    assert world.here() == [capture(2).key]
