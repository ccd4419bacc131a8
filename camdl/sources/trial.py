"""Whether the browser really starts, with its sandbox, and draws a page."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from camdl.domain.examination import bad, fine, note
from camdl.errors import BrowserMissingError
from camdl.sources import browser as browsers
from camdl.sources.contained import ContainedLoop
from camdl.sources.launching import driver, launch
from camdl.sources.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from camdl.domain.examination import Finding
    from camdl.sources.browser import Browser

# What it draws is what its script has made: the picture of a page that was only loaded is another.
_PAGE = "<p id=sum></p><script>document.getElementById('sum').textContent = 6 * 7</script>"
_DRAWN = "42"
_JPEG = b"\xff\xd8"
_NO_HOSTS = "MAP * ~NOTFOUND"
# Kernel settings that keep a user from the namespaces that the sandbox is made of: the value with
# which they do, and the one with which they do not.
_SETTINGS = {
    "kernel.unprivileged_userns_clone": ("0", "1"),
    "kernel.apparmor_restrict_unprivileged_userns": ("1", "0"),
    "user.max_user_namespaces": ("0", "15000"),
}


def examine(
    configured: str | None, *, headless: bool, seconds: float, sys: Path = Path("/proc/sys")
) -> Iterator[Finding]:
    """Find the browser as a run does, start it, have it draw a page, and end it.

    Raises:
        BrowserMissingError: there is none, or it cannot be started within `seconds`.
    """
    browser = browsers.find(configured, headless=headless)
    if browser.sandbox_off:
        yield note(browser.sandbox_off, _to_have_a_sandbox(sys))
    try:
        version, took = try_out(browser, seconds)
    except BrowserMissingError as error:
        yield bad(str(error), _to_start(error, browser, sys))
        return
    sandbox = "without its sandbox" if browser.sandbox_off else "in its sandbox"
    yield fine(f"{browser.executable} {version} drew a page {sandbox} after {took:.1f} s")


def try_out(browser: Browser, seconds: float) -> tuple[str, float]:
    """The version of `browser`, and how many seconds it took to start and to draw a page.

    Raises:
        BrowserMissingError: it cannot be started, or draws nothing within `seconds`.
    """
    scratch = Scratch()
    began = time.monotonic()
    try:
        loop = ContainedLoop(environment={"TMPDIR": str(scratch.make())})
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            version = runner.run(_draw(browser, seconds))
    finally:
        scratch.remove()
    return version, time.monotonic() - began


async def _draw(browser: Browser, seconds: float) -> str:
    from playwright.async_api import Error

    try:
        async with asyncio.timeout(seconds):
            playwright = await driver(browser)
            running = await launch(playwright, browser, _NO_HOSTS)
            page = await running.new_page()
            await page.set_content(_PAGE)
            drawn = await page.inner_text("#sum")
            picture = await page.screenshot(type="jpeg")
            version = running.version
            await running.close()
            await playwright.stop()
    except TimeoutError as error:
        raise BrowserMissingError(
            f"{browser.executable} drew no page within {seconds:g} s"
        ) from error
    except Error as error:
        raise BrowserMissingError(
            f"{browser.executable} starts, but draws no page: {error.message}"
        ) from error
    if drawn != _DRAWN or not picture.startswith(_JPEG):
        raise BrowserMissingError(f"{browser.executable} starts, but does not draw what it should")
    return version


def _to_have_a_sandbox(sys: Path) -> str:
    if os.geteuid() == 0:
        return "Have it run as a user of its own, which this makes: camdl schedule install"
    settings = _settings(sys)
    return f"As root: {settings}" if settings else ""


def _to_start(error: BrowserMissingError, browser: Browser, sys: Path) -> str:
    """What to do about a browser that does not start, as far as the reason tells."""
    reason = str(error).lower()
    if ("sandbox" in reason or "namespace" in reason) and (settings := _settings(sys)):
        return f"As root: {settings}"
    if "shared libraries" in reason:
        return "As root, for what it needs: apt-get install -y chromium-headless-shell"
    return f"See what it says: {browser.executable} --version. {BrowserMissingError.advice}"


def _settings(sys: Path) -> str:
    """The command that allows the sandbox what it needs; empty if nothing is forbidden."""
    wanted = [
        f"{name}={allowed}"
        for name, (forbidden, allowed) in _SETTINGS.items()
        if _read(sys / name.replace(".", "/")) == forbidden
    ]
    return f"sysctl -w {' '.join(wanted)}" if wanted else ""


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
