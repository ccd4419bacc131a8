"""Reads one camera page: what it received over the network and what its DOM shows after scrolling.

Nothing here waits for a fixed time. A page has come to rest when none of its requests, scripts
and short timers is under way and its DOM stood still for some frames; it is scrolled step by step
and comes to rest after each, so that thumbnails which load when they come into view are seen.
"""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from playwright.async_api import Error

from camdl.errors import PassingFaultError
from camdl.sources.evidence import Evidence
from camdl.sources.picker import DatePicker, PickerError
from camdl.sources.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from datetime import date, datetime

    from playwright.async_api import Browser, BrowserContext, Frame, Page, Response

    from camdl.domain.captures import ListedCapture
    from camdl.ports import Wanted

# Tall, so that a day of thumbnails takes few steps of scrolling.
_WIDTH, _HEIGHT = 1600, 3200
_NET_ERROR = re.compile(r"net::(ERR_\w+)")
# Asking again at once would get the same answer.
_LASTING = re.compile(
    r"ERR_(CERT|SSL|BAD_SSL|ABORTED|BLOCKED|UNSAFE|DISALLOWED|INVALID|UNKNOWN_URL)"
)
_MAY_PASS = {408, 425, 429}


class PageError(Exception):
    """The page cannot be read, and asking again at once would not help."""


