"""Databases as they are found: missing, locked, damaged, closed, and what is told of them."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from camdl.catalogue.database import Database, State
from camdl.catalogue.rows import SqlCatalogue
from camdl.catalogue.tables import SCHEMA
from camdl.domain.captures import Capture, ListedCapture
from camdl.domain.outcomes import (
    Counts,
    Failed,
    Outcome,
    RunRecord,
    Saved,
    StoredImage,
    StreamResult,
)
from camdl.errors import CatalogueError, ConfigError, ExitCode
from tests.support.calls import CHANGES, on, points, with_fault
from tests.support.catalogues import empty_catalogue, set_revision, spoil, sql
from tests.support.root import as_nobody, needs_root, remount, tmpfs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

NOON = datetime(2025, 9, 8, 12, 0, tzinfo=UTC)


def database_in(file: Path, *, may_create: bool = False) -> Database:
    """The database in `file`."""
    return Database(f"sqlite:///{file}", may_create=may_create)


def saved(minutes: int) -> tuple[ListedCapture, Saved]:
    """A capture, and that it was saved."""
    capture = Capture(NOON + timedelta(minutes=minutes), "in_gate")
    image = StoredImage(capture, capture.key, "0" * 64, 1, 1, 1, "https://cdn/x", NOON)
    return ListedCapture(capture, "https://cdn/x"), Saved(image)


def used_catalogue(file: Path) -> Path:
    """Make `file` a catalogue with something of everything in it."""
    file.write_bytes(_used())
    return file


@cache
def _used() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        file = empty_catalogue(Path(directory) / "camdl.db")
        _use(SqlCatalogue(database_in(file)))
        return file.read_bytes()


def _use(catalogue: SqlCatalogue) -> None:
    for number in range(20):
        started_at = NOON + timedelta(minutes=number)
        result = StreamResult("in_gate", Outcome.FAILED, Counts(), NOON, 1.0, f"HTTP 50{number}")
        run = RunRecord(
            f"r{number}", "download", started_at, started_at, Outcome.FAILED, 1, "", (result,)
        )
        catalogue.begin_run(run.id, run.verb, run.started_at)
        catalogue.finish_run(run)
        failed = Capture(started_at + timedelta(hours=1), "in_gate")
        missing = (ListedCapture(failed, f"https://cdn/{number}"), Failed("HTTP 503", NOON))
        catalogue.record(run.id, [saved(number), missing], NOON)


def readings(catalogue: SqlCatalogue) -> dict[str, Callable[[], object]]:
    """Every question, by its name."""
    captures = [saved(number)[0].capture for number in range(30)]
    return {
        "newest": lambda: catalogue.newest("in_gate"),
        "archived": lambda: catalogue.archived(captures),
        "pending": lambda: catalogue.pending("in_gate", NOON),
        "last_runs": lambda: catalogue.last_runs("download", 20),
        "stream_history": lambda: catalogue.stream_history("in_gate"),
    }


@contextmanager
def untouched(directory: Path) -> Iterator[None]:
    """The `with` changes nothing below `directory`, and leaves nothing there."""

    def content() -> dict[Path, object]:
        found: dict[Path, object] = {}
        for path in directory.rglob("*"):
            if path.is_symlink():
                found[path] = path.readlink()
            else:
                found[path] = path.read_bytes() if path.is_file() else None
        return found

    before = content()
    yield
    assert content() == before


# What it holds


def test_no_file_is_no_catalogue(tmp_path: Path) -> None:
    """Missing, in a directory that is missing, below a file or empty: none of it is touched."""
    (tmp_path / "empty.db").touch()
    (tmp_path / "dangling.db").symlink_to("nowhere")
    for name in ("missing.db", "missing/camdl.db", "empty.db/camdl.db", "empty.db", "dangling.db"):
        for may_create in (True, False):
            with untouched(tmp_path):
                database = database_in(tmp_path / name, may_create=may_create)
                assert (database.revision(), database.state()) == ("", State.ABSENT)
                database.close()


def test_a_database_without_tables_is_no_catalogue(tmp_path: Path) -> None:
    """One that was emptied, or whose last migration was taken back."""
    file = tmp_path / "camdl.db"
    sql(file, "CREATE TABLE x (y)", "DROP TABLE x")
    assert file.stat().st_size
    assert database_in(file).state() is State.ABSENT
    sql(file, "CREATE TABLE alembic_version (version_num VARCHAR(32))")
    assert database_in(file).state() is State.ABSENT


@pytest.mark.parametrize(
    ("revision", "state"),
    [
        (SCHEMA, State.CURRENT),
        ("0000", State.OLDER),
        ("9999", State.FOREIGN),
        ("b1946ac92492", State.FOREIGN),  # another program's, as Alembic makes them
        ("00003ac92492", State.FOREIGN),
    ],
)
def test_which_schema_it_has(tmp_path: Path, revision: str, state: State) -> None:
    """Its revision tells whether it is this version's, an older one's or nothing of ours."""
    file = empty_catalogue(tmp_path / "camdl.db")
    set_revision(file, revision)
    with untouched(tmp_path):
        database = database_in(file)
        assert (database.revision(), database.state()) == (revision, state)


@pytest.mark.parametrize("versioned", [True, False])
def test_somebody_elses_tables_are_no_catalogue(tmp_path: Path, versioned: bool) -> None:
    """A database of another program is not taken for an empty one."""
    file = tmp_path / "camdl.db"
    sql(file, "CREATE TABLE captures (id)")
    if versioned:
        sql(file, "CREATE TABLE alembic_version (version_num VARCHAR(32))")
    with untouched(tmp_path):
        assert database_in(file).revision() is None
        assert database_in(file).state() is State.FOREIGN


def test_files_of_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that mean something in a URL, and relative ones, name that file and no other."""
    monkeypatch.chdir(tmp_path)
    for name in ("a b#c%41%?.db", "für 5 €.db", "file:x.db", "data.db"):
        empty_catalogue(tmp_path / name)
        for path in (tmp_path / name, Path(name)):
            database = Database(f"sqlite:///{quote(str(path))}")
            with untouched(tmp_path):
                assert (database.state(), database.file) == (State.CURRENT, path)
                assert database.name == str(path)
        SqlCatalogue(database).record("r1", [saved(0)], NOON)
        assert sql(tmp_path / name, "SELECT stream FROM captures") == [("in_gate",)]


