"""What starts jobs on a machine."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from camdl.domain.schedule import jobs
from camdl.domain.starting import Timer
from camdl.ops import starters

if TYPE_CHECKING:
    from pathlib import Path

JOBS = jobs(10)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory with programs in it: none."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    return directory


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """A machine's directory of settings, without any."""
    (tmp_path / "etc").mkdir()
    return tmp_path / "etc"


def program(path: Path, script: str) -> None:
    """A program in the shell's language."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_a_machine_with_nothing(programs: Path, etc: Path, tmp_path: Path) -> None:
    """Neither systemd nor cron: nothing is found, and nothing fails."""
    found = starters.find(JOBS, etc=etc, proc=tmp_path / "proc")
    assert (found.timers, found.crontabs, found.cron_runs) == ([], {}, None)


def test_timers_of_the_system_and_of_this_user(programs: Path, etc: Path, tmp_path: Path) -> None:
    """Both are asked for the units by their names."""
    block = "Id=camdl-download.timer\\nLoadState=loaded\\nActiveState=active\\n"
    program(
        programs / "systemctl",
        f'echo "$@" >>{tmp_path}/asked; [ "$1" = --user ] && exit 1; printf "{block}"',
    )
    found = starters.find(JOBS, etc=etc, proc=tmp_path)
    assert found.timers == [Timer("camdl-download.timer", "system", True)]
    system, user = (tmp_path / "asked").read_text().splitlines()
    assert system.startswith("show --timestamp=unix --property=Id,LoadState,")
    assert system.endswith(
        "camdl-download.timer camdl-health.timer camdl-cleanup.timer camdl-verify.timer"
    )
    assert user == f"--user {system}"


def test_crontabs(programs: Path, etc: Path, tmp_path: Path) -> None:
    """The machine's, but for files that cron passes over, and this user's own."""
    (etc / "cron.d").mkdir()
    for name in ("crontab", "cron.d/camdl", "cron.d/camdl.old"):
        (etc / name).write_text(name)
    program(programs / "crontab", '[ "$1" = -l ] && echo mine')
    found = starters.find(JOBS, etc=etc, proc=tmp_path)
    assert found.crontabs == {
        str(etc / "crontab"): "crontab",
        str(etc / "cron.d/camdl"): "cron.d/camdl",
        "your crontab": "mine\n",
    }


@pytest.mark.parametrize(("name", "runs"), [("cron", True), ("crond", True), ("bash", False)])
def test_a_cron_that_runs(programs: Path, etc: Path, tmp_path: Path, name: str, runs: bool) -> None:
    """It is seen among the processes, under any of its names."""
    for number, comm in enumerate((name, "init")):
        (tmp_path / "proc" / str(number)).mkdir(parents=True)
        (tmp_path / "proc" / str(number) / "comm").write_text(f"{comm}\n")
    (tmp_path / "proc" / "2").mkdir()  # one that has just ended
    (tmp_path / "proc" / "sys").mkdir()
    assert starters.find(JOBS, etc=etc, proc=tmp_path / "proc").cron_runs is runs


def test_a_program_that_hangs(
    programs: Path, etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is as if it said nothing."""
    monkeypatch.setattr(starters, "_SECONDS", 0.1)
    program(programs / "crontab", "while :; do :; done")
    assert starters.find(JOBS, etc=etc, proc=tmp_path).crontabs == {}


def test_this_machine() -> None:
    """Whatever there is, it can be asked."""
    found = starters.find(JOBS)
    assert found.cron_runs in (True, False)
