"""A real PostgreSQL server that is slow, silent, restarted or not as camdl needs it."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from sqlalchemy import text

from camdl.catalogue import postgres as module
from camdl.catalogue import schema
from camdl.catalogue.database import Database, State
from camdl.catalogue.postgres import Patience
from camdl.catalogue.rows import SqlCatalogue
from camdl.domain.captures import Capture, ListedCapture
from camdl.domain.outcomes import Failed
from camdl.errors import CatalogueError, ConfigError
from tests.support.postgres import PASSWORD, PostgresStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import Postgres

NOON = datetime(2025, 9, 8, 12, 0, tzinfo=UTC)
SECRET = "hunter2"  # noqa: S105  # the beginning of the tests' password


@pytest.fixture
def store(postgres: Postgres) -> Iterator[PostgresStore]:
    """A database with an empty catalogue."""
    with postgres.catalogue() as made:
        yield made


@pytest.fixture
def blank(postgres: Postgres) -> Iterator[PostgresStore]:
    """A database with nothing in it."""
    with postgres.database() as made:
        yield made


@pytest.fixture
def database(store: PostgresStore) -> Iterator[Database]:
    """The database of `store`."""
    with closing(Database(store.url)) as opened:
        yield opened


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for as long as it is else."""
    monkeypatch.setattr(module, "_BRISK", Patience(lock=0.2, statement=0.5, answer=1))
    monkeypatch.setattr(module, "_PING_SECONDS", 1.0)


def ask(database: Database, question: str, *, writes: bool = False) -> object:
    """The first value that the database answers."""
    with database.transaction(writes=writes) as connection:
        return connection.scalar(text(question))


# What does not depend on how server and role are set


def test_times_are_utc_whatever_the_role_is_set_to(
    store: PostgresStore, database: Database
) -> None:
    """The role of the tests is in Kathmandu and writes dates as Germans do."""
    with store.server.connected(store.database, "camdl") as connection:
        connection.execute("RESET TimeZone")
        connection.execute("RESET DateStyle")
    assert ask(database, "SHOW TimeZone") == "UTC"
    assert ask(database, "SELECT '2025-09-08 12:00+02'::timestamptz") == NOON - timedelta(hours=2)
    missing = (ListedCapture(Capture(NOON, "in_gate"), "u"), Failed("503", NOON))
    SqlCatalogue(database).record("r", [missing], NOON)
    assert store.sql("SELECT captured_at::text, not_before FROM pending") == [
        ("2025-09-08 12:00:00+00", "2025-09-08 12:00:00.000000")
    ]


def test_names_are_in_the_order_of_their_characters(store: PostgresStore) -> None:
    """Not in that of a language, by which the index of a database is ordered else."""
    names = ["a-b", "a1", "a_", "a_b", "ab", "b"]
    store.sql(
        "INSERT INTO horizons SELECT unnest(ARRAY['b', 'ab', 'a_b', 'a_', 'a1', 'a-b']), now()"
    )
    by_language = 'SELECT stream FROM horizons ORDER BY stream COLLATE "default"'
    assert [row[0] for row in store.sql(by_language)] != names
    assert [row[0] for row in store.sql("SELECT stream FROM horizons ORDER BY stream")] == names


def test_every_short_text_is_in_that_order(store: PostgresStore) -> None:
    """And so is whatever a later schema adds."""
    found = store.sql(
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = 'public' AND data_type = 'character varying' "
        "AND collation_name IS DISTINCT FROM 'C' AND table_name <> 'alembic_version'"
    )
    assert found == []


@pytest.mark.parametrize("form", ["postgresql", "postgresql+psycopg"])
def test_each_form_of_url_means_the_same(store: PostgresStore, form: str) -> None:
    """The driver need not be named."""
    with closing(Database(store.url.replace("postgresql", form, 1))) as opened:
        assert opened.state() is State.CURRENT
        assert opened.file is None
        assert not opened.is_sqlite


def test_parts_of_the_url_count_more_than_ours(store: PostgresStore) -> None:
    """Such as by which name the server's owner sees the connection."""
    with closing(Database(store.url)) as opened:
        assert ask(opened, "SHOW application_name") == "camdl"
    with closing(Database(f"{store.url}?application_name=gates")) as opened:
        assert ask(opened, "SHOW application_name") == "gates"


# Transactions


def test_only_who_says_so_writes(database: Database) -> None:
    """So none forgets to say it, and to take its turn."""
    begin = "INSERT INTO runs (id, verb, started_at, error) VALUES ('r', 'v', now(), '')"
    with pytest.raises(CatalogueError, match="read-only transaction"):
        ask(database, f"{begin} RETURNING id")
    assert ask(database, f"{begin} RETURNING id", writes=True) == "r"


