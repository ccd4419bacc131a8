"""A point in the future that everything under it shares."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from camdl.deadline import Deadline


def test_a_deadline_ahead_has_time_left() -> None:
    """What is left of an hour is at most the hour, and it has not passed."""
    deadline = Deadline.after(3600)
    assert 3500 < deadline.remaining() <= 3600
    assert not deadline.passed()


@given(st.floats(0, 1e6))
def test_what_is_left_is_never_negative(seconds: float) -> None:
    """A deadline behind has passed, and leaves zero seconds for a timeout, never fewer."""
    deadline = Deadline.after(-seconds)
    assert deadline.remaining() == 0.0
    assert deadline.passed()


def test_it_passes_by_itself() -> None:
    """Time that goes by is time less, until the deadline has passed."""
    deadline = Deadline.after(0.05)
    before = deadline.remaining()
    time.sleep(before)
    assert deadline.remaining() < before
    assert deadline.passed()


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_part_ends_no_later_than_the_whole(whole: float, part: float) -> None:
    """`within` is the earlier of the two."""
    deadline = Deadline.after(whole)
    inner = deadline.within(part)
    assert inner.at <= deadline.at
    assert inner.remaining() <= part
    if part > whole:
        assert inner == deadline
