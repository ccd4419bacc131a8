"""What `camdl cleanup` costs beside `find -delete` and the bare SQL, and how much memory it takes.

    python -m tests.benchmarks.cleanup_cost [FILES] [ROUNDS] [DIRECTORY]

Both delete the same files of one block, of two streams and as many days as it takes, and their
rows, from an archive in DIRECTORY that is made anew each time; camdl also looks twice, syncs and
records.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from camdl.domain.captures import Capture
from tests.benchmarks.measure import medians, peak_memory, run, tell, tell_heading
from tests.support.stock import NOW, Stock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.measure import Cost

PYTHON = sys.executable
ROOT = Path(__file__).parents[2]
STREAMS = ("in_gate", "out_gate")
INTERVAL = timedelta(minutes=10)
YOUNG = 1000
OLD = NOW - timedelta(days=30, minutes=1)
BARE = """
import sqlite3, subprocess, sys
subprocess.run(["find", "images", "-name", "*.jpg", "-delete"], check=True)
catalogue = sqlite3.connect("camdl.db")
catalogue.execute("DELETE FROM captures WHERE captured_at < ?", [sys.argv[1]])
catalogue.commit()
"""


def main() -> None:
    """Print the tables."""
    files = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    place = sys.argv[3] if len(sys.argv) > 3 else None
    with tempfile.TemporaryDirectory(dir=place) as directory:
        compare(Path(directory), files, rounds)
        compare_memory(Path(directory))


def compare(directory: Path, files: int, rounds: int) -> None:
    """A real clean-up beside the bare one, in turn."""
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(measured(directory, files, clean_up(directory / "home")))
        theirs.append(measured(directory, files, [PYTHON, "-c", BARE, f"{OLD:%F %T}"]))
    camdl, bare = medians(ours), medians(theirs)
    tell_heading(f"{files} files", "camdl", "find and SQL")
    tell("wall time", "s", camdl.wall, bare.wall, goal=3)
    tell("CPU time", "s", camdl.cpu, bare.cpu)


def compare_memory(directory: Path) -> None:
    """A dry run over a hundred times as many rows, of which all are old."""
    peaks = []
    for rows in (10_000, 1_000_000):
        stocked(directory / "home", rows, with_files=False)
        peaks.append(peak_memory(clean_up(directory / "home", "--dry-run"), ROOT))
    tell_heading("a dry run", "1,000,000 rows", "10,000 rows")
    tell("peak memory", "MB", peaks[1], peaks[0], goal=1.1)


def clean_up(home: Path, *options: str) -> list[str]:
    """The command that cleans up below `home`."""
    return [PYTHON, "-m", "tests.benchmarks.clean_up", str(home), *options]


def measured(directory: Path, files: int, command: list[str]) -> Cost:
    """What `command` costs on a new archive, of which only the young rows are left after it."""
    home = directory / "home"
    stocked(home, files, with_files=True)
    os.sync()
    os.environ["PYTHONPATH"] = str(ROOT)
    cost = run(command, home)
    with closing(sqlite3.connect(home / "camdl.db")) as catalogue:
        assert catalogue.execute("SELECT count(*) FROM captures").fetchone() == (YOUNG,)
    assert not any(home.rglob("*.jpg"))
    return cost


def stocked(home: Path, rows: int, *, with_files: bool) -> None:
    """Make an archive of so many old captures, and of some young ones without files."""
    shutil.rmtree(home, ignore_errors=True)
    stock = Stock(home)
    with closing(sqlite3.connect(stock.database)) as catalogue, catalogue:
        catalogue.executemany(
            "INSERT INTO captures (stream, captured_at, key, sha256, bytes, width, height,"
            " source_url, fetched_at, run_id) VALUES (?, ?, ?, ?, 4000, 1200, 675, ?, ?, 'r')",
            (row(one) for one in captures(rows)),
        )
    if with_files:
        made = None
        for one in captures(rows):
            if one.captured_at < OLD:
                path = stock.images / one.key
                if path.parent != made:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    made = path.parent
                path.write_bytes(b"x" * 4000)


def captures(old: int) -> Iterator[Capture]:
    """So many old ones, a stream after the other each ten minutes, and the young ones."""
    for number in range(old):
        yield Capture(OLD - INTERVAL * (2 + (old - number) // 2), STREAMS[number % 2])
    for number in range(YOUNG):
        yield Capture(NOW - timedelta(minutes=1 + number // 2), STREAMS[number % 2])


def row(capture: Capture) -> tuple[str, ...]:
    """The values of its row."""
    at = f"{capture.captured_at:%F %T}.000000"
    url = f"https://cdn.draydog.com/apm/{at:.10}/{at}-{capture.stream}.jpeg"
    return (capture.stream, at, capture.key, "0123456789abcdef" * 4, url, at)


if __name__ == "__main__":
    main()
