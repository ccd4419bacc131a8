"""A terminal's site with a past: what its cameras have taken, and what it still shows of that."""

from __future__ import annotations

import random
import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING

from tests.support.http import RawServer, answer
from tests.support.images import encoded, gate_picture
from tests.support.pages.gate import VueSite
from tests.support.pages.server import PageServer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from tests.support.http import Conversation

# Seconds since 1970 tell apart the two passes of an hour that clocks repeat; local time does not.
_PATH = "/apm/{time:%Y-%m-%d}/{time:%-H}/{time:%s}-{stream}"
_ASKED = re.compile(r"GET /apm/[\d-]+/\d+/(?P<seconds>\d+)-(?P<stream>\w+)\.jpeg ")
_PUBLISHED_AFTER = (7, 130)  # seconds, as seven recorded downloads were after their images' stamps


@dataclass
class Harbour(VueSite):
    """Shows of `past`, which may reach into the future, what is of today and `kept_days` before.

    What is `spoilt` is answered with an HTML page until the instant given. The site can go `down`
    and come `up` again.
    """

    path: str = _PATH
    past: Mapping[str, Sequence[datetime]] = field(default_factory=dict)
    kept_days: int = 4
    spoilt: Mapping[tuple[str, datetime], datetime] = field(default_factory=dict)

    def offered(self, name: str) -> list[datetime]:
        """The captures that it has now, oldest first."""
        first = datetime.combine(self._day(self.now) - timedelta(days=self.kept_days), time())
        begins = bisect_left(self.past[name], first.replace(tzinfo=self.zone))
        ends = bisect_right(self.past[name], self.now)
        return [
            moment
            for moment in self.past[name][begins:ends]
            if published_at(name, moment) <= self.now
        ]

    def of_day(self, day: date, name: str = "") -> list[datetime]:
        """Those of a `day` of its zone."""
        return [moment for moment in self.offered(name) if self._day(moment) == day]

    def down(self) -> None:
        """Let nobody connect any more."""
        self.__exit__()

    def up(self) -> None:
        """Be there again, at the same address."""
        self.site = PageServer(self.site.routes, self.site.port)
        self.cdn = RawServer(self.answer_images, port=self.cdn.port)
        self.__enter__()

    def answer_images(self, conversation: Conversation) -> None:
        """What is offered, and nothing else."""
        while head := conversation.request():
            body = self._image(head.decode("latin-1"))
            if body is None:
                conversation.send(answer("404 Not Found"))
            else:
                conversation.send(answer("200 OK", body))

    def _image(self, head: str) -> bytes | None:
        found = _ASKED.match(head)
        if found is None:
            return None
        name, moment = found["stream"], datetime.fromtimestamp(int(found["seconds"]), UTC)
        if moment not in self.offered(name):
            return None
        if self.now < self.spoilt.get((name, moment), self.now):
            return b"<!doctype html><title>The camera is being cleaned</title>"
        return picture(name, moment)

    def _day(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()


@cache
def published_at(name: str, moment: datetime) -> datetime:
    """When a capture can be seen on the site."""
    least, most = _PUBLISHED_AFTER
    lot = random.Random(f"{name} {moment.timestamp()}").randint(least, most)
    return moment + timedelta(seconds=lot)


def picture(name: str, moment: datetime) -> bytes:
    """The whole JPEG of a capture: no other has the same bytes."""
    note = f"{name} {moment.timestamp():.0f}".encode()
    start, rest = _drawn(name)[:2], _drawn(name)[2:]
    return start + b"\xff\xfe" + (len(note) + 2).to_bytes(2, "big") + note + rest


@cache
def _drawn(name: str) -> bytes:
    """A small file, as there are thousands of them."""
    return encoded(gate_picture(sum(name.encode()), (640, 360)), "JPEG", quality=10)
