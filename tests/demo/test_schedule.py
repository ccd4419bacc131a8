"""The demo cameras' schedule: irregular as real ones, and the same whenever it is asked."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from camdl.demo.schedule import captures

STREAMS = st.sampled_from(["in_gate", "out_gate", "yard-7"])
DAYS = st.dates(date(2000, 1, 1), date(2100, 12, 31))


@given(STREAMS, DAYS)
def test_every_day_has_144_captures_of_its_own(stream: str, day: date) -> None:
    """A day has one capture for each ten minutes, all of them within the day in UTC."""
    moments = captures(stream, day)
    assert len(moments) == 144
    assert {moment.date() for moment in moments} == {day}
    assert all(moment.tzinfo is UTC and moment.microsecond == 0 for moment in moments)


@given(STREAMS, DAYS)
def test_spacing_is_that_of_real_cameras(stream: str, day: date) -> None:
    """Neighbours are 7:38 to 11:58 apart, over midnight too."""
    moments = [*captures(stream, day), *captures(stream, day + timedelta(days=1))]
    gaps = [after - before for before, after in pairwise(moments)]
    assert min(gaps) >= timedelta(minutes=7, seconds=38)
    assert max(gaps) <= timedelta(minutes=11, seconds=58)
    assert len(set(gaps)) > 20


@given(STREAMS, DAYS)
def test_schedule_never_changes(stream: str, day: date) -> None:
    """Asked again it is the same, and each stream has its own."""
    assert captures(stream, day) == captures(stream, day)
    assert captures(stream, day) != captures(f"{stream}2", day)
