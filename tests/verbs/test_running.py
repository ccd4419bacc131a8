"""What is told of every run at its end."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from camdl.domain.outcomes import Rejected
from camdl.errors import CatalogueError, StorageError
from camdl.verbs.running import run_id
from tests.support.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Told(logging.Handler):
    """Remembers what those who keep a log are told: the level and what is said."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Remember it."""
        self.records.append(record)

    def said(self) -> list[str]:
        """All but that a run has begun."""
        there = [one for one in self.records if one.levelno > logging.DEBUG]
        return [f"{one.levelname.lower()} {one.getMessage()}" for one in there]


@pytest.fixture
def told() -> Iterator[Told]:
    """What is told in this test."""
    handler, events = Told(), logging.getLogger("camdl.events")
    level = events.level
    events.addHandler(handler)
    events.setLevel(logging.DEBUG)
    yield handler
    events.setLevel(level)
    events.removeHandler(handler)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """The world of a download."""
    return World(tmp_path)


def test_a_run_is_told_once_it_is_over(world: World, told: Told) -> None:
    """What was begun is ended, with the run and its fields for whoever wants them."""
    world.publish("in_gate", 5)
    world.publish("out_gate")
    finished = world.download()
    begun, ended = told.records
    assert (begun.levelno, begun.getMessage()) == (logging.DEBUG, "begun")
    assert told.said() == ["info in_gate 1 saved, out_gate 0 new, ok in 0.0 s"]
    assert vars(begun)["run"].id == vars(ended)["run"].id == finished.run.id
    assert vars(ended)["run"] == finished.run
    assert (vars(ended)["closes"], vars(ended)["fields"]["saved"]) == (True, "1")


def test_streams_that_are_not_ok_are_told_by_themselves(world: World, told: Told) -> None:
    """Each with its reason, and none that is."""
    world.publish("in_gate", 5, image=Rejected("HTML"))
    world.publish("out_gate")
    world.download()
    assert told.said() == [
        "warning in_gate partly, 1 rejected: HTML",
        "warning in_gate 1 rejected, out_gate 0 new, partly in 0.0 s (exit 1)",
    ]


def test_what_ended_a_run_is_told_with_its_advice(world: World, told: Told) -> None:
    """So that who reads the log knows what to do."""
    world.cannot_open = CatalogueError("it is locked", advice="Unlock it.")
    world.download()
    assert told.said() == ["error failed in 0.0 s (exit 74): it is locked"]
    assert vars(told.records[-1])["fields"]["advice"] == "Unlock it."


def test_a_verdict_that_cannot_be_written_is_told(
    world: World, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is how the run ended."""

    def refuse(_: object) -> None:
        raise StorageError("no space left")

    monkeypatch.setattr(world, "write_health", refuse)
    world.publish("in_gate")
    world.publish("out_gate")
    world.download()
    assert told.said() == [
        "error in_gate 0 new, out_gate 0 new, failed in 0.0 s (exit 74): no space left"
    ]


def test_a_bug_is_told(world: World, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, without its traceback."""

    def slip(*_: object) -> None:
        raise KeyError("nothing")

    monkeypatch.setattr(world, "open", slip)
    with pytest.raises(KeyError):
        world.download()
    assert told.said() == ["error failed in 0.0 s (exit 70): KeyError: 'nothing'"]


@pytest.mark.parametrize("fails", [False, True])
def test_a_dry_run_is_told_only_if_it_failed(world: World, told: Told, fails: bool) -> None:
    """It changes nothing, and the log neither; but where nobody watches, what failed is said."""
    world.publish("in_gate", 5)
    world.publish("out_gate")
    if fails:
        world.cannot_open = CatalogueError("it is locked")
    world.download(dry_run=True)
    assert len(told.said()) == fails


instants = st.datetimes(datetime(2000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # it adds one


@given(instants, st.timedeltas(timedelta(microseconds=1), timedelta(seconds=2)))
def test_ids_sort_as_runs_began(began: datetime, later: timedelta) -> None:
    """Also within a second: by them the verdict knows which run was the last."""
    assume(began.year < 9999)
    assert run_id(began) < run_id(began + later)
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}", run_id(began))


def test_no_two_runs_have_one_id() -> None:
    """Though they began in the same microsecond, as two machines may."""
    moment = datetime(2025, 9, 8, 20, 22, 30, 999_999, UTC)
    assert len({run_id(moment) for _ in range(30)}) > 25
