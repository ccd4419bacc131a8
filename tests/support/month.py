"""What an archive ought to lack, worked out from what is known to have happened.

None of camdl's own rules is used here: cameras keep slots, a script of events says in which of them
nothing could be had and why, and what is missing between two captures is counted in slots.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from zoneinfo import ZoneInfo

SLOT = timedelta(minutes=10)
# Between neighbours there were 7:38 to 11:58, so a camera is up to so late, and never much more
# so than it was the last time.
_LATEST = timedelta(seconds=142)
_LATER = timedelta(seconds=118)
# What is lacking for less than that may be a camera that is late.
_DOUBTFUL = timedelta(minutes=15)
# Nobody knows yet what the source will show of this long ago.
UNSETTLED = timedelta(minutes=30)


class Why(StrEnum):
    """What keeps captures away, as the ledger is to call it."""

    OFF = "not-run"
    DOWN = "unreachable"
    SILENT = "nothing-listed"
    FULL = "fault"
    SPOILT = "rejected"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that goes on from `start` up to and without `end`."""

    why: Why
    start: datetime
    end: datetime

    def holds(self, moment: datetime) -> bool:
        """Whether it goes on then."""
        return self.start <= moment < self.end


@dataclass(frozen=True, slots=True)
class Hole:
    """What is missing of a stream: how much, between when, and why. One that `grows` may be off by
    what the camera is late.
    """

    stream: str
    start: datetime
    end: datetime
    missing: int
    why: Why
    grows: bool

    def overlaps(self, other: Hole) -> bool:
        """Whether any of it is in the other."""
        return self.stream == other.stream and self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Stretch:
    """The slots of a camera from when its gate opens until it closes."""

    opens: datetime
    closes: datetime
    slots: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class Camera:
    """A stream, which takes a picture every ten minutes on average from when its gate opens until
    it closes, at times of the clock in `zone`; no hours are a gate that never closes.
    """

    stream: str
    zone: ZoneInfo
    closed: tuple[time, time] | None = None

    def stretches(self, first: date, last: date) -> list[Stretch]:
        """When it works from the beginning of one day to that of another, and its slots."""
        lots = random.Random(self.stream)
        return [
            Stretch(opens, closes, tuple(_slots(opens, closes, lots)))
            for opens, closes in self._hours(first, last)
        ]

    def _hours(self, first: date, last: date) -> Iterator[tuple[datetime, datetime]]:
        opens = self._at(first, time())
        day = first
        while day < last:
            if self.closed:
                yield opens, self._at(day, self.closed[0])
                opens = self._at(day, self.closed[1])
            day += timedelta(days=1)
        yield opens, self._at(last, time())

    def _at(self, day: date, clock: time) -> datetime:
        return datetime.combine(day, clock, self.zone).astimezone(UTC)


def _slots(opens: datetime, closes: datetime, lots: random.Random) -> Iterator[datetime]:
    late = timedelta()
    slot = opens + SLOT
    while slot + late < closes:
        yield slot + late
        most = min(_LATEST, late + _LATER)
        late, slot = timedelta(seconds=lots.randint(0, int(most.total_seconds()))), slot + SLOT


class Script:
    """What happens to the `cameras` of a terminal between two days, by `events`.

    `runs` are the instants at which camdl is to be started, in order. The pictures in
    `spoilt`, by stream and slot, are none when they are first asked for.
    """

    def __init__(
        self,
        cameras: Sequence[Camera],
        first: date,
        last: date,
        runs: Sequence[datetime],
        events: Sequence[Event],
    ) -> None:
        self.spoilt: set[tuple[str, datetime]] = set()
        self._runs = runs
        self._events = events
        self._stretches = {one.stream: one.stretches(first, last) for one in cameras}

    def is_on(self, why: Why, moment: datetime) -> bool:
        """Whether that goes on then."""
        return any(event.why is why and event.holds(moment) for event in self._events)

    def slots(self, stream: str) -> list[datetime]:
        """When its camera should have taken pictures."""
        return [slot for stretch in self._stretches[stream] for slot in stretch.slots]

    def taken(self, stream: str) -> list[datetime]:
        """When its camera did."""
        return [one for one in self.slots(stream) if not self.is_on(Why.SILENT, one)]

    def open_time(self, stream: str, start: datetime, end: datetime) -> timedelta:
        """How much of the time between two instants its gate was open."""
        parts = (
            min(end, stretch.closes) - max(start, stretch.opens)
            for stretch in self._stretches[stream]
        )
        return sum((part for part in parts if part > timedelta()), timedelta())

    def holes(
        self, stream: str, here: Collection[datetime], begins: datetime, until: datetime
    ) -> Iterator[Hole]:
        """What is lacking from `begins`, a slot that is here, to `until`, if `here` is there."""
        for stretch in self._stretches[stream]:
            opens, closes = max(stretch.opens, begins), min(stretch.closes, until)
            slots = [slot for slot in stretch.slots if opens < slot < closes]
            before = opens
            for is_here, group in groupby(slots, lambda slot: slot in here):
                some = list(group)
                if is_here:
                    before = some[-1]
                    continue
                grows = some[-1] == slots[-1] and until < stretch.closes
                after = closes if some[-1] == slots[-1] else slots[slots.index(some[-1]) + 1]
                if not grows or after - before > _DOUBTFUL:
                    why = self._why(stream, some)
                    yield Hole(stream, before + SLOT, after, len(some), why, grows)

    def _why(self, stream: str, lost: Sequence[datetime]) -> Why:
        """What most of them met: their camera, or the run that was to fetch them."""
        if all((stream, one) in self.spoilt for one in lost):
            return Why.SPOILT
        met = Counter(why for one in lost if (why := self._kept_away(one)))
        return met.most_common(1)[0][0]

    def _kept_away(self, slot: datetime) -> Why | None:
        if self.is_on(Why.SILENT, slot):
            return Why.SILENT
        run = self._runs[bisect_right(self._runs, slot)]
        return next((event.why for event in self._events if event.holds(run)), None)


def spacings(moments: Sequence[datetime]) -> list[timedelta]:
    """How far apart neighbours are."""
    return [after - before for before, after in pairwise(moments)]
