"""`Date` and `Age`: what time it is, as the headers of an answer tell."""

from __future__ import annotations

import re
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_AGE = re.compile(r"\s*(\d{1,9})\s*", re.ASCII)


def answered_at(headers: Mapping[str, str]) -> datetime | None:
    """When an answer was given, in UTC, to the second; None if its `headers` do not tell.

    A cache keeps the `Date` of the answer that it holds, and says in `Age` how long ago that was.
    """
    said = {name.lower(): value for name, value in headers.items()}
    try:
        moment = parsedate_to_datetime(said.get("date", ""))
        if moment.tzinfo is None:  # "-0000": UTC, from a server that knows no zone
            moment = moment.replace(tzinfo=UTC)
        age = _AGE.fullmatch(said.get("age", ""))
        return moment.astimezone(UTC) + timedelta(seconds=int(age[1]) if age else 0)
    except (ValueError, OverflowError):
        return None
