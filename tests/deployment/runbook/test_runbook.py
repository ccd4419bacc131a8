"""What the runbook says, done word by word: its commands are taken from its text."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from camdl.domain.alerts import subject_of
from camdl.domain.notices import name_of
from camdl.ops.lock import FileLock
from tests.support.catalogues import SqliteStore, Store
from tests.support.postgres import PASSWORD, PostgresStore
from tests.support.processes import marking, survivors
from tests.support.program import Program
from tests.support.runbook import PART, commands, section

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.gate import Gate
    from tests.support.postgres import Postgres

FACTS = "SELECT stream, captured_at, key, sha256, bytes, width, height FROM captures ORDER BY key"
PINS = "SELECT id, stream, starts_at, ends_at, note FROM pins"


class Operator:
    """Somebody who does what the runbook says, in the home of `program`."""

    def __init__(self, program: Program, **environment: str) -> None:
        self.program = program
        self._programs = program.home / "bin"
        self._programs.mkdir()
        camdl = self._programs / "camdl"
        camdl.write_text(f'#!/bin/sh\nexec {sys.executable} -m camdl "$@"\n')
        camdl.chmod(0o755)
        (program.home / "backups").mkdir()
        (program.home / "elsewhere").mkdir()
        self._environment = environment

    def does(self, command: str, *, code: int | None = 0) -> str:
        """Do it, on this machine alone; None takes any exit code."""
        command = command.replace("backup:/srv/camdl/images/", "elsewhere/images/")
        command = command.replace("DAY", f"{datetime.now(UTC):%Y-%m-%d}")
        if isinstance(self.program.store, PostgresStore):
            place = f"127.0.0.1:{self.program.store.server.port}"
            command = command.replace("db.example", place)
        environment = self.program.environment(**self._environment)
        environment["PATH"] = f"{self._programs}:{environment['PATH']}"
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.program.home,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert code is None or done.returncode == code, (command, done.stdout, done.stderr)
        assert PASSWORD not in done.stdout + done.stderr
        return done.stdout


def operator(home: Path, gate: Gate, store: Store | None, **environment: str) -> Operator:
    """One with an archive in the places that the runbook speaks of."""
    program = Program(home, gate, store)
    program.images = home / "data" / "images"
    program.database = home / "data" / "camdl.db"
    program.health_file = program.images / ".health"
    program.lock_file = home / "data" / "camdl.lock"
    program.configure(gate)
    return Operator(program, **environment)


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of catalogue, as the runbook calls it."""
    name: str = request.param
    return name


@pytest.fixture
def person(
    kind: str, tmp_path: Path, gate: Gate, request: pytest.FixtureRequest
) -> Iterator[Operator]:
    """An operator with that kind of catalogue, and nothing in it yet."""
    with marking() as mark:
        if kind == "SQLite":
            yield operator(tmp_path, gate, None)
        else:
            yield from with_postgres(tmp_path, gate, request.getfixturevalue("postgres"))
        assert survivors(mark) == []


def with_postgres(home: Path, gate: Gate, server: Postgres) -> Iterator[Operator]:
    """An operator who has a password where the tools look for it, and is the administrator too."""
    known = home / "pgpass"
    escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    known.write_text(f"127.0.0.1:{server.port}:*:*:{escaped}\n")
    known.chmod(0o600)
    found = operator(home, gate, PostgresStore(server, "camdl"), PGPASSFILE=str(known))
    makes_database(found, server)
    *_, upgrades = commands("Begin with PostgreSQL")
    found.does(upgrades)
    yield found
    server.sql("DROP DATABASE camdl WITH (FORCE)")


def makes_database(person: Operator, server: Postgres) -> None:
    """Make the database as the runbook says; its user is there."""
    createuser, createdb, _ = commands("Begin with PostgreSQL")
    assert createuser == "createuser --pwprompt camdl"
    where = f"PGHOST=127.0.0.1 PGPORT={server.port} PGUSER=postgres"
    person.does(f"{where} {createdb}")


def store_of(person: Operator) -> Store:
    """Where the catalogue is."""
    return person.program.store or SqliteStore(person.program.database)


def loses_everything(person: Operator) -> None:
    """Disk and database are gone."""
    shutil.rmtree(person.program.home / "data")
    if isinstance(person.program.store, PostgresStore):
        server = person.program.store.server
        server.sql("DROP DATABASE camdl WITH (FORCE)")
        makes_database(person, server)


def test_a_whole_backup_restored(person: Operator, kind: str, gate: Gate) -> None:
    """Images and catalogue are what they were, and nothing comes twice."""
    program = person.program
    person.does("camdl download")
    person.does(f'camdl pin in_gate --from 2025-09-08 --to 2025-09-09 --note "{kind}"')
    for command in commands("Back up", kind, "Images"):
        person.does(command)
    store = store_of(person)
    keys, facts, pins = program.archived(), store.sql(FACTS), store.sql(PINS)
    assert len(keys) == 4
    loses_everything(person)
    waits, *others = commands("Restore", "Images", kind, "Then")
    person.does(waits, code=None)
    gate.asked.clear()
    said = [person.does(command) for command in others]
    assert said[-3:] == ["", "", ""]
    assert gate.asked == []
    assert program.archived() == keys
    assert (store.sql(FACTS), store.sql(PINS)) == (facts, pins)
    person.does("camdl verify --full")
    person.does('camdl pin out_gate --from 2025-09-08 --to 2025-09-09 --note "later"')


