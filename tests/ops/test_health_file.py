"""The health file: whole at every moment, on a real file system that is full or broken."""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from camdl.errors import ExitCode, StorageError
from camdl.ops.health_file import write
from tests.support.root import needs_root, remount, tmpfs
from tests.support.strace import straced

if TYPE_CHECKING:
    from pathlib import Path

WRITES = """
import sys
from pathlib import Path
from camdl.errors import StorageError
from camdl.ops.health_file import write
try:
    write(Path(sys.argv[1]), {"status": "critical"})
except StorageError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def names(directory: Path) -> set[str]:
    """What is in `directory`."""
    return {path.name for path in directory.iterdir()}


def test_a_record_becomes_json(tmp_path: Path) -> None:
    """A record is written as JSON that people can read too, and directories are made."""
    path = tmp_path / "data" / "images" / ".health"
    write(path, {"status": "healthy", "reason": "für 5 €", "odd": "\udc80"})
    assert json.loads(path.read_text()) == {
        "status": "healthy",
        "reason": "für 5 €",
        "odd": "\udc80",
    }
    assert "für 5 €" in path.read_text()


def test_text_is_written_as_it_is(tmp_path: Path) -> None:
    """Ready text is not changed."""
    write(tmp_path / ".health", "as it is")
    assert (tmp_path / ".health").read_text() == "as it is"


def test_others_may_read_it(tmp_path: Path) -> None:
    """Monitoring runs as another user: the file has the rights that the umask leaves."""
    umask = os.umask(0o027)
    try:
        write(tmp_path / ".health", "")
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / ".health").stat().st_mode) == 0o640


def test_a_reader_never_sees_half_of_it(tmp_path: Path) -> None:
    """While one writes again and again, every read is one whole version."""
    path = tmp_path / ".health"
    versions = [letter * 100_000 for letter in "ab"]
    write(path, versions[0])
    stop = threading.Event()

    def keep_writing() -> None:
        while not stop.is_set():
            for version in versions:
                write(path, version)

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        seen = [path.read_text() for _ in range(300)]
    finally:
        stop.set()
        writer.join()
    assert set(seen) <= set(versions)


def test_it_is_durable_before_it_has_its_name(tmp_path: Path) -> None:
    """The order is: write, sync, rename, sync of the directory."""
    path = tmp_path / ".health"
    log = tmp_path / "log"
    run = straced(WRITES, path, log, "-e", "trace=write,fsync,rename")
    assert (run.returncode, run.stderr) == (0, "")
    mine = [line for line in log.read_text().splitlines() if str(tmp_path) in line]
    calls = [re.sub(r"^\d+\s+(\w+)\(.*", r"\1", line) for line in mine]
    assert calls == ["write", "fsync", "rename", "fsync"]
    assert f"<{tmp_path}>" in mine[-1]


@pytest.mark.parametrize(
    "fault",
    [
        "openat:error=ENOSPC",
        "write:error=ENOSPC",
        "fsync:error=EIO",
        "rename:error=EROFS",
    ],
)
def test_a_full_or_broken_disk_is_told(tmp_path: Path, fault: str) -> None:
    """The error is the storage's, and nothing is left: neither a part nor what was so before."""
    path = tmp_path / "data" / ".health"
    write(path, "old")
    program = WRITES.replace("try:", "import secrets\nsecrets.token_hex = lambda size: 'x'\ntry:")
    # Only calls on these paths fail, not those of the interpreter's start.
    options = ["-e", f"trace={fault.partition(':')[0]}", "-e", f"inject={fault}"]
    for place in (path.parent, path, f"{path}.x.tmp"):
        options += ["-P", str(place)]
    run = straced(program, path, tmp_path / "log", *options)
    assert run.returncode == ExitCode.STORAGE, run.stderr
    assert f"the health file {path} cannot be written" in run.stdout
    assert names(path.parent) == set()


@pytest.mark.parametrize("fault", ["openat:error=ENOSPC", "write:error=EDQUOT"])
def test_there_is_room_for_one_only(tmp_path: Path, fault: str) -> None:
    """Then the old one goes first, and the new one is there, as large and without an error."""
    path = tmp_path / "data" / ".health"
    write(path, "old".ljust(100))
    program = WRITES.replace("try:", "import secrets\nsecrets.token_hex = lambda size: 'x'\ntry:")
    options = ["-e", f"trace={fault.partition(':')[0]}", "-e", f"inject={fault}:when=1"]
    options += ["-P", f"{path}.x.tmp"]
    run = straced(program, path, tmp_path / "log", *options)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert "INJECTED" in (tmp_path / "log").read_text()
    assert path.read_text() == '{"status":"critical"}\n'.ljust(100)
    assert names(path.parent) == {".health"}


