"""The whole life of an archive, with its catalogue in each kind of database."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from datetime import timedelta
from subprocess import PIPE
from typing import TYPE_CHECKING

import pytest
from alembic import command as alembic

from camdl.catalogue import schema
from camdl.catalogue.database import Database
from camdl.catalogue.tables import SCHEMA
from tests.support.processes import marking, survivors
from tests.support.program import Program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.catalogues import Store
    from tests.support.gate import Gate
    from tests.support.postgres import Postgres, PostgresStore

FACTS = "SELECT stream, captured_at, key, sha256, bytes, width, height FROM captures ORDER BY key"


@pytest.fixture
def program(tmp_path: Path, gate: Gate, blank: Store) -> Iterator[Program]:
    """The program with a database in which there is nothing."""
    with marking() as mark:
        yield Program(tmp_path, gate, blank)
        assert survivors(mark) == []


@pytest.fixture
def store(postgres: Postgres) -> Iterator[PostgresStore]:
    """A PostgreSQL database with an empty catalogue."""
    with postgres.catalogue() as made:
        yield made


def said(program: Program, *arguments: str, code: int = 0) -> str:
    """What a command that ends with `code` prints."""
    done = program.run(*arguments)
    told = (done.returncode, done.stdout, done.stderr)
    assert done.returncode == code, told
    assert "hunter2" not in str(told)
    return done.stdout


def begin(program: Program, store: Store) -> None:
    """Have a catalogue: on a server that is a command of its own, and till then nothing goes."""
    if store.url.startswith("sqlite:"):
        return
    for command in ("download", "verify", "cleanup", "pin --list"):
        done = program.run(*command.split())
        assert (done.returncode, done.stdout) == (78, "")
        assert f"the database {store.name} has no catalogue yet" in done.stderr
        assert "Run: camdl db upgrade" in done.stderr
    assert said(program, "db", "upgrade") == f"{store.name}: schema none -> {SCHEMA}\n"


def test_from_the_first_download_to_a_lost_catalogue(
    program: Program, blank: Store, gate: Gate
) -> None:
    """Download, backfill, pin, verify, repair, clean up, lose the catalogue and make it anew."""
    begin(program, blank)
    yesterday = [24 * 60 + minutes for minutes in (5, 15, 25)]
    gate.take(5, 15, *yesterday)
    said(program, "backfill", "--from", f"{gate.now - timedelta(days=2):%Y-%m-%d}")
    gate.take(5, 15, 25, *yesterday)
    said(program, "download")
    keys = program.archived()
    assert keys == gate.all_keys()
    assert program.runs()[-2:] == [("ok", 0), ("ok", 0)]
    assert program.health()["database"] == "connected"
    assert said(program, "health").startswith("camdl OK - 2 streams")
    expected = f"{blank.name}: schema {SCHEMA}, which is this version's\n"
    assert said(program, "db", "current") == expected

    pinned, deleted = keys[0], keys[2:6]
    day = f"{gate.now - timedelta(days=1, minutes=25):%Y-%m-%dT%H:%M:%S}"
    end = f"{gate.now - timedelta(days=1, minutes=24):%Y-%m-%dT%H:%M:%S}"
    pin = ("pin", "in_gate", "--from", day, "--to", end, "--note", "an accident")
    assert said(program, *pin).endswith("\t1\tan accident\n")
    assert pinned in keys[:2]

    facts = blank.sql(FACTS)
    blank.sql(f"DELETE FROM captures WHERE key = '{keys[-1]}'")  # noqa: S608  # a capture's own
    assert f"orphaned\t{keys[-1]}" in said(program, "verify", code=1)
    said(program, "verify", "--repair")
    assert blank.sql(FACTS) == facts

    said(program, "cleanup", "--days", "1", "--force")
    left = program.archived()
    assert set(deleted).isdisjoint(left)
    assert [key for key in keys if key in left] == left
    assert f"{gate.now - timedelta(days=1, minutes=25):%Y%m%dT%H%M%SZ}_in_gate" in left[0]
    gaps = json.loads(program.run("gaps", "--json").stdout)
    # Open or not, by what the hour has left of the days that were read.
    assert {one["stream"] for one in gaps} == set(gate.streams)

    facts = blank.sql(FACTS)
    lose(program, blank)
    assert program.run("download").returncode == 74
    said(program, "verify", "--rebuild")
    assert blank.sql(FACTS) == facts
    said(program, "verify", "--full")
    assert program.archived() == left


def lose(program: Program, store: Store) -> None:
    """Have nothing in the database any more."""
    if store.url.startswith("sqlite:"):
        shutil.rmtree(program.home / "data")
    else:
        store.sql("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")


def test_an_archive_of_an_older_version(program: Program, blank: Store, gate: Gate) -> None:
    """A file is brought up to date by the first run, a server by a command; nothing goes before.

    All that the archive had is still known after it, and nothing comes twice.
    """
    begin(program, blank)
    said(program, "download")
    facts = blank.sql(FACTS)
    make_older(blank, "0001")
    gate.asked.clear()
    gate.take(2, 5, 15)
    if blank.url.startswith("postgresql:"):
        done = program.run("download")
        assert (done.returncode, done.stdout) == (78, "")
        assert f"the database {blank.name} has the schema of an older camdl" in done.stderr
        assert "Run: camdl db upgrade" in done.stderr
        assert (gate.asked, blank.sql(FACTS)) == ([], facts)
        assert "has the schema of an older camdl" in said(program, "health", code=2)
        assert said(program, "db", "upgrade") == f"{blank.name}: schema 0001 -> {SCHEMA}\n"
    said(program, "download")
    assert len(gate.asked) == len(gate.streams)
    assert set(facts) < set(blank.sql(FACTS))
    assert program.archived() == gate.all_keys()
    assert program.runs() == [("ok", 0), ("ok", 0)]
    totals = "SELECT subject, amount FROM totals WHERE name = 'captures' ORDER BY subject"
    assert blank.sql(totals) == [("in_gate", 3), ("out_gate", 3)]
    said(program, "verify", "--full")
    assert said(program, "health").startswith("camdl OK - 2 streams")


def make_older(store: Store, revision: str) -> None:
    """Have the catalogue in `store` as an older version of camdl has left it."""
    database = Database(store.url)
    with closing(database), database.migration() as connection:
        alembic.downgrade(schema._config(connection), revision)


def test_every_way_to_say_where_the_catalogue_is(
    tmp_path: Path, gate: Gate, store: PostgresStore
) -> None:
    """Each form of the URL, and a file that only the archive's user reads."""
    program = Program(tmp_path, gate)
    config = tmp_path / "camdl.toml"
    lines = config.read_text().splitlines(keepends=True)
    config.write_text("".join(one for one in lines if not one.startswith("database_url")))
    expected = f"{store.name}: schema {SCHEMA}, which is this version's\n"
    (tmp_path / "database_url").write_text(f"{store.url}\n")
    short = store.url.replace("postgresql:", "postgres:")
    for environment in (
        {"DATABASE_URL": short},
        {"CAMDL_DATABASE_URL": store.url.replace("postgresql:", "postgresql+psycopg:")},
        {"CREDENTIALS_DIRECTORY": str(tmp_path)},
        {"CAMDL_DATABASE_URL_FILE": str(tmp_path / "database_url")},
    ):
        done = program.run("db", "current", at=None, stdout=PIPE, **environment)
        assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")
    shown = program.run("config", "show", DATABASE_URL=short).stdout
    assert store.name in shown
    assert "hunter2" not in shown


