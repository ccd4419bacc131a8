"""What the suite asks of a machine before it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CODE = Path(__file__).parents[1]


def test_what_is_there_is_found_with_a_users_path() -> None:
    """Which has no directories of administrators; nobody is asked to install a thing again."""
    done = subprocess.run(
        [sys.executable, "-m", "tests", "--version"],
        capture_output=True,
        text=True,
        check=True,
        cwd=CODE,
        env={**os.environ, "PATH": "/usr/bin:/bin"},
    )
    browser, version = done.stdout.splitlines()
    assert browser.startswith("The tests' browser is /")
    assert version.startswith("pytest ")
    assert done.stderr == ""
