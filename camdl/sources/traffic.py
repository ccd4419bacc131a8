"""What a page asks of the network, and the politeness with which it is let."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from playwright.async_api import Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.async_api import BrowserContext, Page, Request, Response, Route, WebSocket

# Their answers hold text that may list captures.
_TELLING = {"document", "xhr", "fetch", "script", "other"}
# A stream of events never ends: nobody waits for it.
_ENDLESS = {"eventsource", "websocket", "ping"}
_ENDLESS_ANSWER = re.compile(r"text/event-stream|application/x-ndjson|multipart/")
_UNSEEN = {"media", "font"}
# What a page asks for again and again by itself is a poll, not the answer to something.
_POLL = 4
_BUSY = {408, 425, 429}
# A page's script asks with these, and may do without the answer in silence.
_ASKED_BY_SCRIPT = {"xhr", "fetch"}
_CUT_OFF = re.compile(r"ERR_(CONNECTION|CONTENT_LENGTH|EMPTY_RESPONSE|HTTP2|INCOMPLETE|TIMED_OUT)")
_LARGEST_TEXT = 32_000_000
# The smallest GIF: an image that loads, so that the page goes on, and costs the site nothing.
_STUB = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)


class Traffic:
    """Follows the requests of one page and hands every text in them to `tell`.

    Images are answered here, by one pixel: their URLs are what is wanted of them.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._under_way: set[Request] = set()
        self._asked: Counter[str] = Counter()
        self._readings: set[asyncio.Task[None]] = set()
        self._stirred = asyncio.Event()
        self._failures: dict[str, str] = {}
        self._log: list[str] = []
        self.unknown_hosts: set[str] = set()

    async def follow(self, context: BrowserContext, page: Page) -> None:
        """Listen from before the first request on."""
        await context.route("**/*", _answer)
        page.on("request", self._began)
        page.on("response", self._answered)
        page.on("requestfinished", self._finished)
        page.on("requestfailed", self._failed)
        page.on("websocket", self._listen)
        # Nothing comes in any more: whoever waits for it has to be told.
        page.on("crash", self._stir)
        page.on("close", self._stir)

    @property
    def log(self) -> list[str]:
        """A line for each request and what became of it, for a person to look at."""
        return [*self._log, *(f"{_named(request)}: under way" for request in self._under_way)]

    @property
    def busy(self) -> bool:
        """Whether something that was asked for has not come yet, or was not read yet."""
        return bool(self._under_way or self._readings)

    async def stirs(self) -> None:
        """Wait until something is asked for or comes in."""
        self._stirred.clear()
        await self._stirred.wait()

    def forget_polls(self) -> None:
        """Begin to count anew what the page asks for by itself."""
        self._asked.clear()

    @property
    def failures(self) -> list[str]:
        """What the page's scripts asked for in vain, though it should be there: a line each."""
        return list(self._failures.values())

    def _began(self, request: Request) -> None:
        self._stir()
        self._tell(request.url)
        kind = request.resource_type
        if kind in _ENDLESS or kind in _UNSEEN or kind == "image":
            return
        asked = _question(request)
        self._asked[asked] += 1
        if self._asked[asked] < _POLL:
            self._under_way.add(request)

    def _answered(self, response: Response) -> None:
        request = response.request
        if _ENDLESS_ANSWER.match(response.headers.get("content-type", "")):
            self._ended(request)
        if may_pass(response.status):
            self._fell_through(request, f"{request.url} answered {response.status}")
        else:
            self._failures.pop(_question(request), None)

    def _finished(self, request: Request) -> None:
        if request.resource_type in _TELLING:
            reading = asyncio.ensure_future(self._read(request))
            self._readings.add(reading)
            reading.add_done_callback(self._read_out)
        self._ended(request)

    def _failed(self, request: Request) -> None:
        failure = request.failure or ""
        if "ERR_NAME_NOT_RESOLVED" in failure:
            self.unknown_hosts.add(urlsplit(request.url).hostname or "")
        if _CUT_OFF.search(failure):
            self._fell_through(request, f"{request.url} did not answer: {failure}")
        if "ERR_BLOCKED_BY_CLIENT" not in failure:
            self._log.append(f"{_named(request)}: {failure}")
        self._ended(request)

    def _fell_through(self, request: Request, how: str) -> None:
        if request.resource_type in _ASKED_BY_SCRIPT:
            self._failures[_question(request)] = how

    def _ended(self, request: Request) -> None:
        self._under_way.discard(request)
        self._stir()

    def _stir(self, *_: object) -> None:
        self._stirred.set()

    def _read_out(self, reading: asyncio.Task[None]) -> None:
        self._readings.discard(reading)
        self._stir()
        if not reading.cancelled() and (fault := reading.exception()):
            self._log.append(f"could not be read: {fault}")

    async def _read(self, request: Request) -> None:
        response = await request.response()
        if response is None:
            return
        self._log.append(f"{_named(request)}: {response.status}")
        if not _fits(response):
            return
        try:
            body = await response.body()
        except Error:  # a redirect has none, and the browser forgets those of a page it left
            return
        self._tell(body.decode("utf-8", "replace"))

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._hear)

    def _hear(self, payload: str | bytes) -> None:
        text = payload if isinstance(payload, str) else payload.decode("utf-8", "replace")
        self._stir()
        self._tell(text)


async def _answer(route: Route) -> None:
    kind = route.request.resource_type
    try:
        if kind == "image":
            await route.fulfill(status=200, content_type="image/gif", body=_STUB)
        elif kind in _UNSEEN:
            await route.abort("blockedbyclient")
        else:
            await route.continue_()
    except Error:  # the page went away in the meantime
        return


def may_pass(status: int) -> bool:
    """Whether a server that answers so may answer otherwise in a while."""
    return status >= 500 or status in _BUSY


def _named(request: Request) -> str:
    return f"{request.method} {request.url} {request.resource_type}"


def _question(request: Request) -> str:
    """What tells a request from others; lists come by pages that only the body tells apart."""
    return f"{request.method} {request.url} {request.post_data_buffer or ''!r}"


def _fits(response: Response) -> bool:
    length = response.headers.get("content-length", "")
    return not length.isdigit() or int(length) <= _LARGEST_TEXT
