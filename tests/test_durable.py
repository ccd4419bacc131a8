"""Files that are whole and durable, or not there: at every system call that can fail or kill."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from camdl import durable
from tests.support.calls import CHANGES, lost_by_power_failure, on, points, with_fault
from tests.support.root import as_nobody
from tests.support.strace import straced

if TYPE_CHECKING:
    from collections.abc import Callable

OLD, NEW = b"old" * 30_000, b"new" * 40_000

WRITES = """
import secrets, sys
from pathlib import Path
from camdl import durable
secrets.token_hex = lambda size: "0" * 2 * size
path = Path(sys.argv[1])
try:
    durable.make_directory(path.parent)
    durable.sweep(path.parent)
    durable.replace(path, b"new" * 40_000)
except OSError as error:
    print(error.strerror)
    sys.exit(74)
"""
# How not to do it.
WRITES_IN_PLACE = """
import sys
from pathlib import Path
path = Path(sys.argv[1])
path.parent.mkdir(parents=True, exist_ok=True)
with path.open("wb") as file:
    for _ in range(4):
        file.write(b"new" * 10_000)
        file.flush()
"""


def place(tmp_path: Path, *, old: bool) -> tuple[Path, list[Path]]:
    """A path for a file, and everything that its writer touches. With `old` there is one."""
    root = tmp_path / secrets.token_hex(4)
    path = root / "deep" / "down" / "file"
    root.mkdir()
    if old:
        path.parent.mkdir(parents=True)
        path.write_bytes(OLD)
    temporary = path.with_name(".file.00000000.tmp")
    return path, [root, root / "deep", path.parent, path, temporary]


def found(path: Path) -> str:
    """What is under the name `path`: nothing, old, new or torn."""
    content = path.read_bytes() if path.exists() else None
    return {None: "nothing", OLD: "old", NEW: "new"}.get(content, "torn")


def names(directory: Path) -> set[str]:
    """What is in `directory`."""
    return {path.name for path in directory.iterdir()}


def sweeping_after_open(
    monkeypatch: pytest.MonkeyPatch, sweep: Callable[[Path], None], times: int = 1
) -> list[Path]:
    """Have `sweep` called with each temporary file right after it was made, before it is locked."""
    swept: list[Path] = []
    real_open = os.open

    def opened(path: Path, flags: int, mode: int = 0o777) -> int:
        descriptor = real_open(path, flags, mode)
        if flags & os.O_EXCL and len(swept) < times:
            swept.append(path)
            sweep(path)
        return descriptor

    monkeypatch.setattr(os, "open", opened)
    return swept


def killed_everywhere(program: str, tmp_path: Path, *, old: bool) -> list[str]:
    """What is under the name after `program` was killed, for each of its calls."""
    log = tmp_path / "log"
    path, touched = place(tmp_path, old=old)
    states = []
    for point in points(program, path, log, *CHANGES, *on(touched)):
        path, touched = place(tmp_path, old=old)
        with_fault(program, path, log, *CHANGES, *on(touched), *point.fault("signal=KILL"))
        states.append(found(path))
        # Whoever comes next is not held up, and clears away what was left.
        durable.make_directory(path.parent)
        durable.sweep(path.parent)
        durable.replace(path, b"next")
        assert (path.read_bytes(), names(path.parent)) == (b"next", {"file"}), point
    return states


@pytest.mark.parametrize("old", [True, False])
def test_killed_at_any_call(tmp_path: Path, old: bool) -> None:
    """A writer that is killed leaves the old file or the new one, and the next repairs the rest."""
    states = killed_everywhere(WRITES, tmp_path, old=old)
    before = "old" if old else "nothing"
    assert set(states) == {before, "new"}
    assert states == sorted(states, key=[before, "new"].index)  # new once it has the name


def test_a_writer_in_place_is_caught(tmp_path: Path) -> None:
    """The check above bites: who writes under the final name tears the file when killed."""
    assert "torn" in killed_everywhere(WRITES_IN_PLACE, tmp_path, old=True)


@pytest.mark.parametrize(("error", "old"), [("ENOSPC", False), ("EIO", True)])
def test_an_error_at_any_call(tmp_path: Path, error: str, old: bool) -> None:
    """Success means that the file is there; an error leaves no half of it, and nothing beside."""
    log = tmp_path / "log"
    path, touched = place(tmp_path, old=old)
    for point in points(WRITES, path, log, *on(touched)):
        path, touched = place(tmp_path, old=old)
        run = with_fault(WRITES, path, log, *on(touched), *point.fault(f"error={error}"))
        assert run.stderr == "", point
        allowed = {0: {"new"}, 74: {"old" if old else "nothing", "new"}}[run.returncode]
        assert found(path) in allowed, point
        if point.name in ("mkdir", "write", "fsync", "rename"):
            assert run.returncode == 74, point
        if path.parent.exists():
            assert names(path.parent) <= {"file"}, point


def test_it_is_durable_when_it_returns(tmp_path: Path) -> None:
    """Bytes are synced before they get the name, and so is the name, and each new directory's."""
    log = tmp_path / "log"
    path, touched = place(tmp_path, old=False)
    straced(WRITES, path, log, *on(touched))
    assert lost_by_power_failure(log) == []