# Opening and transactions


def test_no_file_is_made_by_the_way(tmp_path: Path) -> None:
    """Who opens a catalogue that is not there gets an error instead of an empty one."""
    with (
        untouched(tmp_path),
        pytest.raises(CatalogueError, match="unable to open"),
        database_in(tmp_path / "camdl.db").transaction(),
    ):
        pass
    with database_in(tmp_path / "camdl.db", may_create=True).transaction(writes=True) as connection:
        connection.execute(text("CREATE TABLE x (y)"))
    assert (tmp_path / "camdl.db").stat().st_size


def test_a_transaction_is_kept_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    """Tables too, and an error that is not the database's goes through as it is."""
    file = tmp_path / "camdl.db"
    database = database_in(file, may_create=True)

    def make_and(then: Callable[[Connection], object]) -> None:
        with database.transaction(writes=True) as connection:
            connection.execute(text("CREATE TABLE x (y)"))
            then(connection)

    with pytest.raises(ZeroDivisionError):
        make_and(lambda _: 1 / 0)
    assert database.state() is State.ABSENT
    with pytest.raises(CatalogueError, match="no such table: missing"):
        make_and(lambda connection: connection.execute(text("SELECT * FROM missing")))
    assert database.state() is State.ABSENT
    make_and(lambda _: None)
    assert database.state() is State.FOREIGN


def test_sqlite_is_told_to_be_careful(tmp_path: Path) -> None:
    """What is committed is durable, references hold, and the journal is the old and proven one."""
    with database_in(empty_catalogue(tmp_path / "camdl.db")).transaction() as connection:
        pragmas = ("synchronous", "foreign_keys", "journal_mode")
        said = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas]
    assert said == [3, 1, "delete"]


