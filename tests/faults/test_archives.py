"""The whole program and the files of its archive: in which order they come, and whose they are."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from camdl.errors import ExitCode
from tests.support.gate import PICTURE
from tests.support.nursery import temporary
from tests.support.root import needs_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.gate import Gate
    from tests.support.program import Program
    from tests.support.sweep import Ground

# A page of SQLite's is written whole, so that the rows in it can be told apart.
ORDER = ("-e", "trace=write,pwrite64,fsync,fdatasync,rename,renameat2", "-s", "4096")


@pytest.mark.fault(4)
def test_the_order_of_writes(
    ground: Callable[[str], Ground], gate: Gate, tmp_path: Path, walked: Callable[[int], None]
) -> None:
    """An image's bytes, its name, and only when both are durable its row."""
    sweep = ground("fresh")
    program = sweep.program
    # Each image is recorded before the next is stored.
    program.configure(gate, concurrent_downloads=1, batch_size=1)
    log = tmp_path / "log"
    done = sweep.nursery.run("download", watch=ORDER, log=log)
    assert (done.code, done.stderr) == (0, "")
    calls = log.read_text().splitlines()

    def first(after: int, *calls_of: str) -> int:
        """Where the first call after that place is that all of these are in."""
        found = (
            n for n, call in enumerate(calls) if n > after and all(c in call for c in calls_of)
        )
        return next(found)

    for key in gate.all_keys():
        image = program.images / key
        opened, named = f"<{temporary(image)}>", f'"{image}"'
        wrote = first(-1, " write(", opened)
        synced = first(wrote, " fsync(", opened)
        renamed = first(synced, " rename", named)
        kept = first(renamed, " fsync(", f"<{image.parent}>")
        assert " write(" not in "".join(one for one in calls[synced:] if opened in one)
        row = first(-1, " pwrite64(", f"<{program.database}>", key)
        committed = first(row, " fdatasync(", f"<{program.database}>")
        assert wrote < synced < renamed < kept < row < committed
    walked(len(gate.all_keys()))
    assert sweep.broken() == []
    assert sweep.unrepaired() == []


@pytest.mark.fault(7)
def test_temporary_files_that_are_left_over(program: Program, gate: Gate) -> None:
    """Those that camdl left are gone after the next run, and everybody else's files stay."""
    gate.take(15)
    program.run("download")
    gate.take(5, 15)
    image = program.images / gate.all_keys()[-1]
    image.parent.mkdir(parents=True, exist_ok=True)
    ours = [
        image.with_name(f".{image.name}.0123abcd.tmp"),
        program.images / ".health.0123abcd.tmp",
    ]
    foreign = [
        image.with_name(".upload.part"),
        image.with_name(f"{image.name}.bad"),
        image.with_name("notes.txt"),
        program.images / ".nfs0001",
    ]
    for file in (*ours, *foreign):
        file.write_bytes(PICTURE[:1000])
    program.goes_on(gate)
    assert [file for file in ours if file.exists()] == []
    assert [file.stat().st_size for file in foreign] == [1000] * len(foreign)


@pytest.fixture
def refused(program: Program, gate: Gate) -> Iterator[Callable[[str, str], None]]:
    """Makes sure that a command refuses, with that reason; in the end all is as it was."""
    program.configure(gate, health_file=str(program.home / ".health"))
    program.health_file = program.home / ".health"
    assert program.run("download").returncode == 0
    before = program.archived()

    def check(command: str, why: str) -> None:
        done = program.run(*command.split())
        assert done.returncode in (ExitCode.CONFIG, ExitCode.STORAGE), done
        assert why in done.stderr

    yield check
    assert program.archived() == before
    for command in ("cleanup", "verify"):
        assert program.run(command).returncode == 0
    program.goes_on(gate)


@pytest.mark.fault(8)
def test_an_archive_that_is_a_link(program: Program, refused: Callable[[str, str], None]) -> None:
    """What is behind a link may be anybody's: nothing is deleted there."""
    elsewhere = program.images.rename(program.home / "elsewhere")
    program.images.symlink_to(elsewhere)
    refused("cleanup --days 1 --force", "is a symbolic link")
    program.images.unlink()
    elsewhere.rename(program.images)


@needs_root
@pytest.mark.fault(8)
def test_an_archive_that_is_not_mounted(
    program: Program, refused: Callable[[str, str], None]
) -> None:
    """An empty mount point is told from the archive by its marker, and gets nothing of one."""
    disk = program.images.rename(program.home / "disk")
    program.images.mkdir()
    subprocess.run(["mount", "--bind", disk, program.images], check=True)
    try:
        assert program.run("cleanup").returncode == 0
    finally:
        subprocess.run(["umount", program.images], check=True)
    assert list(program.images.iterdir()) == []
    refused("cleanup --days 1 --force", "camdl's marker")
    refused("download", "neither camdl's marker nor any image")
    refused("verify --repair --force", "neither camdl's marker nor any image")
    assert list(program.images.iterdir()) == []
    program.images.rmdir()
    disk.rename(program.images)
