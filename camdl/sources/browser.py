"""Which browser reads the pages, and how it is started."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from camdl.errors import BrowserMissingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from camdl.domain.sites import Stream

# The headless shell comes first: it starts and renders in half the time of full Chromium.
_SHELLS = ("chromium-headless-shell", "chrome-headless-shell", "headless_shell")
_BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
_DOWNLOADED_SHELLS = "chromium_headless_shell-*/chrome-*/*headless*shell"
_DOWNLOADED_BROWSERS = "chromium-*/chrome-*/chrome"

# What gives Chromium its sandbox where users may make no namespaces: a program that is root.
_SANDBOX_HELPERS = ("/usr/lib/chromium/chrome-sandbox", "/opt/google/chrome/chrome-sandbox")
# Chromium needs a root of its own in there too; some systems give the one and not the other.
_NAMESPACE = ("unshare", "--user", "--root=/", "true")
_NAMESPACE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser's executable. `sandbox_off` says in one line why its sandbox cannot be on."""

    executable: Path
    headless: bool = True
    sandbox_off: str = ""


def find(configured: str | None = None, *, headless: bool = True) -> Browser:
    """The configured browser, else the system's, else the one that Playwright downloaded.

    Raises:
        BrowserMissingError: there is none.
    """
    if configured:
        executable = shutil.which(configured)
        if executable is None:
            raise BrowserMissingError(
                f"browser_executable: {configured!r} is not an executable file",
                advice="Correct browser_executable, or leave it out to have one found.",
            )
        return Browser(Path(executable), headless, sandbox_off())
    for candidate in _candidates(headless=headless):
        return Browser(candidate, headless, sandbox_off())
    raise BrowserMissingError("no browser was found to read the camera pages with")


def sandbox_off() -> str:
    """Why Chromium's sandbox cannot be on for this user; empty if it can."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return "camdl runs as root, so the browser's sandbox is off: run it as a user of its own"
    if any(os.access(helper, os.X_OK) for helper in _SANDBOX_HELPERS) or _may_make_namespaces():
        return ""
    return (
        "the system gives camdl no namespaces of its own, so the browser's sandbox is off: "
        "in a container, give it the seccomp profile of deployment/docker"
    )


def _may_make_namespaces() -> bool:
    """Whether this user may do what Chromium's sandbox is made of; if in doubt, it may."""
    import subprocess

    quiet = subprocess.DEVNULL
    try:
        tried = subprocess.run(
            _NAMESPACE,
            stdin=quiet,
            stdout=quiet,
            stderr=quiet,
            timeout=_NAMESPACE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):  # no Linux, or a machine with other worries
        return True
    return tried.returncode == 0


def resolver_rules(streams: Iterable[Stream]) -> str:
    """Chromium's `--host-resolver-rules` under which only these streams' hosts have addresses.

    Interception inside the page misses redirects and WebSockets; a host without an address is
    never reached, whatever asks for it.
    """
    own = {origin.split("://")[1] for stream in streams for origin in stream.image_origins}
    others = {host for stream in streams for host in stream.page_hosts}
    rules = [f"MAP {address} {address}" for address in sorted(own)]
    rules += [f"EXCLUDE {host}" for host in sorted(others)]
    return ", ".join([*rules, "MAP * ~NOTFOUND"])


def _candidates(*, headless: bool) -> Iterator[Path]:
    for name in (*(_SHELLS if headless else ()), *_BROWSERS):
        if found := shutil.which(name):
            yield Path(found)
    downloads = _downloads()
    for pattern in (*((_DOWNLOADED_SHELLS,) if headless else ()), _DOWNLOADED_BROWSERS):
        newest_first = sorted(downloads.glob(pattern), reverse=True)
        yield from (found for found in newest_first if os.access(found, os.X_OK))


def _downloads() -> Path:
    """The directory into which Playwright downloads browsers."""
    if chosen := os.environ.get("PLAYWRIGHT_BROWSERS_PATH"):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/ms-playwright"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ms-playwright"
