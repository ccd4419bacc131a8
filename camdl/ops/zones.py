"""Whether this system knows the time zones that the sites are in."""

from __future__ import annotations

import zoneinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from camdl.domain.examination import bad, fine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from camdl.domain.examination import Finding

_REMEDY = "python3 -m pip install tzdata, with the Python that runs camdl"


def examine(keys: Iterable[str], now: datetime) -> Iterator[Finding]:
    """Read the data of each zone anew, and tell which time it is there."""
    times: list[str] = []
    for key in dict.fromkeys(keys):
        try:
            # Not what this process has in mind already.
            there = now.astimezone(ZoneInfo.no_cache(key))
        except (KeyError, OSError, ValueError):
            where = ", ".join(zoneinfo.TZPATH) or "no directory"
            yield bad(f"there is no data of the time zone {key}: looked in {where}", _REMEDY)
        else:
            times.append(f"{key} ({there:%H:%M} there)")
    if times:
        yield fine(", ".join(times))
