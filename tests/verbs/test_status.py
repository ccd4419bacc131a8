"""What there is to see of an archive."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from camdl.catalogue.ledger import SqlLedger
from camdl.domain.coverage import Cell
from camdl.domain.gaps import Cause
from camdl.domain.schedule import jobs
from camdl.errors import CatalogueError, StorageError
from camdl.verbs.health import Order, health
from camdl.verbs.status import status
from camdl.verbs.stocktaking import Stocktaking
from tests.support.looks import FakeLooks
from tests.support.world import INTERVAL, NOW, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from camdl.domain.overview import Overview
    from camdl.errors import CamdlError

LATER = NOW + timedelta(hours=6)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """The world of a download."""
    return World(tmp_path)


def overview(world: World, now: datetime = NOW, fault: CamdlError | None = None) -> Overview:
    """What there is to see at `now`."""
    with world.catalogue() as catalogue:
        looks = FakeLooks()
        looks.there = catalogue
        verdict = health(Order(world.streams, jobs(10), INTERVAL), looks, now)

    @contextmanager
    def stocktaking() -> Iterator[Stocktaking | None]:
        if fault:
            raise fault
        with world.catalogue() as catalogue:
            if catalogue is None:
                yield None
            else:
                ledger = SqlLedger(catalogue.database)
                yield Stocktaking(ledger, catalogue, timedelta(days=7), INTERVAL)

    return status(verdict, stocktaking, world.streams, now)


def test_an_archive_that_is_well(world: World) -> None:
    """The verdict, each stream's last day, and no gap."""
    for name in ("in_gate", "out_gate"):
        world.publish(name, *range(5, 125, 10))
    world.download()
    found = overview(world)
    assert [one.stream for one in found.days] == ["in_gate", "out_gate"]
    assert [(one.archived, one.missing) for one in found.days] == [(12, 0)] * 2
    assert found.days[0].cells.count(Cell.ARCHIVED) == 12
    assert (found.gaps, found.fault) == ((), "")
    assert [one.newest for one in found.health.streams] == [NOW - timedelta(minutes=5)] * 2


def test_gaps_come_newest_first(world: World) -> None:
    """Those that may still be filled, of all streams; the strip shows as many."""
    world.publish("in_gate", 5, 15, 25, 35, 45, 85, 95, 165)
    world.publish("out_gate", 5, 15, 25, 35, 45, 55, 105)
    world.download()
    found = overview(world)
    assert [(one.stream, one.missing) for one in found.gaps] == [
        ("in_gate", 3),
        ("out_gate", 4),
        ("in_gate", 6),
    ]
    assert [one.missing for one in found.days] == [9, 4]
    assert [one.cells.count(Cell.MISSING) for one in found.days] == [9, 4]


def test_what_nothing_has_recorded_yet(world: World) -> None:
    """If camdl does not run any more, what is missing since then is seen all the same."""
    for name in ("in_gate", "out_gate"):
        world.publish(name, 5, 15)
    world.download()
    found = overview(world, LATER)
    assert [(one.cause, one.stream) for one in found.gaps] == [
        (Cause.NOT_RUN, "in_gate"),
        (Cause.NOT_RUN, "out_gate"),
    ]
    assert found.days[0].missing == found.gaps[0].missing > 30


def test_before_the_first_run(world: World) -> None:
    """There is a strip with nothing in it, and nothing is missing."""
    found = overview(world)
    assert [one.archived for one in found.days] == [0, 0]
    assert {*found.days[0].cells} == {Cell.BEFORE, Cell.TO_COME}
    assert found.gaps == ()


@pytest.mark.parametrize("error", [CatalogueError("it is locked"), StorageError("a stale handle")])
def test_what_cannot_be_read_is_part_of_it(world: World, error: CamdlError) -> None:
    """The rest is told all the same."""
    found = overview(world, fault=error)
    assert (found.days, found.gaps, found.fault) == ((), (), str(error))
    assert found.health.disk is not None
