"""What holds for all tests, and the databases that they have."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.catalogues import Store
    from tests.support.postgres import Postgres

KINDS = ["sqlite", "postgres"]


def pytest_configure() -> None:
    """Take signals as usual: what starts the suite may have them ignored, and that is inherited.

    And let no property depend on how busy the machine is.
    """
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    settings.register_profile("camdl", deadline=None)
    settings.load_profile("camdl")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for all tests of this process."""
    from tests.support.postgres import Postgres

    with Postgres() as server:
        yield server


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A database of each kind with an empty catalogue in it."""
    from tests.support.catalogues import SqliteStore, empty_catalogue

    if request.param == "sqlite":
        yield SqliteStore(empty_catalogue(tmp_path / "camdl.db"))
    else:
        with request.getfixturevalue("postgres").catalogue() as made:
            yield made


@pytest.fixture(params=KINDS)
def blank(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A database of each kind with nothing in it; SQLite's file is not there."""
    from tests.support.catalogues import SqliteStore

    if request.param == "sqlite":
        yield SqliteStore(tmp_path / "data" / "camdl.db")
    else:
        with request.getfixturevalue("postgres").database() as made:
            yield made
