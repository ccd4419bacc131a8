"""A real PostgreSQL server on loopback, and databases in it: a new one for each test.

Server and role are set to what camdl must not depend on: another language's order of texts,
another time zone, another way to write dates.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from camdl.catalogue import schema
from camdl.catalogue.database import Database
from tests.support.processes import children, unmarked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from psycopg import Connection

# With all that has a meaning in URLs, so that it is told wherever it is not escaped.
PASSWORD = "hunter2 @:/?#%&='\\"  # noqa: S105  # of servers that live for a test
ROLE = "camdl"
_TRIES = 3
_CONF = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off  # the tests stop processes, never the machine
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
shared_buffers = 16MB
autovacuum = off
timezone = 'America/New_York'
"""
_ACCESS = "host all all 127.0.0.1/32 scram-sha-256\n"
_ROLE = f"""
CREATE ROLE {ROLE} LOGIN PASSWORD 'PW';
ALTER ROLE {ROLE} SET timezone = 'Asia/Kathmandu';
ALTER ROLE {ROLE} SET datestyle = 'German'
"""
_LOCALE = ("--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US")


def tool(name: str) -> str | None:
    """The path of a program of PostgreSQL's, from wherever Debian keeps those of servers."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version)
    return shutil.which(name, path=os.pathsep.join([*map(str, places[::-1]), os.environ["PATH"]]))


def _version(place: Path) -> int:
    return int(place.parent.name) if place.parent.name.isdecimal() else 0


class Postgres:
    """A server in a directory of its own, which runs as another user where the tests are root's."""

    def __init__(self) -> None:
        self._user = _owner()
        self._home = Path(tempfile.mkdtemp(prefix="camdl-postgres-", dir=_place()))
        self._data = self._home / "data"
        self._numbers = count(1)
        self._has_empty = False
        self.port = 0

    def __enter__(self) -> Self:
        if self._user:
            os.chown(self._home, self._user.pw_uid, self._user.pw_gid)
        password = self._home / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        access = ("--auth=scram-sha-256", f"--pwfile={password}", "--username=postgres")
        self._run("initdb", *access, *_LOCALE, "--no-sync", f"--pgdata={self._data}")
        with (self._data / "postgresql.conf").open("a") as conf:
            conf.write(_CONF)
        self.start()
        for statement in _ROLE.replace("PW", PASSWORD.replace("'", "''")).split(";"):
            self.sql(statement)
        return self

    def __exit__(self, *_: object) -> None:
        if self.pids():
            self.go_on()
            self.stop("immediate")
        shutil.rmtree(self._home)

    def start(self) -> None:
        """Have it run and let others in; at the port that it had, if it had one."""
        for left in reversed(range(_TRIES)):
            port = self.port or _free_port()
            try:
                options = f"--options=-p {port}"
                log = f"--log={self._home / 'log'}"
                self._run("pg_ctl", "start", "--wait", f"--pgdata={self._data}", options, log)
            except AssertionError:  # somebody else was faster
                if not left:
                    raise
            else:
                self.port = port
                return

    def stop(self, mode: str = "fast") -> None:
        """End it; `immediate` is a crash."""
        self._run("pg_ctl", "stop", "--wait", f"--pgdata={self._data}", f"--mode={mode}")

    def stand_still(self) -> None:
        """Stop it, and all that it does, as by SIGSTOP: it takes connections and never answers."""
        self._signal(signal.SIGSTOP)

    def stand_still_of(self, database: str) -> list[int]:
        """Stop what serves the connections to `database`, and return their process ids."""
        with self.connected() as connection:
            asked = "SELECT pid FROM pg_stat_activity WHERE datname = %s"
            found = [row[0] for row in connection.execute(asked, [database])]
        for pid in found:
            os.kill(pid, signal.SIGSTOP)
        return found

    def go_on(self) -> None:
        """Let it go on after it stood still."""
        self._signal(signal.SIGCONT)

    def pids(self) -> list[int]:
        """The server's process and its children; none when it does not run."""
        try:
            postmaster = int((self._data / "postmaster.pid").read_text().split()[0])
        except FileNotFoundError:
            return []
        return [postmaster, *children(postmaster)]

    def url(self, database: str, role: str = ROLE) -> str:
        """Where a database is."""
        return f"postgresql://{role}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def connected(self, database: str = "postgres", role: str = "postgres") -> Iterator[Connection]:
        """A connection past camdl, each statement by itself. Its times are UTC."""
        import psycopg

        options = "-c TimeZone=UTC -c DateStyle=ISO"
        with closing(
            psycopg.connect(
                self.url(database, role), autocommit=True, options=options, connect_timeout=10
            )
        ) as connection:
            yield connection

    def sql(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Execute a statement as the superuser, and return its rows."""
        with self.connected(database) as connection:
            return _rows(connection, statement)

    def cut(self, database: str) -> None:
        """End all connections to `database`."""
        with self.connected() as connection:
            ends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            connection.execute(ends, [database])

    @contextmanager
    def catalogue(self) -> Iterator[PostgresStore]:
        """A new catalogue of this version with nothing in it, inside the `with`."""
        if not self._has_empty:
            self.sql(f"CREATE DATABASE empty OWNER {ROLE}")
            with closing(Database(self.url("empty"))) as database:
                schema.upgrade(database)
            self._has_empty = True
        with self.database("empty") as store:
            yield store

    @contextmanager
    def database(self, template: str = "template1", *options: str) -> Iterator[PostgresStore]:
        """A new database, a copy of `template`, inside the `with`."""
        name = f"test{next(self._numbers)}"
        made = f"CREATE DATABASE {name} OWNER {ROLE} TEMPLATE {template} {' '.join(options)}"
        self.sql(made)
        try:
            yield PostgresStore(self, name)
        finally:
            self.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _run(self, program: str, *options: str) -> None:
        path = tool(program)
        assert path, f"{program} is missing: apt-get install postgresql"
        who: dict[str, Any] = {}
        if self._user:
            who = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        # What it prints goes to a file: the server would inherit a pipe and keep it open.
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(
                [*unmarked(), path, *options],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                check=False,
                **who,
            )
            said.seek(0)
            assert done.returncode == 0, said.read().decode(errors="replace")

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.pids():
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(pid, number)


class PostgresStore:
    """Implements `tests.support.catalogues.Store` in a database of `server`."""

    def __init__(self, server: Postgres, name: str) -> None:
        self.server = server
        self.database = name
        self.url = server.url(name)

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"postgresql://{ROLE}:***@127.0.0.1:{self.server.port}/{self.database}"

    def sql(self, *statements: str) -> list[tuple[object, ...]]:
        """Execute `statements` past camdl, and return the last one's rows as SQLite tells them."""
        with self.server.connected(self.database, ROLE) as connection:
            return [_rows(connection, one) for one in statements][-1]

    def set_revision(self, revision: str) -> None:
        """Have the database say that this is its newest migration."""
        self.sql(f"UPDATE alembic_version SET version_num = '{revision}'")  # noqa: S608  # a test's

    def break_it(self) -> None:
        """Let nobody use it any more."""
        self.server.sql(f"ALTER DATABASE {self.database} ALLOW_CONNECTIONS false")
        self.server.cut(self.database)

    def refuse_inserts(self, table: str) -> None:
        """Have every INSERT into `table` fail."""
        self.sql(
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql "
            "AS $$ BEGIN RAISE EXCEPTION 'no'; END $$",
            f"CREATE TRIGGER t BEFORE INSERT ON {table} EXECUTE FUNCTION no()",
        )

    def lock_whole(self) -> None:
        """Be alone with the captures for a moment; fail if anybody else is at work on them."""
        alone = "LOCK TABLE captures IN ACCESS EXCLUSIVE MODE NOWAIT"
        self.sql("BEGIN", alone, "ROLLBACK")


def _rows(connection: Connection, statement: str) -> list[tuple[Any, ...]]:
    done = connection.execute(statement)
    return [tuple(map(_told, row)) for row in done.fetchall()] if done.description else []


def _told(value: object) -> object:
    """A value as SQLite, which has fewer kinds of them, tells it."""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
    return int(value) if isinstance(value, bool) else value


def _owner() -> pwd.struct_passwd | None:
    """Whom the server belongs to; None for the tests' own user."""
    if os.geteuid():
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _place() -> Path:
    """A directory that every user gets to: those of the tests are root's alone."""
    place = Path(tempfile.gettempdir())
    everybody = all(one.stat().st_mode & 0o001 for one in (place, *place.parents))
    return place if everybody or os.geteuid() else Path("/tmp")  # noqa: S108  # mkdtemp's parent


def _free_port() -> int:
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
