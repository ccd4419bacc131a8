"""Stretches of time, and what is left of one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdl.domain.windows import Window, merged, without

START = datetime(2025, 9, 6, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def window(first: int, last: int) -> Window:
    """From minute `first` up to and without minute `last`."""
    return Window(START + first * MINUTE, START + last * MINUTE)


def minutes(windows: list[Window]) -> list[int]:
    """The minutes that are in `windows`, as often as they are."""
    return [
        minute
        for one in windows
        for minute in range((one.start - START) // MINUTE, (one.end - START) // MINUTE)
    ]


WINDOWS = st.builds(
    lambda first, length: window(first, first + length), st.integers(0, 60), st.integers(1, 30)
)
SEVERAL = st.lists(WINDOWS, max_size=8)


@pytest.mark.parametrize("last", [5, 4])
def test_a_window_has_a_length(last: int) -> None:
    """One that ends before it begins, or at once, is refused."""
    with pytest.raises(ValueError, match="is no window"):
        window(5, last)


def test_naive_bounds_are_refused() -> None:
    """A time without a zone is a type error, at either end."""
    naive = datetime(2025, 9, 6)  # noqa: DTZ001  # the very point
    with pytest.raises(TypeError):
        Window(naive, START)
    with pytest.raises(TypeError):
        Window(START - MINUTE, naive)


def test_bounds_are_utc_and_the_length_is_elapsed_time() -> None:
    """On the day on which clocks go back a day has 25 hours."""
    zone = ZoneInfo("America/Los_Angeles")
    day = Window(datetime(2025, 11, 2, tzinfo=zone), datetime(2025, 11, 3, tzinfo=zone))
    assert day.start.tzinfo is UTC
    assert day.end.tzinfo is UTC
    assert day.length == timedelta(hours=25)


@given(WINDOWS, WINDOWS)
def test_windows_overlap_if_they_share_an_instant(one: Window, other: Window) -> None:
    """Two that only adjoin share none, and the order does not matter."""
    shared = bool(set(minutes([one])) & set(minutes([other])))
    assert one.overlaps(other) is other.overlaps(one) is shared


@given(SEVERAL)
def test_merged_windows_hold_the_same_instants_once(windows: list[Window]) -> None:
    """What adjoins or overlaps becomes one, in order, with time between any two."""
    found = merged(windows)
    assert minutes(found) == sorted(set(minutes(windows)))
    assert all(one.end < other.start for one, other in pairwise(found))


@given(WINDOWS, SEVERAL)
def test_what_is_taken_out_is_gone_and_the_rest_is_left(
    whole: Window, taken_out: list[Window]
) -> None:
    """In whatever order it is taken out, the rest is in order and in as few windows as can be."""
    left = list(without(whole, taken_out))
    assert minutes(left) == sorted(set(minutes([whole])) - set(minutes(taken_out)))
    assert merged(left) == left
