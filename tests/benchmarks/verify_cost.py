"""What `camdl verify` costs: beside `sha256sum` over the same files, and in memory.

    python -m tests.benchmarks.verify_cost [FILES [ROUNDS]]

The first table is a full check of FILES files of 100 kB (20,000), the second the quick one beside
`find`, the third the memory of quick checks of 10,000 and of 1,000,000 captures. Their files are
made up as they are asked for: what can grow with an archive is what is kept of rows and findings.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import insert

from camdl.catalogue.database import Database
from camdl.catalogue.rows import SqlCatalogue
from camdl.catalogue.tables import captures
from camdl.catalogue.verifying import SqlVerifying
from camdl.domain.captures import Capture
from camdl.domain.verification import FoundFile
from camdl.verbs.verify import Order, Ports, verify
from tests.benchmarks.measure import peak_memory, run, side_by_side, tell, tell_heading
from tests.support.yard import Seen, Yard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from camdl.domain.verification import Finding

START = datetime(2015, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=5)
FILE_BYTES = 100_000
STREAM = "in_gate"
SMALL, LARGE = 10_000, 1_000_000
_ROWS = 10_000


def main() -> None:
    """Print the tables, or be one of the programs that are measured."""
    if sys.argv[1:2] == ["--verify"]:
        _verify(sys.argv[2], Path(sys.argv[3]))
        return
    given = [int(one) for one in sys.argv[1:]]
    files, rounds = (*given, *(20_000, 5)[len(given) :])
    with tempfile.TemporaryDirectory() as directory:
        make_archive(Path(directory), files)
        compare_time(Path(directory), files, rounds)
    with tempfile.TemporaryDirectory() as directory:
        compare_memory(Path(directory))


def compare_time(home: Path, files: int, rounds: int) -> None:
    """A full check beside sha256sum, and a quick one beside find."""
    images = home / "images"
    hashing = f"find {images} -name '*.jpg' -print0 | xargs -0 sha256sum"
    ours, theirs = side_by_side(
        lambda: run(_program("full", home)), lambda: run(["sh", "-c", hashing]), rounds
    )
    megabytes = files * FILE_BYTES // 1_000_000
    tell_heading(f"{files} files, {megabytes} MB", "--full", "sha256sum")
    tell("wall time", "s", ours.wall, theirs.wall, goal=1.5)
    tell("CPU time", "s", ours.cpu, theirs.cpu)
    listing = ["find", str(images), "-name", "*.jpg", "-printf", "%s %p\\n"]
    ours, theirs = side_by_side(lambda: run(_program("quick", home)), lambda: run(listing), rounds)
    tell_heading(f"{files} files", "--quick", "find")
    tell("wall time", "s", ours.wall, theirs.wall)


def compare_memory(home: Path) -> None:
    """Quick checks of a small and of a large archive, every tenth file of which is missing."""
    peaks = []
    for number in (LARGE, SMALL):
        place = home / str(number)
        Yard(place)
        _record(place, ((_capture(one).key, "0" * 64) for one in range(number)))
        cost = run(_program("made-up", place))
        print(f"{number} captures: {cost.wall:.1f} s")
        peaks.append(peak_memory(_program("made-up", place)))
    tell_heading("every tenth file missing", f"{LARGE}", f"{SMALL}")
    tell("peak memory", "MB", peaks[0], peaks[1], goal=1.1)


def make_archive(home: Path, files: int) -> None:
    """So many files of noise in their places, and a catalogue that knows them."""
    yard = Yard(home)
    noise = os.urandom(FILE_BYTES)

    def written() -> Iterator[tuple[str, str]]:
        for number in range(files):
            data = number.to_bytes(8, "big") + noise[8:]
            yard.store(_capture(number), data)
            yield _capture(number).key, hashlib.sha256(data).hexdigest()

    _record(home, written())


class MadeUpFiles:
    """The files of a made-up archive; every tenth is missing. Implements what a quick check asks
    of `camdl.verbs.verify.Files`.
    """

    def __init__(self, number: int) -> None:
        self._number = number

    def is_there(self) -> bool:
        """It is."""
        return True

    def places(self) -> list[str]:
        """One stream's."""
        return [STREAM]

    def strays(self, places: Sequence[str] | None) -> Iterator[str]:
        """None."""
        return iter(())

    def captures(self, stream: str) -> Iterator[FoundFile]:
        """Nine of ten."""
        for number in range(self._number):
            if number % 10:
                yield FoundFile(_capture(number).key, FILE_BYTES)

    def look(self, key: str) -> FoundFile | None:
        """Only what is missing is asked for."""
        return None


class Measured(Seen):
    """The tools of a verification whose findings are only counted."""

    def __init__(self, yard: Yard, made_up: int) -> None:
        super().__init__(yard)
        self._url = yard.url
        self._made_up = made_up
        self.told = 0

    @contextmanager
    def open(self, order: Order) -> Iterator[Ports]:
        """The real adapters, but for files that are made up."""
        if not self._made_up:
            with super().open(order) as ports:
                yield ports
            return
        database = Database(self._url)
        try:
            files = MadeUpFiles(self._made_up)
            yield Ports(files, SqlVerifying(database), SqlCatalogue(database), {})  # type: ignore[arg-type]
        finally:
            database.close()

    def tell(self, finding: Finding) -> None:
        """Count it."""
        self.told += 1

    def show(self, so_far: object) -> None:
        """Show nothing."""


def _verify(how: str, home: Path) -> None:
    """One check, which must find what there is."""
    made_up = int(home.name) if how == "made-up" else 0
    tools = Measured(Yard(home), made_up)
    tools.now = lambda: datetime.now(UTC)  # type: ignore[method-assign]
    verified = verify(Order(full=how == "full"), tools)
    assert verified.error is None, verified.error
    assert tools.told == made_up // 10, tools.told


def _program(how: str, home: Path) -> list[str]:
    return [sys.executable, "-m", "tests.benchmarks.verify_cost", "--verify", how, str(home)]


def _capture(number: int) -> Capture:
    return Capture(START + number * STEP, STREAM)


def _record(home: Path, files: Iterator[tuple[str, str]]) -> None:
    """Have the catalogue know files by key and hash."""
    database = Database(f"sqlite:///{home / 'camdl.db'}")
    while rows := [_row(*one) for one in islice(files, _ROWS)]:
        with database.transaction(writes=True) as connection:
            connection.execute(insert(captures), rows)
    database.close()


def _row(key: str, sha256: str) -> dict[str, object]:
    capture = Capture.from_key(key)
    assert capture
    return {
        "stream": capture.stream,
        "captured_at": capture.captured_at,
        "key": key,
        "sha256": sha256,
        "bytes": FILE_BYTES,
        "width": 1200,
        "height": 675,
        "source_url": "",
        "fetched_at": capture.captured_at,
        "run_id": "r1",
    }


if __name__ == "__main__":
    main()
