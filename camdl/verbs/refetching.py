"""What a repair has found to be lost is asked for again at once, where it came from."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from camdl.deadline import Deadline
from camdl.errors import CamdlError
from camdl.verbs.obtaining import Bounds, Obtaining

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from camdl.domain.captures import ListedCapture
    from camdl.domain.outcomes import ImageOutcome
    from camdl.domain.sites import Stream
    from camdl.verbs.obtaining import Ports

# After its last image was begun the lock is held for so long, for those that are under way.
_LAST_IMAGES_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Order:
    """How much may be asked of the sources of `streams`, by name.

    `most_requests` images by one verification, `concurrent` at the same time; and each time that
    the lock is held for it, no image is begun after `seconds`.
    """

    streams: Mapping[str, Stream]
    most_requests: int = 2000
    concurrent: int = 8
    batch_size: int = 50
    seconds: float = 25.0


class Refetching:
    """Implements `camdl.verbs.verify.Refetch` with the ports that `open_ports` gives."""

    def __init__(
        self,
        order: Order,
        open_ports: Callable[[Deadline], AbstractContextManager[Ports]],
        now: Callable[[], datetime],
    ) -> None:
        self._order = order
        self._open_ports = open_ports
        self._now = now
        self._may_ask = order.most_requests

    def __call__(
        self, run_id: str, listed: Sequence[ListedCapture]
    ) -> list[tuple[ListedCapture, ImageOutcome]]:
        """What became of each that could be asked for, newest first; it is recorded.

        Raises:
            CatalogueError: it cannot be recorded.
            StorageError: an image cannot be stored.
        """
        newest_first = sorted(listed, key=lambda one: one.capture, reverse=True)
        wanted = newest_first[: self._may_ask]
        if not wanted:
            return []
        begin_by = Deadline.after(self._order.seconds)
        deadline = Deadline(begin_by.at + _LAST_IMAGES_SECONDS)
        bounds = Bounds(begin_by, deadline, self._order.concurrent, self._order.batch_size)
        with self._open_ports(deadline) as ports:
            engine = Obtaining(ports, self._order.streams, run_id, bounds, self._now)
            found = self._got(engine, wanted)
        self._may_ask -= len(found)
        return found

    def _got(
        self, engine: Obtaining, wanted: Sequence[ListedCapture]
    ) -> list[tuple[ListedCapture, ImageOutcome]]:
        try:
            engine.heed_rests(self._now())
            engine.give(wanted)
            found = list(engine.finished())
        except BaseException:
            engine.stop()
            for _ in engine.leftovers():  # asked for, so that they are recorded
                pass
            with suppress(CamdlError):  # one error is told already
                engine.settle()
            raise
        engine.stop()
        engine.settle()
        return found
