"""Time zones that this system knows."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime

from camdl.domain.examination import Grade
from camdl.ops import zones

NOW = datetime(2025, 9, 8, 20, 30, tzinfo=UTC)


def test_zones_that_are_known() -> None:
    """Each once, with the time that it is there."""
    (one,) = zones.examine(["UTC", "America/Los_Angeles", "UTC"], NOW)
    assert one.grade is Grade.FINE
    assert one.said == "UTC (20:30 there), America/Los_Angeles (13:30 there)"


def test_a_zone_that_is_none() -> None:
    """It is told by itself, with the way to get it."""
    unknown, known = zones.examine(["Mars/Olympus", "UTC", "../etc/passwd"][:2], NOW)
    assert (unknown.grade, known.grade) == (Grade.BAD, Grade.FINE)
    assert "there is no data of the time zone Mars/Olympus" in unknown.said
    assert "tzdata" in unknown.remedy
    (outside,) = zones.examine(["../etc/passwd"], NOW)
    assert outside.grade is Grade.BAD


def test_a_system_without_zones() -> None:
    """Slim images have none of their own, and those of Python's package may be missing too."""
    program = (
        "import sys; sys.modules['tzdata'] = None\n"
        "from datetime import datetime, UTC; from camdl.ops import zones\n"
        "for one in zones.examine(['America/Los_Angeles'], datetime.now(UTC)): print(one.said)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONTZPATH": "", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    told = "there is no data of the time zone America/Los_Angeles: looked in no directory\n"
    assert done.stdout == told
