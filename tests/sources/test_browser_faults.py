"""Browsers that die or hang while they read a page, and what is left of them."""

from __future__ import annotations

import gc
import os
import signal
import tempfile
import threading
import time
from typing import TYPE_CHECKING

import pytest

from camdl.deadline import Deadline
from camdl.errors import BrowserMissingError
from camdl.ports import Listing, NoListing, Wanted
from camdl.sources.browser import Browser
from camdl.sources.diagnostics import Diagnostics
from camdl.sources.page import PageSource
from tests.support.browsers import the_browser, the_driver, the_renderer
from tests.support.pages import plain
from tests.support.pages.listing import found, read, source, whole
from tests.support.pages.server import PageServer, page
from tests.support.processes import marking, survivors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.pages.server import Asked

    Process = Callable[[int], int]

ASKING = "<script>fetch('/now')</script>"
GRACE_SECONDS = 2.0


@pytest.fixture
def server() -> Iterator[PageServer]:
    """A server of plain pages."""
    with PageServer() as server:
        yield server


@pytest.fixture
def mark() -> Iterator[int]:
    """The mark of all that the test starts."""
    with marking() as mark:
        yield mark


def strike(server: PageServer, which: Process, mark: int, number: signal.Signals) -> None:
    """Have the page ask for something, and that process get a signal instead of the answer."""

    def now(asked: Asked) -> None:
        os.kill(which(mark), number)
        asked.conversation.hold()

    server.routes["/now"] = now
    server.routes["/"] = page(ASKING)


def foreign_browser(directory: Path, script: str) -> Browser:
    """An executable that is no browser."""
    executable = directory / "browser"
    executable.write_text(f"#!/bin/sh\n{script}\n")
    executable.chmod(0o755)
    return Browser(executable, sandbox_off="not a browser")


def source_of(browser: Browser, directory: Path) -> PageSource:
    """A source that reads with `browser`."""
    return PageSource(
        browser,
        retrying=lambda function: function,
        timeout_seconds=30,
        diagnostics=Diagnostics(directory / "diagnostics"),
    )


def test_page_whose_renderer_is_killed_is_read_again(server: PageServer, mark: int) -> None:
    """A crash of the page costs an attempt, and no capture."""

    def now(asked: Asked) -> None:
        if server.asked("/now") == 1:
            os.kill(the_renderer(mark), signal.SIGKILL)
        asked.json(list(plain.urls(server.origin).values()))

    server.routes["/now"] = now
    server.routes["/"] = page(ASKING)
    answer = read(plain.stream(server.origin), plain.NOW, retries=1)
    assert whole(answer) == plain.urls(server.origin)
    assert survivors(mark) == []


def test_page_whose_renderer_is_always_killed(server: PageServer, mark: int) -> None:
    """A page that crashes the browser's tab each time was reached, but is no listing."""
    strike(server, the_renderer, mark, signal.SIGKILL)
    assert read(plain.stream(server.origin), plain.NOW, retries=1) == NoListing(
        plain.STREAM, "the page broke off: Target crashed"
    )
    assert server.asked("/now") == 2
    assert survivors(mark) == []


def test_captures_that_were_seen_before_a_crash_are_listed(server: PageServer, mark: int) -> None:
    """What a page told before it broke off counts, and the listing says what happened."""
    strike(server, the_renderer, mark, signal.SIGKILL)
    server.routes["/"] = page(plain.images(server.origin) + ASKING)
    answer = read(plain.stream(server.origin), plain.NOW)
    assert found(answer) == plain.urls(server.origin)
    assert isinstance(answer, Listing)
    assert answer.shortfall == "the page broke off: Target crashed"


def test_browser_that_is_killed(server: PageServer, mark: int) -> None:
    """Without a browser there is nothing to try again with, and nothing is left of it."""
    strike(server, the_browser, mark, signal.SIGKILL)
    assert read(plain.stream(server.origin), plain.NOW, retries=1) == NoListing(
        plain.STREAM, "the browser ended unexpectedly"
    )
    assert server.asked("/now") == 1
    assert survivors(mark) == []


