"""What is archived, and by which name: one image of a stream, known by stream and instant."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import PurePosixPath

STREAM_NAME = re.compile(r"[a-z0-9_-]{1,64}")
_KEY = re.compile(
    r"(?P<stream>[a-z0-9_-]{1,64})/(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})"
    r"/(?P=year)(?P=month)(?P=day)T(\d{2})(\d{2})(\d{2})Z_(?P=stream)\.jpg",
    re.ASCII,
)


def utc(moment: datetime) -> datetime:
    """`moment` in UTC.

    Raises:
        TypeError: `moment` is naive, so that nobody knows which instant it means.
    """
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise TypeError(f"{moment!r} has no time zone: an instant needs one")
    return moment.astimezone(UTC)


@dataclass(frozen=True, slots=True, order=True)
class Capture:
    """One image of a stream. `captured_at` is UTC, to the whole second, as the source says."""

    captured_at: datetime
    stream: str

    def __post_init__(self) -> None:
        """Hold what every reader relies on.

        Raises:
            TypeError: `captured_at` has no time zone.
            ValueError: the stream's name is outside the allow-list, or there is a fraction of
                a second, which the archive's names could not tell apart.
        """
        object.__setattr__(self, "captured_at", utc(self.captured_at))
        if self.captured_at.microsecond:
            raise ValueError(f"{self.captured_at!r} is not a whole second")
        if not STREAM_NAME.fullmatch(self.stream):
            raise ValueError(f"{self.stream!r} is no stream name: [a-z0-9_-], 1 to 64 characters")

    @property
    def key(self) -> str:
        """The archive's name for it: `<stream>/<YYYY-MM-DD>/<YYYYMMDDTHHMMSSZ>_<stream>.jpg`."""
        # strftime pads no years below 1000 on Linux; isoformat does.
        day = self.captured_at.date().isoformat()
        time = f"{day.replace('-', '')}T{self.captured_at:%H%M%S}Z"
        return f"{self.stream}/{day}/{time}_{self.stream}.jpg"

    @classmethod
    def from_key(cls, key: str | PurePosixPath) -> Capture | None:
        """The capture that `key` names, or None for a name that is not the archive's own."""
        found = _KEY.fullmatch(str(key))
        if not found:
            return None
        stream, *numbers = found.groups()
        try:
            # Ten times as fast as strptime, and a clean-up reads hundreds of thousands.
            year, month, day, hour, minute, second = map(int, numbers)
            captured_at = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except ValueError:  # digits in the right places, but no such instant
            return None
        return cls(captured_at, stream)


@dataclass(frozen=True, slots=True, order=True)
class ListedCapture:
    """A capture that a source says exists, and the URL of its full-size image."""

    capture: Capture
    url: str
