"""What `camdl gaps` finds, in a catalogue that runs have filled."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from camdl.catalogue.ledger import SqlLedger
from camdl.domain.gaps import Cause, State
from camdl.errors import CatalogueError
from camdl.verbs.gaps import gaps
from camdl.verbs.stocktaking import Stocktaking
from tests.support.world import INTERVAL, NOW, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from camdl.verbs.gaps import Lacking


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two streams with captures of an hour, each with half an hour missing in it."""
    world = World(tmp_path)
    world.publish("in_gate", 95, 105, 155, 165)
    world.publish("out_gate", 95, 135, 145)
    world.clock = NOW - timedelta(minutes=95)
    world.download()
    return world


@contextmanager
def stocktaking(world: World) -> Iterator[Stocktaking]:
    """What tells the gaps of `world`."""
    with world.catalogue() as catalogue:
        assert catalogue is not None
        yield Stocktaking(SqlLedger(catalogue.database), catalogue, timedelta(days=7), INTERVAL)


def found(
    world: World,
    now: datetime = NOW - timedelta(minutes=60),
    *,
    since: datetime | None = None,
    resolved: bool = False,
) -> Lacking:
    """What is found, half an hour after the last capture unless told."""
    with stocktaking(world) as stock:
        return gaps(stock, world.streams, now, since=since, resolved=resolved)


def told(lacking: Lacking) -> list[tuple[str, int, int, State]]:
    """Each gap: stream, from and to in minutes before `NOW`, state."""
    minute = timedelta(minutes=1)
    return [
        (
            gap.stream,
            (NOW - gap.window.start) // minute,
            (NOW - gap.window.end) // minute,
            gap.state,
        )
        for gap in lacking.gaps
    ]


def test_without_a_catalogue_nothing_is_missing(world: World) -> None:
    """Where nothing was ever archived nothing is expected."""
    lacking = gaps(None, world.streams, NOW)
    assert (lacking.gaps, lacking.exit_code) == ((), 0)


def test_open_gaps_are_told_stream_by_stream(world: World) -> None:
    """As long as one may still be filled, monitoring hears of it."""
    lacking = found(world)
    assert told(lacking) == [
        ("in_gate", 145, 105, State.OPEN),
        ("out_gate", 125, 95, State.OPEN),
    ]
    assert lacking.exit_code == 1


def test_only_the_streams_of_the_question(world: World) -> None:
    """What another one lacks is not told."""
    world.streams = world.streams[1:]
    assert [gap.stream for gap in found(world).gaps] == ["out_gate"]


def test_only_what_ends_later(world: World) -> None:
    """A gap that ended before the time of the question is left out."""
    since = NOW - timedelta(minutes=105)
    assert [gap.stream for gap in found(world, since=since).gaps] == ["out_gate"]
    assert len(found(world, since=since - timedelta(seconds=1)).gaps) == 2


def test_a_gap_is_told_though_nothing_runs_any_more(world: World) -> None:
    """If cron is dead no run brings the ledger up to date: what it lacks is told all the same."""
    last = found(world, NOW + timedelta(days=3)).gaps[-1]
    # The last run that should have been is less than an interval and a half ago.
    until = timedelta(days=3) - timedelta(minutes=30)
    assert until - timedelta(minutes=15) < last.window.end - NOW <= until
    assert last.cause is Cause.NOT_RUN


def test_confirmed_gaps_are_told_and_are_no_alarm(world: World) -> None:
    """What the source does not have nobody can get: told, but 0."""
    with stocktaking(world) as stock:
        for stream in world.streams:
            stock.ledger.record_reading(stream.name, {NOW.date(): 3}, NOW - timedelta(minutes=62))
    lacking = found(world)
    assert {gap.state for gap in lacking.gaps} == {State.CONFIRMED}
    assert (len(lacking.gaps), lacking.exit_code) == (2, 0)


def test_resolved_gaps_are_told_if_asked_for(world: World) -> None:
    """What was missing and came after all is history."""
    world.clock = NOW - timedelta(minutes=60)
    world.download()
    world.publish("in_gate", 115, 125, 135, 145, 85, 75)
    world.publish("out_gate", 105, 115, 125, 85, 75)
    world.download()
    assert told(found(world)) == []
    lacking = found(world, resolved=True)
    assert told(lacking) == [
        ("in_gate", 145, 105, State.RESOLVED),
        ("out_gate", 125, 95, State.RESOLVED),
    ]
    assert lacking.exit_code == 0


def test_looking_changes_nothing(world: World) -> None:
    """A question leaves the catalogue as it is, to the byte."""
    before = world.database.read_bytes()
    found(world, NOW + timedelta(days=3))
    assert world.database.read_bytes() == before


def test_a_catalogue_that_cannot_be_read_is_an_error(world: World) -> None:
    """Nobody is told that nothing is missing where nothing could be looked at."""
    with stocktaking(world) as stock:
        world.database.write_bytes(b"no database at all, " * 1000)
        with pytest.raises(CatalogueError):
            gaps(stock, world.streams, NOW)
