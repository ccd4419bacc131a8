"""Captures that no clean-up deletes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from camdl.domain.windows import Window
from camdl.errors import UsageError
from camdl.verbs.pin import pin, pins, unpin, unpin_window
from tests.support.stock import NOW, Stock, ago

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from camdl.catalogue.keeping import SqlKeeping

DAY = timedelta(days=1)


@pytest.fixture
def stock(tmp_path: Path) -> Stock:
    """An archive of ten captures, one a day."""
    found = Stock(tmp_path)
    found.archive(*(ago(days) for days in range(10)))
    return found


@pytest.fixture
def keeping(stock: Stock) -> Iterator[SqlKeeping]:
    """What pins are kept in."""
    with stock.keeping() as found:
        yield found


def days_ago(first: int, last: int) -> Window:
    """From so many days before now up to so many."""
    return Window(NOW - first * DAY, NOW - last * DAY)


def test_a_pin_says_what_it_keeps(keeping: SqlKeeping) -> None:
    """How many captures are there now; those to come are kept too."""
    kept = pin(keeping, "in_gate", days_ago(5, 2), "an accident", NOW)
    assert (kept.captures, kept.pin.note) == (3, "an accident")
    to_come = pin(keeping, "yard", Window(NOW, NOW + DAY), "", NOW)
    assert to_come.captures == 0
    assert pins(keeping) == (kept, to_come)
    assert pins(keeping, ["yard"]) == (to_come,)


def test_pins_are_taken_away_by_id(keeping: SqlKeeping) -> None:
    """Each of them once, and none if one of the ids is unknown."""
    one = pin(keeping, "in_gate", days_ago(5, 2), "", NOW).pin
    two = pin(keeping, "in_gate", days_ago(9, 8), "", NOW).pin
    with pytest.raises(UsageError, match="there is no pin 77, 99") as told:
        unpin(keeping, [one.id, 77, 99])
    assert "--list" in told.value.advice
    assert len(pins(keeping)) == 2
    assert unpin(keeping, [two.id, two.id]) == (two,)
    assert [kept.pin for kept in pins(keeping)] == [one]


def test_pins_are_taken_away_by_time(keeping: SqlKeeping) -> None:
    """What they keep before and after that time they keep further on, and other streams' stay."""
    long = pin(keeping, "in_gate", days_ago(9, 1), "why", NOW).pin
    short = pin(keeping, "in_gate", days_ago(5, 4), "", NOW).pin
    pin(keeping, "in_gate", days_ago(2, 1), "", NOW)
    pin(keeping, "yard", days_ago(9, 1), "", NOW)
    assert unpin_window(keeping, "in_gate", days_ago(6, 3)) == (long, short)
    left = [(kept.pin.stream, kept.pin.window, kept.pin.note) for kept in pins(keeping)]
    assert sorted(left) == sorted(
        [
            ("in_gate", days_ago(9, 6), "why"),
            ("in_gate", days_ago(3, 1), "why"),
            ("in_gate", days_ago(2, 1), ""),
            ("yard", days_ago(9, 1), ""),
        ]
    )


def test_a_time_without_pins_is_told(keeping: SqlKeeping) -> None:
    """Whoever mistypes it should know that all is still pinned."""
    pin(keeping, "in_gate", days_ago(5, 4), "", NOW)
    with pytest.raises(UsageError, match="no pin keeps captures of in_gate"):
        unpin_window(keeping, "in_gate", days_ago(4, 1))
    with pytest.raises(UsageError, match="no pin keeps captures of yard"):
        unpin_window(keeping, "yard", days_ago(5, 4))


def test_unpinned_captures_get_old_again(stock: Stock, keeping: SqlKeeping) -> None:
    """The next clean-up takes them."""
    kept = pin(keeping, "in_gate", days_ago(10, 6), "", NOW)
    assert stock.cleanup(keep=6.5 * DAY).run.counts.deleted == 0
    unpin(keeping, [kept.pin.id])
    assert stock.cleanup(keep=6.5 * DAY).run.counts.deleted == 3
