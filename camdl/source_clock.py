"""What servers say of the time: known to all that ask any, and compared with our own clock."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from camdl.domain.answered_at import answered_at

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class SourceClock:
    """How far this machine's clock is from those of the servers that answered.

    Pages and images share one, from all of their threads. `clock` tells our own time (UTC).
    """

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._offsets: dict[str, float] = {}

    def heard(self, origin: str, headers: Mapping[str, str]) -> None:
        """An answer of `origin` with these `headers` has just come in.

        Its way here, and a cache that does not say how old it is, only ever make our clock look
        further ahead: of one origin's answers the one with the smallest offset is the truest.
        """
        said = answered_at(headers)
        if said is None:
            return
        offset = (self._clock() - said).total_seconds()
        with self._lock:
            self._offsets[origin] = min(offset, self._offsets.get(origin, offset))

    def offset_seconds(self) -> float | None:
        """How far our clock is ahead; None if no server told the time.

        Where servers disagree, one of their clocks is wrong: the one closest to ours is believed.
        """
        with self._lock:
            return min(self._offsets.values(), key=abs, default=None)
