"""Which hosts asked to be left alone: known to all that ask any, and to the next runs."""

from __future__ import annotations

import threading
import time


class Rests:
    """Until when each origin asked to be left alone, on the monotonic clock.

    Pages and images share one, from all of their threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dict[str, float] = {}

    def ask(self, origin: str, seconds: float) -> None:
        """`origin` asks for `seconds` of rest; a longer one that it asked for stays."""
        with self._lock:
            until = time.monotonic() + seconds
            self._until[origin] = max(until, self._until.get(origin, until))

    def remaining(self, origin: str) -> float:
        """The seconds for which `origin` is still to be left alone, 0 if it is not."""
        with self._lock:
            return max(0.0, self._until.get(origin, 0.0) - time.monotonic())

    def standing(self) -> dict[str, float]:
        """The origins that are to be left alone now, and for how many seconds."""
        with self._lock:
            origins = list(self._until)
        left = {origin: self.remaining(origin) for origin in origins}
        return {origin: seconds for origin, seconds in left.items() if seconds > 0}
