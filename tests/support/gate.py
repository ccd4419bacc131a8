"""A gate site with few captures, which knows what was asked of it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from camdl.demo.site import GateSite
from camdl.domain.captures import Capture
from camdl.domain.templates import UrlTemplate
from tests.support.images import gate_jpeg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date
    from typing import Self

STREAMS = ("in_gate", "out_gate")
PICTURE = gate_jpeg(2, (640, 360))


class Gate(GateSite):
    """The demo's site with the captures that `take` says, the same picture in all of them.

    `asked` are the paths of the full-size images that were asked for, in order. `bodies` are
    served in place of images as long as there are any, and `meanwhile` is called before each.
    """

    def __init__(self) -> None:
        super().__init__(STREAMS, lambda _stream, _moment: PICTURE, lambda: self.now, 0, 0.0)
        self._lock = threading.Lock()
        self.begin()

    def begin(self, now: datetime | None = None) -> None:
        """Nothing was taken and nothing asked for; it is `now`, and stays so."""
        self.now = (now or datetime.now(UTC)).replace(microsecond=0)
        self.taken: dict[str, list[datetime]] = {}
        self.asked: list[str] = []
        self.bodies: Iterator[bytes] = iter(())
        self.meanwhile: Callable[[], object] = lambda: None

    def take(self, *minutes_ago: float, streams: tuple[str, ...] = STREAMS) -> None:
        """These are the captures of `streams`."""
        moments = sorted(self.now - timedelta(minutes=minutes) for minutes in minutes_ago)
        self.taken |= dict.fromkeys(streams, moments)

    def all_keys(self) -> list[str]:
        """What an archive has that has everything, in the order of time."""
        captures = [Capture(when, name) for name, taken in self.taken.items() for when in taken]
        return [capture.key for capture in sorted(captures)]

    def image_url(self, stream: str, moment: datetime) -> str:
        """Where the image of a capture is."""
        return UrlTemplate(self.image).url(Capture(moment, stream))

    def published(self, stream: str, day: date) -> list[datetime]:
        """The captures of `day` (UTC), oldest first."""
        return [moment for moment in self.taken.get(stream, []) if moment.date() == day]

    def picture(self, path: str) -> bytes | None:
        """What is at `path`, and a note that it was asked for."""
        picture = super().picture(path)
        if picture is None or path.endswith("-thumbnail.jpeg"):
            return picture
        with self._lock:
            self.asked.append(path)
            body = next(self.bodies, picture)
        self.meanwhile()
        return body


class Held:
    """The images of `gate` are held back inside the `with`, once `is_asked` for the first."""

    def __init__(self, gate: Gate) -> None:
        self._gate, self._may_go, self.is_asked = gate, threading.Event(), threading.Event()

    def __enter__(self) -> Self:
        self._gate.meanwhile = self._hold
        return self

    def __exit__(self, *_: object) -> None:
        self._gate.meanwhile = lambda: None
        self._may_go.set()

    def _hold(self) -> None:
        self.is_asked.set()
        self._may_go.wait(60)
