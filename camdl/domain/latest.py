"""Which captures a run asks for: pure decisions of `camdl download`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from camdl.domain.captures import utc

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime, timedelta

    from camdl.domain.captures import Capture, ListedCapture
    from camdl.domain.outcomes import PendingCapture


def due(
    listed: Sequence[ListedCapture],
    archived: Collection[Capture],
    pending: Iterable[PendingCapture],
    now: datetime,
    retention: timedelta,
    *,
    deleted_up_to: datetime | None = None,
) -> tuple[list[ListedCapture], list[PendingCapture]]:
    """What to ask for now, newest first, and what the source wants to be left alone with.

    Due is what is listed and not archived, and what earlier runs could not get although it is
    no longer listed. What was asked for in vain and is older than `retention` is given up, and
    what is not after `deleted_up_to` was here and was deleted on purpose.
    """
    known = {one.listed.capture: one for one in pending}
    candidates = {capture: one.listed for capture, one in known.items()}
    candidates |= {one.capture: one for one in listed if one.capture not in archived}
    ask: list[ListedCapture] = []
    leave: list[PendingCapture] = []
    for capture, candidate in sorted(candidates.items(), reverse=True):
        earlier = known.get(capture)
        if deleted_up_to and capture.captured_at <= deleted_up_to:
            continue
        if earlier and earlier.reason and capture.captured_at < utc(now) - retention:
            continue
        if earlier and earlier.not_before and earlier.not_before > utc(now):
            leave.append(earlier)
        else:
            ask.append(candidate)
    return ask, leave