RECORDS = """
import sys
from datetime import UTC, datetime, timedelta
from camdl.catalogue.database import Database
from camdl.catalogue.rows import SqlCatalogue
from camdl.domain.captures import Capture, ListedCapture
from camdl.domain.outcomes import Saved, StoredImage
noon = datetime(2025, 9, 8, 12, 0, tzinfo=UTC)
def saved(minutes):
    capture = Capture(noon + timedelta(minutes=minutes), "in_gate")
    image = StoredImage(capture, capture.key, "0" * 64, 1, 1, 1, "https://cdn/x", noon)
    return ListedCapture(capture, "https://cdn/x"), Saved(image)
catalogue = SqlCatalogue(Database(f"sqlite:///{sys.argv[1]}"))
catalogue.record("r1", [saved(minutes) for minutes in range(200)], noon)
"""


def test_killed_while_it_records(tmp_path: Path) -> None:
    """Whenever the process dies, all of a batch is recorded or nothing, and the next goes on."""
    log = tmp_path / "log"

    def place(name: str) -> tuple[Path, tuple[str, ...]]:
        directory = tmp_path / name
        directory.mkdir()
        file = empty_catalogue(directory / "camdl.db")
        return file, (*CHANGES, *on([directory, file, Path(f"{file}-journal")]))

    captures = [saved(minutes)[0].capture for minutes in range(200)]
    counts: list[int] = []
    file, options = place("all")
    calls = points(RECORDS, file, log, *options)
    # What is written between two of these is not relied upon.
    ends = [one for one in calls if one.name in ("fsync", "fdatasync", "unlink")]
    for number, point in enumerate(ends):
        file, options = place(str(number))
        with_fault(RECORDS, file, log, *options, *point.fault("signal=KILL"))
        catalogue = SqlCatalogue(database_in(file))
        counts.append(len(catalogue.archived(captures)))
        catalogue.record("r2", [saved(minutes) for minutes in range(200)], NOON)
        assert sql(file, "PRAGMA integrity_check", "SELECT count(*) FROM captures") == [(200,)]
    # The last one syncs the directory: the journal is gone, and may not come back.
    assert counts == [*[0] * (len(counts) - 1), 200]


