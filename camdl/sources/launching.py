"""How the browser is started, for whatever is done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from camdl.domain.text import one_line
from camdl.errors import BrowserMissingError, CamdlError

if TYPE_CHECKING:
    from playwright.async_api import Browser as RunningBrowser
    from playwright.async_api import Playwright

    from camdl.sources.browser import Browser

_FLAGS = (
    "--disable-quic",
    # Calls from browser to browser ask no resolver for their peers' addresses.
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    # A proxy, which a user's environment may name, would reach any host, whatever the rules say.
    # The headless shell does not know --no-proxy-server.
    "--proxy-server=direct://",
    # A container's /dev/shm is often too small for a page, whose tab then crashes.
    "--disable-dev-shm-usage",
)

# Lines that tell nothing: the command line, which has every word in it, and what came after.
_NOISE = ("<launching>", "while trying to kill")


async def driver(browser: Browser) -> Playwright:
    """Playwright, which drives `browser`.

    Raises:
        BrowserMissingError: its driver cannot be started.
    """
    from playwright.async_api import async_playwright

    try:
        return await async_playwright().start()
    except Exception as error:  # of no class in particular, when the driver dies
        raise unstartable(browser, f"Playwright's driver: {error}") from error


async def launch(playwright: Playwright, browser: Browser, rules: str) -> RunningBrowser:
    """Start `browser`; `rules` say which hosts exist for it.

    Raises:
        BrowserMissingError: it cannot be started.
    """
    from playwright.async_api import Error

    try:
        return await playwright.chromium.launch(
            executable_path=browser.executable,
            headless=browser.headless,
            chromium_sandbox=not browser.sandbox_off,
            args=[*_FLAGS, f"--host-resolver-rules={rules}"],
            # Signals are the command's own business.
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
        )
    except Error as error:
        raise unstartable(browser, error.message) from error


def unstartable(browser: Browser, message: str) -> CamdlError:
    """The error of `browser` that cannot be started; `message` may have many lines."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    lines = [line for line in lines if not any(noise in line for noise in _NOISE)] or lines
    telling = [line for line in lines if "error" in line.lower() or "sandbox" in line.lower()]
    reason = (telling or lines or ["no reason given"])[0]
    return BrowserMissingError(
        one_line(f"{browser.executable} cannot be started: {reason}"),
        advice="Try it by hand with --version; browser_executable chooses another one.",
    )
