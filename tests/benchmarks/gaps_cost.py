"""What finding a year's gaps of two streams costs beside reading one camera page.

    python -m tests.benchmarks.gaps_cost [ROUNDS]

The year has some 52,000 captures of each stream at real, irregular spacing, with one in a hundred
missing. The page is that of a gate site on loopback with a full day of 144 captures.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

from camdl.config import load
from camdl.deadline import Deadline
from camdl.domain.closing import ClosedHours
from camdl.domain.gaps import gaps, missing_in, partition
from camdl.domain.windows import Window
from camdl.fetching.retry import RetryPolicy, retrying
from camdl.ports import Listing, Wanted
from camdl.sources.browser import find
from camdl.sources.diagnostics import Diagnostics
from camdl.sources.page import PageSource
from tests.benchmarks.measure import tell, tell_heading
from tests.benchmarks.run_cost import END_OF_A_DAY, gate_site

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
INTERVAL = timedelta(minutes=10)
CLOSED = ClosedHours("Sun; Sat 18:00-24:00")
STREAMS = 2


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    year = captures(365)
    computed = statistics.median(seconds_for(year) for _ in range(rounds))
    with gate_site() as site_config, tempfile.TemporaryDirectory() as directory:
        read = statistics.median(page_seconds(site_config, Path(directory)) for _ in range(rounds))
    tell_heading(f"gaps in {len(year)} captures of {STREAMS} streams", "gaps", "one page read")
    tell("wall time", "s", computed, read, goal=1.0)
    small, large = (peak_megabytes(captures(days)) for days in (70, 7000))
    tell_heading("peak memory beyond the captures", "1,000,000", "10,000")
    tell("while it is cut up", "MB", large, small)


def captures(days: int) -> list[datetime]:
    """The instants of a camera over so many days, one in a hundred left out."""
    lots = random.Random(1)
    moment, found = BEGIN, []
    while moment < BEGIN + timedelta(days=days):
        if lots.random() > 0.01:
            found.append(moment)
        moment += timedelta(seconds=lots.randint(458, 718))
    return found


def window_of(instants: list[datetime]) -> Window:
    """From the first to the last."""
    return Window(instants[0], instants[-1])


def seconds_for(instants: list[datetime]) -> float:
    """How long the gaps of all streams take."""
    began = time.perf_counter()
    for _ in range(STREAMS):
        found = gaps(instants, window_of(instants), INTERVAL, CLOSED)
        assert sum(missing_in(gap, INTERVAL) for gap in found) > 0
    return time.perf_counter() - began


def peak_megabytes(instants: list[datetime]) -> float:
    """What cutting the time line up holds at once, beyond the captures and the gaps found."""
    window = window_of(instants)
    tracemalloc.start()
    for _ in partition(instants, window, INTERVAL, CLOSED):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6


def page_seconds(site_config: str, home: Path) -> float:
    """How long it takes to read one page, with the browser's start."""
    config = home / "camdl.toml"
    config.write_text(site_config)
    stream = load({}, config, {}, home).streams()[0]
    deadline = Deadline.after(120)
    began = time.perf_counter()
    with PageSource(
        find(),
        retrying=retrying(RetryPolicy(1, 0.1, 2.0, 1.0), deadline),
        timeout_seconds=60,
        diagnostics=Diagnostics(home / "diagnostics"),
    ) as source:
        now = datetime.fromisoformat(END_OF_A_DAY)
        (answer,) = source.listings([Wanted(stream)], now, deadline)
    assert isinstance(answer, Listing)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