def test_a_writer_without_syncs_is_caught(tmp_path: Path) -> None:
    """The check above bites: bytes and names that nobody synced are told."""
    log = tmp_path / "log"
    path, touched = place(tmp_path, old=False)
    straced(WRITES_IN_PLACE, path, log, *on(touched))
    directories = {f"names in {directory}" for directory in touched[:3]}
    assert set(lost_by_power_failure(log)) == {f"bytes of {path}", *directories}


def test_bytes_come_back_as_they_were(tmp_path: Path) -> None:
    """Nothing, little and much is written as it is, over what was there."""
    path = tmp_path / "file"
    for data in (b"", b"\0\r\n", NEW, b"x" * 3_000_000, b""):
        durable.replace(path, data)
        assert path.read_bytes() == data
    assert names(tmp_path) == {"file"}


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """The name gets the bytes, and what a link of that name led to stays as it is."""
    (tmp_path / "elsewhere").write_bytes(OLD)
    path = tmp_path / "file"
    path.symlink_to("elsewhere")
    durable.replace(path, NEW)
    assert (found(path), found(tmp_path / "elsewhere")) == ("new", "old")
    assert not path.is_symlink()


def test_a_directory_in_the_way(tmp_path: Path) -> None:
    """A directory is never replaced, and nothing is left beside it."""
    (tmp_path / "file").mkdir()
    with pytest.raises(IsADirectoryError):
        durable.replace(tmp_path / "file", NEW)
    assert names(tmp_path) == {"file"}


def test_an_interruption_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that a signal's handler raises goes through, and the old file stays."""
    path = tmp_path / "file"
    path.write_bytes(OLD)

    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        durable.replace(path, NEW)
    assert (found(path), names(tmp_path)) == ("old", {"file"})


def test_a_file_that_was_taken_for_left_over_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between making a temporary file and locking it, another process may sweep it away."""
    swept = sweeping_after_open(monkeypatch, lambda _: durable.sweep(tmp_path))
    durable.replace(tmp_path / "file", NEW)
    assert (found(tmp_path / "file"), names(tmp_path), len(swept)) == ("new", {"file"}, 1)


def test_a_file_that_is_about_to_be_swept_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweeper that has locked a temporary file is going to remove it."""
    with ExitStack() as sweeper:

        def lock(temporary: Path) -> None:
            fcntl.flock(sweeper.enter_context(temporary.open()), fcntl.LOCK_EX)

        swept = sweeping_after_open(monkeypatch, lock)
        durable.replace(tmp_path / "file", NEW)
        assert found(tmp_path / "file") == "new"
        assert names(tmp_path) == {"file", swept[0].name}


