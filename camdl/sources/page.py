"""Lists captures from camera pages in a real browser: one browser a run, a page a stream.

Playwright lives in a thread of its own, so that images are fetched while other pages are still
being read, and so that nothing it does can keep a run from ending.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Self

from camdl.domain.text import one_line
from camdl.errors import PassingFaultError
from camdl.ports import Listing, NoListing, Sighting
from camdl.rests import Rests
from camdl.source_clock import SourceClock
from camdl.sources.browser import resolver_rules
from camdl.sources.contained import ContainedLoop
from camdl.sources.launching import driver, launch, unstartable
from camdl.sources.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from playwright.async_api import Browser as RunningBrowser

    from camdl.deadline import Deadline
    from camdl.domain.captures import ListedCapture
    from camdl.domain.sites import Stream
    from camdl.ports import Retrying, Wanted
    from camdl.sources.browser import Browser
    from camdl.sources.diagnostics import Diagnostics
    from camdl.sources.reading import Reading

_LOG = logging.getLogger("camdl")

# How long the browser may take to close by itself, and to be told that it is too late.
_GOODBYE_SECONDS = 3.0
# So long the driver has the processor to itself.
_HEAD_START_SECONDS = 1.0
# A reason names the page, the template and more.
_LONGEST_REASON = 1000


class PageSource:
    """A `Source` that reads each stream's page with Playwright.

    A context manager that leaves no process and no file behind. `prepare` lets the browser start
    while the caller still does something else; `listings` can be asked for once.
    """

    def __init__(
        self,
        browser: Browser,
        *,
        retrying: Retrying,
        timeout_seconds: float,
        diagnostics: Diagnostics,
        jitter_seconds: float = 0.0,
        rests: Rests | None = None,
        source_clock: SourceClock | None = None,
    ) -> None:
        self._browser = browser
        self._rests = Rests() if rests is None else rests
        self._source_clock = source_clock or SourceClock()
        self._retrying = retrying
        self._timeout = timeout_seconds
        self._jitter = jitter_seconds
        self._diagnostics = diagnostics
        self._scratch = Scratch()
        self._loop: ContainedLoop | None = None
        self._thread: threading.Thread | None = None
        self._task: asyncio.Task[None] | None = None
        self._question: Future[tuple[Sequence[Wanted], datetime, Deadline]] = Future()
        self._answers: SimpleQueue[Sighting | Listing | NoListing | Exception] = SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def prepare(self, streams: Sequence[Stream]) -> None:
        """Start the browser in the background; only hosts of `streams` will exist for it.

        Returns when its driver starts: what the caller does then takes no time from Python's part
        in that.

        Raises:
            BrowserMissingError: the system lets nothing be started.
        """
        if self._thread is not None:
            return
        self._loop = ContainedLoop(environment={"TMPDIR": str(self._scratch.make())})
        thread = threading.Thread(
            target=self._run, args=(self._loop, resolver_rules(streams)), name="pages", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:  # a limit on threads and processes
            raise unstartable(self._browser, str(error)) from error
        self._thread = thread
        self._loop.has_begun.wait(_HEAD_START_SECONDS)

    def listings(
        self, wanted: Sequence[Wanted], now: datetime, deadline: Deadline
    ) -> Iterator[Sighting | Listing | NoListing]:
        """One answer a stream, in the order in which they come in.

        Raises:
            BrowserMissingError: the browser cannot be started.
        """
        self.prepare([one.stream for one in wanted])
        self._question.set_result((wanted, now, deadline))
        missing = [one.stream.name for one in wanted]
        while missing:
            try:
                answer = self._answers.get(timeout=deadline.remaining() + _GOODBYE_SECONDS)
            except Empty:
                reason = "the browser did not answer before the run's deadline"
                yield from (NoListing(name, reason, unreachable=True) for name in missing)
                return
            if isinstance(answer, Exception):
                raise answer
            if not isinstance(answer, Sighting):
                missing.remove(answer.stream)
            yield answer

    def close(self) -> None:
        """End the browser: kindly if it was done, else at once."""
        loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None:
            return
        if thread is None:  # it could not be started
            loop.close()
            self._scratch.remove()
            return
        if not self._question.done():
            self._question.cancel()
        with suppress(RuntimeError):  # the loop has ended by itself
            loop.call_soon_threadsafe(self._cancel)
        thread.join(_GOODBYE_SECONDS)
        loop.end_all()
        thread.join(_GOODBYE_SECONDS)
        self._scratch.remove()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _run(self, loop: ContainedLoop, rules: str) -> None:
        loop.set_exception_handler(_tell_of_bugs)
        with asyncio.Runner(loop_factory=lambda: loop) as runner, suppress(asyncio.CancelledError):
            try:
                runner.run(self._serve(rules))
            except Exception as error:  # noqa: BLE001  # raised again where the listings are read
                self._answers.put(error)

    async def _serve(self, rules: str) -> None:
        self._task = asyncio.current_task()
        # Heavy, and done here so that it overlaps with what the main thread does.
        playwright = await driver(self._browser)
        try:
            began = time.monotonic()
            browser = await launch(playwright, self._browser, rules)
            _tell_time("the browser started", began)
            wanted, now, deadline = await asyncio.wrap_future(self._question)
            answers = (self._answer(browser, one, now, deadline) for one in wanted)
            bugs = await asyncio.gather(*answers, return_exceptions=True)
            await browser.close()
        finally:
            await playwright.stop()
        # Only now, so that one stream's does not cost the others their answers.
        for bug in filter(None, bugs):
            raise bug

    async def _answer(
        self, browser: RunningBrowser, wanted: Wanted, now: datetime, deadline: Deadline
    ) -> None:
        from camdl.sources.reading import Reading

        def seen(captures: tuple[ListedCapture, ...]) -> None:
            self._answers.put(Sighting(wanted.stream.name, captures))

        reading = Reading(
            wanted,
            now,
            self._timeout,
            self._jitter,
            self._rests,
            source_clock=self._source_clock,
            seen=seen if wanted.early else None,
        )
        began, name = time.monotonic(), wanted.stream.name
        try:
            answer = await self._listing(reading, browser, wanted, now, deadline)
            _tell_time(f"{name}: its page was read", began, stream=name)
            self._answers.put(answer)
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    await reading.close()

    async def _listing(
        self,
        reading: Reading,
        browser: RunningBrowser,
        wanted: Wanted,
        now: datetime,
        deadline: Deadline,
    ) -> Listing | NoListing:
        from camdl.sources.reading import PageError

        async def read() -> None:
            try:
                await reading.read(browser)
            except PassingFaultError as fault:
                # The deadline that `retrying` knows may be a later one.
                if (fault.wait_seconds or 0) >= deadline.remaining():
                    raise PageError(str(fault)) from None
                raise

        name, reason, unreachable = wanted.stream.name, "", False
        try:
            async with asyncio.timeout(deadline.remaining()):
                await self._retrying(read)()
        except TimeoutError:
            reason = "the run's deadline passed while the page was read"
            unreachable = not reading.has_answered
        except PassingFaultError as error:
            # A host that asks to be left alone was reached.
            unreachable = error.wait_seconds is None and not reading.has_answered
            reason = str(error)
        except PageError as error:
            reason = str(error)
        lacking = "; ".join(filter(None, [*reading.shortfalls, reason]))
        if reading.captures:
            why = one_line(lacking, _LONGEST_REASON)
            return Listing(name, reading.captures, why, tuple(reading.days))
        if reason:
            return NoListing(name, one_line(reason, _LONGEST_REASON), unreachable)
        kept = await self._diagnostics.keep(name, now, reading, deadline)
        reason = one_line(_nothing(wanted, reading), _LONGEST_REASON)
        return NoListing(name, reason, diagnostics=kept)


def _tell_of_bugs(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # Playwright leaves futures behind when its driver dies. We hear of that elsewhere.
    if not str(context.get("message")).startswith("Future exception was never retrieved"):
        loop.default_exception_handler(context)


def _tell_time(what: str, began: float, **fields: str) -> None:
    seconds = time.monotonic() - began
    fields = {"seconds": f"{seconds:.3f}", **fields}
    _LOG.info("%s in %.2f s", what, seconds, extra={"fields": fields})


def _nothing(wanted: Wanted, reading: Reading) -> str:
    reason = f"no image on {wanted.stream.page} matches {wanted.stream.image.text}"
    if hosts := sorted(reading.traffic.unknown_hosts):
        reason += f"; the page asked for hosts outside page_hosts: {', '.join(hosts)}"
    return "; ".join([reason, *reading.shortfalls])
