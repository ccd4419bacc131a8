"""Which days of the past are worth reading."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from camdl.domain.gaps import Cause, Gap
from camdl.domain.history import begin_of, day_of, days_between, days_in_doubt, unread
from camdl.domain.windows import Window

TOKYO = ZoneInfo("Asia/Tokyo")
DAY = date(2025, 9, 8)
BEGIN = datetime(2025, 9, 7, 15, tzinfo=UTC)  # in Tokyo
END = BEGIN + timedelta(days=1)


def test_days_are_those_of_the_zone() -> None:
    """A day begins and ends when the site's clocks say so."""
    assert begin_of(DAY, TOKYO) == BEGIN
    assert day_of(END - timedelta(seconds=1), TOKYO) == DAY
    assert day_of(END, TOKYO) == date(2025, 9, 9)


def test_days_come_newest_first() -> None:
    """Both ends are included, and there are none before the first."""
    assert days_between(date(2025, 8, 31), date(2025, 9, 1)) == [
        date(2025, 9, 1),
        date(2025, 8, 31),
    ]
    assert days_between(DAY, DAY) == [DAY]
    assert days_between(DAY, date(2025, 9, 7)) == []


@pytest.mark.parametrize(
    ("minutes", "told", "known", "is_read"),
    [
        (30, 2, 2, False),
        (30, 2, 3, False),
        (30, 0, 0, False),
        (29, 2, 2, True),
        (30, 3, 2, True),
        (-60, 2, 2, True),
    ],
)
def test_days_that_were_read_to_their_end_are_not_read_again(
    minutes: int, told: int, known: int, *, is_read: bool
) -> None:
    """That takes a reading half an hour after the end, and as many captures as it told."""
    instants = [BEGIN + timedelta(hours=hours) for hours in range(known)]
    elsewhere = [BEGIN - timedelta(seconds=1), END]
    readings = {DAY: END + timedelta(minutes=minutes)}
    found = unread([DAY], readings, {DAY: told}, [*instants, *elsewhere], TOKYO)
    assert found == ([DAY] if is_read else [])


def test_a_day_that_nobody_has_read() -> None:
    """It is worth a look, whatever is known of it."""
    assert unread([DAY], {}, {}, [BEGIN], TOKYO) == [DAY]


def test_days_of_open_gaps() -> None:
    """All days that an open and unconfirmed gap touches, and no others."""
    window = Window(END - timedelta(hours=1), END + timedelta(days=1))
    gap = Gap("in_gate", window, 1, Cause.NOT_RUN)
    assert days_in_doubt([gap], TOKYO) == {DAY, date(2025, 9, 9)}
    resolved = Gap("in_gate", window, 1, Cause.NOT_RUN, resolved_at=END)
    confirmed = Gap("in_gate", window, 1, Cause.NOT_RUN, confirmed_at=END)
    assert days_in_doubt([resolved, confirmed], TOKYO) == set()
