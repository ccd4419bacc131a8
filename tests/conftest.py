"""What holds for all tests."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Take SIGHUP as usual: what starts the suite may have it ignored, and that is inherited."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
