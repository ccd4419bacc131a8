"""Where a stream should have a capture and the archive has none, and why.

Real cameras do not keep time: 17 consecutive captures of a ten-minute camera were 7:38 to 11:58
apart. So a schedule cannot be laid over them; what is judged is how far apart neighbours are. Two
neighbours with one missing between them are at least 15:16 apart, and two without at most 11:58.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from camdl.domain.captures import utc
from camdl.domain.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta

    from camdl.domain.closing import ClosedHours

# Just below the smallest spacing with a capture missing, since cameras also come late that keep
# their slots: two slots are some 18 minutes apart, and never below 15.
REACH = 1.5


class Kind(StrEnum):
    """What a stretch of a stream's time is."""

    COVERED = "covered"
    GAP = "gap"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one kind."""

    kind: Kind
    window: Window


class Cause(StrEnum):
    """Why there is no capture, as far as it can be known."""

    NOT_RUN = "not-run"
    UNREACHABLE = "unreachable"
    UNREADABLE = "unreadable"
    FAULT = "fault"
    REJECTED = "rejected"
    FAILED = "failed"
    WAITING = "waiting"
    NOTHING_LISTED = "nothing-listed"


class State(StrEnum):
    """Whether what is missing may still come."""

    OPEN = "open"
    CONFIRMED = "confirmed"  # the source does not have it
    RESOLVED = "resolved"  # the archive has it now


CAUSES_IN_WORDS = {
    Cause.NOT_RUN: "camdl did not run",
    Cause.UNREACHABLE: "the source could not be reached",
    Cause.UNREADABLE: "the page could be reached, but no image was found on it",
    Cause.FAULT: "runs ended before they could store anything",
    Cause.REJECTED: "listed, but what came was no image",
    Cause.FAILED: "listed, but the image could not be had",
    Cause.WAITING: "listed, and not asked for yet",
    Cause.NOTHING_LISTED: "the source listed nothing",
}


@dataclass(frozen=True, slots=True)
class Gap:
    """A window of `stream` without a capture. `missing` is how many there should have been.

    `detail` is one line, empty if the cause says it all. `confirmed_at` (UTC) is when the source
    was asked for that time, after it, and had nothing there: it is not asked again. `resolved_at`
    is when the gap was found filled.
    """

    stream: str
    window: Window
    missing: int
    cause: Cause
    detail: str = ""
    confirmed_at: datetime | None = None
    resolved_at: datetime | None = None

    @property
    def state(self) -> State:
        """Whether what is missing may still come."""
        if self.resolved_at is not None:
            return State.RESOLVED
        return State.OPEN if self.confirmed_at is None else State.CONFIRMED


def partition(
    captures: Sequence[datetime], window: Window, interval: timedelta, closed: ClosedHours
) -> Iterator[Segment]:
    """`window` cut into what is covered, missing and closed: in order, all of it, nothing twice.

    `captures` are the stream's, in ascending order; those outside `window` are passed over. The
    gate's opening counts like a capture: the next one is due an interval later.
    """
    start = window.start
    for opened in closed.open_within(window):
        if start < opened.start:
            yield Segment(Kind.CLOSED, Window(start, opened.start))
        yield from _open_segments(_inside(captures, opened), opened, interval)
        start = opened.end
    if start < window.end:
        yield Segment(Kind.CLOSED, Window(start, window.end))


def gaps(
    captures: Sequence[datetime], window: Window, interval: timedelta, closed: ClosedHours
) -> list[Window]:
    """The windows without a capture, in order; parameters as those of `partition`."""
    parts = partition(captures, window, interval, closed)
    return [part.window for part in parts if part.kind is Kind.GAP]


def missing_in(window: Window, interval: timedelta) -> int:
    """How many captures there should have been in a gap: at least one.

    One is always counted right. More are for a camera that is late without drifting, as the real
    one is; one that drifts can make two look like one or three.
    """
    return max(1, round(window.length / interval))


def _inside(captures: Sequence[datetime], window: Window) -> Sequence[datetime]:
    inside = captures[bisect_left(captures, window.start) : bisect_left(captures, window.end)]
    return [utc(one) for one in inside]  # between two local times lies what the clocks say


def _open_segments(
    captures: Sequence[datetime], opened: Window, interval: timedelta
) -> Iterator[Segment]:
    covered_from = begins = opened.start
    for ends in (*captures, opened.end):
        # Before the first capture of the window nothing tells how long ago the last one was.
        if ends - begins > REACH * interval:
            due = begins + interval
            yield Segment(Kind.COVERED, Window(covered_from, due))
            yield Segment(Kind.GAP, Window(due, ends))
            covered_from = ends
        begins = ends
    if covered_from < opened.end:
        yield Segment(Kind.COVERED, Window(covered_from, opened.end))