@needs_root
@pytest.mark.parametrize("lacks", ["room", "inodes"])
def test_a_verdict_on_a_full_disk(tmp_path: Path, lacks: str) -> None:
    """It is told again and again; a reader sees one verdict or none, never a part of one."""
    disk = tmp_path / "disk"
    verdicts = [
        {"status": status, "why": why * 9000} for status, why in (("bad", "x"), ("red", "y"))
    ]
    with tmpfs(disk, "size=64k,nr_inodes=10"):
        write(disk / ".health", {"status": "healthy", "why": "z" * 9000})
        take(disk, lacks)
        seen: list[str] = []
        stop = threading.Event()

        def keep_reading() -> None:
            while not stop.is_set():
                with suppress(FileNotFoundError):
                    seen.append((disk / ".health").read_text())

        reader = threading.Thread(target=keep_reading)
        reader.start()
        try:
            for verdict in verdicts * 100:
                write(disk / ".health", verdict)
                assert json.loads((disk / ".health").read_text()) == verdict
        finally:
            stop.set()
            reader.join()
        for text in set(seen):
            assert json.loads(text)["status"] in ("healthy", "bad", "red")


@needs_root
def test_a_verdict_that_does_not_fit(tmp_path: Path) -> None:
    """What takes more than there is cannot be told: nothing is then, and no good old verdict."""
    disk = tmp_path / "disk"
    with tmpfs(disk, "size=64k,nr_inodes=10"):
        write(disk / ".health", {"status": "healthy"})
        take(disk, "room")
        with pytest.raises(StorageError, match="No space left on device"):
            write(disk / ".health", {"status": "critical", "why": "x" * 9000})
        assert names(disk) == {"0"}


@needs_root
def test_a_disk_that_became_read_only(tmp_path: Path) -> None:
    """There nothing can be told, and nothing can be taken back: the old verdict has its time."""
    disk = tmp_path / "disk"
    with tmpfs(disk, "size=64k"):
        write(disk / ".health", "old")
        remount(disk, "ro")
        with pytest.raises(StorageError, match="Read-only file system"):
            write(disk / ".health", "new")
        assert (disk / ".health").read_text() == "old"


def take(disk: Path, what: str) -> None:
    """Leave no room, or no inodes, on `disk`."""
    size = 64 * 1024 if what == "room" else 0

    def take_all() -> None:
        for number in range(100):
            (disk / str(number)).write_bytes(b"x" * size)

    with pytest.raises(OSError, match="No space left on device"):
        take_all()


def test_a_file_system_that_syncs_no_directories_will_do(tmp_path: Path) -> None:
    """Some network file systems refuse it; the file is written all the same."""
    path = tmp_path / ".health"
    options = ["-e", "trace=fsync", "-e", "inject=fsync:error=EINVAL:when=2"]
    run = straced(WRITES, path, tmp_path / "log", *options)
    assert (run.returncode, run.stderr) == (0, "")
    assert "INJECTED" in (tmp_path / "log").read_text()
    assert json.loads(path.read_text()) == {"status": "critical"}


def test_a_directory_that_cannot_be_synced_is_told(tmp_path: Path) -> None:
    """Any other error of that sync is an error."""
    options = ["-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=2"]
    assert straced(WRITES, tmp_path / ".health", tmp_path / "log", *options).returncode == 74


def test_a_path_that_is_a_directory_is_told(tmp_path: Path) -> None:
    """What stands in the way is named, and no temporary file stays."""
    (tmp_path / ".health").mkdir()
    with pytest.raises(StorageError, match=r"\.health cannot be written: Is a directory"):
        write(tmp_path / ".health", "")
    assert names(tmp_path) == {".health"}


def test_what_killed_writers_left_is_removed(tmp_path: Path) -> None:
    """Temporary files of this file go, unless they are being written; everybody else's stay."""
    mine, *others = [".health.0123abcd.tmp", ".health.mine.tmp", "x.0123abcd.tmp", ".health.old"]
    for name in (mine, *others):
        (tmp_path / name).touch()
    with (tmp_path / ".health.aaaaaaaa.tmp").open("w") as at_work:
        fcntl.flock(at_work, fcntl.LOCK_EX)  # another writer's
        write(tmp_path / ".health", "")
    left = {".health", ".health.aaaaaaaa.tmp", *others}
    assert names(tmp_path) == left
