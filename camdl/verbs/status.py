"""`camdl status`: how the archive is, for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from camdl.domain.coverage import coverage, last_day
from camdl.domain.gaps import State
from camdl.domain.overview import Overview
from camdl.domain.text import one_line
from camdl.errors import CamdlError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from camdl.domain.coverage import Coverage
    from camdl.domain.gaps import Gap
    from camdl.domain.health import Health
    from camdl.domain.sites import Stream
    from camdl.verbs.stocktaking import Stocktaking

_LONGEST = 1000


def status(
    health: Health,
    stocktaking: Callable[[], AbstractContextManager[Stocktaking | None]],
    streams: Sequence[Stream],
    now: datetime,
) -> Overview:
    """What there is to see at `now`; what cannot be read becomes part of it.

    `stocktaking` gives None if nothing was ever archived. Nothing is changed, and no lock is
    needed.
    """
    try:
        with stocktaking() as stock:
            days, gaps = _days_and_gaps(stock, streams, now)
    except CamdlError as error:
        return Overview(health, fault=one_line(str(error), _LONGEST))
    return Overview(health, days, gaps)


def _days_and_gaps(
    stock: Stocktaking | None, streams: Sequence[Stream], now: datetime
) -> tuple[tuple[Coverage, ...], tuple[Gap, ...]]:
    days: list[Coverage] = []
    gaps: list[Gap] = []
    for stream in streams:
        if stock is None:
            days.append(coverage(stream, [], [], None, now))
            continue
        known = stock.gaps(stream, now)
        since = last_day(now, stream.timezone).start
        instants = stock.ledger.instants(stream.name, since)
        begins = stock.ledger.begins(stream.name)
        days.append(coverage(stream, instants, known, begins, now))
        gaps += [gap for gap in known if gap.state is State.OPEN]
    gaps.sort(key=lambda gap: gap.window.start, reverse=True)
    return tuple(days), tuple(gaps)