def test_looking_for_a_name_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every temporary file disappears at once, that is told."""
    sweeping_after_open(monkeypatch, lambda _: durable.sweep(tmp_path), times=100)
    with pytest.raises(OSError, match="disappear again and again") as raised:
        durable.replace(tmp_path / "file", NEW)
    assert (raised.value.errno, names(tmp_path)) == (errno.EBUSY, set())


def test_many_writers_and_sweepers_at_once(tmp_path: Path) -> None:
    """Threads that write and sweep in one directory do not disturb each other."""

    def write(number: int) -> None:
        durable.make_directory(tmp_path / "deep" / "down")
        durable.sweep(tmp_path / "deep" / "down")
        durable.replace(tmp_path / "deep" / "down" / f"{number % 20}", NEW)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(200)))
    assert names(tmp_path / "deep" / "down") == {str(number) for number in range(20)}
    assert {found(path) for path in (tmp_path / "deep" / "down").iterdir()} == {"new"}


def test_left_over_files_go_and_others_stay(tmp_path: Path) -> None:
    """What looks like a temporary file of ours and nobody writes is removed, and nothing else."""
    ours = [".a.jpg.0123abcd.tmp", ".b.00000000.tmp"]
    others = [
        *("a.jpg.0123abcd.tmp", ".a.jpg.0123abc.tmp", ".a.jpg.0123ABCD.tmp", "a.jpg"),
        *(".a.jpg.0123abcd.tmp.old", "..0123abcd.tmp", ".a.jpg.swp", ".health"),
    ]
    for name in (*ours, *others):
        (tmp_path / name).touch()
    (tmp_path / ".link.0123abcd.tmp").symlink_to("a.jpg")
    (tmp_path / ".directory.0123abcd.tmp").mkdir()
    os.mkfifo(tmp_path / ".pipe.0123abcd.tmp")
    with (tmp_path / ".c.aaaaaaaa.tmp").open("w") as at_work:
        fcntl.flock(at_work, fcntl.LOCK_EX)
        durable.sweep(tmp_path)
        assert (tmp_path / ".c.aaaaaaaa.tmp").exists()
    kept = {".link.0123abcd.tmp", ".directory.0123abcd.tmp", ".pipe.0123abcd.tmp"}
    assert names(tmp_path) == {*others, *kept, ".c.aaaaaaaa.tmp"}
    durable.sweep(tmp_path)
    assert names(tmp_path) == {*others, *kept}


@pytest.mark.parametrize(
    ("name", "swept"),
    [
        ("a", ".a.0123abcd.tmp"),
        (".a", ".a.0123abcd.tmp"),
        ("[b]*", ".[b]*.0123abcd.tmp"),
    ],
)
def test_only_one_files_left_overs_can_be_swept(tmp_path: Path, name: str, swept: str) -> None:
    """With a name, the temporary files of all others stay; no name is taken for a pattern."""
    everything = {".a.0123abcd.tmp", ".b.0123abcd.tmp", ".[b]*.0123abcd.tmp"}
    for left_over in everything:
        (tmp_path / left_over).touch()
    durable.sweep(tmp_path, name)
    assert names(tmp_path) == everything - {swept}


def test_nothing_is_swept_without_locks(tmp_path: Path) -> None:
    """Where the file system cannot tell who is at work, temporary files stay, and writing goes."""
    path, touched = place(tmp_path, old=True)
    other = path.with_name(".file.aaaaaaaa.tmp")
    other.touch()
    log = tmp_path / "log"
    faults = ("-e", "trace=flock", "-e", "inject=flock:error=ENOLCK")
    run = straced(WRITES, path, log, *on([*touched, other]), *faults)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert log.read_text().count("INJECTED") == 2
    assert (found(path), names(path.parent)) == ("new", {"file", other.name})


def test_what_cannot_be_swept_stays() -> None:
    """A directory that may not be read, and files that may not be removed, are no error."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / ".a.0123abcd.tmp").touch()
        for rights in (0o555, 0o311, 0o000):
            directory.chmod(rights)
            with as_nobody():
                durable.sweep(directory)
        directory.chmod(0o700)
        durable.sweep(directory / "missing")
        assert names(directory) == {".a.0123abcd.tmp"}


def test_a_directory_that_is_made_by_many_at_once(tmp_path: Path) -> None:
    """Who comes second finds it there, which is no error."""
    start = threading.Barrier(8)

    def make(number: int) -> None:
        start.wait()
        for n in range(50):
            durable.make_directory(tmp_path / str(n) / "deep" / "down")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(8)))
    assert len(list(tmp_path.glob("*/deep/down"))) == 50


@pytest.mark.parametrize("way", ["file", "dangling"])
def test_what_is_no_directory_is_told(tmp_path: Path, way: str) -> None:
    """A file, and a link to nowhere, cannot hold files, and both stay as they are."""
    (tmp_path / "file").write_bytes(OLD)
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(OSError, match=r"File exists|Not a directory"):
        durable.make_directory(tmp_path / way)
    with pytest.raises(OSError, match=r"File exists|Not a directory"):
        durable.make_directory(tmp_path / way / "below")
    assert (names(tmp_path), found(tmp_path / "file")) == ({"file", "dangling"}, "old")
