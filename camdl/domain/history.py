"""Which days of the past are worth reading: pure decisions of `camdl backfill`.

Days are those of a site's time zone.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from camdl.domain.captures import utc
from camdl.domain.ledger import LATEST_PUBLICATION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from zoneinfo import ZoneInfo

    from camdl.domain.gaps import Gap

_DAY = timedelta(days=1)


def day_of(moment: datetime, zone: ZoneInfo) -> date:
    """The day of `zone` on which `moment` is."""
    return moment.astimezone(zone).date()


def begin_of(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of `day` (UTC)."""
    return utc(datetime.combine(day, time(), zone))


def days_between(first: date, last: date) -> list[date]:
    """Every day from `first` to `last`, both included, newest first."""
    return [last - number * _DAY for number in range((last - first).days + 1)]


def days_in_doubt(gaps: Iterable[Gap], zone: ZoneInfo) -> set[date]:
    """The days of those `gaps` that are open and that the source has not confirmed."""
    days: set[date] = set()
    for gap in gaps:
        if gap.confirmed_at is None and gap.resolved_at is None:
            last = day_of(gap.window.end - timedelta(seconds=1), zone)
            days.update(days_between(day_of(gap.window.start, zone), last))
    return days


def unread(
    days: Iterable[date],
    readings: Mapping[date, datetime],
    told: Mapping[date, int],
    known: Iterable[datetime],
    zone: ZoneInfo,
) -> list[date]:
    """Those of `days` that the source has to be asked for, in their order.

    Not asked for are days that were read completely so long after their end that nothing more
    comes, and whose captures are all known: archived, or remembered with their URLs. `readings`
    says when each day was read completely, `told` how many captures it had then, and `known` when
    the known captures were taken.
    """
    here = Counter(day_of(moment, zone) for moment in known)
    return [
        day
        for day in days
        if not _is_settled(day, readings.get(day), zone) or here[day] < told.get(day, 0)
    ]


def _is_settled(day: date, read_at: datetime | None, zone: ZoneInfo) -> bool:
    ends = begin_of(day + _DAY, zone)
    return read_at is not None and read_at >= ends + LATEST_PUBLICATION
