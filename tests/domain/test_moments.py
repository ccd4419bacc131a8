"""Times as people write them on a command line."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from camdl.domain.moments import moment, window
from camdl.domain.windows import Window


def at(*numbers: int) -> datetime:
    """That instant, in UTC."""
    year, month, day, hour, minute = (*numbers, 0, 0)[:5]
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "meant"),
    [
        ("2025-09-08", "2025-09-08", (at(2025, 9, 8), at(2025, 9, 9))),
        ("2025-09-08", "2025-09-09T12:30", (at(2025, 9, 8), at(2025, 9, 9, 12, 30))),
        ("2025-09-08 10:00", "2025-09-08T10:00", None),
        ("2025-09-08T10:00Z", "2025-09-08T10:00-01:00", (at(2025, 9, 8, 10), at(2025, 9, 8, 11))),
        ("2025-09-09", "2025-09-08", None),
        ("yesterday", "2025-09-08", None),
        ("2025-09-08", "", None),
        ("9999-12-31", "9999-12-31", None),
    ],
)
def test_a_window_is_two_times(
    start: str, end: str, meant: tuple[datetime, datetime] | None
) -> None:
    """A day as an end is in it as a whole; what is no time is refused, in words."""
    if meant:
        assert window(start, end) == Window(*meant)
    else:
        with pytest.raises(ValueError, match=r"is no time|does not come after"):
            window(start, end)


def test_times_without_a_zone_are_meant_in_one() -> None:
    """UTC, unless another is given; those with their own keep it."""
    there = ZoneInfo("America/Los_Angeles")
    meant = Window(at(2025, 9, 8, 7), at(2025, 9, 8, 12))
    assert window("2025-09-08", "2025-09-08T12:00Z", there) == meant


def test_a_moment_alone_is_the_begin_of_its_day() -> None:
    """A day begins at its first instant; what is no time is refused as in a window."""
    assert moment("2025-09-08") == at(2025, 9, 8)
    assert moment("2025-09-08T12:30") == at(2025, 9, 8, 12, 30)
    assert moment("2025-09-08", ZoneInfo("America/Los_Angeles")) == at(2025, 9, 8, 7)
    with pytest.raises(ValueError, match="'soon' is no time"):
        moment("soon")
