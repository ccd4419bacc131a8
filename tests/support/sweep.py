"""A fault at each file-system call that camdl makes on its own files, and what is left by each."""

from __future__ import annotations

import fcntl
import json
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from camdl.archive.local import MARKER
from camdl.domain.outcomes import Rejected
from camdl.domain.validation import validate
from tests.support import invariants
from tests.support.calls import CHANGES, on
from tests.support.gate import PICTURE
from tests.support.nursery import calls, has_bitten, temporary

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.calls import Point
    from tests.support.gate import Gate
    from tests.support.nursery import Done, Nursery
    from tests.support.program import Program

STARTS = ("fresh", "half-filled")
GROUPS = ("images", "catalogue", "rest")


class Ground:
    """The home of `program`, which is made anew for each fault from one of `STARTS`.

    Half-filled is an archive with one capture of each stream, in which a killed run has left an
    image that it did not record any more.
    """

    def __init__(
        self, program: Program, gate: Gate, nursery: Nursery, start: str, scratch: Path
    ) -> None:
        self.program = program
        self.nursery = nursery
        program.configure(gate, concurrent_downloads=1)
        self._gate = gate
        self._scratch = scratch
        self._before = scratch / "before"
        self._log = scratch / "log"
        gate.take(5, 15, 25)
        if start == "half-filled":
            self._publish(gate.all_keys()[:2])
            assert nursery.run("download").code == 0
            (program.images / gate.all_keys()[2]).write_bytes(PICTURE)
        self._publish(gate.all_keys())
        shutil.copytree(program.home, self._before)

    def walk(self, group: str, what: str, flaw: str = "") -> Iterator[tuple[Point, Done]]:
        """How a run ended for each call on the paths of `group`, with `what` as its fault."""
        paths = on(dict.fromkeys(self._paths(group)))
        done = self._run(*CHANGES, *paths, flaw=flaw)
        assert (done.code, done.stderr) == (0, "")
        points, missed = calls(self._log), 0
        for point in points:
            done = self._run(*CHANGES, *paths, *point.fault(what), flaw=flaw)
            if has_bitten(self._log):
                yield point, done
            else:
                # How many transactions there are depends on how the threads come along.
                assert (done.code, done.stderr) == (0, "")
                missed += 1
        assert missed <= len(points) / 10

    def run_limited(self, limits: Mapping[int, int]) -> Done:
        """How a run ends that has these resource limits."""
        self._renew()
        return self.nursery.run("download", limits=limits)

    def _run(self, *watch: str, flaw: str) -> Done:
        self._renew()
        return self.nursery.run("download", watch=watch, log=self._log, flaw=flaw)

    def _renew(self) -> None:
        shutil.rmtree(self.program.home)
        shutil.copytree(self._before, self.program.home)

    def is_caught(self, found: object) -> bool:
        """Whether anything was found of a bad program, whose archive is taken away then."""
        self._renew()
        return bool(found)

    def broken(self) -> list[str]:
        """Which of the invariants do not hold."""
        return [*self._bad_images(), *self._bad_rows(), *self._bad_health(), *self._bad_lock()]

    def unrepaired(self) -> list[str]:
        """What the next run, which meets no fault, does not put right."""
        done = self.nursery.run("download")
        if (done.code, done.stderr) != (0, ""):
            return [f"the next run exits {done.code}: {done.stderr}"]
        home = self.program.home
        left = [*home.rglob("*.tmp"), *home.glob("*-journal"), *self.program.temporary.iterdir()]
        status = self.program.health()["status"]
        return [
            *self.broken(),
            *(f"{path} is left" for path in left),
            *(f"{key} is missing" for key in self.missing()),
            *([] if status == "healthy" else [f"the health is {status}"]),
        ]

    def missing(self) -> set[str]:
        """The captures that have no row."""
        return set(self._gate.all_keys()) - {key for key, _, _ in self._rows()}

    def says_healthy(self) -> bool:
        """Whether there is a health file that finds nothing wrong."""
        file = self.program.health_file
        return file.exists() and invariants.health(file)["status"] == "healthy"

    def _bad_images(self) -> Iterator[str]:
        for key in invariants.files(self.program.images):
            if isinstance(
                bad := validate((self.program.images / key).read_bytes(), 1, 1), Rejected
            ):
                yield f"{key} is torn: {bad.reason}"

    def _bad_rows(self) -> Iterator[str]:
        for key, digest, size in self._rows():
            try:
                data = (self.program.images / key).read_bytes()
            except FileNotFoundError:
                yield f"{key} has a row and no file"
                continue
            image = validate(data, 1, 1)
            if isinstance(image, Rejected) or (image.sha256, len(data)) != (digest, size):
                yield f"{key} is not what its row says"

    def _bad_health(self) -> Iterator[str]:
        if self.program.health_file.exists():
            try:
                verdict = invariants.health(self.program.health_file)
            except ValueError as error:
                yield f"the health file is torn: {error}"
            else:
                if not invariants.is_honest(verdict):
                    yield f"the health file calls healthy what is not: {verdict}"

    def _bad_lock(self) -> Iterator[str]:
        if self.program.lock_file.exists():
            with self.program.lock_file.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    yield "the lock is held"

    def recorded_now(self) -> set[str]:
        """The keys of the archived captures, while a run goes on."""
        uri = f"{self.program.database.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=30)) as database:
            return {key for (key,) in database.execute("SELECT key FROM captures")}

    def _rows(self) -> list[tuple[str, str, int]]:
        """The catalogue's rows, as the next to open it will see them."""
        with tempfile.TemporaryDirectory(dir=self._scratch) as directory:
            # Who reads it rolls back what is not committed: not here, where the next run is to.
            for file in self.program.home.glob(f"{self.program.database.name}*"):
                shutil.copy(file, directory)
            copy = Path(directory) / self.program.database.name
            with closing(sqlite3.connect(copy)) as database:
                assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                found = "SELECT 1 FROM sqlite_master WHERE name = 'captures'"
                if not database.execute(found).fetchone():
                    return []
                return database.execute("SELECT key, sha256, bytes FROM captures").fetchall()

    def _publish(self, keys: list[str]) -> None:
        listed = self.program.home / "listed.json"
        listed.write_text(json.dumps(keys), encoding="utf-8")

    def _paths(self, group: str) -> Iterator[Path]:
        """All that is touched in a run: what its workers do, its rows, and everything else."""
        program = self.program
        if group == "images":
            for key in self._gate.all_keys():
                path = program.images / key
                yield from (path, temporary(path), path.parent, path.parent.parent)
        elif group == "catalogue":
            yield from (program.home, program.database, Path(f"{program.database}-journal"))
        else:
            yield from (program.images, program.lock_file)
            reserve = Path(f"{program.database}.reserve")
            for path in (program.images / MARKER, program.health_file, reserve):
                yield from (path, temporary(path))
