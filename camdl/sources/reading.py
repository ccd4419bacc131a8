"""Reads one camera page: what it received over the network and what its DOM shows after scrolling.

Nothing here waits for a fixed time. A page has come to rest when none of its requests, scripts
and short timers is under way and its DOM stood still for some frames; it is scrolled step by step
and comes to rest after each, so that thumbnails which load when they come into view are seen.
"""

from __future__ import annotations

import asyncio
import random
import re
from contextlib import suppress
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from playwright.async_api import Error

from camdl.domain.captures import utc
from camdl.domain.retry_after import retry_after
from camdl.domain.sites import origin
from camdl.errors import PassingFaultError
from camdl.rests import Rests
from camdl.source_clock import SourceClock
from camdl.sources.evidence import Evidence
from camdl.sources.picker import DatePicker, PickerError, first_line
from camdl.sources.traffic import Traffic, may_pass

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
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
    r"|Download is starting"
)
# So many days in a row may be waited for in vain: the run has other things to do.
_PATIENCE_DAYS = 2
_LAST_LOOK_SECONDS = 2.0
_ASKING_FOR_REST = frozenset({429, 503})
_SHORT_REST_SECONDS = 0.5


class PageError(Exception):
    """The page cannot be read, and asking again at once would not help."""


class Reading:
    """One stream's page, in a browser context of its own.

    Each attempt to read it begins anew, but keeps the captures that were found before. `seen` is
    called with those whose images' URLs came so far, again and again.
    """

    def __init__(
        self,
        wanted: Wanted,
        now: datetime,
        timeout_seconds: float,
        jitter_seconds: float = 0.0,
        rests: Rests | None = None,
        *,
        source_clock: SourceClock | None = None,
        seen: Callable[[tuple[ListedCapture, ...]], None] | None = None,
    ) -> None:
        self._wanted = wanted
        self._rests = Rests() if rests is None else rests
        self._source_clock = source_clock or SourceClock()
        self._now = now
        self._timeout = timeout_seconds
        self._jitter = jitter_seconds
        self._evidence = Evidence(wanted.stream)
        self._seen = seen
        self._told = 0
        self._picker: DatePicker | None = None
        self._context: BrowserContext | None = None
        self._lacking = ""
        self._shortfalls: list[str] = []
        self.traffic = Traffic(self._hear)
        self.page: Page | None = None
        self.has_answered = False
        self.days: list[date] = []
        self._is_whole = False

    @property
    def captures(self) -> tuple[ListedCapture, ...]:
        """What was found so far, newest first."""
        return self._evidence.captures()

    @property
    def shortfalls(self) -> list[str]:
        """What was waited or asked for in vain, so that captures may be lacking: a line each."""
        return [*self._shortfalls, *self.traffic.failures]

    async def read(self, browser: Browser) -> None:
        """Read the shown day, then the days before it that are wanted.

        Raises:
            PassingFaultError: the page could not be opened now.
            PageError: the page cannot be opened.
        """
        try:
            if await self._in_time(self._read_shown_day(browser)):
                self._tell_day(self._today)
            await self._read_days_before()
        except Error as error:
            if not browser.is_connected():
                raise PageError("the browser ended unexpectedly") from None
            if self.page is None:
                raise PageError(f"the browser opened no page: {first_line(error)}") from None
            raise PassingFaultError(f"the page broke off: {first_line(error)}") from None

    async def close(self) -> None:
        """Leave nothing of it in the browser."""
        context, self._context = self._context, None
        if context is not None:
            try:
                await context.close()
            except Error:  # gone with the browser
                return

    async def _new_page(self, browser: Browser) -> Page:
        self.page, self.has_answered = None, False
        self.days, self._is_whole = [], False
        self._shortfalls = []
        selector = self._wanted.stream.date_picker
        self._picker = DatePicker(selector) if selector else None
        self.traffic = Traffic(self._hear)
        await self.close()
        self._context = await browser.new_context(
            accept_downloads=False,
            locale="en-US",
            service_workers="block",
            timezone_id=self._wanted.stream.timezone.key,
            viewport={"width": _WIDTH, "height": _HEIGHT},
        )
        # The timeouts are ours: Playwright's own would leave nothing for the captures that are
        # found although the page never comes to rest.
        self._context.set_default_timeout(0)
        await self._context.add_init_script(_script())
        self.page = await self._context.new_page()
        self._context.on("page", _close)
        await self.traffic.follow(self._context, self.page)
        return self.page

    def _hear(self, text: str) -> None:
        """Read what came over the network, and tell who wants to know it early.

        Not each single capture: whoever hears of it asks the catalogue.
        """
        self._evidence.tell(text)
        if self._seen is None:
            return
        count = self._evidence.image_count
        if count >= 2 * self._told and count > self._told:
            self._told = count
            self._seen(self._evidence.images())

    async def _in_time(self, step: Coroutine[None, None, None]) -> bool:
        """Whether `step` came to its end within the timeout."""
        try:
            async with asyncio.timeout(self._timeout):
                await step
        except TimeoutError:
            if not self.has_answered:
                late = f"{self._wanted.stream.page} did not answer within {self._timeout:g} s"
                raise PassingFaultError(late) from None
            await self._look_a_last_time()
            if self._lacking:
                self._shortfalls.append(f"{self._lacking} within {self._timeout:g} s")
            return False
        except PickerError as error:
            self._shortfalls.append(str(error))
        return True

    async def _read_shown_day(self, browser: Browser) -> None:
        await self._heed_rest()
        page = await self._new_page(browser)
        await self._open(page)
        while True:
            self._lacking = "the page had not come to rest"
            await self._look_all_over(page)
            if await self._shows_all(page):
                self._is_whole = True
                return
            await self._next_change(page)

    async def _shows_all(self, page: Page) -> bool:
        """Whether a page at rest shows all that it will.

        A page whose date picker has not come yet is still to show its history; one that shows no
        capture may be right, just after midnight, when the day before is asked for anyway.
        """
        if self._picker and not await self._picker.is_there(page):
            self._lacking = f"there was no date picker at {self._wanted.stream.date_picker!r}"
            return False
        self._lacking = ""
        return bool(self._evidence) or bool(self._picker and self._wanted.days)

    async def _read_days_before(self) -> None:
        in_vain = 0
        for day in self._wanted.days if self._picker else ():
            if in_vain == _PATIENCE_DAYS:
                self._shortfalls.append(f"{day} and the days before it were not looked at")
                return
            failures = len(self.traffic.failures)
            if await self._in_time(self._read_day(day)):
                in_vain = 0
                self._tell_day(day, failures)
            else:
                in_vain += 1

    def _tell_day(self, day: date, failures: int = 0) -> None:
        """Note that all of `day` was told, if no more than `failures` requests have failed."""
        if self._is_whole and len(self.traffic.failures) == failures:
            self.days.append(day)

    async def _read_day(self, day: date) -> None:
        self._is_whole = False
        if self._picker is None or self.page is None:
            return
        self._lacking = f"the page did not show {day}"
        await _in_frame(self.page.main_frame, "__camdl.rewind()")
        await asyncio.sleep(random.uniform(0, self._jitter))  # noqa: S311  # politeness, no secret
        await self._picker.pick(self.page, day, self._today)
        await self._look_all_over(self.page)
        await self._picker.check(self.page, day)
        self._is_whole = True

    @property
    def _today(self) -> date:
        return self._now.astimezone(self._wanted.stream.timezone).date()

    async def _open(self, page: Page) -> None:
        try:
            answer = await page.goto(self._wanted.stream.page, wait_until="commit")
        except Error as error:
            raise self._fault(error) from None
        if answer is not None:
            self._source_clock.heard(origin(answer.url), answer.headers)
            if answer.status >= 400:
                raise self._refused(answer)
        self.has_answered = True

    async def _heed_rest(self) -> None:
        """Ask nothing of a host that asked to be left alone.

        Raises:
            PassingFaultError: it did, and for how long.
        """
        asked = origin(self._wanted.stream.page)
        if (seconds := self._rests.remaining(asked)) < _SHORT_REST_SECONDS:
            await asyncio.sleep(seconds)  # what is left when it was waited for already
        else:
            host = urlsplit(self._wanted.stream.page).hostname
            reason = f"{host} asks to be left alone for {seconds:.0f} s"
            raise PassingFaultError(reason, wait_seconds=seconds)

    def _refused(self, answer: Response) -> Exception:
        reason = f"{answer.url} answered {answer.status} {answer.status_text}".rstrip()
        if not may_pass(answer.status):
            return PageError(reason)
        seconds = None
        if answer.status in _ASKING_FOR_REST:
            seconds = retry_after(answer.headers.get("retry-after"), utc(self._now))
        if seconds:
            self._rests.ask(origin(answer.url), seconds)
            reason = f"{reason} and asks to be left alone for {seconds:.0f} s"
        return PassingFaultError(reason, wait_seconds=seconds)

    def _fault(self, error: Error) -> Exception:
        found = _NET_ERROR.search(error.message)
        what = found[1] if found else first_line(error)
        if hosts := self.traffic.unknown_hosts:
            what = f"{what} for {', '.join(sorted(hosts))}"
        reason = f"{self._wanted.stream.page} could not be opened: {what}"
        return PageError(reason) if _LASTING.match(what) else PassingFaultError(reason)

    async def _look_all_over(self, page: Page) -> None:
        """Come to rest, read, scroll on; until everything was scrolled to its end.

        What brings captures goes on for as long as it does, be it a list that comes by pages.
        """
        brought = True
        while True:
            known = len(self._evidence)
            await self._rest(page, brought=brought)
            await self._look(page)
            brought = len(self._evidence) > known
            if not brought and not await self._scroll(page):
                return

    async def _rest(self, page: Page, *, brought: bool) -> None:
        """Wait until nothing is under way, neither in the page nor on the network.

        What went on in vain during the rest before is not waited for any more, unless that rest
        `brought` captures.
        """
        if brought:
            self.traffic.forget_polls()
        since = "true" if brought else "false"
        while True:
            for frame in page.frames:
                await _in_frame(frame, f"__camdl.rest({since})")
            if not self.traffic.busy:
                return
            await self.traffic.stirs()
            since = "null"

    async def _look(self, page: Page) -> None:
        for frame in page.frames:
            shown = await _in_frame(frame, "__camdl.show()")
            self._evidence.tell(shown if isinstance(shown, str) else "")

    async def _look_a_last_time(self) -> None:
        """Read what the page shows although it did not come to rest."""
        if self.page is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_LOOK_SECONDS):
                    await self._look(self.page)

    async def _scroll(self, page: Page) -> bool:
        """Whether anything could be scrolled on."""
        return any([await _in_frame(frame, "__camdl.scroll()") for frame in page.frames])

    async def _next_change(self, page: Page) -> None:
        """Wait until the page, at rest, stirs by itself."""
        ways = [
            asyncio.ensure_future(self.traffic.stirs()),
            asyncio.ensure_future(self._dom_change(page)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _dom_change(self, page: Page) -> None:
        if not await _in_frame(page.main_frame, "__camdl.change()"):
            await self.traffic.stirs()  # the browser's own error page has no script of ours


async def _in_frame(frame: Frame, expression: str) -> object:
    """What `expression` gives; None in a frame that is not there (any more) or is not scripted."""
    while True:
        try:
            return await frame.evaluate(f"typeof __camdl === 'undefined' ? null : {expression}")
        except Error as error:
            if "navigation" in error.message and not frame.is_detached():
                await frame.wait_for_load_state("domcontentloaded")
                continue  # it went elsewhere under our hands, and has a new document now
            if frame.parent_frame is not None:
                return None
            raise


async def _close(popup: Page) -> None:
    try:
        await popup.close()
    except Error:
        return


@cache
def _script() -> str:
    return files("camdl.sources").joinpath("page.js").read_text(encoding="utf-8")
