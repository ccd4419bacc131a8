"""A gate camera's site, its page built with the widget libraries that such sites use."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self
from zoneinfo import ZoneInfo

from camdl.demo.schedule import captures
from camdl.domain.captures import Capture
from camdl.domain.sites import Stream
from camdl.domain.templates import UrlTemplate
from tests.support import npm
from tests.support.http import RawServer, always, answer
from tests.support.pages.server import PageServer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.pages.server import Asked, Route

STREAM = "in_gate"
LIVE = 4

_IMAGE = "/apm/{time:%Y-%m-%d}/{time:%-H}/{time:%Y-%m-%dT%H:%M:%S}-{stream}"
_WIDGETS = {
    "element-ui": (npm.VUE_2, npm.ELEMENT_UI),
    "element-plus": (npm.VUE_3, npm.ELEMENT_PLUS),
}
_UTC = ZoneInfo("UTC")
_HTML = Path(__file__).with_name("gate.html")


@dataclass(frozen=True)
class Look:
    """How the page is made. `delivery` is how a day's list comes to the page.

    `page_size` of it come in one answer, each `answer_seconds` after it was asked for; the next
    answer is asked for at once, `pause_ms` later, or when the end of the thumbnails is scrolled
    into view. The first is asked for `first_ms` after the start. The live strip asks every
    `poll_ms` and is answered `poll_seconds` later. Days before `first_day` cannot be picked.
    """

    widgets: Literal["element-ui", "element-plus"] = "element-plus"
    picker: Literal["widget", "native", "empty"] = "widget"
    date_format: str = ""
    first_day: str = ""
    lazy: bool = False
    scrolls: Literal["document", "box"] = "document"
    delivery: Literal["json", "inline", "packed"] = "json"
    pages: Literal["follow", "scroll"] = "follow"
    page_size: int = 1000
    answer_seconds: float = 0.0
    pause_ms: int = 0
    first_ms: int = 0
    poll_ms: int = 0
    poll_seconds: float = 0.0
    clock_ms: int = 0


@dataclass
class VueSite:
    """Publishes what the camera took until `now`, on loopback. The URLs' stamps are in `zone`.

    A context manager. `site` answers for the page, `cdn` for the images.
    """

    look: Look
    now: datetime
    zone: ZoneInfo = _UTC
    site: PageServer = field(init=False)
    cdn: RawServer = field(init=False)

    def __post_init__(self) -> None:
        """Choose the ports."""
        self.site = PageServer(
            {
                "/cameras": self._page,
                "/api/live": self._live,
                "/api/history": self.history,
            }
        )
        for package in _WIDGETS[self.look.widgets]:
            for path, content in npm.files(package).items():
                self.site.routes[f"/npm/{path}"] = _file(path, content)
        self.cdn = RawServer(always(answer("404 Not Found")))

    def __enter__(self) -> Self:
        """Start to serve."""
        self.site.__enter__()
        self.cdn.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop to serve."""
        self.site.__exit__()
        self.cdn.__exit__()

    @property
    def stream(self) -> Stream:
        """The stream as its configuration would describe it."""
        return Stream(
            name=STREAM,
            page=f"{self.site.origin}/cameras?streamName={STREAM}#camera-history",
            image=UrlTemplate(f"{self.cdn.origin}{_IMAGE}.jpeg", self.zone),
            thumbnail=UrlTemplate(f"{self.cdn.origin}{_IMAGE}-thumbnail.jpeg", self.zone),
            timezone=self.zone,
            date_picker=(
                'input[type="date"]' if self.look.picker == "native" else ".el-date-editor input"
            ),
            page_hosts=(),
            min_width=640,
            min_height=360,
            interval=timedelta(minutes=10),
        )

    def of_day(self, day: date) -> list[datetime]:
        """The captures of a `day` of the site's zone that have been taken by now, oldest first."""
        local = [moment.replace(tzinfo=self.zone) for moment in captures(STREAM, day)]
        return [moment.astimezone(UTC) for moment in local if moment <= self.now]

    def taken(self) -> list[datetime]:
        """The captures of the day before and of the day that it is."""
        today = self.now.astimezone(self.zone).date()
        return self.of_day(today - timedelta(days=1)) + self.of_day(today)

    def urls(self, moments: Iterable[datetime]) -> dict[datetime, str]:
        """The full-size URL of each."""
        return {moment: self.stream.image.url(Capture(moment, STREAM)) for moment in moments}

    def _page(self, asked: Asked) -> None:
        today = self.now.astimezone(self.zone).date()
        look = {
            **asdict(self.look),
            "stream": STREAM,
            "cdn": self.cdn.origin,
            "now": self.now.isoformat(),
            "today": today.isoformat(),
        }
        inline = ""
        if self.look.delivery == "inline":
            history = json.dumps(self.listing(self.of_day(today))).replace("/", "\\/")
            inline = f"window.HISTORY = {history};"
        html = _HTML.read_text(encoding="utf-8")
        for mark, text in (
            ("<!-- libraries -->", self._libraries()),
            ("/* look */", json.dumps(look)),
            ("/* inline */", inline),
        ):
            html = html.replace(mark, text)
        asked.html(html)

    def _libraries(self) -> str:
        paths = [path for path in self.site.routes if path.startswith("/npm/")]
        styles = [f'<link rel="stylesheet" href="{path}">' for path in paths if ".css" in path]
        scripts = [f'<script src="{path}"></script>' for path in paths if ".js" in path]
        return "\n".join(styles + scripts)

    def _live(self, asked: Asked) -> None:
        asked.wait(self.look.poll_seconds)
        asked.json(self.listing(self.taken()[-LIVE:]))

    def history(self, asked: Asked) -> None:
        """The list of a day, or a page of it."""
        if asked.wait(self.look.answer_seconds):
            return
        newest_first = self.of_day(date.fromisoformat(asked.query["day"]))[::-1]
        number, size = int(asked.query["page"]), self.look.page_size
        listing = self.listing(newest_first[(number - 1) * size : number * size])
        more = number * size < len(newest_first)
        asked.json({**listing, "next": number + 1 if more else None})

    def listing(self, moments: list[datetime]) -> dict[str, object]:
        if self.look.delivery == "packed":
            return {"packed": [self._packed(moment) for moment in moments]}
        thumbnail = self.stream.thumbnail
        assert thumbnail is not None
        shots = [
            {"full": full, "thumb": thumbnail.url(Capture(moment, STREAM))}
            for moment, full in self.urls(moments).items()
        ]
        return {"data": {"cameras": [{"name": STREAM, "history": {"shots": shots}}]}}

    def _packed(self, moment: datetime) -> tuple[str, str]:
        """A day and a second of it: no URL, and nothing that looks like a part of one."""
        local = moment.astimezone(self.zone)
        second = local.hour * 3600 + local.minute * 60 + local.second
        return local.date().isoformat(), _base36(second)


def _file(path: str, content: bytes) -> Route:
    kind = "text/css" if path.endswith(".css") else "text/javascript"
    return lambda asked: asked.send(content, kind)


def _base36(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    return (_base36(number // 36) if number >= 36 else "") + digits[number % 36]
