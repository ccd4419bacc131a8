"""A log file that several processes write to at once."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections import deque
from itertools import repeat
from pathlib import Path

import pytest

import camdl
from camdl.ops import log_file
from camdl.ops.log_file import LogFile
from tests.support.processes import await_that
from tests.support.root import needs_root, tmpfs

CODE = Path(camdl.__file__).parents[1]
WRITER = """
import sys
from collections import deque
from itertools import repeat
from pathlib import Path
from camdl.ops.log_file import LogFile
path, name, lines, largest, backups = sys.argv[1:]
file = LogFile(Path(path), int(largest), int(backups))
for number in range(int(lines)):
    file.append(f"{name} {number} {'x' * (number % 50)}|")
"""
# Writes until it is told that it is enough, and says how many lines there are.
ENDLESS = """
import select, sys
from itertools import count
from pathlib import Path
from camdl.ops.log_file import LogFile
file = LogFile(Path(sys.argv[1]), 10, 0)
for number in count():
    if select.select([sys.stdin], [], [], 0)[0]:
        break
    file.append(f"line {number}")
print(number)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the log is to be; its directory is not there yet."""
    return tmp_path / "log" / "camdl.log"


def read(path: Path) -> list[str]:
    """All lines, those that were put aside too, and every one of them whole."""
    # Files that were put aside have names after it, and the one in place has what came last.
    files = [*sorted(path.parent.glob(f"{path.name}?*")), path]
    text = "".join(one.read_text() for one in files if one.exists())
    assert not text or text.endswith("\n")
    return text.splitlines()


def writers(path: Path, number: int, lines: int, *, largest: int, backups: int) -> list[str]:
    """Have so many processes write to it at once, and return what they wrote."""
    command = [sys.executable, "-c", WRITER, str(path)]
    limits = [str(lines), str(largest), str(backups)]
    started = [subprocess.Popen([*command, f"w{n}", *limits], cwd=CODE) for n in range(number)]
    assert [one.wait() for one in started] == [0] * number
    return sorted(f"w{n} {m} {'x' * (m % 50)}|" for n in range(number) for m in range(lines))


def test_lines_come_one_after_another(path: Path) -> None:
    """In a file that only its owner and group may read."""
    file = LogFile(path, 1000, 5)
    for said in ("one", "two", "zw\udcffei"):
        file.append(said)
    assert path.read_text() == "one\ntwo\nzw\\udcffei\n"
    assert path.stat().st_mode & 0o007 == 0


def test_a_file_that_gets_too_large_is_put_aside(path: Path) -> None:
    """Before that, so that no file is ever larger; the oldest is gone at last."""
    file = LogFile(path, 10, 2)
    for number in range(9):
        file.append(f"{number:04}")
    names = [path, *(path.with_name(f"camdl.log.{n}") for n in (1, 2))]
    assert [one.read_text().split() for one in names] == [
        ["0008"],
        ["0006", "0007"],
        ["0004", "0005"],
    ]
    assert len(list(path.parent.iterdir())) == 3


def test_a_line_that_is_too_large_by_itself_is_written(path: Path) -> None:
    """It gets a file of its own."""
    file = LogFile(path, 10, 2)
    for said in ("a", "b" * 50, "c"):
        file.append(said)
    assert read(path) == ["b" * 50, "a", "c"]


def test_without_backups_others_put_it_aside(path: Path) -> None:
    """It grows until somebody does, and what is under the name then is written to."""
    file = LogFile(path, 10, 0)
    for number in range(5):
        file.append(f"{number:04}")
    path.rename(path.with_name("camdl.log-20250908"))
    file.append("anew")
    assert path.read_text() == "anew\n"


def test_several_processes_lose_nothing(path: Path) -> None:
    """Not a line of any is missing, double or torn, whoever puts the file aside."""
    wrote = writers(path, 4, 300, largest=2000, backups=1000)
    assert sorted(read(path)) == wrote
    sizes = sorted(one.stat().st_size for one in path.parent.iterdir())
    assert sizes[-1] <= 2000
    # Each was as full as it could be, but for the last one.
    assert sizes[1] > 2000 - max(len(line) + 1 for line in wrote)


def test_nothing_is_lost_to_those_who_rename_it(path: Path) -> None:
    """As logrotate does, at any moment."""
    path.parent.mkdir()
    command = [sys.executable, "-c", ENDLESS, str(path)]
    with subprocess.Popen(
        command, cwd=CODE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writing:
        for number in range(100):
            assert await_that(path.exists)
            path.rename(path.with_name(f"{path.name}-{number:06}"))
        wrote, _ = writing.communicate("enough")
    assert writing.returncode == 0
    assert read(path) == [f"line {number}" for number in range(int(wrote))]


def test_one_who_never_lets_go_of_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was stopped while it wrote keeps no other from writing."""
    monkeypatch.setattr(log_file, "_PATIENCE_SECONDS", 0.02)
    file = LogFile(path, 5, 3)
    file.append("one")
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        file.append("two")
    finally:
        os.close(descriptor)
    file.append("three")
    assert path.read_text() == "three\n"
    assert path.with_name("camdl.log.1").read_text() == "one\ntwo\n"


def test_where_there_are_no_locks_nothing_is_put_aside(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that put it aside at once would lose what is in it."""

    def unsupported(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    file = LogFile(path, 5, 3)
    for said in ("one", "two", "three"):
        file.append(said)
    assert path.read_text() == "one\ntwo\nthree\n"


def test_a_file_that_never_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What replaces it again and again is told."""
    monkeypatch.setattr(os.path, "samestat", lambda _one, _other: False)
    with pytest.raises(OSError, match="again and again"):
        LogFile(path, 5, 3).append("one")


@needs_root
def test_a_full_disk(tmp_path: Path) -> None:
    """It is an error of the system, for whoever logs."""
    with tmpfs(tmp_path / "disk", "size=4k"):
        file = LogFile(tmp_path / "disk" / "camdl.log", 1_000_000, 3)
        with pytest.raises(OSError, match="No space left"):
            deque(map(file.append, repeat("x" * 100, 100)), maxlen=0)
