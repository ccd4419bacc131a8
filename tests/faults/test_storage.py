"""The whole program on disks that take nothing more, and under limits of its process."""

from __future__ import annotations

import os
import resource
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from camdl.errors import ExitCode
from tests.support.disks import Disk, lacking
from tests.support.gate import PICTURE
from tests.support.root import immutable, needs_root, remount, tmpfs

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.gate import Gate
    from tests.support.program import Program
    from tests.support.sweep import Ground

    Fault = Callable[[Path], None]

ROOM = "size=8m,nr_inodes=1000"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk where the program has its images. To be asked for before the program."""
    with tmpfs(tmp_path / "images", ROOM):
        yield tmp_path / "images"


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk for something else."""
    with tmpfs(tmp_path / "disk", ROOM):
        yield tmp_path / "disk"


@pytest.fixture
def whole_disk(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, needs: Callable[[str, str], None]
) -> Iterator[Path]:
    """A disk of the usual kind for all that the program has. To be asked for before the program."""
    needs("loop devices", lacking())
    with Disk(tmp_path, tmp_path_factory.mktemp("disk")):
        yield tmp_path


def fill(disk: Path) -> None:
    """Leave no room for a picture."""
    found = os.statvfs(disk)
    free = found.f_bavail * found.f_frsize
    (disk / "filler").write_bytes(b"\0" * (free - len(PICTURE) // 2))


def fill_up(disk: Path) -> None:
    """Leave no room at all."""
    found = os.statvfs(disk)
    (disk / "filler").write_bytes(b"\0" * found.f_bavail * found.f_frsize)


def fill_to_the_last_byte(disk: Path) -> None:
    """Leave no room at all, not even what a file system keeps for root."""
    with (disk / "filler").open("wb", buffering=0) as file:
        for size in (1024 * 1024, 1024, 1):
            with suppress(OSError):
                while True:
                    file.write(b"\0" * size)


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


@pytest.mark.fault(5)
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
    small_disk: Path, program: Program, gate: Gate, fault: Fault, reason: str
) -> None:
    """No image is asked for twice, the old ones stay whole, and the health is not good.

    Its file is on that disk too. Where nothing can be changed it stays, with its time.
    """
    program.configure(gate, max_retries=3)
    gate.take(15)
    assert program.run("download").returncode == 0
    old, verdict = program.archived(), program.health_file.read_bytes()
    gate.take(5, 15)
    gate.asked.clear()
    fault(small_disk)
    refused(program.run("download"), reason)
    assert program.archived() == old
    assert len(gate.asked) == len(set(gate.asked)) <= 2
    if fault is forbid_writing:
        assert program.health_file.read_bytes() == verdict
    else:
        assert program.health()["status"] == "critical"
    now = program.run("health")
    assert (now.returncode, now.stdout.startswith("camdl CRITICAL - ")) == (2, True)
    assert program.runs()[-1] == ("failed", ExitCode.STORAGE)
    make_room(small_disk)
    program.goes_on(gate)


@pytest.mark.fault(5)
def test_one_disk_that_is_full(whole_disk: Path, program: Program, gate: Gate) -> None:
    """With archive, catalogue and verdict on it, as they are by default: still it is told."""
    assert program.run("download").returncode == 0
    old = program.archived()
    gate.take(5, 15, 25)
    fill_to_the_last_byte(whole_disk)
    for _ in range(2):
        refused(program.run("download"), "disk is full")
        assert program.health()["status"] == "critical"
    assert program.run("health", "--write", "--quiet").returncode == 2
    assert program.health()["status"] == "critical"
    assert program.archived() == old
    (whole_disk / "filler").unlink()
    program.goes_on(gate)


@pytest.mark.fault(5)
@needs_root
@pytest.mark.parametrize(
    ("fault", "reason"),
    [(fill_up, "full"), (take_inodes, "unable to open"), (forbid_writing, "readonly")],
)
def test_a_catalogue_that_takes_nothing(
    other_disk: Path, program: Program, gate: Gate, fault: Fault, reason: str
) -> None:
    """The run ends before it asks for images, and what is recorded stays as it is."""
    program.database = other_disk / "camdl.db"
    program.configure(gate, database_url=f"sqlite:///{program.database}")
    gate.take(15)
    assert program.run("download").returncode == 0
    old = program.archived()
    gate.take(5, 15)
    gate.asked.clear()
    fault(other_disk)
    refused(program.run("download"), reason)
    assert (program.archived(), gate.asked) == (old, [])
    assert program.health()["status"] != "healthy"
    make_room(other_disk)
    program.goes_on(gate)


@pytest.mark.fault(5)
@needs_root
def test_a_home_that_is_read_only(other_disk: Path, program: Program, gate: Gate) -> None:
    """Without a lock nothing is begun, and the advice is about the disk."""
    program.lock_file = lock = other_disk / "camdl.lock"
    program.configure(gate)
    remount(other_disk, "ro")
    refused(program.run("download"), f"the lock file {lock} cannot be used: Read-only file")
    assert (gate.asked, program.images.exists()) == ([], False)
    remount(other_disk, "rw")
    program.goes_on(gate)


@contextmanager
def frozen(directory: Path) -> Iterator[None]:
    """Inside the `with` nothing in `directory` or below it can be changed, not even by root."""
    below = [path for path in directory.rglob("*") if path.is_dir()]
    with ExitStack() as stack:
        for path in (directory, *below):
            stack.enter_context(immutable(path))
        yield


@pytest.mark.fault(6)
@needs_root
def test_a_stream_that_is_frozen(program: Program, gate: Gate) -> None:
    """An administrator's `chattr +i` ends the run with its reason, and changes nothing."""
    gate.take(15)
    assert program.run("download").returncode == 0
    gate.take(5, 15)
    with frozen(program.images / "in_gate"):
        refused(program.run("download"), "Operation not permitted")
        assert program.health()["status"] != "healthy"
    program.goes_on(gate)


@pytest.mark.fault(6)
@pytest.mark.parametrize("size", [10_000, 100_000])
def test_no_file_may_be_so_large(program: Program, gate: Gate, size: int) -> None:
    """A limit on the size of files ends the run with its reason; nothing torn is left."""
    done = program.behind(["prlimit", f"--fsize={size}"], "download")
    assert (done.returncode, done.stdout) == (ExitCode.STORAGE, ""), done.stderr
    assert "Traceback" not in done.stderr
    assert not list(program.images.rglob("*.jpg"))
    program.goes_on(gate)


@pytest.mark.fault(6)
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
