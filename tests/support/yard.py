"""An archive on disk with its catalogue, to damage and to verify, all of it real."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy import insert

from camdl.archive.inspection import LocalInspection
from camdl.archive.local import MARKER
from camdl.catalogue import schema
from camdl.catalogue.database import Database
from camdl.catalogue.rows import SqlCatalogue
from camdl.catalogue.tables import doomed, pending
from camdl.catalogue.verifying import SqlVerifying
from camdl.domain.captures import Capture
from camdl.domain.outcomes import StoredImage
from camdl.domain.sites import Stream
from camdl.domain.templates import UrlTemplate
from camdl.ops.lock import FileLock
from camdl.verbs.verify import Order, Ports, verify
from tests.support.catalogues import SqliteStore, empty_catalogue
from tests.support.images import gate_jpeg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Table

    from camdl.domain.outcomes import RunRecord
    from camdl.domain.verification import Finding, SoFar
    from camdl.verbs.verify import Files, Refetch, Rows, Verified
    from tests.support.catalogues import Store

START = datetime(2025, 9, 8, 23, 30, tzinfo=UTC)
STEP = timedelta(minutes=10)
SIZE = (64, 36)


def stream(name: str) -> Stream:
    """A camera whose smallest pictures are those of the yard."""
    image = UrlTemplate("http://127.0.0.1:9/{time:%Y-%m-%dT%H:%M:%S}-{stream}.jpeg")
    page, zone = f"http://127.0.0.1:9/{name}", ZoneInfo("UTC")
    return Stream(name, page, image, None, zone, "", (), *SIZE, STEP)


STREAMS = {name: stream(name) for name in ("in_gate", "out_gate")}


def capture(number: int, name: str = "in_gate") -> Capture:
    """The capture of that number, from 0: every ten minutes one, the first just before a day's
    end.
    """
    return Capture(START + number * STEP, name)


def picture(number: int) -> bytes:
    """A small JPEG, another one for each number."""
    return gate_jpeg(number, SIZE)


def _place(taken: Capture) -> dict[str, object]:
    return {"stream": taken.stream, "captured_at": taken.captured_at}


class Seen:
    """What a verification has told. Implements `camdl.verbs.verify.Tools` with `yard`."""

    def __init__(self, yard: Yard) -> None:
        self._yard = yard
        self.lock = FileLock(yard.lock_file, "verify")
        self.findings: list[Finding] = []
        self.progress: list[SoFar] = []
        self.healths = 0

    def now(self) -> datetime:
        """The instant it is."""
        return self._yard.now

    def make_catalogue(self) -> None:
        """Make the catalogue if there is none."""
        database = Database(self._yard.url, may_create=True)
        schema.upgrade(database)
        database.close()

    @contextmanager
    def open(self, order: Order) -> Iterator[Ports]:
        """The real adapters, wrapped as the test says."""
        database = Database(self._yard.url)
        try:
            files = self._yard.wrap_files(LocalInspection(self._yard.images))
            rows = self._yard.wrap_rows(SqlVerifying(database))
            runs = SqlCatalogue(database)
            yield Ports(files, rows, runs, STREAMS, self._yard.refetch)
        finally:
            database.close()

    def tell(self, finding: Finding) -> None:
        """Keep it."""
        self.findings.append(finding)

    def show(self, so_far: SoFar) -> None:
        """Keep it."""
        self.progress.append(so_far)

    def is_ending(self) -> None:
        """Nothing sends signals here."""

    def write_health(self, run: RunRecord) -> None:
        """Count it."""
        self.healths += 1


@dataclass
class Yard:
    """The directory `home` with an archive, a catalogue and a lock in it.

    The catalogue is in `home` too, unless an empty one is given as `database`. `refetch`,
    `wrap_files` and `wrap_rows` take part in the verifications that follow.
    """

    home: Path
    now: datetime = START + timedelta(days=2)
    refetch: Refetch | None = None
    wrap_files: Callable[[Files], Files] = field(default=lambda files: files)
    wrap_rows: Callable[[Rows], Rows] = field(default=lambda rows: rows)
    database: Store | None = None

    def __post_init__(self) -> None:
        """Make what is not there yet."""
        self.images = self.home / "images"
        self.catalogue = self.home / "camdl.db"
        self.lock_file = self.home / "camdl.lock"
        self.place: Store = self.database or SqliteStore(self.catalogue)
        self.url = self.place.url
        if not self.images.exists():
            self.images.mkdir(parents=True)
            (self.images / MARKER).touch()
            if self.database is None:
                empty_catalogue(self.catalogue)
            self.sql(
                "INSERT INTO runs (id, verb, started_at, error) "
                "VALUES ('r1', 'download', '2025-09-08 23:00:00.000000', '')",
            )

    def sql(self, *statements: str) -> list[tuple[object, ...]]:
        """Execute `statements` past camdl, and return the last one's rows."""
        return self.place.sql(*statements)

    def fill(self, number: int, name: str = "in_gate") -> list[Capture]:
        """Archive so many captures of a stream, and return them."""
        captures = [capture(one, name) for one in range(number)]
        for one, taken in enumerate(captures):
            self.store(taken, picture(one))
        self.record(captures)
        return captures

    def store(self, taken: Capture, data: bytes) -> Path:
        """Write a file in its place."""
        path = self.path(taken)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def record(self, captures: list[Capture], run_id: str = "r1") -> None:
        """Have the catalogue know these files as they are."""
        images = []
        for taken in captures:
            data = self.path(taken).read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            url = f"http://127.0.0.1:9/signed/{taken.key}?token=1"
            stored = StoredImage(taken, taken.key, digest, len(data), *SIZE, url, START)
            images.append(stored)
        with self.rows() as rows:
            rows.register(images, run_id)

    def list_as_pending(self, taken: Capture, url: str = "u") -> None:
        """Have the catalogue know that a source lists a capture, which no run has fetched yet."""
        moments = {"listed_at": START, "not_before": START}
        values = {"url": url, "rejected": True, "reason": "old"} | moments
        self._insert(pending, _place(taken) | values)

    def doom(self, taken: Capture) -> None:
        """Have the catalogue know that a capture's file is being deleted."""
        self._insert(doomed, _place(taken) | {"key": taken.key})

    def _insert(self, table: Table, values: dict[str, object]) -> None:
        database = Database(self.url)
        with database.transaction(writes=True) as connection:
            connection.execute(insert(table).values(values))
        database.close()

    @contextmanager
    def rows(self) -> Iterator[SqlVerifying]:
        """The catalogue's rows."""
        database = Database(self.url)
        try:
            yield SqlVerifying(database)
        finally:
            database.close()

    def path(self, taken: Capture) -> Path:
        """The file of a capture."""
        return self.images / taken.key

    def verify(self, **order: object) -> tuple[Verified, list[Finding]]:
        """Verify with that order, and return how it ended and what it found."""
        tools = Seen(self)
        verified = verify(Order(**order), tools)  # type: ignore[arg-type]
        return verified, tools.findings

    def found(self, **order: object) -> list[tuple[str, str]]:
        """Kind and key of what a verification with that order finds, sorted."""
        return sorted((str(one.kind), one.key) for one in self.verify(**order)[1])

    def facts(self) -> list[tuple[object, ...]]:
        """What the catalogue says of files."""
        return self.sql(
            "SELECT stream, captured_at, key, sha256, bytes, width, height FROM captures "
            "ORDER BY stream, captured_at",
        )

    def pending(self) -> dict[str, str]:
        """The reasons of what is pending, by key."""
        rows = self.sql("SELECT stream, captured_at, reason FROM pending")
        return {
            Capture(datetime.fromisoformat(f"{at}+00:00"), str(name)).key: str(reason)
            for name, at, reason in rows
        }

    def everything(self) -> set[str]:
        """The keys of all files, whatever their names."""
        files = (one for one in self.images.rglob("*") if one.is_file())
        return {str(one.relative_to(self.images)) for one in files}
