"""Which captures a run asks for: pure decisions of `camdl download`."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from camdl.domain.captures import utc

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from zoneinfo import ZoneInfo

    from camdl.domain.captures import Capture, ListedCapture
    from camdl.domain.outcomes import PendingCapture

_JUST_AFTER_MIDNIGHT = timedelta(hours=1)


def back_to(newest: datetime | None, now: datetime, zone: ZoneInfo) -> datetime | None:
    """How far back (UTC) a listing should reach, so that it joins what is archived.

    That is the newest archived capture, but not beyond the day before `now` in the site's `zone`.
    With nothing archived the shown day is enough, unless it has only just begun.
    """
    now = utc(now)
    yesterday = now.astimezone(zone).date() - timedelta(days=1)
    begins = utc(datetime.combine(yesterday, time(), zone))
    if newest is not None:
        return max(utc(newest), begins)
    before = utc(now - _JUST_AFTER_MIDNIGHT)
    return begins if before.astimezone(zone).date() == yesterday else None


def due(
    listed: Sequence[ListedCapture],
    archived: Collection[Capture],
    pending: Iterable[PendingCapture],
    now: datetime,
    retention: timedelta,
) -> tuple[list[ListedCapture], list[PendingCapture]]:
    """What to ask for now, newest first, and what the source wants to be left alone with.

    Due is what is listed and not archived, and what earlier runs could not get although it is
    no longer listed. What was asked for in vain and is older than `retention` is given up.
    """
    known = {one.listed.capture: one for one in pending}
    candidates = {capture: one.listed for capture, one in known.items()}
    candidates |= {one.capture: one for one in listed if one.capture not in archived}
    ask: list[ListedCapture] = []
    leave: list[PendingCapture] = []
    for capture, candidate in sorted(candidates.items(), reverse=True):
        earlier = known.get(capture)
        if earlier and earlier.reason and capture.captured_at < utc(now) - retention:
            continue
        if earlier and earlier.not_before and earlier.not_before > utc(now):
            leave.append(earlier)
        else:
            ask.append(candidate)
    return ask, leave
