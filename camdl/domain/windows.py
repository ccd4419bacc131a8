"""Stretches of time, and what is left of one when others are taken out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from camdl.domain.captures import utc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """From `start` up to and without `end`, both UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Hold what every reader relies on.

        Raises:
            TypeError: a bound has no time zone.
            ValueError: it ends before it starts, or at once.
        """
        object.__setattr__(self, "start", utc(self.start))
        object.__setattr__(self, "end", utc(self.end))
        if self.end <= self.start:
            raise ValueError(f"{self.start} to {self.end} is no window")

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.end - self.start

    def overlaps(self, other: Window) -> bool:
        """Whether any instant is in both."""
        return self.start < other.end and other.start < self.end


def merged(windows: Iterable[Window]) -> list[Window]:
    """The same instants in as few windows as can be, in order."""
    found: list[Window] = []
    for window in sorted(windows):
        if found and window.start <= found[-1].end:
            found[-1] = Window(found[-1].start, max(found[-1].end, window.end))
        else:
            found.append(window)
    return found


def without(window: Window, taken_out: Iterable[Window]) -> Iterator[Window]:
    """What is left of `window`, in order."""
    start = window.start
    for other in merged(taken_out):
        if other.end <= start or other.start >= window.end:
            continue
        if other.start > start:
            yield Window(start, other.start)
        start = other.end
    if start < window.end:
        yield Window(start, window.end)