def test_driver_that_is_killed(
    server: PageServer, mark: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told in the answer, and nowhere else."""
    strike(server, the_driver, mark, signal.SIGKILL)
    answer = read(plain.stream(server.origin), plain.NOW, retries=1)
    assert isinstance(answer, NoListing)
    assert "Target page, context or browser has been closed" in answer.reason
    assert survivors(mark) == []
    gc.collect()
    assert not [record for record in caplog.records if record.name == "asyncio"]


@pytest.mark.parametrize("hung", [the_driver, the_browser, the_renderer])
def test_process_that_hangs(server: PageServer, mark: int, hung: Process, tmp_path: Path) -> None:
    """The answer comes by the run's deadline, and what hangs is ended."""
    strike(server, hung, mark, signal.SIGSTOP)
    deadline = Deadline.after(5)
    with source(timeout=60, deadline=deadline, kept_in=tmp_path) as pages:
        (answer,) = pages.listings([Wanted(plain.stream(server.origin))], plain.NOW, deadline)
        assert time.monotonic() < deadline.at + GRACE_SECONDS
    assert answer == NoListing(
        plain.STREAM, "the run's deadline passed while the page was read", unreachable=False
    )
    assert survivors(mark) == []


def test_nothing_is_left_behind(
    server: PageServer, mark: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a listing there is no process, no thread and no file of it."""
    for name in ("tmp", "home", "kept"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    server.routes["/"] = page(plain.images(server.origin))
    deadline = Deadline.after(60)
    with source(kept_in=tmp_path / "kept") as pages:
        (answer,) = pages.listings([Wanted(plain.stream(server.origin))], plain.NOW, deadline)
        assert list((tmp_path / "tmp").iterdir()) != []
    assert whole(answer) == plain.urls(server.origin)
    assert survivors(mark, 0) == []
    assert "pages" not in [thread.name for thread in threading.enumerate()]
    assert sorted(tmp_path.rglob("*")) == [tmp_path / name for name in ("home", "kept", "tmp")]


def test_source_that_is_asked_nothing(mark: int, tmp_path: Path) -> None:
    """A browser that was started in vain is ended."""
    with source(kept_in=tmp_path) as pages:
        pages.prepare([plain.stream("http://127.0.0.1:9")])
        pages.prepare([plain.stream("http://127.0.0.1:9")])
    assert survivors(mark, 0) == []


def test_source_that_is_left_while_it_reads(server: PageServer, mark: int, tmp_path: Path) -> None:
    """Whoever has enough after the first answer leaves nothing behind."""
    server.routes["/fast"] = page(plain.images(server.origin, name="fast"))
    server.routes["/slow"] = lambda asked: asked.conversation.hold()
    streams = [plain.stream(server.origin, f"/{name}", name=name) for name in ("slow", "fast")]
    wanted = [Wanted(stream) for stream in streams]
    with source(kept_in=tmp_path) as pages:
        assert next(iter(pages.listings(wanted, plain.NOW, Deadline.after(60)))).stream == "fast"
    assert survivors(mark, 0) == []


@pytest.mark.parametrize("script", ["exit 1", "echo an error: no display >&2; exit 1", "kill $$"])
def test_browser_that_does_not_start_is_an_error(mark: int, tmp_path: Path, script: str) -> None:
    """It is named, with what it said and what to try."""
    browser = foreign_browser(tmp_path, script)
    wanted = [Wanted(plain.stream("http://127.0.0.1:9"))]
    with source_of(browser, tmp_path) as pages, pytest.raises(BrowserMissingError) as missing:
        next(iter(pages.listings(wanted, plain.NOW, Deadline.after(60))))
    assert str(missing.value).startswith(f"{browser.executable} cannot be started: ")
    assert str(missing.value).isprintable()
    assert "browser_executable" in missing.value.advice
    assert survivors(mark) == []


def test_browser_that_hangs_from_the_start(mark: int, tmp_path: Path) -> None:
    """Every stream is answered soon after the deadline, and the browser is ended."""
    wanted = [Wanted(plain.stream("http://127.0.0.1:9", name=name)) for name in ("one", "two")]
    with source_of(foreign_browser(tmp_path, "exec sleep 1000"), tmp_path) as pages:
        answers = list(pages.listings(wanted, plain.NOW, Deadline.after(1)))
    reason = "the browser did not answer before the run's deadline"
    assert answers == [NoListing(name, reason, unreachable=True) for name in ("one", "two")]
    assert survivors(mark) == []
