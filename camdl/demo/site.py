"""A gate site on loopback: a JavaScript page, its list of captures, and their images."""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, unquote, urlsplit

from camdl.demo.schedule import captures
from camdl.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from socket import socket

    Clock = Callable[[], datetime]
    Frames = Callable[[str, datetime], bytes]

LIVE = 4

_HOST = "127.0.0.1"
_IMAGE = re.compile(
    r"/images/[\d-]+/\d+/(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)-(?P<stream>[a-z0-9_-]+?)"
    r"(?P<small>-thumbnail)?\.jpeg",
    re.ASCII,
)
_IMAGE_TEMPLATE = "/images/{time:%Y-%m-%d}/{time:%-H}/{time:%Y-%m-%dT%H:%M:%S}-{stream}"
_KEPT_FRAMES = 400


@dataclass(eq=False)
class GateSite:
    """Publishes what the cameras `streams` have taken until `clock()`; `frames` are the pictures.

    A context manager: the site is up inside the `with`, on loopback only. `clock` may be replaced
    while it is up, so that time moves on. `port` 0 takes a free one. The list of a day comes
    `list_delay_seconds` after it was asked for, as from a real site.
    """

    streams: Sequence[str]
    frames: Frames
    clock: Clock
    port: int = 0
    list_delay_seconds: float = 0.3
    _server: _Server | None = field(default=None, init=False, repr=False)

    def __enter__(self) -> Self:
        """Start to serve.

        Raises:
            ConfigError: the port cannot be had.
        """
        try:
            self._server = _Server((_HOST, self.port), self)
        except OSError as error:
            raise ConfigError(
                f"the gate site cannot listen on {_HOST}:{self.port}: {error.strerror}",
                advice="Choose another --port; 0 takes a free one.",
            ) from error
        self.port = self._server.server_address[1]
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop to serve."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def origin(self) -> str:
        """Where it is up, such as `http://127.0.0.1:8765`."""
        return f"http://{_HOST}:{self.port}"

    @property
    def page(self) -> str:
        """The page's URL, with `{stream}` in it."""
        return f"{self.origin}/gate?stream={{stream}}"

    @property
    def image(self) -> str:
        """The template of the images' URLs."""
        return f"{self.origin}{_IMAGE_TEMPLATE}.jpeg"

    @property
    def thumbnail(self) -> str:
        """The template of the thumbnails' URLs."""
        return f"{self.origin}{_IMAGE_TEMPLATE}-thumbnail.jpeg"

    def published(self, stream: str, day: date) -> list[datetime]:
        """The captures of `day` (UTC) that have been taken by now, oldest first."""
        now = self.clock()
        return [moment for moment in captures(stream, day) if moment <= now]

    def live(self, stream: str) -> list[datetime]:
        """The last captures, oldest first."""
        today = self.clock().astimezone(UTC).date()
        yesterday = self.published(stream, today - timedelta(days=1))
        return [*yesterday, *self.published(stream, today)][-LIVE:]

    def picture(self, path: str) -> bytes | None:
        """The JPEG at `path`, or None if no such image is published."""
        named = _IMAGE.fullmatch(path)
        if named is None or named["stream"] not in self.streams:
            return None
        try:
            moment = datetime.fromisoformat(named["time"]).replace(tzinfo=UTC)
        except ValueError:  # digits in the right places, but no such instant
            return None
        known = self.published(named["stream"], moment.date())
        small = bool(named["small"])
        if moment not in known or path != _image_path(named["stream"], moment, small=small):
            return None
        return self._drawn(named["stream"], moment, small)

    @cached_property
    def _drawn(self) -> Callable[[str, datetime, bool], bytes]:
        """Pictures are asked for in two sizes, and again by a reload."""
        full = lru_cache(_KEPT_FRAMES)(self.frames)

        def drawn(stream: str, moment: datetime, small: bool) -> bytes:
            from camdl.demo.frames import thumbnail

            return thumbnail(full(stream, moment)) if small else full(stream, moment)

        return drawn


def _image_path(stream: str, moment: datetime, *, small: bool = False) -> str:
    name = f"{moment:%Y-%m-%dT%H:%M:%S}-{stream}{'-thumbnail' if small else ''}.jpeg"
    return f"/images/{moment:%Y-%m-%d}/{moment.hour}/{name}"


class _Server(ThreadingHTTPServer):
    """The HTTP server of one site."""

    daemon_threads = True
    request_queue_size = 128  # a browser opens many connections at once

    def __init__(self, address: tuple[str, int], site: GateSite) -> None:
        self.site = site
        super().__init__(address, _Handler)

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: object) -> None:
        """Say nothing of browsers that hang up in the middle of an answer, as they do."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection's requests."""

    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "camdl-demo"

    def do_GET(self) -> None:
        """The page, the captures as JSON, an image, or 404."""
        url = urlsplit(self.path)
        asked = {name: values[-1] for name, values in parse_qs(url.query).items()}
        if url.path in ("/", "/gate"):
            self._answer(HTTPStatus.OK, "text/html; charset=utf-8", _page())
        elif url.path == "/api/captures":
            self._answer_captures(asked)
        elif picture := self.server.site.picture(unquote(url.path)):
            self._answer(HTTPStatus.OK, "image/jpeg", picture)
        else:
            self._answer_json(HTTPStatus.NOT_FOUND, {"error": f"there is nothing at {url.path}"})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
        """Say nothing: stderr is the demo's."""

    def _answer_captures(self, asked: dict[str, str]) -> None:
        """The captures of a day, or the last ones where no day is asked for."""
        site = self.server.site
        stream = asked.get("stream", site.streams[0])
        if stream not in site.streams:
            self._answer_json(HTTPStatus.NOT_FOUND, {"error": f"there is no stream {stream!r}"})
            return
        if "day" not in asked:
            self._answer_json(HTTPStatus.OK, self._listing(stream, site.live(stream)))
            return
        try:
            day = date.fromisoformat(asked["day"])
        except ValueError:
            self._answer_json(HTTPStatus.BAD_REQUEST, {"error": "day is not YYYY-MM-DD"})
            return
        time.sleep(site.list_delay_seconds)
        self._answer_json(HTTPStatus.OK, self._listing(stream, site.published(stream, day)))

    def _listing(self, stream: str, moments: list[datetime]) -> dict[str, object]:
        newest_first = reversed(moments)
        return {
            "stream": stream,
            "streams": list(self.server.site.streams),
            "now": self.server.site.clock().astimezone(UTC).isoformat(),
            "captures": [
                {
                    "captured_at": moment.isoformat(),
                    "image": _image_path(stream, moment),
                    "thumbnail": _image_path(stream, moment, small=True),
                }
                for moment in newest_first
            ],
        }

    def _answer_json(self, status: HTTPStatus, value: object) -> None:
        self._answer(status, "application/json", json.dumps(value).encode())

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-cache")
        self.end_headers()
        self.wfile.write(body)


@lru_cache(maxsize=1)
def _page() -> bytes:
    return files("camdl.demo").joinpath("page.html").read_bytes()