def test_without_the_driver(tmp_path: Path, gate: Gate, store: PostgresStore) -> None:
    """78, with what to install; nothing is begun, and the health says so."""
    program = Program(tmp_path, gate, store)
    missing = tmp_path / "missing" / "psycopg.py"
    missing.parent.mkdir()
    missing.write_text("raise ModuleNotFoundError(\"No module named 'psycopg'\")")
    path = f"{missing.parent}:{program.environment()['PYTHONPATH']}"
    done = program.run("download", PYTHONPATH=path)
    assert (done.returncode, done.stdout) == (78, "")
    assert f"there is no driver here for {store.name}: No module named 'psycopg'" in done.stderr
    assert "Install it with: pip install 'camdl[postgres]'" in done.stderr
    assert (gate.asked, program.images.exists()) == ([], True)
    assert program.health()["database"] == "disconnected"
    done = program.run("health", PYTHONPATH=path)
    assert (done.returncode, done.stderr) == (2, "")
    assert "there is no driver here" in done.stdout


@pytest.mark.parametrize(
    ("revision", "told"),
    [("0000", "has the schema of an older camdl"), ("9999", "is of a newer camdl")],
)
def test_another_versions_schema(
    tmp_path: Path, gate: Gate, store: PostgresStore, revision: str, told: str
) -> None:
    """78 for a run, which leaves it alone; what it is, is told."""
    program = Program(tmp_path, gate, store)
    store.set_revision(revision)
    done = program.run("download")
    assert (done.returncode, done.stdout) == (78, "")
    assert f"the database {store.name} {told}" in done.stderr
    assert f"schema {revision}; this version needs {SCHEMA}" in said(program, "db", "current")
    assert store.sql("SELECT count(*) FROM runs") == [(0,)]
