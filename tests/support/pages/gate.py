"""A gate camera's site, its page built with the widget libraries that such sites use."""

from __future__ import annotations

import base64
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

    from tests.support.http import Conversation
    from tests.support.pages.server import Asked, Route

STREAM = "in_gate"
LIVE = 4

_WIDGETS = {
    "element-ui": (npm.VUE_2, npm.ELEMENT_UI),
    "element-plus": (npm.VUE_3, npm.ELEMENT_PLUS),
}
_LIBRARIES = "/npm/"
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

    A context manager. `site` answers for the page, `cdn` for the images, whose URLs have `path`.
    """

    look: Look
    now: datetime
    zone: ZoneInfo = _UTC
    path: str = "/apm/{time:%Y-%m-%d}/{time:%-H}/{time:%Y-%m-%dT%H:%M:%S}-{stream}"
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
        self.cdn = RawServer(self.answer_images)
        self.redesign(self.look)

    def __enter__(self) -> Self:
        """Start to serve."""
        self.site.__enter__()
        self.cdn.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop to serve."""
        self.site.__exit__()
        self.cdn.__exit__()

    def redesign(self, look: Look) -> None:
        """Have the page look like that, and load what it is built with."""
        self.look = look
        for path in [one for one in self.site.routes if one.startswith(_LIBRARIES)]:
            del self.site.routes[path]
        for package in _WIDGETS[look.widgets]:
            for path, content in npm.files(package).items():
                self.site.routes[f"{_LIBRARIES}{path}"] = _file(path, content)

    @property
    def page(self) -> str:
        """The page's URL, with `{stream}` in it."""
        return f"{self.site.origin}/cameras?streamName={{stream}}#camera-history"

    @property
    def image(self) -> str:
        """The template of the images' URLs."""
        return f"{self.cdn.origin}{self.path}.jpeg"

    @property
    def thumbnail(self) -> str:
        """The template of the thumbnails' URLs."""
        return f"{self.cdn.origin}{self.path}-thumbnail.jpeg"

    @property
    def stream(self) -> Stream:
        """The stream as its configuration would describe it."""
        return Stream(
            name=STREAM,
            page=self.page.replace("{stream}", STREAM),
            image=UrlTemplate(self.image, self.zone),
            thumbnail=UrlTemplate(self.thumbnail, self.zone),
            timezone=self.zone,
            date_picker=(
                'input[type="date"]' if self.look.picker == "native" else ".el-date-editor input"
            ),
            page_hosts=(),
            min_width=640,
            min_height=360,
            interval=timedelta(minutes=10),
        )

    def of_day(self, day: date, name: str = STREAM) -> list[datetime]:
        """The captures of a `day` of the site's zone that have been taken by now, oldest first."""
        local = [moment.replace(tzinfo=self.zone) for moment in captures(name, day)]
        return [moment.astimezone(UTC) for moment in local if moment <= self.now]

    def taken(self, name: str = STREAM) -> list[datetime]:
        """The captures of the day before and of the day that it is."""
        today = self.now.astimezone(self.zone).date()
        return self.of_day(today - timedelta(days=1), name) + self.of_day(today, name)

    def urls(self, moments: Iterable[datetime], name: str = STREAM) -> dict[datetime, str]:
        """The full-size URL of each."""
        image = UrlTemplate(self.image, self.zone)
        return {moment: image.url(Capture(moment, name)) for moment in moments}

    def answer_images(self, conversation: Conversation) -> None:
        """Have none: a listing needs none."""
        always(answer("404 Not Found"))(conversation)

    def _page(self, asked: Asked) -> None:
        name, today = asked.query["streamName"], self.now.astimezone(self.zone).date()
        look = {
            **asdict(self.look),
            "stream": name,
            "now": self.now.isoformat(),
            "today": today.isoformat(),
        }
        inline = ""
        if self.look.delivery == "inline":
            history = json.dumps(self.listing(self.of_day(today, name), name)).replace("/", "\\/")
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
        paths = [path for path in self.site.routes if path.startswith(_LIBRARIES)]
        styles = [f'<link rel="stylesheet" href="{path}">' for path in paths if ".css" in path]
        scripts = [f'<script src="{path}"></script>' for path in paths if ".js" in path]
        return "\n".join(styles + scripts)

    def _live(self, asked: Asked) -> None:
        asked.wait(self.look.poll_seconds)
        name = asked.query["stream"]
        asked.json(self.listing(self.taken(name)[-LIVE:], name))

    def history(self, asked: Asked) -> None:
        """The list of a day, or a page of it."""
        if asked.wait(self.look.answer_seconds):
            return
        name = asked.query["stream"]
        newest_first = self.of_day(date.fromisoformat(asked.query["day"]), name)[::-1]
        number, size = int(asked.query["page"]), self.look.page_size
        listing = self.listing(newest_first[(number - 1) * size : number * size], name)
        more = number * size < len(newest_first)
        asked.json({**listing, "next": number + 1 if more else None})

    def listing(self, moments: list[datetime], name: str = STREAM) -> dict[str, object]:
        """The captures of these moments as the page gets them."""
        thumbnail = UrlTemplate(self.thumbnail, self.zone)
        packed = self.look.delivery == "packed"
        shots = [
            # A page that is told nothing else shows that a thumbnail is enough.
            ({} if packed else {"full": full}) | {"thumb": thumbnail.url(Capture(moment, name))}
            for moment, full in self.urls(moments, name).items()
        ]
        cameras = [{"name": name, "history": {"shots": shots}}]
        listing: dict[str, object] = {"data": {"cameras": cameras}}
        if packed:  # no URL, and nothing that looks like a part of one
            return {"packed": base64.b64encode(json.dumps(listing).encode()).decode()}
        return listing


def _file(path: str, content: bytes) -> Route:
    kind = "text/css" if path.endswith(".css") else "text/javascript"
    return lambda asked: asked.send(content, kind)
