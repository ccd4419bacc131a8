"""The time zone of this machine's clock on the wall, by which cron and systemd start things."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from datetime import tzinfo


def local_zone(file: Path = Path("/etc/localtime")) -> tzinfo:
    """The zone, with its rules for summer time; UTC where the machine has none.

    `TZ` is a wish of whoever calls, and no concern of those who start things.
    """
    try:
        with file.open("rb") as rules:
            return ZoneInfo.from_file(rules)
    except (OSError, ValueError):
        return UTC
