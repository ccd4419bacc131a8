"""Copies of a real PostgreSQL catalogue, by PostgreSQL's own tools."""

from __future__ import annotations

import subprocess
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from camdl.catalogue import dump as module
from camdl.catalogue.dump import PostgresBackup
from camdl.errors import CatalogueError, ConfigError, StorageError
from camdl.verbs.backup import backup
from tests.support.postgres import PASSWORD, Postgres, PostgresStore
from tests.support.processes import await_that
from tests.support.root import needs_root, tmpfs
from tests.support.yard import Yard

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def store(postgres: Postgres) -> Iterator[PostgresStore]:
    """A database with an empty catalogue."""
    with postgres.catalogue() as made:
        yield made


@pytest.fixture
def yard(tmp_path: Path, store: PostgresStore) -> Yard:
    """An archive of three captures with its catalogue."""
    yard = Yard(tmp_path, database=store)
    yard.fill(3)
    return yard


@contextmanager
def backing_up(url: str) -> Iterator[PostgresBackup]:
    """What copies the catalogue at `url`."""
    with closing(PostgresBackup(url)) as found:
        yield found


@pytest.fixture
def copying(yard: Yard) -> Iterator[PostgresBackup]:
    """What copies the yard's catalogue."""
    with backing_up(yard.url) as found:
        yield found


