"""The whole program on disks that take nothing more, and under limits of its process."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from camdl.errors import ExitCode
from tests.support.gate import PICTURE
from tests.support.root import immutable, needs_root, remount, tmpfs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.gate import Gate
    from tests.support.program import Program
    from tests.support.sweep import Ground

    Fault = Callable[[Path], None]

ROOM = "size=8m,nr_inodes=1000"


def fill(disk: Path) -> None:
    """Leave no room for a picture."""
    found = os.statvfs(disk)
    free = found.f_bavail * found.f_frsize
    (disk / "filler").write_bytes(b"\0" * (free - len(PICTURE) // 2))


def fill_up(disk: Path) -> None:
    """Leave no room at all."""
    found = os.statvfs(disk)
    (disk / "filler").write_bytes(b"\0" * found.f_bavail * found.f_frsize)


def take_inodes(disk: Path) -> None:
    """Let no file be made any more."""
    found = os.statvfs(disk)
    remount(disk, f"nr_inodes={found.f_files - found.f_ffree}")


def forbid_writing(disk: Path) -> None:
    """Let nothing be written any more."""
    remount(disk, "ro")


def make_room(disk: Path) -> None:
    """Have the disk as it was."""
    remount(disk, "rw")
    remount(disk, ROOM)
    (disk / "filler").unlink(missing_ok=True)


def refused(done: subprocess.CompletedProcess[str], reason: str) -> None:
    """Make sure that a run ended with 74, and that it says why, and what to do."""
    assert (done.returncode, done.stdout) == (ExitCode.STORAGE, ""), done.stderr
    *_, last, advice = done.stderr.splitlines()
    assert last.startswith("camdl: ")
    assert reason in last
    assert advice.startswith("       ")
    assert "Traceback" not in done.stderr


def goes_on(program: Program, gate: Gate) -> None:
    """Make sure that the next run does what the last could not."""
    done = program.run("download")
    assert (done.returncode, done.stderr) == (0, "")
    assert program.archived() == gate.all_keys()
    assert program.health()["status"] == "healthy"


@needs_root
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (fill, "No space left on device"),
        (fill_up, "No space left on device"),
        (take_inodes, "No space left on device"),
        (forbid_writing, "Read-only file system"),
    ],
)
def test_an_archive_that_takes_nothing(
    program: Program, gate: Gate, fault: Fault, reason: str
) -> None:
    """No image is asked for twice, the old ones stay whole, and the health is not good."""
    program.configure(gate, health_file=str(program.home / ".health"), max_retries=3)
    program.health_file = program.home / ".health"
    gate.take(15)
    with tmpfs(program.images, ROOM):
        assert program.run("download").returncode == 0
        old = program.archived()
        gate.take(5, 15)
        gate.asked.clear()
        fault(program.images)
        refused(program.run("download"), reason)
        assert program.archived() == old
        assert len(gate.asked) == len(set(gate.asked)) <= 2
        assert program.health()["status"] != "healthy"
        assert program.runs()[-1] == ("failed", ExitCode.STORAGE)
        make_room(program.images)
        goes_on(program, gate)


@needs_root
@pytest.mark.parametrize(
    ("fault", "reason"),
    [(fill_up, "full"), (take_inodes, "unable to open"), (forbid_writing, "readonly")],
)
def test_a_catalogue_that_takes_nothing(
    program: Program, gate: Gate, fault: Fault, reason: str
) -> None:
    """The run ends before it asks for images, and what is recorded stays as it is."""
    disk = program.home / "disk"
    program.database = disk / "camdl.db"
    program.configure(gate, database_url=f"sqlite:///{program.database}")
    gate.take(15)
    with tmpfs(disk, ROOM):
        assert program.run("download").returncode == 0
        old = program.archived()
        gate.take(5, 15)
        gate.asked.clear()
        fault(disk)
        refused(program.run("download"), reason)
        assert (program.archived(), gate.asked) == (old, [])
        assert program.health()["status"] != "healthy"
        make_room(disk)
        goes_on(program, gate)


@needs_root
def test_a_home_that_is_read_only(program: Program, gate: Gate) -> None:
    """Without a lock nothing is begun, and the advice is about the disk."""
    disk = program.home / "disk"
    lock = disk / "camdl.lock"
    program.configure(gate, lock_file=str(lock))
    with tmpfs(disk, ROOM):
        remount(disk, "ro")
        refused(program.run("download"), f"the lock file {lock} cannot be used: Read-only file")
        assert (gate.asked, program.images.exists()) == ([], False)
        remount(disk, "rw")
        goes_on(program, gate)


@contextmanager
def frozen(directory: Path) -> Iterator[None]:
    """Inside the `with` nothing in `directory` or below it can be changed, not even by root."""
    below = [path for path in directory.rglob("*") if path.is_dir()]
    with ExitStack() as stack:
        for path in (directory, *below):
            stack.enter_context(immutable(path))
        yield


@needs_root
def test_a_stream_that_is_frozen(program: Program, gate: Gate) -> None:
    """An administrator's `chattr +i` ends the run with its reason, and changes nothing."""
    gate.take(15)
    assert program.run("download").returncode == 0
    gate.take(5, 15)
    with frozen(program.images / "in_gate"):
        refused(program.run("download"), "Operation not permitted")
        assert program.health()["status"] != "healthy"
    goes_on(program, gate)


def limited(program: Program, option: str) -> subprocess.CompletedProcess[str]:
    """A run with a limit of `prlimit`."""
    return subprocess.run(
        ["prlimit", option, sys.executable, "-m", "camdl", "download"],
        cwd=program.home,
        env=program.environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("size", [10_000, 100_000])
def test_no_file_may_be_so_large(program: Program, gate: Gate, size: int) -> None:
    """A limit on the size of files ends the run with its reason; nothing torn is left."""
    done = limited(program, f"--fsize={size}")
    assert (done.returncode, done.stdout) == (ExitCode.STORAGE, ""), done.stderr
    assert "Traceback" not in done.stderr
    assert not list(program.images.rglob("*.jpg"))
    goes_on(program, gate)


@pytest.mark.parametrize(
    ("limit", "values"),
    [
        (resource.RLIMIT_NOFILE, range(4, 12)),
        (resource.RLIMIT_FSIZE, (1_000, 5_000, 20_000, 60_000, 90_000, 130_000, 200_000)),
    ],
    ids=["open files", "size of files"],
)
def test_limits_of_the_process(
    ground: Callable[[str], Ground], limit: int, values: tuple[int, ...]
) -> None:
    """However early or late a limit is met, it is told, nothing is torn and the next goes on.

    Without the browser, which needs more of everything than camdl does.
    """
    sweep = ground("half-filled")
    codes = set()
    for value in values:
        done = sweep.run_limited({limit: value})
        codes.add(done.code)
        assert done.code in (0, ExitCode.STORAGE, ExitCode.CONFIG), done.stderr
        assert "Traceback" not in done.stderr
        assert not sweep.broken(), (value, sweep.broken())
        assert done.code or not sweep.missing()
        assert sweep.unrepaired() == []
    assert {0, ExitCode.STORAGE} <= codes
