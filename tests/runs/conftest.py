"""A gate site, and the program with a configuration for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.gate import Gate
from tests.support.processes import marking, survivors
from tests.support.program import Program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def site() -> Iterator[Gate]:
    """A site for all tests of this process."""
    with Gate() as gate:
        yield gate


@pytest.fixture
def gate(site: Gate) -> Gate:
    """The site, whose two cameras have taken two pictures each."""
    site.begin()
    site.take(5, 15)
    return site


@pytest.fixture
def program(tmp_path: Path, gate: Gate) -> Iterator[Program]:
    """The program in a home without an archive, which is sound in the end.

    Neither process nor temporary file survives it, and the lock is free.
    """
    with marking() as mark:
        program = Program(tmp_path, gate, mark=mark)
        yield program
        assert survivors(mark) == []
        program.is_sound()
        assert list(program.temporary.iterdir()) == []