def restore(file: Path, store: PostgresStore) -> None:
    """Put a copy into a database, as the runbook does."""
    command = ["pg_restore", "--clean", "--if-exists", "--no-owner", "--single-transaction"]
    done = subprocess.run(
        [*command, f"--dbname={store.url}", str(file)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_restored_copy_has_what_the_catalogue_had(
    yard: Yard, copying: PostgresBackup, tmp_path: Path, postgres: Postgres
) -> None:
    """In another database too, which then goes on as the first would; over what was there."""
    file = tmp_path / "camdl.dump"
    said = backup(copying, file)
    assert said.startswith(f"{file}: 3 captures, 0.0 MB, checked")
    facts = yard.facts()
    with postgres.database() as fresh:
        restore(file, fresh)
        assert Yard(tmp_path, database=fresh).facts() == facts
        pin = "INSERT INTO pins (stream, starts_at, ends_at, note, pinned_at) VALUES "
        row = "('in_gate', now(), now(), '', now())"
        assert fresh.sql(f"{pin}{row} RETURNING id") == [(1,)]
    yard.sql("DELETE FROM captures")
    assert isinstance(yard.place, PostgresStore)
    restore(file, yard.place)
    assert yard.facts() == facts
    assert yard.found(full=True) == []


def test_rows_of_every_kind_are_counted_right(
    yard: Yard, copying: PostgresBackup, tmp_path: Path
) -> None:
    """What looks like the end of a table in a text, and rows of other tables, mislead nobody."""
    yard.sql(
        r"UPDATE captures SET source_url = E'\.\n\\.\nCOPY public.captures (stream) FROM stdin;'",
        "INSERT INTO horizons SELECT 's' || n, now() FROM generate_series(1, 50) AS n",
    )
    assert ": 3 captures" in backup(copying, tmp_path / "camdl.dump")


def test_a_copy_is_private_and_names_no_secret(
    yard: Yard, copying: PostgresBackup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """URLs in it may be signed; and in the list of processes nobody finds a password."""
    seen: list[str] = []
    run = subprocess.Popen.__init__

    def note(self: object, command: list[str], *args: object, **options: object) -> None:
        seen.extend(command)
        run(self, command, *args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess.Popen, "__init__", note)
    backup(copying, tmp_path / "camdl.dump")
    assert (tmp_path / "camdl.dump").stat().st_mode & 0o777 == 0o600
    assert "pg_dump" in seen
    assert not [word for word in seen if "hunter2" in word]


def test_a_password_may_be_a_parameter(yard: Yard, tmp_path: Path) -> None:
    """As in the URLs of some providers."""
    credentials, _, place = yard.url.partition("@")
    password = credentials.rpartition(":")[2]
    with backing_up(f"postgresql://{place}?user=camdl&password={password}") as found:
        assert ": 3 captures" in backup(found, tmp_path / "camdl.dump")


def test_without_the_tool_the_command_is_told(
    yard: Yard, copying: PostgresBackup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exactly, but for the password."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError, match="pg_dump, which is not here") as told:
        copying.refuse(Path("/backups/a b.dump"))
    place = yard.url.rpartition("@")[2]
    assert told.value.advice.endswith(
        f"pg_dump --format=custom '--file=/backups/a b.dump' postgresql://camdl@{place}"
    )
    assert PASSWORD not in str(told.value)


def test_the_command_keeps_what_is_needed_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing that a list of processes should not show."""
    monkeypatch.setenv("PATH", "/nowhere")
    url = (
        "postgresql+psycopg://gate:s3cret@db.example:5433/camdl"
        "?sslmode=require&password=s3cret&options=x"
    )
    with backing_up(url) as found, pytest.raises(ConfigError) as told:
        found.refuse(Path("camdl.dump"))
    assert "s3cret" not in f"{told.value} {told.value.advice}"
    shown = "'postgresql://gate@db.example:5433/camdl?sslmode=require'"
    assert told.value.advice.endswith(f"pg_dump --format=custom --file=camdl.dump {shown}")


def test_no_catalogue_is_an_error(postgres: Postgres, tmp_path: Path) -> None:
    """Nor is what is not ours, or of a newer version; nothing is written."""
    file = tmp_path / "camdl.dump"
    with postgres.database() as blank, backing_up(blank.url) as found:
        with pytest.raises(CatalogueError, match="no catalogue"):
            backup(found, file)
        blank.sql("CREATE TABLE x (y int)")
        with pytest.raises(ConfigError, match="holds no catalogue of camdl"):
            backup(found, file)
    assert list(tmp_path.iterdir()) == []


def test_an_older_schema_is_copied(yard: Yard, copying: PostgresBackup, tmp_path: Path) -> None:
    """A backup before an upgrade is the one that matters."""
    yard.place.set_revision("0000")
    assert ": 3 captures" in backup(copying, tmp_path / "camdl.dump")


def test_a_copy_that_fails_leaves_what_was_there(
    yard: Yard, copying: PostgresBackup, tmp_path: Path
) -> None:
    """What the tool says is told."""
    file = tmp_path / "camdl.dump"
    backup(copying, file)
    before = file.read_bytes()
    assert isinstance(yard.place, PostgresStore)
    yard.place.server.sql("ALTER TABLE horizons OWNER TO postgres", database=yard.place.database)
    with pytest.raises(CatalogueError, match="permission denied for table horizons"):
        backup(copying, file, force=True)
    assert file.read_bytes() == before
    assert sorted(one.name for one in tmp_path.iterdir() if "dump" in one.name) == ["camdl.dump"]


def test_a_server_that_stands_still_is_given_up(
    yard: Yard, copying: PostgresBackup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A nightly backup must not wait for ever; the tool is ended."""
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.5)
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "60")
    assert isinstance(yard.place, PostgresStore)
    server = yard.place.server
    (tmp_path / "copy").touch()
    server.stand_still()
    try:
        with pytest.raises(CatalogueError, match=r"no answer for 0\.5 s"):
            copying.copy(tmp_path / "copy")
    finally:
        server.go_on()


@needs_root
def test_a_full_disk_is_the_copys_fault(
    yard: Yard, copying: PostgresBackup, tmp_path: Path
) -> None:
    """It is told as one of the storage."""
    yard.sql(
        "INSERT INTO pending SELECT 'x', now() + n * interval '1 s', md5(n::text), '', now(), "
        "NULL, false FROM generate_series(1, 20000) AS n"
    )
    with tmpfs(tmp_path / "small", "size=100k"):
        (tmp_path / "small" / "copy").touch()
        with pytest.raises(StorageError, match="No space left"):
            copying.copy(tmp_path / "small" / "copy")


def test_a_copy_while_others_write_is_of_one_moment(
    yard: Yard, copying: PostgresBackup, store: PostgresStore, tmp_path: Path, postgres: Postgres
) -> None:
    """No transaction is in it by half."""
    ended = threading.Event()
    written: list[int] = []

    def write() -> None:
        with store.server.connected(store.database, "camdl") as connection:
            while not ended.is_set():
                number = len(written)
                with connection.transaction():
                    for name in ("first", "second"):
                        add = "INSERT INTO doomed VALUES (%s, 'x', now())"
                        connection.execute(add, [f"{number}-{name}"])
                written.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert await_that(lambda: len(written) > 10)
        backup(copying, tmp_path / "camdl.dump")
    finally:
        ended.set()
        writer.join()
    with postgres.database() as fresh:
        restore(tmp_path / "camdl.dump", fresh)
        ((count,),) = fresh.sql("SELECT count(*) FROM doomed")
        assert isinstance(count, int)
        assert count >= 20
        assert count % 2 == 0
