"""What systemd's own journal makes of runs."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from camdl.ops.log import ENDED
from tests.support import journald
from tests.support.gate import Gate
from tests.support.program import Program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    bool(journald.lacking()) and not os.environ.get("CI"), reason=journald.lacking() or "-"
)
DOWNLOAD = [sys.executable, "-m", "camdl", "download"]


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A gate that has taken two pictures."""
    with Gate() as site:
        site.take(5, 15)
        yield site


@pytest.fixture
def program(tmp_path: Path, gate: Gate) -> Program:
    """The program, configured for it."""
    return Program(tmp_path, gate)


def of(entry: dict[str, Any], *names: str) -> list[Any]:
    """The values of these fields."""
    return [entry.get(name) for name in names]


def test_a_run_is_one_entry_with_its_fields(program: Program) -> None:
    """Which run, which verb, which streams and what came of it; nothing is printed beside it."""
    code, found = journald.entries(DOWNLOAD, program.home, program.environment())
    assert code == 0
    (entry,) = found
    assert entry["MESSAGE"].startswith(f"download {entry['CAMDL_RUN_ID']}: in_gate 2 saved, out")
    assert of(entry, "PRIORITY", "MESSAGE_ID", "CAMDL_VERB", "CAMDL_OUTCOME", "CAMDL_STREAM") == [
        *("6", ENDED, "download", "ok", ["in_gate", "out_gate"])
    ]
    assert of(entry, "CAMDL_SAVED", "CAMDL_EXIT_CODE", "_COMM") == ["4", "0", "camdl download"]


def test_what_went_wrong_has_priorities(program: Program, gate: Gate) -> None:
    """A warning for each stream that is not well, found by its name; one entry each."""
    gate.bodies = iter([b"<html>"])
    command = [*DOWNLOAD, "--stream", "in_gate"]
    code, found = journald.entries(command, program.home, program.environment())
    assert code == 1
    stream, ended = found
    assert of(stream, "PRIORITY", "CAMDL_STREAM", "CAMDL_OUTCOME") == ["4", "in_gate", "partly"]
    assert stream["CAMDL_ERROR"] == "the body is HTML, not a JPEG image"
    assert of(ended, "PRIORITY", "CAMDL_EXIT_CODE") == ["4", "1"]


def test_without_its_socket_priorities_are_kept(program: Program) -> None:
    """A service that sees no more of the journal than its own output writes them in front."""
    code, (entry,) = journald.entries(DOWNLOAD, program.home, program.environment(), socket=False)
    assert code == 0
    assert of(entry, "PRIORITY", "CAMDL_RUN_ID", "_TRANSPORT") == ["6", None, "stdout"]
    assert "in_gate 2 saved, out_gate 2 saved, ok in " in entry["MESSAGE"]