class Reading:
    """One stream's page, in a browser context of its own, for one attempt to read it."""

    def __init__(self, wanted: Wanted, now: datetime, timeout_seconds: float) -> None:
        self._wanted = wanted
        self._now = now
        self._timeout = timeout_seconds
        self._evidence = Evidence(wanted.stream)
        self._picker = DatePicker(wanted.stream.date_picker) if wanted.stream.date_picker else None
        self._context: BrowserContext | None = None
        self._opened = False
        self.traffic = Traffic(self._evidence.tell)
        self.shortfalls: list[str] = []
        self.page: Page | None = None

    @property
    def captures(self) -> tuple[ListedCapture, ...]:
        """What was found so far, newest first."""
        return self._evidence.captures()

    async def read(self, browser: Browser) -> None:
        """Read the shown day, then the days before it that are wanted and not reached yet.

        What could not be waited for is told in `shortfalls`.

        Raises:
            PassingFaultError: the page could not be opened now.
            PageError: the page cannot be opened.
        """
        try:
            page = await self._new_page(browser)
            await self._in_time(self._read_shown_day(page), "the page had not come to rest")
            for day in self._days_before():
                if self._reaches_back():
                    break
                await self._in_time(self._read_day(page, day), f"the page did not show {day}")
        except Error as error:
            if not browser.is_connected():
                raise PageError("the browser ended unexpectedly") from None
            raise PassingFaultError(f"the page broke off: {_first_line(error)}") from None

    async def close(self) -> None:
        """Leave nothing of it in the browser."""
        if self._context is not None:
            try:
                await self._context.close()
            except Error:  # gone with the browser
                return

    async def _new_page(self, browser: Browser) -> Page:
        self._context = await browser.new_context(
            accept_downloads=False,
            locale="en-US",
            service_workers="block",
            timezone_id=self._wanted.stream.timezone.key,
            viewport={"width": _WIDTH, "height": _HEIGHT},
        )
        await self._context.add_init_script(_script())
        self.page = await self._context.new_page()
        self.page.on("popup", _close)
        await self.traffic.follow(self._context, self.page)
        return self.page

    async def _in_time(self, step: Coroutine[None, None, None], otherwise: str) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await step
        except TimeoutError:
            if not self._opened:
                late = f"{self._wanted.stream.page} did not answer within {self._timeout:g} s"
                raise PassingFaultError(late) from None
            self.shortfalls.append(f"{otherwise} within {self._timeout:g} s")
        except PickerError as error:
            self.shortfalls.append(str(error))

    async def _read_shown_day(self, page: Page) -> None:
        await self._open(page)
        await self._look_all_over(page)
        while not await self._complete(page):
            await self._next_change(page)
            await self._look_all_over(page)

    async def _complete(self, page: Page) -> bool:
        """Whether a page at rest shows all that it will.

        A page whose date picker has not come yet is still to show its history; one that shows no
        capture may be right, just after midnight, when the day before is asked for anyway.
        """
        if self._picker and not await self._picker.is_there(page):
            return False
        return bool(self.captures) or bool(self._picker and self._wanted.back_to)

    def _days_before(self) -> Iterator[date]:
        if not (self._picker and self._wanted.back_to):
            return
        zone = self._wanted.stream.timezone
        day = self._now.astimezone(zone).date()
        while day > self._wanted.back_to.astimezone(zone).date():
            day -= timedelta(days=1)
            yield day

    def _reaches_back(self) -> bool:
        back_to = self._wanted.back_to
        return back_to is None or any(c.capture.captured_at <= back_to for c in self.captures)

    async def _read_day(self, page: Page, day: date) -> None:
        if self._picker is None:
            return
        await page.evaluate("__camdl.rewind()")
        await self._picker.pick(
            page, day, self._now.astimezone(self._wanted.stream.timezone).date()
        )
        await self._look_all_over(page)

    async def _open(self, page: Page) -> None:
        try:
            # The timeout around all of it is ours: Playwright's own would leave nothing for the
            # captures that are found although the page never comes to rest.
            answer = await page.goto(self._wanted.stream.page, wait_until="commit", timeout=0)
        except Error as error:
            raise self._fault(error) from None
        self._opened = True
        if answer is not None and answer.status >= 400:
            raise _refused(answer)

    def _fault(self, error: Error) -> Exception:
        found = _NET_ERROR.search(error.message)
        what = found[1] if found else _first_line(error)
        if hosts := self.traffic.unknown_hosts:
            what = f"{what} for {', '.join(sorted(hosts))}"
        reason = f"{self._wanted.stream.page} could not be opened: {what}"
        return PageError(reason) if _LASTING.match(what) else PassingFaultError(reason)

    async def _look_all_over(self, page: Page) -> None:
        """Come to rest, read, scroll on; until everything was scrolled to its end."""
        while True:
            await self._rest(page)
            for frame in page.frames:
                self._evidence.tell(await _in_frame(frame, "__camdl.show()") or "")
            scrolled = [await _in_frame(frame, "__camdl.scroll()") for frame in page.frames]
            if not any(scrolled):
                return

    async def _rest(self, page: Page) -> None:
        """Wait until nothing is under way, neither in the page nor on the network."""
        self.traffic.forget_polls()
        while True:
            for frame in page.frames:
                await _in_frame(frame, "__camdl.rest()")
            if not self.traffic.busy:
                return
            await self.traffic.stirs()

    async def _next_change(self, page: Page) -> None:
        """Wait until the page, at rest, stirs by itself."""
        ways = [
            asyncio.ensure_future(self.traffic.stirs()),
            asyncio.ensure_future(_in_frame(page.main_frame, "__camdl.change()")),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


async def _in_frame(frame: Frame, expression: str) -> object:
    """What `expression` gives; None in a frame that is not there (any more) or is not scripted."""
    while True:
        try:
            return await frame.evaluate(f"typeof __camdl === 'undefined' ? null : {expression}")
        except Error as error:
            if "navigation" in error.message and not frame.is_detached():
                await frame.wait_for_load_state("domcontentloaded", timeout=0)
                continue  # it went elsewhere under our hands, and has a new document now
            if frame.parent_frame is not None:
                return None
            raise


def _refused(answer: Response) -> Exception:
    reason = f"{answer.url} answered {answer.status} {answer.status_text}".rstrip()
    if answer.status < 500 and answer.status not in _MAY_PASS:
        return PageError(reason)
    return PassingFaultError(reason, wait_seconds=None)


async def _close(popup: Page) -> None:
    try:
        await popup.close()
    except Error:
        return


def _first_line(error: Error) -> str:
    return error.message.partition("\n")[0]


@cache
def _script() -> str:
    return files("camdl.sources").joinpath("page.js").read_text(encoding="utf-8")
