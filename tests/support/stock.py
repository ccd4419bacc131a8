"""A stocked archive, real files and a real catalogue, and the world of `camdl cleanup` on it."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from camdl.archive.files import LocalFiles
from camdl.archive.local import MARKER
from camdl.catalogue import opening
from camdl.catalogue.database import Database
from camdl.catalogue.keeping import SqlKeeping
from camdl.domain.captures import Capture, ListedCapture
from camdl.domain.outcomes import Saved, StoredImage
from camdl.ops.lock import FileLock
from camdl.ops.reserve import Reserve
from camdl.sources.old_diagnostics import OldDiagnostics
from camdl.verbs import cleanup
from tests.support import invariants
from tests.support.catalogues import empty_catalogue, sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from camdl.catalogue.rows import SqlCatalogue
    from camdl.domain.outcomes import RunRecord
    from camdl.domain.retention import Holding, Room
    from camdl.verbs.cleanup import Finished, Order, Ports

NOW = datetime(2025, 9, 8, 20, 30, tzinfo=UTC)
FIRST_RUN = "first-run"


def ago(days: float, stream: str = "in_gate") -> Capture:
    """The capture that `stream` took so long before `NOW`."""
    return Capture((NOW - timedelta(days=days)).replace(microsecond=0), stream)


class Stock:
    """Implements `camdl.verbs.cleanup.Tools` below `home`, at the instant `clock`.

    Its catalogue began with a run two years ago, unless `new` says that it is to be made.
    """

    def __init__(self, home: Path, *, new: bool = True) -> None:
        self.home = home
        self.images = home / "images"
        self.database = home / "camdl.db"
        self.clock = NOW
        self.told: list[str] = []
        self.tells = True
        self.ended = False
        self.verdicts = 0
        self.lock = FileLock(home / "camdl.lock", "cleanup")
        self.reserve = Reserve(self.database)
        self.before_deleting: Callable[[Sequence[str]], object] = len
        if new:
            self.images.mkdir(parents=True)
            self.images.joinpath(MARKER).touch()
            empty_catalogue(self.database)
            with self.catalogue() as catalogue:
                catalogue.begin_run(FIRST_RUN, "download", NOW - timedelta(days=730))

    def archive(self, *captures: Capture, size: int = 100) -> list[str]:
        """Have these archived, each a file of `size` bytes of its own; returns their keys."""
        with self.catalogue() as catalogue:
            saved = [
                (ListedCapture(one, "http://x"), Saved(self._store(one, size))) for one in captures
            ]
            catalogue.record(FIRST_RUN, saved, NOW)
        return [one.key for one in captures]

    def foreign(self, name: str) -> Path:
        """A file below the archive that the catalogue knows nothing of."""
        path = self.images / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"not ours")
        return path

    def cleanup(self, **order: Any) -> Finished:
        """Clean up once."""
        self.told, self.ended = [], False
        return cleanup.cleanup(cleanup.Order(**order), self)

    def rows(self) -> list[str]:
        """The keys of all captures, in the order of time, each having its file as recorded."""
        # Not read-only, as a killed run may have left a journal that is to be rolled back.
        found = self.sql("SELECT key, sha256, bytes FROM captures ORDER BY captured_at, stream")
        for key, digest, size in found:
            data = (self.images / str(key)).read_bytes()
            assert (hashlib.sha256(data).hexdigest(), len(data)) == (digest, size), key
        return [str(key) for key, _, _ in found]

    def files(self) -> list[str]:
        """The keys of all files under an image's name, in the order of their names."""
        return invariants.files(self.images)

    def doomed(self) -> list[str]:
        """The keys of what is being deleted."""
        return [str(row[0]) for row in self.sql("SELECT key FROM doomed")]

    def sql(self, *statements: str) -> list[tuple[object, ...]]:
        """Execute `statements` past camdl."""
        return sql(self.database, *statements)

    def snapshot(self) -> dict[str, object]:
        """All that is below the home, with what is in it and when it was changed."""
        return {
            str(path): (path.stat().st_mtime_ns, path.is_file() and path.read_bytes())
            for path in sorted(self.home.rglob("*"))
        }

    @contextmanager
    def catalogue(self) -> Iterator[SqlCatalogue]:
        """The catalogue, to look into or to add to."""
        with self._opened() as database:
            found = opening.existing(database)
            assert found is not None
            yield found

    @contextmanager
    def keeping(self) -> Iterator[SqlKeeping]:
        """What clean-up and pins work on."""
        with self._opened() as database:
            yield SqlKeeping(database)

    def now(self) -> datetime:
        """The instant that the test says."""
        return self.clock

    def room(self) -> Room | None:
        """That of the file system it is on."""
        return self.reserve.room(self.images)

    @contextmanager
    def open(self, order: Order) -> Iterator[Ports]:
        """The real adapters."""
        with self._opened() as database:
            found = opening.existing(database)
            assert found is not None
            files = _Watched(self.images, self.before_deleting)
            diagnoses = OldDiagnostics(self.home / "diagnostics")
            yield cleanup.Ports(found, SqlKeeping(database), files, diagnoses)

    def would_go(self, holding: Holding) -> None:
        """Remember what a dry run tells, unless that is to be forgotten."""
        if self.tells:
            self.told.append(holding.key)

    def is_ending(self) -> None:
        """Remember that no more signals are wanted."""
        self.ended = True

    def write_health(self, run: RunRecord) -> None:
        """Count the verdicts."""
        assert self.ended
        self.verdicts += 1

    def _store(self, capture: Capture, size: int) -> StoredImage:
        data = capture.key.encode().ljust(size, b".")
        path = self.images / capture.key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        return StoredImage(capture, capture.key, digest, len(data), 640, 360, "http://x", NOW)

    @contextmanager
    def _opened(self) -> Iterator[Database]:
        database = Database(f"sqlite:///{self.database}")
        try:
            yield database
        finally:
            database.close()


class _Watched(LocalFiles):
    """The real files; a test may do something before some are deleted."""

    def __init__(self, root: Path, before_deleting: Callable[[Sequence[str]], object]) -> None:
        super().__init__(root)
        self._before_deleting = before_deleting

    def delete(self, keys: Sequence[str]) -> dict[str, str]:
        """Tell the test, then delete."""
        self._before_deleting(keys)
        return super().delete(keys)
