"""How far our clock is from those of the servers that answered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from hypothesis import given
from hypothesis import strategies as st

from camdl.source_clock import SourceClock

NOON = datetime(2025, 9, 8, 12, 0, tzinfo=UTC)


def date_of(offset: float) -> dict[str, str]:
    """The header of a server by which our clock is ahead by that many seconds at noon."""
    return {"Date": format_datetime(NOON - timedelta(seconds=offset), usegmt=True)}


def test_who_told_nothing() -> None:
    """Without an answer, or one with a date, nothing is known."""
    clock = SourceClock()
    assert clock.offset_seconds() is None
    clock.heard("http://a:80", {})
    assert clock.offset_seconds() is None


def test_our_own_clock_is_the_systems() -> None:
    """Unless another one is given."""
    clock = SourceClock()
    clock.heard("http://a:80", {"Date": format_datetime(datetime.now(UTC), usegmt=True)})
    offset = clock.offset_seconds()
    assert offset is not None
    assert -1 < offset < 60


def test_the_truest_answer_of_an_origin_counts() -> None:
    """What takes long, or comes from a cache, looks older than it is."""
    clock = SourceClock(lambda: NOON)
    for seconds in (40, 2, 3600):
        clock.heard("http://cdn:80", date_of(seconds))
    assert clock.offset_seconds() == 2


def test_one_server_with_a_wrong_clock_is_not_believed() -> None:
    """As long as another one agrees with us."""
    clock = SourceClock(lambda: NOON)
    clock.heard("http://cdn:80", date_of(-7200))
    clock.heard("http://page:80", date_of(1))
    assert clock.offset_seconds() == 1


@given(
    st.integers(-(10**6), 10**6),
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 300)), min_size=1),
)
def test_delays_never_hide_that_our_clock_is_wrong(
    wrong_by: int, answers: list[tuple[str, int]]
) -> None:
    """With right servers the offset is ours, but for what their answers took at least."""
    clock = SourceClock(lambda: NOON)
    for origin, delay in answers:
        clock.heard(origin, date_of(wrong_by + delay))
    offset = clock.offset_seconds()
    assert offset is not None
    assert wrong_by <= offset <= wrong_by + max(delay for _, delay in answers)
