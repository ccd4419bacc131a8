"""What is left in the catalogue of a time in which this computer's clock was far ahead.

Runs of the future would pass for the last ones, gaps would reach into it, days would count as read
and hosts would be left alone, all of it until that time has come.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select, update

from camdl.catalogue.tables import captures, gaps, pending, readings, rests, runs, stream_results

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

# Clocks of several computers may differ by less, and so may the time zones of a site's stamps.
SLACK = timedelta(days=1)
# Nobody is asked to be left alone for longer.
_LONGEST_REST = timedelta(days=1)


def is_ahead(connection: Connection, now: datetime) -> bool:
    """Whether any run is of the future; everything else is left by one."""
    later = select(runs.c.id).where(runs.c.started_at > now + SLACK).limit(1)
    return connection.scalar(later) is not None


def forget_what_is_ahead(connection: Connection, now: datetime) -> bool:
    """Forget what was recorded by a clock that was ahead of `now`, and say whether any was.

    Nothing is forgotten where captures are ahead too: their times are the source's, so it is
    `now` that is wrong. What is lacking all the same is found again as ever.
    """
    limit = now + SLACK
    if connection.scalar(select(func.max(captures.c.captured_at) > limit)):
        return False
    ahead = select(runs.c.id).where(runs.c.started_at > limit)
    rested = limit + _LONGEST_REST
    for change in (
        delete(stream_results).where(stream_results.c.run_id.in_(ahead)),
        delete(runs).where(runs.c.started_at > limit),
        delete(readings).where(readings.c.read_at > limit),
        delete(rests).where(rests.c.until > rested),
        update(pending).where(pending.c.not_before > rested).values(not_before=None),
        delete(gaps).where(gaps.c.ends_at > limit),
        update(gaps).where(gaps.c.confirmed_at > limit).values(confirmed_at=None),
        update(gaps).where(gaps.c.resolved_at > limit).values(resolved_at=now),
        update(captures).where(captures.c.verified_at > limit).values(verified_at=None),
    ):
        connection.execute(change)
    return True