def test_one_writes_at_a_time(store: PostgresStore, database: Database) -> None:
    """The next waits for its turn, while everybody may read."""
    other = Database(store.url)
    second = threading.Thread(target=lambda: ask(other, "SELECT 1", writes=True))
    with database.transaction(writes=True):
        second.start()
        second.join(0.3)
        assert second.is_alive()
        with closing(Database(store.url)) as reader:
            assert ask(reader, "SELECT 1") == 1
    second.join(10)
    assert not second.is_alive()
    other.close()


def test_after_an_error_a_connection_is_as_good_as_new(database: Database) -> None:
    """A transaction that has failed is over."""
    with pytest.raises(CatalogueError, match="division by zero"):
        ask(database, "SELECT 1 / 0")
    assert ask(database, "SELECT 1") == 1


# Slow, locked and silent


@pytest.mark.usefixtures("impatient")
def test_what_takes_too_long_is_given_up(database: Database) -> None:
    """By the server itself, which then does it no more."""
    with pytest.raises(CatalogueError, match="statement timeout"):
        ask(database, "SELECT pg_sleep(60)")


@pytest.mark.usefixtures("impatient")
def test_who_looks_at_everything_has_time(database: Database) -> None:
    """A question about every row may take longer than one about a few."""
    with database.transaction(thorough=True) as connection:
        assert connection.scalar(text("SHOW statement_timeout")) == "5min"
    assert ask(database, "SHOW statement_timeout") == "500ms"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("table", ["captures", "pending"])
def test_a_locked_table(store: PostgresStore, database: Database, table: str) -> None:
    """Somebody's maintenance costs a moment."""
    pending = SqlCatalogue(database).pending
    with store.server.connected(store.database) as connection:
        connection.execute("BEGIN")
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(CatalogueError, match="lock timeout"):
            pending("in_gate", NOON)
    assert pending("in_gate", NOON) == ()


@contextmanager
def standing_still(database: Database) -> Iterator[int]:
    """The process that serves the one connection of `database` does nothing inside the `with`."""
    pid = ask(database, "SELECT pg_backend_pid()")
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.usefixtures("impatient")
def test_a_connection_that_falls_silent_is_replaced(database: Database) -> None:
    """The server is asked by another, and answers."""
    with standing_still(database) as pid:
        assert ask(database, "SELECT pg_backend_pid()") != pid


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("rows", [1, 500])
def test_a_server_that_falls_silent_in_a_transaction(database: Database, rows: int) -> None:
    """It ends within seconds, however much is sent to it, and the next one is of no use to it."""
    many = [{"stream": f"s{number}", "since": NOON} for number in range(rows)]
    add = text("INSERT INTO horizons VALUES (:stream, :since)")

    def write() -> None:
        with database.transaction(writes=True) as connection:
            pid = connection.scalar(text("SELECT pg_backend_pid()"))
            os.kill(pid, signal.SIGSTOP)
            try:
                connection.execute(add, many)
            finally:
                os.kill(pid, signal.SIGCONT)

    began = time.monotonic()
    with pytest.raises(CatalogueError, match="no answer for 1 s"):
        write()
    assert time.monotonic() - began < 8
    assert ask(database, "SELECT count(*) FROM horizons") == 0


class Interrupted(BaseException):
    """What a signal raises."""


