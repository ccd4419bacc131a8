"""camdl on a machine of its own, with what it has archived there."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import OperationalError
from typing import TYPE_CHECKING

from tests.support import invariants
from tests.support.gate import Held
from tests.support.machine import PROGRAM
from tests.support.processes import await_that

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.support.gate import Gate
    from tests.support.machine import Machine

_SECONDS = 90.0
_SANDBOX = ("user", "pid", "net")


class Installation:
    """The program on `machine`; its data are in `home` there."""

    def __init__(self, machine: Machine, home: Path = Path("/var/lib/camdl")) -> None:
        self.machine = machine
        self._home = home

    def schedule(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `camdl schedule` as root."""
        return self.machine.run(str(PROGRAM), "schedule", *arguments, check=check)

    def archived(self) -> list[str]:
        """The keys of all captures in the order of time; the archive is whole."""
        if not self.database.exists():
            return []
        return invariants.archived(self.data / "images", self.database)

    def is_sound(self) -> None:
        """Make sure of what holds of every archive, whatever has just happened to it.

        The machine is on, no run is due, and what has just ended its work goes away.
        """
        invariants.sound(self.data / "images", self.database, self.data / "images/.health")
        lock = self._home / "data/camdl.lock"
        if self.machine.changed(lock).exists():  # no run is left that holds it
            self.machine.run("flock", "--timeout", "30", str(lock), "true")
        assert await_that(lambda: not self.machine.processes(f"{PROGRAM}\0download"))
        assert await_that(lambda: not self.machine.processes("--type=renderer"))

    def runs(self, verb: str = "download") -> list[tuple[str | None, int | None]]:
        """Outcome and exit code of each recorded run of `verb`, the oldest first."""
        if not self.database.exists():
            return []
        query = "SELECT outcome, exit_code FROM runs WHERE verb = ? ORDER BY started_at"
        return [(row[0], row[1]) for row in invariants.rows(self.database, query, verb)]

    def await_everything_of(self, gate: Gate) -> None:
        """Wait until all that `gate` has is archived, and the run that did it has ended."""

        def has_it() -> bool:
            try:
                return self._keys() == gate.all_keys() and self._has_ended()
            except OperationalError:  # the catalogue is just being made
                return False

        assert await_that(has_it, _SECONDS), (self.runs(), self._keys(), gate.all_keys())

    def await_sandbox(self) -> None:
        """Wait until a download draws a page in namespaces of its own; nobody asked for less."""
        seen: dict[str, str] = {}

        def has_been_seen() -> bool:
            for process in self.machine.processes("--type=renderer"):
                try:
                    names = {name: str(_namespace(process, name)) for name in _SANDBOX}
                    line = (process / "cmdline").read_text().replace("\0", " ")
                    mode = (process / "status").read_text().partition("Seccomp:\t")[2][0]
                except OSError:
                    continue
                if mode == "2":  # filtered; before, it is still being made
                    seen.update(names | {"line": line})
            return bool(seen)

        assert await_that(has_been_seen, _SECONDS)
        (download,) = self.machine.processes(f"{PROGRAM}\0download")[:1]
        for name in _SANDBOX:
            assert seen[name] != str(_namespace(download, name)), name
        assert "--no-sandbox" not in seen["line"]

    @contextmanager
    def downloading_by_hand(self, gate: Gate) -> Iterator[None]:
        """While a person's download is going on, which ends well after the `with`."""

        def run() -> None:
            command = ("env", "-C", str(self._home), str(PROGRAM), "download")
            ran.append(self.machine.run(*command, user="camdl", check=False).returncode)

        ran: list[int] = []
        by_hand = threading.Thread(target=run)
        try:
            with Held(gate) as held:
                by_hand.start()
                assert held.is_asked.wait(_SECONDS)
                yield
        finally:
            by_hand.join(_SECONDS)
        assert ran == [0]

    def owners(self) -> set[str]:
        """Which users files of the archive belong to."""
        users = (self.machine.file("/etc/passwd")).read_text()
        names = {line.split(":")[2]: line.split(":")[0] for line in users.splitlines()}
        return {names[str(file.stat().st_uid)] for file in self.data.rglob("*")}

    @property
    def data(self) -> Path:
        """Where everything is, as it is found from here."""
        # Not below /proc: SQLite resolves links itself, and would look into this machine's files.
        return self.machine.changed(self._home / "data")

    @property
    def database(self) -> Path:
        """The catalogue, as it is found from here."""
        return self.data / "camdl.db"

    def _keys(self) -> list[str]:
        """The same, also while a run goes on."""
        if not self.database.exists():
            return []
        query = "SELECT key FROM captures ORDER BY captured_at, stream"
        return [row[0] for row in invariants.rows(self.database, query)]

    def _has_ended(self) -> bool:
        found = self.runs()
        return bool(found) and found[-1][0] is not None


def _namespace(process: Path, name: str) -> Path:
    return (process / "ns" / name).readlink()
