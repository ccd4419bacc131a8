"""Times as people write them on a command line."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from camdl.domain.captures import utc
from camdl.domain.windows import Window

if TYPE_CHECKING:
    from datetime import tzinfo


def window(start: str, end: str, zone: tzinfo = UTC) -> Window:
    """From `start` to `end`: each a day, which is in it as a whole, or a day and a time.

    Written as ISO 8601 does: `2025-09-08`, `2025-09-08T14:30`, `2025-09-08T14:30:00Z`. What has
    no zone of its own is meant in `zone`.

    Raises:
        ValueError: one is no such time, or the end does not come after the start.
    """
    first, last = _moment(start, zone, timedelta()), _moment(end, zone, timedelta(days=1))
    if last <= first:
        raise ValueError(f"{end} does not come after {start}")
    return Window(first, last)


def moment(text: str, zone: tzinfo = UTC) -> datetime:
    """The instant that `text` says, written as for `window`; of a day, its begin.

    Raises:
        ValueError: it is no such time.
    """
    return _moment(text, zone, timedelta())


def _moment(text: str, zone: tzinfo, into_day: timedelta) -> datetime:
    """The instant that `text` says; of a day, that so long after its begin."""
    try:
        try:
            day = date.fromisoformat(text)
        except ValueError:
            said = datetime.fromisoformat(text)
        else:
            said = datetime.combine(day + into_day, time())
        return utc(said if said.tzinfo else said.replace(tzinfo=zone))
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{text!r} is no time: write 2025-09-08, 2025-09-08T14:30 or 2025-09-08T14:30Z"
        ) from error
