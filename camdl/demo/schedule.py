"""When the demo's cameras take their pictures: a pure function of the stream and the day."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, time, timedelta

INTERVAL = timedelta(minutes=10)

# A picture comes up to this many seconds after its slot of ten minutes begins, so two of them are
# 8:02 to 11:58 apart, as real gate cameras' are.
_LATEST_SECONDS = 118


def captures(stream: str, day: date) -> list[datetime]:
    """The instants (UTC, oldest first) at which `stream` takes its 144 pictures of `day`."""
    begins = datetime.combine(day, time(), UTC)
    slots = timedelta(days=1) // INTERVAL
    return [begins + slot * INTERVAL + _lateness(stream, day, slot) for slot in range(slots)]


def _lateness(stream: str, day: date, slot: int) -> timedelta:
    lots = hashlib.sha256(f"{stream} {day.isoformat()} {slot}".encode()).digest()
    return timedelta(seconds=int.from_bytes(lots[:4]) % (_LATEST_SECONDS + 1))
