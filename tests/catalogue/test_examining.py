"""Whether a catalogue can be worked with."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from camdl.catalogue import database as databases
from camdl.catalogue.database import Database
from camdl.catalogue.examining import examine
from camdl.catalogue.tables import SCHEMA
from camdl.deadline import Deadline
from camdl.domain.examination import Finding, Grade
from camdl.errors import CatalogueError, ConfigError
from tests.support.catalogues import empty_catalogue, set_revision, sql
from tests.support.root import as_nobody, immutable, needs_root

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import Postgres


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A catalogue of this version."""
    return empty_catalogue(tmp_path / "camdl.db")


def examined(file: Path, *, images: bool = False, seconds: float = 60) -> list[Finding]:
    """What is found out about it."""
    with closing(Database(f"sqlite:///{file}")) as database:
        return list(examine(database, lambda: images, Deadline.after(seconds)))


def test_one_that_is_well(file: Path) -> None:
    """Of this version, writable and whole; nothing is left of what was written."""
    before = file.read_bytes()
    found = examined(file)
    assert [one.grade for one in found] == [Grade.FINE] * 3
    assert found[0].said.startswith(f"{file} (0.")
    assert f"schema {SCHEMA}, which is this version's" in found[0].said
    assert [one.said for one in found[1:]] == ["it can be written", "its file is whole"]
    assert sql(file, "SELECT * FROM rests") == []
    assert file.read_bytes()[100:] == before[100:]
    assert [one.name for one in file.parent.iterdir()] == ["camdl.db"]


def test_none_yet(tmp_path: Path) -> None:
    """The first run makes it; this makes nothing."""
    (one,) = examined(tmp_path / "camdl.db")
    assert one.grade is Grade.FINE
    assert "the first run makes it" in one.said
    assert list(tmp_path.iterdir()) == []


def test_one_that_was_lost(tmp_path: Path) -> None:
    """Where there are images there has been one."""
    with pytest.raises(CatalogueError, match="missing or empty") as lost:
        examined(tmp_path / "camdl.db", images=True)
    assert "camdl verify --rebuild" in lost.value.advice


def test_one_of_an_older_version(file: Path) -> None:
    """The next run upgrades it."""
    set_revision(file, "0001")
    (one,) = examined(file)
    assert (one.grade, one.remedy) == (Grade.NOTE, "camdl db upgrade")
    assert one.said == f"{file}: schema 0001, which the next run upgrades to {SCHEMA}"


def test_one_of_a_newer_version(file: Path) -> None:
    """Nothing of it is touched."""
    set_revision(file, "9999")
    with pytest.raises(ConfigError, match="newer camdl"):
        examined(file)


@needs_root
def test_one_that_cannot_be_written(file: Path) -> None:
    """Though it can be read."""
    with immutable(file), pytest.raises(CatalogueError, match="readonly"):
        examined(file)


@needs_root
def test_a_directory_that_cannot_be_written(file: Path) -> None:
    """SQLite needs a place for its journal, too."""
    file.chmod(0o666)
    with immutable(file.parent), pytest.raises(CatalogueError):
        examined(file)


def test_one_that_is_locked(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody holds it for longer than a run would wait."""
    monkeypatch.setattr(databases, "_BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CatalogueError, match="locked"):
            examined(file)


def test_one_that_is_damaged(file: Path) -> None:
    """What a disk has spoilt where nothing was read is found too."""
    size = file.stat().st_size
    page = sql(file, "SELECT rootpage FROM sqlite_master WHERE name = 'pins'")[0][0]
    with file.open("r+b") as opened:
        opened.seek((int(str(page)) - 1) * 4096)
        opened.write(b"\xff" * 4096)
    assert file.stat().st_size == size
    *_, last = examined(file)
    assert last.grade is Grade.BAD
    assert last.said.startswith("its file is damaged: ")
    assert "camdl verify --rebuild" in last.remedy


def test_one_that_is_no_database(file: Path) -> None:
    """It is told as by every run."""
    file.write_bytes(os.urandom(10_000))
    with pytest.raises(CatalogueError, match="not a database"):
        examined(file)


def test_one_that_is_too_large(file: Path) -> None:
    """What takes longer than a person waits is broken off, with the way to do it all the same."""
    rows = ",".join(f"('http://{n}.example:80', '2025-09-08')" for n in range(5000))
    sql(file, f"INSERT INTO rests (origin, until) VALUES {rows}")  # noqa: S608  # numbers alone
    *_, last = examined(file, seconds=0)
    assert last.grade is Grade.NOTE
    assert "too large" in last.said
    assert "camdl db backup" in last.remedy


@needs_root
def test_one_that_cannot_be_read(file: Path) -> None:
    """Another user's."""
    file.chmod(0o600)
    with as_nobody(), pytest.raises(CatalogueError):
        examined(file)


# PostgreSQL


def on_server(url: str, *, images: bool = False) -> list[Finding]:
    """What is found out about a catalogue there."""
    with closing(Database(url)) as database:
        return list(examine(database, lambda: images, Deadline.after(60)))


def test_one_on_a_server_that_is_well(postgres: Postgres) -> None:
    """Its wholeness is the server's business; nothing of what was written is left."""
    with postgres.catalogue() as store:
        found = on_server(store.url)
        assert [one.grade for one in found] == [Grade.FINE] * 2
        assert found[0].said == f"{store.name}: schema {SCHEMA}, which is this version's"
        assert "hunter2" not in f"{found}"
        assert store.sql("SELECT count(*) FROM rests") == [(0,)]


def test_a_server_without_tables(postgres: Postgres) -> None:
    """They are made by a command, not by a run."""
    with postgres.database() as store:
        (one,) = on_server(store.url)
        assert (one.grade, one.remedy) == (Grade.BAD, "camdl db upgrade")
        with pytest.raises(CatalogueError, match="missing or empty"):
            on_server(store.url, images=True)


def test_one_on_a_server_of_an_older_version(postgres: Postgres) -> None:
    """It is upgraded by a command, too."""
    with postgres.catalogue() as store:
        store.set_revision("0001")
        with pytest.raises(ConfigError) as old:
            on_server(store.url)
    assert "camdl db upgrade" in old.value.advice


def test_one_on_a_server_that_takes_nothing(postgres: Postgres) -> None:
    """A right that is missing shows when something is written."""
    with postgres.catalogue() as store:
        store.refuse_inserts("rests")
        with pytest.raises(CatalogueError, match="no"):
            on_server(store.url)


def test_a_server_that_is_not_there() -> None:
    """It is told within seconds."""
    with pytest.raises(CatalogueError, match="refused"):
        on_server("postgresql://camdl:hunter2@127.0.0.1:1/camdl")
