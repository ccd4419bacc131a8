"""Why gaps are there, which the source confirms, and which days to ask it for again."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from camdl.domain.captures import utc
from camdl.domain.gaps import Cause, Gap, missing_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from camdl.domain.outcomes import PendingCapture
    from camdl.domain.windows import Window

# Sites publish late. What a source did not list so long after its time it does not have.
LATEST_PUBLICATION = timedelta(minutes=30)

# When so many of their intervals have passed since a run began, one was to begin and did not.
_OVERDUE = 1.5

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A run's part that asked for a stream: when it began (UTC), and what would explain a gap.

    The cause is `NOTHING_LISTED` where the listing came. `reason` is one line.
    """

    started_at: datetime
    cause: Cause
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of the time around a stream's gaps.

    `attempts` are in ascending order, `run_every` is how far apart they should be; `readings` says
    when the source last told all captures of a day of `zone`, the site's own.
    """

    attempts: Sequence[Attempt]
    pending: Sequence[PendingCapture]
    readings: Mapping[date, datetime]
    run_every: timedelta
    zone: ZoneInfo


def settled_until(attempts: Sequence[Attempt], run_every: timedelta, now: datetime) -> datetime:
    """Up to when captures are expected to be here at `now`: those that the source had published
    for sure when the last run began that there should have been.
    """
    now = utc(now)
    began = [one.started_at for one in attempts if one.started_at <= now]
    if not began:
        return now - LATEST_PUBLICATION
    missed = math.floor((now - began[-1]) / run_every - (_OVERDUE - 1))
    return began[-1] + max(0, missed) * run_every - LATEST_PUBLICATION


def explain(stream: str, window: Window, interval: timedelta, evidence: Evidence) -> Gap:
    """The gap of `stream` in `window`, with its cause as far as it can be known."""
    # The capture that a gap lacks may be due a little before it: the one before may have been late.
    lacking = [
        one
        for one in evidence.pending
        if window.start - interval < one.listed.capture.captured_at < window.end
    ]
    if lacking:
        cause, detail = _of_pending(lacking, evidence.attempts)
        confirmed_at = None
    else:
        cause, detail = _of_attempts(window, evidence)
        confirmed_at = _confirmation(window, evidence)
    return Gap(stream, window, missing_in(window, interval), cause, detail, confirmed_at)


def kept(known: Iterable[Gap], found: Iterable[Gap]) -> list[Gap]:
    """`found`, where what was confirmed before says when it first was."""
    first = {(gap.window, gap.confirmed_at is None): gap for gap in known}
    return [
        replace(gap, confirmed_at=earlier.confirmed_at)
        if gap.confirmed_at and (earlier := first.get((gap.window, False)))
        else gap
        for gap in found
    ]


def reconciled(
    known: Iterable[Gap], found: Iterable[Gap], looked_at: Window, now: datetime
) -> tuple[list[Gap], list[Gap]]:
    """Those of `known` that are resolved at `now`, or only replaced by others or by nothing.

    A known gap is resolved when all of it was looked at and none that is found now overlaps it.
    Before the window that was looked at nothing is expected any more, and what reaches beyond it
    is left as it is: the clock may have been put back.
    """
    now_there = list(found)
    starts = {gap.window.start for gap in now_there}
    resolved, replaced = [], []
    for gap in known:
        if gap.resolved_at is not None or gap.window.start in starts:
            continue
        overlapped = any(gap.window.overlaps(other.window) for other in now_there)
        if overlapped or gap.window.end <= looked_at.start:
            replaced.append(gap)
        elif gap.window.end <= looked_at.end:
            resolved.append(replace(gap, resolved_at=utc(now)))
    return resolved, replaced


def days_to_ask(
    gaps: Iterable[Gap],
    begins: datetime | None,
    now: datetime,
    evidence: Evidence,
    catch_up: timedelta,
) -> tuple[date, ...]:
    """The days of the site's zone before the present one that are worth reading, newest first.

    Those are the days of `gaps` that the source has not told since, up to `catch_up` ago, and the
    day before, as long as its last captures may not have been published when it was last read.
    What a day was told to have and the archive still lacks is asked for without its list.
    `begins` is the stream's first capture (UTC), None if it has none yet.
    """
    now, zone = utc(now), evidence.zone
    today = now.astimezone(zone).date()
    oldest = (now - catch_up).astimezone(zone).date()
    wanted: set[date] = set()
    for gap in gaps:
        if gap.resolved_at is None:
            days = _days(gap.window, zone)
            wanted.update(day for day in days if _told(day, gap.window, evidence) is None)
    if _is_unsettled(today - _DAY, begins, now, evidence):
        wanted.add(today - _DAY)
    return tuple(sorted((day for day in wanted if oldest <= day < today), reverse=True))


def _is_unsettled(day: date, begins: datetime | None, now: datetime, evidence: Evidence) -> bool:
    """Whether `day`, which is over, may still have captures that no reading has told."""
    ends = _midnight(day + _DAY, evidence.zone)
    if begins is None:  # nothing is archived: the present day is enough, unless it has just begun
        return now - ends < 2 * LATEST_PUBLICATION
    read_at = evidence.readings.get(day)
    return begins < ends and (read_at is None or read_at < ends + LATEST_PUBLICATION)


def _of_pending(
    lacking: Sequence[PendingCapture], attempts: Sequence[Attempt]
) -> tuple[Cause, str]:
    if asked := [one for one in lacking if one.reason]:
        newest = max(asked, key=lambda one: one.listed.capture)
        return (Cause.REJECTED if newest.rejected else Cause.FAILED), newest.reason
    last = attempts[-1] if attempts else None
    if last and last.cause is Cause.FAULT:  # it came no further, as on a disk that is full
        return last.cause, last.reason
    return Cause.WAITING, ""


def _of_attempts(window: Window, evidence: Evidence) -> tuple[Cause, str]:
    """What kept most of it away: each stretch is explained by the run that was to fetch it."""
    met: dict[Cause, timedelta] = {}
    told: dict[Cause, dict[str, timedelta]] = {}
    for cause, reason, length in _stretches(window, evidence):
        if length:
            met[cause] = met.get(cause, timedelta()) + length
            reasons = told.setdefault(cause, {})
            reasons[reason] = reasons.get(reason, timedelta()) + length
    cause = max(met, key=met.__getitem__)
    return cause, max(told[cause], key=told[cause].__getitem__)


def _stretches(window: Window, evidence: Evidence) -> Iterator[tuple[Cause, str, timedelta]]:
    """What each run in or after `window` met, or that there was none, and how much of the window
    that explains.
    """
    attempts, done = evidence.attempts, window.start
    first = bisect_right(attempts, done, key=lambda one: one.started_at)
    for place in range(first, len(attempts)):
        one = attempts[place]
        is_after_none = place == 0 or _is_overdue(attempts[place - 1], one.started_at, evidence)
        ends = min(one.started_at, window.end)
        # What a run that was not should have fetched is nothing that this one met.
        since = one.started_at - evidence.run_every if is_after_none else done
        begins = min(max(done, since), ends)
        yield Cause.NOT_RUN, "", begins - done
        yield one.cause, one.reason, ends - begins
        done = ends
        if done == window.end:
            return
    yield Cause.NOT_RUN, "", window.end - done


def _is_overdue(last: Attempt, moment: datetime, evidence: Evidence) -> bool:
    """Whether there should have been a run between the `last` one and `moment`."""
    return moment - last.started_at > _OVERDUE * evidence.run_every


def _confirmation(window: Window, evidence: Evidence) -> datetime | None:
    """When the source had told every day of `window`, each late enough to have it all."""
    told = [_told(day, window, evidence) for day in _days(window, evidence.zone)]
    return None if None in told else max(filter(None, told))


def _told(day: date, window: Window, evidence: Evidence) -> datetime | None:
    """When the source told all that it has of `day` in `window`, if it did after that time.

    A gap that still grows is told day by day: else all of its days would be asked for each time.
    """
    ends = min(window.end, _midnight(day + _DAY, evidence.zone))
    read_at = evidence.readings.get(day)
    return read_at if read_at and read_at >= ends + LATEST_PUBLICATION else None


def _days(window: Window, zone: ZoneInfo) -> list[date]:
    first = window.start.astimezone(zone).date()
    last = (window.end - timedelta(seconds=1)).astimezone(zone).date()
    return [first + n * _DAY for n in range((last - first).days + 1)]


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return utc(datetime.combine(day, time(), zone))
