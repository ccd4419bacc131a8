"""`Retry-After`: how long a server asks to be left alone."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from camdl.domain.captures import utc

if TYPE_CHECKING:
    from datetime import datetime

# A server that asks for more is asked again after a day: one stray header, or one of our clocks
# gone wrong, must not end an archive.
MOST_SECONDS = 86_400.0

_SECONDS = re.compile(r"\s*([+-]?)(\d+)(?:\.\d*)?\s*", re.ASCII)


def retry_after(header: str | None, now: datetime) -> float | None:
    """The seconds that `header` asks for, from 0 to a day; None if it asks for nothing sensible."""
    if header is None:
        return None
    number = _SECONDS.fullmatch(header)
    if number:
        sign, digits = number.groups()
        # More digits than a day's seconds have could be more than int() takes.
        seconds = float(digits) if len(digits) < 12 else MOST_SECONDS
        return 0.0 if sign == "-" else min(seconds, MOST_SECONDS)
    try:
        moment = parsedate_to_datetime(header)
        if moment.tzinfo is None:  # "-0000": UTC, from a server that knows no zone
            moment = moment.replace(tzinfo=utc(now).tzinfo)
        wait = (moment - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, wait), MOST_SECONDS)
