"""Power failures: an ext4 file system as it is on the disk while nothing has unmounted it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.disks import Disk, lacking
from tests.support.nursery import Nursery
from tests.support.processes import await_that, marking, survivors
from tests.support.program import Program
from tests.support.sweep import Ground

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.gate import Gate


@pytest.fixture
def disk(tmp_path: Path, needs: Callable[[str, str], None]) -> Iterator[Disk]:
    """The disk on which all that the program makes is."""
    needs("loop devices", lacking())
    with Disk(tmp_path / "home", tmp_path) as disk:
        yield disk


@pytest.fixture
def ground(disk: Disk, tmp_path: Path, gate: Gate) -> Iterator[Ground]:
    """The program, before its first run."""
    with marking() as mark:
        program = Program(tmp_path / "home", gate)
        with Nursery(program, tmp_path) as nursery:
            ground = Ground(program, gate, nursery, "fresh", tmp_path)
            # Each image is recorded before the next is asked for.
            program.configure(gate, concurrent_downloads=1, batch_size=1)
            disk.sync()
            yield ground
        assert survivors(mark) == []


@pytest.mark.fault(3)
def test_power_fails_after_a_run(disk: Disk, ground: Ground) -> None:
    """What a run has reported as saved is there: each image, its row, and the health."""
    assert ground.nursery.run("download").code == 0
    disk.keep()
    disk.power_fails()
    assert ground.broken() == []
    assert ground.missing() == set()
    assert ground.says_healthy()
    assert ground.unrepaired() == []


@pytest.mark.fault(3)
@pytest.mark.parametrize("images", [1, 2, 3, 6])
def test_power_fails_in_a_run(disk: Disk, ground: Ground, gate: Gate, images: int) -> None:
    """When it asks for the nth image, all before that are recorded and on the disk."""
    recorded: set[str] = set()

    def keep() -> None:
        if len(gate.asked) == images:
            await_that(lambda: len(ground.recorded_now()) == images - 1)
            recorded.update(ground.recorded_now())
            disk.keep()

    gate.meanwhile = keep
    assert ground.nursery.run("download").code == 0
    assert len(recorded) == images - 1
    disk.power_fails()
    assert ground.broken() == []
    assert recorded.isdisjoint(ground.missing())
    gate.meanwhile = lambda: None
    assert ground.unrepaired() == []


def test_a_careless_writer_is_caught(disk: Disk, ground: Ground) -> None:
    """The check above bites: who waits for no disk has rows and no images."""
    assert ground.nursery.run("download", flaw="writes in place").code == 0
    disk.keep()
    disk.power_fails()
    assert ground.broken()
