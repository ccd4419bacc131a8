"""How a PostgreSQL server is spoken to, so that one that never answers costs seconds.

The server itself ends what takes too long or waits for a lock. That is no help when it is the
server that stands still, be it stopped, overloaded or cut off, so every wait has an end here too.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import create_engine, event, text

from camdl.config.secrets import is_secret
from camdl.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Generator

    from sqlalchemy import URL, Connection, Engine

# Both together are less than a run has that was asked to end.
_CONNECT_SECONDS = 4
_PING_SECONDS = 3.0
# What a URL says of these counts more.
_DEFAULTS: dict[str, Any] = {
    "connect_timeout": _CONNECT_SECONDS,
    "fallback_application_name": "camdl",
    "client_encoding": "utf8",
    # A server that is gone for good is noticed long before a long answer is given up.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    # Poolers that hand out a connection for each transaction lose what was prepared.
    "prepare_threshold": None,
}
# A server that kept us waiting and let nobody in is not asked again for a while: a run has several
# things to write down on its way out, and each of them would take as long again.
_LONG_SECONDS = 1.0
_SILENT_SECONDS = 10.0
_silent_since: dict[str, float] = {}

# What those who write agree on, in this database; the number means nothing else.
_WRITER = int.from_bytes(b"camdl db")


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds a transaction waits: for a lock, for a statement, for any sign of life.

    A statement may take for ever where `statement` is 0.
    """

    lock: float
    statement: float
    answer: float


_BRISK = Patience(lock=5, statement=10, answer=15)
# For what looks at every row: a slow disk reads some ten million of them in that time.
_THOROUGH = Patience(lock=5, statement=300, answer=310)
# For changes of the schema, which a person waits for; another one may be under way.
_MIGRATING = Patience(lock=60, statement=0, answer=3600)


class PatientConnection(psycopg.Connection[Any]):
    """A connection that is closed when the server has not answered for `patience` seconds."""

    patience: float = _PING_SECONDS

    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        """Wait for an answer as psycopg does, with an end.

        Raises:
            OperationalError: there was none in time.
        """
        return super().wait(_in_time(gen, self), *args, **options)


class Server:
    """The server and the database in it that `url` names."""

    def __init__(self, url: URL) -> None:
        self._url = url.set(drivername="postgresql+psycopg")

    def engine(self) -> Engine:
        """What opens connections, when they are needed."""
        made = create_engine(
            self._url,
            # One that a restart of the server has cut while nobody used it is replaced.
            pool_pre_ping=True,
            use_native_hstore=False,
        )

        @event.listens_for(made, "do_connect")
        def connect(
            _dialect: object, _record: object, args: tuple[Any, ...], options: dict[str, Any]
        ) -> PatientConnection:
            return self._connect(*args, **(_DEFAULTS | options))

        @event.listens_for(made, "checkin")
        def hurry(driver: PatientConnection | None, _record: object) -> None:
            if driver is not None:  # asked next whether it is still there
                driver.patience = _PING_SECONDS

        return made

    def begin(
        self, connection: Connection, *, writes: bool = False, thorough: bool = False
    ) -> None:
        """Make a transaction that has just begun independent of the server's and role's settings.

        At most one at a time `writes`, as SQLite has it: none waits for rows that another one has
        changed while that waits for its own, and what one has read stays so until it writes. Who
        is `thorough` looks at every row, and has minutes for it.
        """
        _begin(connection, _THOROUGH if thorough else _BRISK, writes=writes)

    def begin_migration(self, connection: Connection, name: str) -> None:
        """As `begin`, for a change of the schema.

        Raises:
            ConfigError: the database, which is called `name`, cannot hold every text.
        """
        _begin(connection, _MIGRATING, writes=True)
        encoding = connection.scalar(text("SHOW server_encoding"))
        if encoding != "UTF8":
            raise ConfigError(
                f"the database {name} has the encoding {encoding}, which lacks most letters",
                advice="Make another: createdb --template=template0 --encoding=UTF8 NAME",
            )

    def without_secrets(self, said: str) -> str:
        """What the server or its driver said, with the URL's password and such as `***`."""
        query = self._url.normalized_query.items()
        secrets = {one for name, values in query if is_secret(name) for one in values}
        secrets.add(str(self._url.password or ""))
        # Where somebody's password is his name, it is his name that is told.
        secrets -= {"", self._url.username, self._url.host, self._url.database}
        for secret in sorted(secrets, key=len, reverse=True):
            said = said.replace(secret, "***")
        return said

    def _connect(self, *args: Any, **options: Any) -> PatientConnection:
        place = self._url.render_as_string(hide_password=True)
        silent_since = _silent_since.get(place)
        began = time.monotonic()
        if silent_since is not None and began < silent_since + _SILENT_SECONDS:
            raise psycopg.OperationalError("it did not answer a moment ago")
        try:
            return PatientConnection.connect(*args, **options)
        except psycopg.OperationalError as error:
            if time.monotonic() > began + _LONG_SECONDS:
                _silent_since[place] = time.monotonic()
            if isinstance(error, psycopg.errors.ConnectionTimeout):
                seconds = options["connect_timeout"]
                raise psycopg.OperationalError(f"no answer for {seconds} s") from error
            raise


def _begin(connection: Connection, patience: Patience, *, writes: bool) -> None:
    driver = connection.connection.driver_connection
    assert isinstance(driver, PatientConnection)  # noqa: S101  # an engine makes no others
    driver.patience = patience.answer
    settings = {
        "statement_timeout": f"{patience.statement}s",
        "lock_timeout": f"{patience.lock}s",
        # Else the locks of a machine that was switched off are kept for hours.
        "idle_in_transaction_session_timeout": "60s",
        "TimeZone": "UTC",
        "DateStyle": "ISO",
    }
    if not writes:
        settings["transaction_read_only"] = "on"
    # For this transaction only: what is set for a session, a pooler would hand on to others.
    calls = [f"set_config('{name}', '{value}', true)" for name, value in settings.items()]
    if writes:
        calls.append(f"pg_advisory_xact_lock({_WRITER})")
    connection.execute(text(f"SELECT {', '.join(calls)}"))


def _in_time(waiting: Any, connection: PatientConnection) -> Generator[Any, Any, Any]:
    """What psycopg waits for, with an end.

    It is told the state of the socket several times a second, whether anything came or not.
    """
    seconds = connection.patience
    heard_at = time.monotonic()
    try:
        wanted = next(waiting)
        while True:
            ready = yield wanted
            now = time.monotonic()
            if ready:
                heard_at = now
            elif now > heard_at + seconds:
                # Nobody knows what a late answer would be to, so nobody may read it.
                connection.pgconn.finish()
                raise psycopg.OperationalError(f"no answer for {seconds:g} s")
            wanted = waiting.send(ready)
    except StopIteration as end:
        return end.value