# Locked by somebody else


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A locked database is given up almost at once."""
    monkeypatch.setattr("camdl.catalogue.database._BUSY_SECONDS", 0.05)


@contextmanager
def held(file: Path, statement: str) -> Iterator[None]:
    """Another connection keeps its lock on the database inside the `with`."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute(statement)
        connection.execute("SELECT * FROM captures").fetchall()
        yield


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("lock", ["BEGIN", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_locked_by_another(tmp_path: Path, lock: str) -> None:
    """A reader, a writer or a backup at work: nothing can be written, and nothing is changed."""
    file = used_catalogue(tmp_path / "camdl.db")
    catalogue = SqlCatalogue(database_in(file))
    attempts: list[Callable[[], object]] = [
        lambda: catalogue.begin_run("new", "download", NOON),
        lambda: catalogue.record("r1", [saved(99)], NOON),
    ]
    with held(file, lock), untouched(tmp_path):
        for attempt in attempts:
            with pytest.raises(CatalogueError, match=r"camdl\.db: database is locked$") as raised:
                attempt()
            assert raised.value.exit_code == ExitCode.STORAGE
        if lock == "BEGIN EXCLUSIVE":
            for ask in (database_in(file).state, *readings(catalogue).values()):
                with pytest.raises(CatalogueError, match="database is locked"):
                    ask()
        else:
            assert len(catalogue.last_runs("download", 99)) == 20
    catalogue.record("r1", [saved(99)], NOON)
    assert catalogue.newest("in_gate") == saved(99)[0].capture.captured_at


def test_a_lock_that_is_soon_let_go_is_waited_for(tmp_path: Path) -> None:
    """A person's shell, or a backup, does not end the run."""
    file = used_catalogue(tmp_path / "camdl.db")
    locked, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with held(file, "BEGIN EXCLUSIVE"):
            locked.set()
            let_go.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait()
    timer = threading.Timer(0.3, let_go.set)
    timer.start()
    catalogue = SqlCatalogue(database_in(file))
    catalogue.record("r1", [saved(99)], NOON)
    assert let_go.is_set()
    assert catalogue.newest("in_gate") == saved(99)[0].capture.captured_at
    holder.join()
    timer.join()


# Damaged, closed or full


@pytest.mark.parametrize(
    "content", [b"this is no database " * 500, b"\0" * 8192, b"SQLite format 3\0", b"xy"]
)
def test_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    """Another file, or one that a power failure has filled with zeros, is refused as it is."""
    file = tmp_path / "camdl.db"
    file.write_bytes(content)
    with untouched(tmp_path):
        for may_create in (True, False):
            with pytest.raises(CatalogueError) as raised:
                database_in(file, may_create=may_create).state()
            assert str(raised.value) == f"the catalogue {file}: file is not a database"


@pytest.mark.parametrize("table", ["captures", "runs", "gaps"])
def test_nothing_is_written_where_there_is_damage(tmp_path: Path, table: str) -> None:
    """Not even elsewhere in the file, nor through another connection; put back, it may be again."""
    file = used_catalogue(tmp_path / "camdl.db")
    whole = file.read_bytes()
    spoil(file, table)
    spoilt = file.read_bytes()
    for _ in range(2):
        with closing(database_in(file)) as database:
            with pytest.raises(CatalogueError, match="malformed") as error:
                SqlCatalogue(database).begin_run("another", "download", NOON)
            assert "restore it from a backup" in error.value.advice
            with pytest.raises(CatalogueError, match="malformed"), database.migration():
                pass
    assert file.read_bytes() == spoilt
    file.unlink()
    file.write_bytes(whole)
    with closing(database_in(file)) as database:
        SqlCatalogue(database).begin_run("another", "download", NOON)


def test_a_directory_in_its_place(tmp_path: Path) -> None:
    """A directory is no database, and stays."""
    (tmp_path / "camdl.db").mkdir()
    with (
        untouched(tmp_path),
        pytest.raises(CatalogueError, match=r"camdl\.db: unable to open database file$"),
    ):
        database_in(tmp_path / "camdl.db", may_create=True).state()


def page_size_of(file: Path) -> int:
    """The size of a page of the database."""
    ((size,),) = sql(file, "PRAGMA page_size")
    assert isinstance(size, int)
    return size


@pytest.mark.parametrize("filling", [b"\0", b"\xff", b"x"])
def test_a_page_that_was_overwritten(tmp_path: Path, filling: bytes) -> None:
    """Whichever page it is, nothing but that is told, and looking changes nothing."""
    file = used_catalogue(tmp_path / "camdl.db")
    whole, size = file.read_bytes(), page_size_of(file)
    harmless = []
    for page in range(len(whole) // size):
        damaged = bytearray(whole)
        damaged[page * size : (page + 1) * size] = filling * size
        file.write_bytes(damaged)
        errors = []
        with untouched(tmp_path):
            database = database_in(file)
            for ask in (database.state, *readings(SqlCatalogue(database)).values()):
                try:
                    ask()
                except CatalogueError as error:
                    errors.append(str(error))
        if not errors:
            harmless.append(page)
    assert len(harmless) < len(whole) // size
    assert 0 not in harmless


@pytest.fixture(scope="module")
def whole_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue with something in it."""
    return used_catalogue(tmp_path_factory.mktemp("whole") / "camdl.db")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_damage_is_told_or_does_not_matter(whole_file: Path, data: st.DataObject) -> None:
    """Whatever stands in the file, and wherever, no question and no record ends in a bug."""
    content = bytearray(whole_file.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    damage = data.draw(st.binary(min_size=1, max_size=8) | st.just(b"\0" * 64))
    content[place : place + len(damage)] = damage
    file = whole_file.with_name("damaged.db")
    file.write_bytes(content)
    catalogue = SqlCatalogue(database_in(file))
    attempts: list[Callable[[], object]] = [
        *readings(catalogue).values(),
        lambda: catalogue.record("r1", [saved(99)], NOON),
        lambda: catalogue.begin_run("new", "download", NOON),
    ]
    for attempt in attempts:
        try:
            attempt()
        except CatalogueError as error:
            assert str(error).isprintable()  # noqa: PT017  # most damage is in no row that is read
    Path(f"{file}-journal").unlink(missing_ok=True)


@needs_root
def test_no_permission() -> None:
    """A file, or its directory, that may not be read or written is told."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        file = used_catalogue(directory / "camdl.db")
        directory.chmod(0o755)
        catalogue = SqlCatalogue(database_in(file))
        with as_nobody():
            assert len(catalogue.last_runs("download", 99)) == 20
            with pytest.raises(CatalogueError, match="readonly database"):
                catalogue.record("r1", [saved(99)], NOON)
        file.chmod(0o666)  # but its journal cannot be made
        with as_nobody(), pytest.raises(CatalogueError, match=r"unable to open|readonly"):
            catalogue.record("r1", [saved(99)], NOON)
        file.chmod(0o000)
        with as_nobody(), pytest.raises(CatalogueError, match="unable to open database file"):
            database_in(file).state()
        directory.chmod(0o000)
        with as_nobody(), pytest.raises(CatalogueError, match=f"{file}: Permission denied"):
            database_in(file).state()
        directory.chmod(0o700)
        assert len(catalogue.last_runs("download", 99)) == 20
        assert catalogue.newest("in_gate") == saved(19)[0].capture.captured_at


@needs_root
def test_a_full_disk(tmp_path: Path) -> None:
    """A batch that does not fit is not recorded at all, and with room again it is."""
    with tmpfs(tmp_path / "data", "size=200k"):
        file = used_catalogue(tmp_path / "data" / "camdl.db")
        catalogue = SqlCatalogue(database_in(file))
        before = {name: ask() for name, ask in readings(catalogue).items()}
        batch = [saved(minutes) for minutes in range(1000)]
        with pytest.raises(CatalogueError, match="database or disk is full"):
            catalogue.record("r1", batch, NOON)
        assert {name: ask() for name, ask in readings(catalogue).items()} == before
        remount(tmp_path / "data", "size=2M")
        catalogue.record("r1", batch, NOON)
        assert catalogue.newest("in_gate") == batch[-1][0].capture.captured_at


@needs_root
def test_a_read_only_disk(tmp_path: Path) -> None:
    """Everything can be asked, and nothing recorded."""
    with tmpfs(tmp_path / "data", "size=1M"):
        file = used_catalogue(tmp_path / "data" / "camdl.db")
        remount(tmp_path / "data", "ro")
        catalogue = SqlCatalogue(database_in(file))
        assert catalogue.newest("in_gate") == saved(19)[0].capture.captured_at
        with pytest.raises(CatalogueError, match="readonly database"):
            catalogue.record("r1", [saved(99)], NOON)


# What is told of it


def told_of(url: str) -> str:
    """The name of the database at `url`, or the error that there is no opening it."""
    try:
        return Database(url).name
    except ConfigError as error:
        return f"{error} {error.advice}"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://camdl:hunter2@db.example:5432/camdl",
        "postgresql://db.example/camdl?user=camdl&password=hunter2",
        "postgresql+psycopg://camdl:hunter2@db.example/camdl?sslpassword=hunter2",
        "postgresql://camdl@db.example:hunter2/camdl",
        "postgresql://camdl:hun:ter2:hunter2@db.example:x/camdl",
        "postgresql://camdl:hun@hunter2@db.example/camdl",
        "postgresql://camdl:hun@ter/hunter2@db.example/camdl",
        "postgresql+psycopg://camdl:hun@hunter2@db.example/camdl?user=x",
        "sqlite:///data/camdl.db?password=hunter2",
        "mystery://camdl:hunter2@db.example/camdl",
        "hunter2",
    ],
)
def test_no_secret_is_told(url: str) -> None:
    """Neither its name nor an error has the password, wherever the URL has it."""
    assert "hunter2" not in told_of(url)


def test_what_is_no_url_of_a_database() -> None:
    """It is a fault of the configuration."""
    for url in ("", "camdl.db", "postgresql://db:port/camdl", "mystery://db/camdl"):
        with pytest.raises(ConfigError):
            Database(url)


def test_a_database_in_memory() -> None:
    """It has no file, and holds nothing."""
    database = Database("sqlite://")
    assert (database.name, database.file, database.is_sqlite) == ("in memory", None, True)
    assert database.state() is State.ABSENT
    database.close()
