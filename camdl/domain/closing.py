"""When a gate is closed, so that nobody expects captures: a weekly calendar.

`Sun; Sat 18:00-24:00` is the form: entries with `;` between them, each some days (`Mon`, `Mon-Fri`,
`Sat,Sun`, `daily`, or a date such as `2025-12-25`) and some hours of them (all day without any).
Hours that end before they begin, as in `daily 22:00-05:00`, end on the next day. Days and hours
are those of the site's time zone.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING

from camdl.domain.windows import Window, merged, without

if TYPE_CHECKING:
    from collections.abc import Iterator

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_HOURS = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})", re.ASCII)
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


class CalendarError(ValueError):
    """The text is no calendar; the message says which part and why."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """Days of the week or dates, and the hours (offsets from midnight) that are closed on them."""

    weekdays: frozenset[int]
    dates: frozenset[date]
    hours: tuple[tuple[timedelta, timedelta], ...]

    def is_on(self, day: date) -> bool:
        return day in self.dates or day.weekday() in self.weekdays


@dataclass(frozen=True, slots=True)
class ClosedHours:
    """A calendar of `text` in `zone`; an empty text is a gate that never closes.

    Raises:
        CalendarError: the text is none.
    """

    text: str = ""
    zone: tzinfo = UTC

    def __post_init__(self) -> None:
        """Refuse what could not be read."""
        self._entries()

    def within(self, window: Window) -> list[Window]:
        """When the gate is closed in `window`, in order."""
        entries = self._entries()
        if not entries:
            return []
        first = window.start.astimezone(self.zone).date() - _DAY  # its night may reach into ours
        last = window.end.astimezone(self.zone).date()
        days = [first + n * _DAY for n in range((last - first).days + 1)]
        closed = merged(
            piece for day in days for entry in entries for piece in self._on(day, entry)
        )
        return [
            Window(max(one.start, window.start), min(one.end, window.end))
            for one in closed
            if one.overlaps(window)
        ]

    def open_within(self, window: Window) -> list[Window]:
        """When the gate is open in `window`, in order."""
        return list(without(window, self.within(window)))

    def open_time(self, since: datetime, until: datetime) -> timedelta:
        """How long the gate is open from `since` to `until`; nothing if that is not later."""
        if until <= since:
            return timedelta()
        opened = self.open_within(Window(since, until))
        return sum((window.length for window in opened), timedelta())

    def _on(self, day: date, entry: _Entry) -> Iterator[Window]:
        if not entry.is_on(day):
            return
        for start, end in entry.hours:
            begins, ends = self._at(day, start), self._at(day, end)
            if begins < ends:  # hours that a clock change skips are none
                yield Window(begins, ends)

    def _at(self, day: date, offset: timedelta) -> datetime:
        """When the clocks first show that or later: hours are the clock's, not elapsed ones."""
        wall = datetime.combine(day, time()) + offset
        shown = wall.replace(tzinfo=self.zone).astimezone(UTC)
        if self._clock(shown) == wall:
            return shown
        # A change of the clocks skips it, and lies between the two instants that it could mean.
        before = wall.replace(tzinfo=self.zone, fold=1).astimezone(UTC)
        instants = [before + n * _SECOND for n in range((shown - before) // _SECOND + 1)]
        return instants[bisect_left(instants, wall, key=self._clock)]

    def _clock(self, instant: datetime) -> datetime:
        return instant.astimezone(self.zone).replace(tzinfo=None)

    def _entries(self) -> list[_Entry]:
        return [_entry(part.strip()) for part in self.text.split(";") if part.strip()]


def _entry(text: str) -> _Entry:
    weekdays: set[int] = set()
    dates: set[date] = set()
    hours: list[tuple[timedelta, timedelta]] = []
    for word in filter(None, re.split(r"[,\s]+", text)):
        if ":" in word:
            hours.append(_hours(word))
        elif word[:1].isdigit():
            dates.add(_date(word))
        else:
            weekdays |= _weekdays(word)
    if not weekdays and not dates:
        raise CalendarError(f"{text!r} names no day; days are Mon to Sun, daily, or YYYY-MM-DD")
    return _Entry(frozenset(weekdays), frozenset(dates), tuple(hours) or ((timedelta(), _DAY),))


def _weekdays(word: str) -> set[int]:
    if word.lower() == "daily":
        return set(range(7))
    first, dash, last = word.lower().partition("-")
    try:
        begins = _DAYS.index(first)
        ends = _DAYS.index(last) if dash else begins
    except ValueError:
        raise CalendarError(
            f"{word!r} is no day; days are Mon to Sun, Mon-Fri, daily, or YYYY-MM-DD"
        ) from None
    return {(begins + n) % 7 for n in range((ends - begins) % 7 + 1)}


def _date(word: str) -> date:
    if not _DATE.fullmatch(word):  # fromisoformat reads other forms too
        raise CalendarError(
            f"{word!r} is no date and no hours; dates are YYYY-MM-DD, hours HH:MM-HH:MM"
        )
    try:
        return date.fromisoformat(word)
    except ValueError:
        raise CalendarError(f"{word!r} is no day there is; dates are YYYY-MM-DD") from None


def _hours(word: str) -> tuple[timedelta, timedelta]:
    found = _HOURS.fullmatch(word)
    if not found:
        raise CalendarError(f"{word!r} are no hours; hours are HH:MM-HH:MM")
    begins_at, ends_at = _offset(word, found[1], found[2]), _offset(word, found[3], found[4])
    if begins_at == _DAY:
        raise CalendarError(f"{word!r} are no hours; they begin from 00:00 to 23:59")
    return begins_at, ends_at if ends_at > begins_at else ends_at + _DAY


def _offset(word: str, hours: str, minutes: str) -> timedelta:
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    if int(minutes) > 59 or offset > _DAY:
        raise CalendarError(f"{word!r} are no hours; they go from 00:00 to 24:00")
    return offset
