"""A consistent copy of a PostgreSQL catalogue, made by PostgreSQL's own tools."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from camdl.catalogue.backup import refuse_what_is_none
from camdl.catalogue.database import Database, understood
from camdl.domain.text import one_line
from camdl.errors import CatalogueError, ConfigError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# So long nothing may come of it; a server that stands still would hold it for ever.
_PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 0.1
# What of a URL a command line may show, and needs.
_HARMLESS = frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey", "host", "port", "user"})
# What others on this machine must not read in the list of processes.
_SECRETS = frozenset({"password", "sslpassword"})


class PostgresBackup:
    """Implements `camdl.verbs.backup.Copying` for the PostgreSQL database at `url`."""

    file = None

    def __init__(self, url: str) -> None:
        """Prepare to copy it.

        Raises:
            ConfigError: there is no driver for such a URL.
        """
        self._url = understood(url)
        self._database = Database(url)

    @property
    def name(self) -> str:
        """What to call the database."""
        return self._database.name

    def refuse(self, target: Path) -> None:
        """Make sure that there are a catalogue and the tools.

        Raises:
            ConfigError: PostgreSQL's tools are not here, or it is no catalogue of camdl.
            CatalogueError: there is none, or it cannot be read.
        """
        if not (shutil.which("pg_dump") and shutil.which("pg_restore")):
            raise ConfigError(
                f"{self.name} is copied by PostgreSQL's pg_dump, which is not here",
                advice="Install it with: apt-get install -y postgresql-client\n"
                f"       or run where it is: {self._command(target)}",
            )
        refuse_what_is_none(self._database)

    def copy(self, target: Path) -> int:
        """Write a copy into the empty file `target`, check it, and say how many captures it has.

        It is the catalogue as it was at one moment, whatever is written to it meanwhile.

        Raises:
            CatalogueError: the catalogue cannot be read.
            StorageError: the copy cannot be written.
        """
        # It tells no more people than the catalogue does.
        target.chmod(0o600)
        with self._running("pg_dump", *self._options(target), target=target) as dump:
            self._wait(dump, target)
        return self._captures(target)

    def close(self) -> None:
        """Close its connections."""
        self._database.close()

    def _options(self, target: Path) -> list[str]:
        from psycopg.conninfo import make_conninfo

        _, given = self._database.engine.dialect.create_connect_args(self._url)
        place = {name: given[name] for name in given if name not in {*_SECRETS, "context"}}
        options = ["--format=custom", "--no-password", "--lock-wait-timeout=5s"]
        return [*options, f"--file={target}", f"--dbname={make_conninfo(**place)}"]

    def _command(self, target: Path) -> str:
        """What a person runs to the same end, without the password."""
        query = {name: value for name, value in self._url.query.items() if name in _HARMLESS}
        url = self._url.set(drivername="postgresql", query=query)._replace(password=None)
        shown = url.render_as_string(hide_password=False)
        return shlex.join(["pg_dump", "--format=custom", f"--file={target}", shown])

    def _captures(self, target: Path) -> int:
        """Read all of the copy, as a restoration would, and count its captures."""
        captures, inside = 0, False
        with self._running("pg_restore", "--file=-", str(target), target=target) as restore:
            assert restore.stdout  # noqa: S101  # `_running` has it
            for line in restore.stdout:
                if inside and line != b"\\.\n":
                    captures += 1
                else:
                    inside = line.startswith(b"COPY ") and b".captures (" in line
        return captures

    @contextmanager
    def _running(
        self, program: str, *options: str, target: Path
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A tool of PostgreSQL's, which has ended well at the end of the `with`.

        Raises:
            CatalogueError: it has not.
        """
        password = self._url.password or self._url.query.get("password", "")
        known = {"PGPASSWORD": str(password)} if password else {}
        quick = {"PGCONNECT_TIMEOUT": "5", "PGAPPNAME": "camdl", "LC_MESSAGES": "C"}
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                [program, *options],
                env={**quick, **os.environ, **known},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
            )
            try:
                yield process
                if process.wait():
                    raise self._told(said, target)
            finally:
                process.kill()
                process.wait()
                if process.stdout:
                    process.stdout.close()

    def _wait(self, dump: subprocess.Popen[bytes], target: Path) -> None:
        """Wait for its end, for as long as the copy grows.

        Raises:
            CatalogueError: it did not for too long.
        """
        size, grew_at = 0, time.monotonic()
        while True:
            try:
                dump.wait(_LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                now = time.monotonic()
                if (is_now := target.stat().st_size) != size:
                    size, grew_at = is_now, now
                elif now - grew_at > _PATIENCE_SECONDS:
                    raise CatalogueError(
                        f"the catalogue {self.name}: no answer for {_PATIENCE_SECONDS:g} s"
                    ) from None
            else:
                return

    def _told(self, said: IO[bytes], target: Path) -> CatalogueError | StorageError:
        said.seek(0)
        words = one_line(said.read().decode(errors="replace"))
        if "No space left" in words or "output file" in words:
            return StorageError(f"{self.name} cannot be copied to {target.parent}: {words}")
        return CatalogueError(f"the catalogue {self.name}: {words}")
