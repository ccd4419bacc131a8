"""What may leave the archive, and when nothing may."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdl.domain.captures import Capture
from camdl.domain.retention import (
    Holding,
    Pin,
    Pinned,
    Policy,
    Room,
    Stock,
    doubt,
    going,
    longest_pause,
    nothing_sure,
    too_much,
)
from camdl.domain.windows import Window

NOW = datetime(2025, 9, 8, 20, 30, tzinfo=UTC)
START = datetime(2025, 9, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

hours = st.integers(0, 200)
streams = st.sampled_from(["in_gate", "out_gate", "yard"])
captures = st.builds(lambda hour, stream: Capture(START + hour * HOUR, stream), hours, streams)
stocks = st.lists(
    st.builds(lambda one, size: Holding(one, one.key, size), captures, st.integers(0, 20_000)),
    max_size=60,
    unique_by=lambda one: one.capture,
).map(lambda found: sorted(found, key=lambda one: one.capture))
pins = st.lists(
    st.builds(
        lambda start, length, stream: Pin(
            1, stream, Window(START + start * HOUR, START + (start + length) * HOUR)
        ),
        hours,
        st.integers(1, 50),
        streams,
    ),
    max_size=6,
)
rooms = st.sampled_from([Room(0, 0), Room(0, 0, 4096)])
moments = hours.map(lambda hour: START + hour * HOUR)


@given(stocks, pins, moments, st.integers(0, 300_000), rooms)
def test_only_what_the_policy_says_goes(
    stock: list[Holding], pinned: list[Pin], before: datetime, to_free: int, room: Room
) -> None:
    """Nothing goes that is pinned, not listed, or young where there is room without it."""
    gone = list(going(iter(stock), Policy(before, Pinned(pinned), to_free, room)))
    assert gone == [one for one in stock if one in gone]  # listed, each once, the oldest first
    freed_before = accumulate((room.taken_by(one.size) for one in gone), initial=0)
    for one, freed in zip(gone, freed_before, strict=False):
        assert not any(pin.holds(one.capture) for pin in pinned)
        assert one.capture.captured_at < before or freed < to_free


@given(stocks, pins, moments, st.integers(0, 300_000), rooms)
def test_all_that_the_policy_says_goes(
    stock: list[Holding], pinned: list[Pin], before: datetime, to_free: int, room: Room
) -> None:
    """What stays is young or pinned, and either enough is freed or all that is left is pinned."""
    gone = list(going(iter(stock), Policy(before, Pinned(pinned), to_free, room)))
    free_to_go = [
        one
        for one in stock
        if one not in gone and not any(pin.holds(one.capture) for pin in pinned)
    ]
    assert all(one.capture.captured_at >= before for one in free_to_go)
    assert sum(room.taken_by(one.size) for one in gone) >= to_free or not free_to_go


@given(stocks, moments)
def test_no_more_is_read_than_has_to_be(stock: list[Holding], before: datetime) -> None:
    """The first capture that stays ends it: an archive is long."""
    rest = iter(stock)
    gone = list(going(rest, Policy(before, Pinned([]))))
    assert len(list(rest)) == max(0, len(stock) - len(gone) - 1)


@given(pins, st.lists(captures, max_size=30))
def test_many_pins_keep_what_each_of_them_keeps(pinned: list[Pin], some: list[Capture]) -> None:
    """However they overlap."""
    together = Pinned(pinned)
    assert [one in together for one in some] == [
        any(pin.holds(one) for pin in pinned) for one in some
    ]


def test_a_pin_ends_before_its_end() -> None:
    """As every window does."""
    pinned = Pinned([Pin(1, "in_gate", Window(START, START + HOUR))])
    assert Capture(START, "in_gate") in pinned
    assert Capture(START + HOUR, "in_gate") not in pinned
    assert Capture(START, "out_gate") not in pinned


@pytest.mark.parametrize(
    ("size", "taken"), [(0, 0), (1, 4096), (4096, 4096), (4097, 8192), (100_000, 102_400)]
)
def test_a_file_takes_whole_blocks(size: int, taken: int) -> None:
    """That is what deleting it frees."""
    assert Room(10**9, 0, 4096).taken_by(size) == taken


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.floats(0, 100))
def test_what_the_room_lacks_is_enough(total: int, free: int, percent: float) -> None:
    """Once that is freed, so much is free; and a little less would not do."""
    room = Room(total, min(free, total), 4096)
    lacks = room.lacks(percent)
    assert room.free + lacks >= total * percent / 100 - 1e-3
    assert lacks == 0 or room.free + lacks - 1 < total * percent / 100 + 1e-3


def test_a_policy_needs_an_instant() -> None:
    """A time without a zone is nobody's."""
    with pytest.raises(TypeError, match="no time zone"):
        Policy(datetime(2025, 9, 8), Pinned([]))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("stock", "why"),
    [
        (Stock(0, None), ""),
        (Stock(0, None, "a/b.jpg"), "the catalogue is empty, but the archive has images"),
        (Stock(3, NOW, "a/b.jpg"), ""),
    ],
)
def test_an_empty_catalogue_gives_no_leave(stock: Stock, why: str) -> None:
    """Where it has no captures, nobody can say what an image is."""
    assert nothing_sure(stock).startswith(why)
    assert bool(nothing_sure(stock)) == bool(why)


@pytest.mark.parametrize(
    ("stock", "now", "why"),
    [
        (Stock(0, None), NOW, ""),
        (Stock(9, NOW), NOW, ""),
        (Stock(9, NOW, "a/b.jpg"), NOW, "the catalogue is younger than the files"),
        (Stock(9, NOW, pause=timedelta(days=6)), NOW + timedelta(days=60), ""),
        (Stock(9, NOW, pause=timedelta(days=8)), NOW + timedelta(days=60), "after the newest"),
        (Stock(9, NOW), NOW - timedelta(hours=23), ""),
        (Stock(9, NOW), NOW - timedelta(days=2), "this computer's clock has gone back"),
        (Stock(9, NOW), NOW.replace(year=1970), "this computer's clock has gone back"),
    ],
)
def test_doubts_are_told(stock: Stock, now: datetime, why: str) -> None:
    """A catalogue that is too young, and a clock that has jumped either way."""
    assert doubt(stock, now).startswith(why)
    assert bool(doubt(stock, now)) == bool(why)


@pytest.mark.parametrize(
    ("runs", "pause"),
    [([], 20), ([5], 15), ([1, 10, 12], 9), ([-3, 1, 19, 30], 18), (range(21), 1)],
)
def test_a_pause_is_between_runs(runs: list[int], pause: int) -> None:
    """Those of before the newest capture, and of a time that is still to come, do not matter."""
    began = [NOW + timedelta(days=day) for day in runs]
    assert longest_pause(NOW, began, NOW + timedelta(days=20)) == timedelta(days=pause)


def test_doubt_needs_an_instant() -> None:
    """A time without a zone is nobody's."""
    with pytest.raises(TypeError, match="no time zone"):
        doubt(Stock(9, NOW), datetime(2025, 9, 8))  # noqa: DTZ001


@pytest.mark.parametrize(("leaving", "captures", "refused"), [(0, 0, 0), (5, 10, 0), (6, 10, 1)])
def test_more_than_half_is_too_much(leaving: int, captures: int, refused: bool) -> None:
    """Half of it may go."""
    assert bool(too_much(leaving, captures)) == bool(refused)
