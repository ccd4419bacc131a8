"""What may leave the archive, and when nothing may: pure decisions of `camdl cleanup`."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from camdl.domain.captures import utc
from camdl.domain.durations import in_words
from camdl.domain.windows import merged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from camdl.domain.captures import Capture
    from camdl.domain.windows import Window

# More than that at once is no retention: it is a mistake, or a clock gone wrong.
LARGEST_SHARE = 0.5

# Runs come every few minutes. Where there was none for so long, nor a capture, this computer's
# clock has jumped ahead; a source that is silent for longer is no sign of that.
_LONGEST_PAUSE = timedelta(days=7)
_CLOCK_SLACK = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Holding:
    """An archived capture, its key, and the bytes of its file."""

    capture: Capture
    key: str
    size: int


@dataclass(frozen=True, slots=True)
class Pin:
    """Captures of `stream` in `window` that are kept whatever happens. `note` says what for."""

    id: int
    stream: str
    window: Window
    note: str = ""

    def holds(self, capture: Capture) -> bool:
        """Whether it keeps `capture`."""
        here = self.window.start <= capture.captured_at < self.window.end
        return here and capture.stream == self.stream


@dataclass(frozen=True, slots=True)
class Kept:
    """A pin, and how many archived captures it keeps."""

    pin: Pin
    captures: int


class Pinned:
    """What any of some pins keeps. It answers as fast for a thousand pins as for one."""

    def __init__(self, pins: Iterable[Pin]) -> None:
        windows: dict[str, list[Window]] = {}
        for pin in pins:
            windows.setdefault(pin.stream, []).append(pin.window)
        self._windows = {stream: merged(some) for stream, some in windows.items()}
        self._starts = {
            stream: [window.start for window in some] for stream, some in self._windows.items()
        }

    def __contains__(self, capture: Capture) -> bool:
        """Whether `capture` is kept."""
        starts = self._starts.get(capture.stream)
        if starts is None:
            return False
        place = bisect_right(starts, capture.captured_at)
        return place > 0 and capture.captured_at < self._windows[capture.stream][place - 1].end


@dataclass(frozen=True, slots=True)
class Room:
    """The room on the archive's file system, in bytes: all of it that this user may have, what is
    free of that, and what even the smallest file takes.
    """

    total: int
    free: int
    block: int = 1

    def taken_by(self, size: int) -> int:
        """What a file of `size` bytes takes: whole blocks."""
        return -(-size // self.block) * self.block

    def lacks(self, min_free_percent: float) -> int:
        """How much is to be freed until so much of it is free; 0 if it is."""
        return max(0, -int(-self.total * min_free_percent // 100) - self.free)


@dataclass(frozen=True, slots=True)
class Policy:
    """What is to go: captures before `before` (UTC), and the oldest of the others until all that
    go free `to_free` bytes of `room`; none that is `pinned`.
    """

    before: datetime
    pinned: Pinned
    to_free: int = 0
    room: Room = Room(0, 0)

    def __post_init__(self) -> None:
        """Hold what every reader relies on.

        Raises:
            TypeError: `before` has no time zone.
        """
        object.__setattr__(self, "before", utc(self.before))


@dataclass(frozen=True, slots=True)
class Limits:
    """What of the catalogue's memory is outdated: runs that began before `runs`, and notices of
    before then, captures of before `pending` that were listed and never came, gaps that were filled
    before `gaps`. All are UTC.
    """

    runs: datetime
    pending: datetime
    gaps: datetime


@dataclass(frozen=True, slots=True)
class Outdated:
    """How many rows of the catalogue's memory are outdated."""

    runs: int = 0
    pending: int = 0
    gaps: int = 0
    notices: int = 0


@dataclass(frozen=True, slots=True)
class Stock:
    """What there is before a clean-up. `newest` is the newest capture's instant (UTC), if there is
    any, and `pause` the longest time since then without a run.

    `stranger` is the key of a file that is older than the catalogue and unknown to it: older than
    its first run and its oldest capture. Where the catalogue has no captures, any that is unknown
    is one; empty if there is none.
    """

    captures: int
    newest: datetime | None
    stranger: str = ""
    pause: timedelta = timedelta()


def going(oldest_first: Iterable[Holding], policy: Policy) -> Iterator[Holding]:
    """Those of `oldest_first` that are to go. Looks at no more of them than it has to."""
    freed = 0
    for holding in oldest_first:
        if holding.capture.captured_at >= policy.before and freed >= policy.to_free:
            return
        if holding.capture not in policy.pinned:
            freed += policy.room.taken_by(holding.size)
            yield holding


def nothing_sure(stock: Stock) -> str:
    """Why nothing may be deleted whatever anybody says, in one line; empty if it may."""
    if stock.captures == 0 and stock.stranger:
        return f"the catalogue is empty, but the archive has images, such as {stock.stranger}"
    return ""


def doubt(stock: Stock, now: datetime) -> str:
    """Why nothing should be deleted at `now` unless somebody insists, in one line; or empty.

    That the clock has gone back only captures tell, as their times are the source's: a run may
    have been recorded while it was wrong.

    Raises:
        TypeError: `now` has no time zone.
    """
    now = utc(now)
    if stock.stranger:
        return f"the catalogue is younger than the files: it does not know {stock.stranger}"
    if stock.newest and stock.newest > now + _CLOCK_SLACK:
        ahead = in_words(stock.newest - now)
        return f"this computer's clock has gone back: the newest capture is {ahead} ahead of it"
    if stock.pause > _LONGEST_PAUSE:
        return (
            f"after the newest capture nothing ran for {in_words(stock.pause)}: this computer's "
            "clock has jumped, or it was off"
        )
    return ""


def longest_pause(newest: datetime, runs: Iterable[datetime], now: datetime) -> timedelta:
    """The longest time without a run between the newest capture and `now`, where `runs` began.

    Raises:
        TypeError: `now` has no time zone.
    """
    since = utc(newest)
    longest = timedelta()
    for moment in (*sorted(run for run in runs if newest < run < utc(now)), utc(now)):
        longest = max(longest, moment - since)
        since = moment
    return longest


def too_much(leaving: int, captures: int) -> str:
    """Why so many of all captures should not go at once, in one line; empty if they may."""
    if captures and leaving > LARGEST_SHARE * captures:
        return f"{leaving} of {captures} captures would go, which is more than half of the archive"
    return ""