def test_images_of_after_the_backup_and_some_that_are_gone(
    person: Operator, kind: str, gate: Gate
) -> None:
    """They are found, registered, and asked for again."""
    person.does("camdl download")
    catalogue, images = commands("Back up", kind, "Images")
    person.does(catalogue)
    gate.take(2, 5, 15)
    person.does("camdl download")
    gone = person.program.archived()[0]
    (person.program.images / gone).unlink()
    person.does(images)
    loses_everything(person)
    _, *puts_back, looks, mends, goes_on = commands("Restore", "Images", kind, "Then")
    for command in puts_back:
        person.does(command)
    found = person.does(looks, code=1)
    assert (found.count("orphaned\t"), found.count("missing\t")) == (2, 1)
    gate.asked.clear()
    person.does(mends)
    assert len(gate.asked) == 1
    person.does(goes_on)
    assert len(gate.asked) == 1
    assert person.program.archived() == gate.all_keys()
    person.does("camdl verify --full")


def test_a_run_that_goes_on_is_waited_for(tmp_path: Path, gate: Gate) -> None:
    """By the lock that it holds."""
    person = operator(tmp_path, gate, None)
    waits = commands("Restore")[0].replace("600", "0.1")
    person.program.lock_file.parent.mkdir()
    with FileLock(person.program.lock_file, "download").hold(0):
        person.does(waits, code=1)
    person.does(waits)


def test_no_backup_of_the_catalogue(person: Operator, gate: Gate) -> None:
    """It is made from the images alone, on a server that has lost it too."""
    person.does("camdl download")
    store = store_of(person)
    facts = store.sql(FACTS)
    if isinstance(store, SqliteStore):
        store.file.unlink()
    else:
        store.sql("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    *_, rebuilds = commands("Restore", "No backup of the catalogue")
    person.does("camdl download", code=74)
    person.does(rebuilds)
    assert store.sql(FACTS) == facts
    person.does("camdl verify --full")


def test_from_sqlite_to_postgresql(tmp_path: Path, gate: Gate, postgres: Postgres) -> None:
    """The same captures, and the next download fetches nothing that is there."""
    person = operator(tmp_path, gate, None)
    person.does("camdl download")
    person.does('camdl pin in_gate --from 2025-09-08 --to 2025-09-09 --note "accident"')
    facts = SqliteStore(person.program.database).sql(FACTS)
    lists, rebuilds = commands("Move from SQLite to PostgreSQL")
    assert "accident" in person.does(lists)
    with postgres.database() as store:
        person.program.store = store
        secret = tmp_path / "url"
        secret.write_text(store.url)
        person.program.configure(gate, database_url_file=str(secret))
        config = tmp_path / "camdl.toml"
        config.write_text(re.sub("(?m)^database_url = .*\n", "", config.read_text()))
        person.does(rebuilds)
        assert store.sql(FACTS) == facts
        gate.asked.clear()
        person.does("camdl download")
        assert gate.asked == []
        assert person.program.archived() == gate.all_keys()
        person.does("camdl verify --full")
    assert person.program.database.exists()


def test_an_archive_that_is_moved(person: Operator, kind: str, gate: Gate) -> None:
    """It is whole, goes on where it is now, and leaves the old place as it was."""
    program = person.program
    person.does("camdl download")
    person.does('camdl pin in_gate --from 2025-09-08 --to 2025-09-09 --note "accident"')
    person.does(commands("Restore")[0])
    catalogue, images = commands("Back up", kind, "Images")
    if kind == "SQLite":
        person.does(catalogue)
        person.does("cp backups/camdl-DAY.db elsewhere/camdl.db")
        program.database = program.home / "elsewhere/camdl.db"
    person.does(images)
    old, program.images = program.images, program.home / "elsewhere/images"
    program.health_file = program.images / ".health"
    left = sorted(old.rglob("*"))
    store = store_of(person)
    facts, pins = store.sql(FACTS), store.sql(PINS)
    program.configure(gate)
    checks, verifies, goes_on = commands("Move the archive")
    assert str(program.images) in person.does("camdl config show")
    person.does(checks)
    person.does(verifies)
    gate.asked.clear()
    gate.take(2, 5, 15)
    person.does(goes_on)
    assert len(gate.asked) == 2
    assert program.archived() == gate.all_keys()
    assert set(facts) < set(store.sql(FACTS))
    assert store.sql(PINS) == pins
    assert program.health()["status"] == "healthy"
    assert sorted(old.rglob("*")) == left
    # The mark without which nothing is ever deleted has come along.
    person.does("camdl cleanup")


def test_what_alerts_call_the_checks() -> None:
    """What the runbook says that an alert names is what it names."""
    told, _, table = section("What each check means").partition("\n| check |")
    for check in re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE):
        real = check.replace("JOB", "download")
        real = real.replace("site.NAME", "site.draydog").replace("NAME", "in_gate")
        name = name_of(subject_of(real))
        assert name == check or re.search(rf"`{name}`\s+is[^,]*`{re.escape(real)}`", told), check


def test_every_command_of_these_sections_is_tried() -> None:
    """None is overlooked because its part has another name."""
    for title in ("Back up", "Restore"):
        text = section(title)
        parts = [found["name"] for found in PART.finditer(text)]
        tried = {"SQLite", "PostgreSQL", "Images", "Then", "No backup of the catalogue"}
        assert set(parts) <= tried
        assert len(commands(title, *parts)) == len(re.findall("(?m)^    ", text))
