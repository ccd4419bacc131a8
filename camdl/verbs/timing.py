"""How long the stages of a collection took, for those who ask for it with --verbose."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True)
class Spent:
    """How often something was done, and how many seconds it took altogether."""

    times: int = 0
    seconds: float = 0.0

    def words(self) -> str:
        """Such as `12 x 75 ms`."""
        each = self.seconds / self.times if self.times else 0.0
        return (
            f"{self.times} x {each * 1000:.0f} ms" if each < 1 else f"{self.times} x {each:.1f} s"
        )


class Stopwatch:
    """Adds up over all threads what each stage took. `stage` is a name, `of` what it was done for.

    Stages of several threads go on at the same time, so that together they may take longer than
    the run.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spent: defaultdict[str, dict[str, Spent]] = defaultdict(dict)

    @contextmanager
    def timed(self, stage: str, of: str = "") -> Iterator[None]:
        """Add what the `with` takes, whatever comes of it."""
        began = time.monotonic()
        try:
            yield
        finally:
            seconds = time.monotonic() - began
            with self._lock:
                spent = self._spent[of].setdefault(stage, Spent())
                spent.times += 1
                spent.seconds += seconds

    def words(self, of: str = "") -> str:
        """All that was done for it, in the order in which it first was; empty for nothing."""
        with self._lock:
            return ", ".join(f"{stage} {spent.words()}" for stage, spent in self._spent[of].items())

    def fields(self, of: str = "") -> dict[str, str]:
        """The seconds of each stage as fields of a log."""
        with self._lock:
            spent = self._spent[of].items()
            return {f"{stage}_seconds": f"{one.seconds:.3f}" for stage, one in spent}
