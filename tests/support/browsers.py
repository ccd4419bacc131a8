"""Finds the processes of a browser that a test has started."""

from __future__ import annotations

from tests.support.processes import carriers, children


def the_driver(mark: int) -> int:
    """Playwright's driver, below two guards."""
    (inner,) = children(_oldest(mark, "guard.py"))
    (driver,) = children(inner)
    return driver


def the_browser(mark: int) -> int:
    """Chromium's main process, parent of its zygotes."""
    zygote = _oldest(mark, "--type=zygote")
    (browser,) = (pid for pid in carriers(mark) if zygote in children(pid))
    return browser


def the_renderer(mark: int) -> int:
    """The process that draws the page."""
    return _oldest(mark, "--type=renderer")


def _oldest(mark: int, part: str) -> int:
    """The process with `part` in its command line, the oldest if there are more."""
    return min(pid for pid, line in carriers(mark).items() if part in line)