def test_a_signal_ends_the_wait(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, and the connection, on which an answer may still come, is used no more."""

    def interrupt(_number: int, _frame: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    began = time.monotonic()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(Interrupted):
            ask(database, "SELECT pg_sleep(9)")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - began < 5
    assert ask(database, "SELECT 1") == 1


def test_a_restart_while_nobody_asks_is_not_noticed(
    store: PostgresStore, database: Database
) -> None:
    """What the server has cut is replaced before it is used."""
    pid = ask(database, "SELECT pg_backend_pid()")
    store.server.cut(store.database)
    assert ask(database, "SELECT pg_backend_pid()") != pid


def test_cut_in_the_middle(store: PostgresStore, database: Database) -> None:
    """A transaction cannot go on elsewhere; the next one can."""

    def be_cut() -> None:
        with database.transaction() as connection:
            store.server.cut(store.database)
            connection.execute(text("SELECT 1"))

    with pytest.raises(CatalogueError, match="terminating connection"):
        be_cut()
    assert ask(database, "SELECT 1") == 1


@contextmanager
def accepting() -> Iterator[int]:
    """A port at which everybody is let in and nobody is answered."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_server_that_lets_in_and_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up, and not asked again right away: a run has more to do on its way out."""
    monkeypatch.setattr(module, "_silent_since", {})
    with accepting() as port:
        url = f"postgresql://camdl:{SECRET}@127.0.0.1:{port}/camdl?connect_timeout=2"
        with closing(Database(url)) as database:
            began = time.monotonic()
            with pytest.raises(CatalogueError, match="no answer for 2 s"):
                database.state()
            assert 1 < time.monotonic() - began < 10
            began = time.monotonic()
            for _ in range(3):
                with pytest.raises(CatalogueError, match="did not answer a moment ago"):
                    database.state()
            assert time.monotonic() - began < 1
            monkeypatch.setattr(module, "_SILENT_SECONDS", 0.0)
            with pytest.raises(CatalogueError, match="no answer for 2 s"):
                database.state()


def test_a_server_that_is_down() -> None:
    """It is told at once, with where it should be."""
    with accepting() as port:
        pass
    with (
        closing(Database(f"postgresql://camdl:{SECRET}@127.0.0.1:{port}/camdl")) as database,
        pytest.raises(CatalogueError, match=f"127.0.0.1:{port}/camdl: .*refused") as told,
    ):
        database.state()
    assert SECRET not in str(told.value)


# Schemas


def test_upgrades_at_the_same_time(blank: PostgresStore) -> None:
    """From two machines, no lock file between them: one does it, the others find it done."""
    databases = [Database(blank.url) for _ in range(4)]
    errors: list[BaseException] = []
    barrier = threading.Barrier(len(databases))

    def upgrade(one: Database) -> None:
        try:
            barrier.wait(30)
            schema.upgrade(one)
        except BaseException as error:  # noqa: BLE001  # it is told by the assertion
            errors.append(error)

    threads = [threading.Thread(target=upgrade, args=[one]) for one in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert {one.state() for one in databases} == {State.CURRENT}
    for one in databases:
        one.close()


def test_a_database_that_lacks_letters(postgres: Postgres) -> None:
    """A catalogue holds texts of any language, so it is refused before there is one."""
    options = ("ENCODING 'LATIN1'", "LOCALE_PROVIDER libc", "LOCALE 'C'")
    with postgres.database("template0", *options) as store, closing(Database(store.url)) as found:
        with pytest.raises(ConfigError, match="has the encoding LATIN1") as told:
            schema.upgrade(found)
        assert "--encoding=UTF8" in told.value.advice
        assert found.state() is State.ABSENT


def test_somebody_elses_tables_are_no_catalogue(blank: PostgresStore) -> None:
    """A database of another program is not taken for an empty one."""
    blank.sql("CREATE TABLE x (y int)")
    with closing(Database(blank.url)) as database:
        assert (database.revision(), database.state()) == (None, State.FOREIGN)


# Passwords and drivers


def test_a_wrong_password_is_not_told(store: PostgresStore) -> None:
    """Neither the wrong one nor where it came from."""
    wrong = store.url.replace(quote(PASSWORD, safe=""), f"{SECRET}-mistyped")
    where, _, name = store.url.rpartition("@")[2].partition("/")
    for url in (wrong, f"postgresql://{where}/{name}?user=camdl&password={SECRET}-mistyped"):
        with closing(Database(url)) as database:
            with pytest.raises(CatalogueError, match="password authentication failed") as told:
                database.state()
            assert SECRET not in f"{told.value} {told.value.advice}"


@pytest.mark.parametrize("query", ["sslmode=hunter2", "hunter2=1", "options=-c%20hunter2"])
def test_what_the_driver_refuses_is_a_fault_of_the_catalogue(
    store: PostgresStore, query: str
) -> None:
    """With its words, and without the password."""
    with closing(Database(f"{store.url}?{query}")) as database:
        with pytest.raises(CatalogueError) as told:
            database.state()
        assert PASSWORD not in str(told.value)


def test_whatever_quotes_a_password_is_masked(store: PostgresStore) -> None:
    """A server may say anything; a name that is a password too is told as the name it is."""
    database = Database(f"{store.url}?sslpassword=squirrel&application_name=gates")
    server = database._server
    assert server
    said = f"for user camdl with {PASSWORD}, squirrel and gates"
    assert server.without_secrets(said) == "for user camdl with ***, *** and gates"
    database.close()
    dull = Database("postgresql://camdl:camdl@db.example/camdl")._server
    assert dull
    assert dull.without_secrets("no user camdl") == "no user camdl"


def test_without_its_driver(monkeypatch: pytest.MonkeyPatch, store: PostgresStore) -> None:
    """It is a fault of the configuration that says what to install."""
    monkeypatch.setitem(sys.modules, "camdl.catalogue.postgres", None)
    with pytest.raises(ConfigError, match="no driver here for postgresql://") as told:
        Database(store.url)
    assert told.value.advice == "Install it with: pip install 'camdl[postgres]'"
