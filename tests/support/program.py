"""The real program, in a process of its own, with a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TextIO

import camdl
from camdl.demo.run import site_config
from camdl.ops.lock import FileLock
from tests.support import invariants
from tests.support.terminal import on_terminal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tests.support.catalogues import Store
    from tests.support.gate import Gate

_CODE = Path(camdl.__file__).parents[1]
# Settings of this machine's user, to which camdl or Python would listen.
_FOREIGN = (
    *("CAMDL_", "DATABASE_URL", "RETENTION_DAYS", "DOWNLOAD_INTERVAL_MINUTES"),
    *("CREDENTIALS_DIRECTORY", "XDG_CONFIG_HOME", "PYTHONUNBUFFERED"),
)
# No test waits for a retry unless it says so.
_SETTINGS: dict[str, object] = {
    "max_retries": 1,
    "retry_delay_seconds": 0,
    "timeout": 20,
    "run_deadline_seconds": 60,
}
# A program for Python that is camdl at the time that is its first argument.
AT_ANOTHER_TIME = """
import sys, time_machine
from datetime import datetime
from camdl.cli import main
sys.argv[0] = "camdl"
time_machine.travel(datetime.fromisoformat(sys.argv.pop(1)), tick=True).start()
main()
"""


class Program:
    """camdl with a configuration for `site`; all that it makes is in `home`.

    But for the catalogue, if `store` is a database elsewhere. Its processes carry `mark`.
    """

    def __init__(
        self, home: Path, site: Gate | str, store: Store | None = None, mark: int = 0
    ) -> None:
        self.home = home
        self.mark = mark
        self.images = home / "images"
        self.database = home / "camdl.db"
        self.store = store
        self.health_file = home / "images" / ".health"
        self.lock_file = home / "camdl.lock"
        self.diagnostics = home / "diagnostics"
        # The browser's temporary files too, so that what is left of them is seen.
        self.temporary = home / "tmp"
        self.temporary.mkdir()
        self.configure(site)

    def configure(self, site: Gate | str, **settings: object) -> None:
        """Write a configuration for `site`, or with the tables that are given as text."""
        places = {
            "download_dir": str(self.images),
            "health_file": str(self.health_file),
            "database_url": self.store.url if self.store else f"sqlite:///{self.database}",
            "lock_file": str(self.lock_file),
            "diagnostics_dir": str(self.diagnostics),
        }
        values = places | _SETTINGS | settings
        lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        tables = site if isinstance(site, str) else site_config(site)
        text = "\n".join([*lines, tables, ""])
        (self.home / "camdl.toml").write_text(text, encoding="utf-8")

    def is_sound(self) -> None:
        """Make sure of what holds of every archive, whatever has just happened to it."""
        invariants.sound(self.images, self.store or self.database, self.health_file)
        with FileLock(self.lock_file).hold(0):  # no run is left that holds it
            pass

    def goes_on(self, gate: Gate, *, said: str = "") -> None:
        """Make sure that the next run, which nothing disturbs, does all that there is to do.

        It says no more than what is in `said`.
        """
        done = self.run("download")
        assert (done.returncode, done.stderr) == (0, said)
        assert self.archived() == gate.all_keys()
        assert self.health()["status"] == "healthy"

    def run(
        self,
        *arguments: str,
        at: datetime | None = None,
        stdout: IO[str] | int = subprocess.PIPE,
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end as cron does, on no terminal; `at` another time than it is."""
        return self.behind((), *arguments, at=at, stdout=stdout, **environment)

    def behind(
        self,
        prefix: Iterable[str],
        *arguments: str,
        at: datetime | None = None,
        stdout: IO[str] | int = subprocess.PIPE,
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:
        """`run`, started by another program: the command line `prefix`."""
        done = subprocess.run(
            [*prefix, *_command(at), *arguments],
            cwd=self.home,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in f"{done.stdout}{done.stderr}"
        return done

    def start(self, *arguments: str, terminal: TextIO | None = None) -> subprocess.Popen[str]:
        """Have it run in the background. Use it with `with`, and end what is not to end itself."""
        return subprocess.Popen(
            [*_command(None), *arguments],
            cwd=self.home,
            env=self.environment(),
            stdin=terminal or subprocess.DEVNULL,
            stdout=terminal or subprocess.PIPE,
            stderr=terminal or subprocess.PIPE,
            text=True,
        )

    def on_terminal(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Run it on a terminal: its exit code, and what was written there."""
        command = [*_command(None), *arguments]
        return on_terminal(command, self.home, self.environment(**environment))

    def environment(self, **more: str) -> dict[str, str]:
        """This process's without its user's settings, and `more`."""
        kept = {k: v for k, v in os.environ.items() if not k.upper().startswith(_FOREIGN)}
        ours = {"PYTHONPATH": str(_CODE), "TMPDIR": str(self.temporary), "COLUMNS": "100"}
        return kept | ours | {"TERM": "xterm"} | more

    def archived(self) -> list[str]:
        """The keys of all captures in the order of time; the archive is whole."""
        return invariants.archived(self.images, self.store or self.database)

    def runs(self) -> list[tuple[str | None, int | None]]:
        """Outcome and exit code of each recorded run, the oldest first."""
        query = "SELECT outcome, exit_code FROM runs ORDER BY started_at"
        return [(row[0], row[1]) for row in invariants.rows(self.store or self.database, query)]

    def health(self) -> dict[str, Any]:
        """What the health file says."""
        return invariants.health(self.health_file)


def _command(at: datetime | None) -> list[str]:
    if at is None:
        return [sys.executable, "-m", "camdl"]
    return [sys.executable, "-c", AT_ANOTHER_TIME, at.isoformat()]
