"""A stream's last day as a strip of slots, one an interval: which have their capture, which do not.

It is the last 24 hours, up to the end of the present one on the site's clocks, and not a day of
the calendar: that of a site in UTC begins in the middle of an American working day, and shortly
after its beginning there would be nothing to see.

It says the same as the gaps do: as many slots are missing as captures are in the gaps of that time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from camdl.domain.captures import utc
from camdl.domain.gaps import State
from camdl.domain.ledger import LATEST_PUBLICATION
from camdl.domain.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from zoneinfo import ZoneInfo

    from camdl.domain.gaps import Gap
    from camdl.domain.sites import Stream

_HOUR = timedelta(hours=1)
_DAY = 24 * _HOUR


class Cell(StrEnum):
    """What a slot is."""

    ARCHIVED = "archived"  # it has a capture, or its neighbours are near enough
    MISSING = "missing"
    CLOSED = "closed"
    TO_COME = "to come"  # or not to be judged yet
    BEFORE = "before"  # the archive had not begun, or does not keep it any more


# Of slots that are shown as one, the first that any of them is.
_TELLING = (Cell.MISSING, Cell.ARCHIVED, Cell.TO_COME, Cell.CLOSED, Cell.BEFORE)


@dataclass(frozen=True, slots=True)
class Coverage:
    """A stream's time in `window`, in cells that are `slot` long each; the last may be shorter.

    Of its captures so many are `archived`, and so many `missing`. `zone` is that of its site.
    """

    stream: str
    window: Window
    zone: ZoneInfo
    slot: timedelta
    cells: tuple[Cell, ...]
    archived: int
    missing: int


@dataclass(frozen=True, slots=True)
class Row:
    """Neighbouring cells, and when the first one starts on the site's clocks."""

    start: datetime
    cells: tuple[Cell, ...]


def coverage(
    stream: Stream,
    instants: Iterable[datetime],
    gaps: Iterable[Gap],
    begins: datetime | None,
    now: datetime,
) -> Coverage:
    """The last day of `stream` as it is at `now`.

    `instants` are those of its captures and `gaps` those that are known at `now`; what is not of
    that time does not matter. `begins` is when its archive begins, None if it has not.
    """
    whole = last_day(now, stream.timezone)
    instants = list(map(utc, instants))
    there, newest = _within(whole, instants), max(instants, default=None)
    missing = _within(whole, _due(gaps, stream.interval))
    closed = stream.closed.within(whole)
    judged_until = utc(now) - LATEST_PUBLICATION

    def cell(slot: Window) -> Cell:
        if _within(slot, missing):
            return Cell.MISSING
        if _within(slot, there):
            return Cell.ARCHIVED
        middle = slot.start + slot.length / 2
        if any(one.start <= middle < one.end for one in closed):
            return Cell.CLOSED
        if slot.end > judged_until:
            return Cell.TO_COME
        if begins is None or slot.end <= utc(begins):
            return Cell.BEFORE
        # What comes next tells whether there is room for one more.
        return Cell.TO_COME if newest is None or slot.start > newest else Cell.ARCHIVED

    cells = tuple(cell(slot) for slot in _slots(whole, stream.interval))
    return Coverage(
        stream.name, whole, stream.timezone, stream.interval, cells, len(there), len(missing)
    )


def last_day(now: datetime, zone: ZoneInfo) -> Window:
    """The 24 hours up to the end of the present one on the clocks of `zone`."""
    there = now.astimezone(zone)
    into = timedelta(minutes=there.minute, seconds=there.second, microseconds=there.microsecond)
    end = utc(now) - into + _HOUR
    return Window(end - _DAY, end)


def rows(covered: Coverage, width: int, most: int) -> list[Row]:
    """The cells in rows of one length, none of more than `width` cells.

    Where that would be more than `most` rows, neighbouring slots become one cell.
    """
    joined = -(-len(covered.cells) // (width * most))
    cells = [_one_of(group) for group in _groups(covered.cells, joined)]
    lines = -(-len(cells) // width)
    length = -(-len(cells) // lines)
    starts = (covered.window.start + n * length * joined * covered.slot for n in range(lines))
    return [
        Row(start.astimezone(covered.zone), tuple(group))
        for start, group in zip(starts, _groups(cells, length), strict=True)
    ]


def _due(gaps: Iterable[Gap], interval: timedelta) -> Iterator[datetime]:
    """When each capture was due that is missing."""
    for gap in gaps:
        if gap.state is not State.RESOLVED:
            yield from (gap.window.start + n * interval for n in range(gap.missing))


def _within(window: Window, instants: Iterable[datetime]) -> list[datetime]:
    return [one for one in instants if window.start <= one < window.end]


def _slots(window: Window, length: timedelta) -> Iterator[Window]:
    """The last one ends with the window."""
    start = window.start
    while start < window.end:
        yield Window(start, min(start + length, window.end))
        start += length


def _one_of(cells: Sequence[Cell]) -> Cell:
    return next(one for one in _TELLING if one in cells)


def _groups(cells: Sequence[Cell], size: int) -> Iterator[Sequence[Cell]]:
    return (cells[n : n + size] for n in range(0, len(cells), size))
