"""Cron's lines, and our part of a crontab that is somebody's."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdl.domain.schedule import jobs
from camdl.scheduling.crontab import Block, crontab
from camdl.scheduling.place import Place

ROOT = Path(__file__).parents[2]
MINE = Place(directory=Path("/srv/gate"), user=None)
LINES = "* * * * * true\n"
# Whatever people have in their crontabs, but for our own marks.
CRONTABS = st.text().filter(lambda text: Block.of(text) is None)


def jobs_of(text: str) -> list[str]:
    """The lines that start something."""
    return [line for line in text.splitlines() if line[:1].isdigit()]


def test_the_example_is_what_is_installed() -> None:
    """The file at the top of the repository is the one for an installation as it is meant."""
    command = "camdl schedule --format crontab --program /opt/camdl/bin/camdl"
    shipped = ROOT / "crontab.example"
    assert shipped.read_text() == crontab(jobs(10), Place()), f"{command} >{shipped}"


def test_a_line_a_job() -> None:
    """In a file of the machine each names its user; in a person's own crontab none does."""
    for place, who in ((Place(), "camdl "), (MINE, "")):
        for line, job in zip(jobs_of(crontab(jobs(10), place)), jobs(10), strict=True):
            command = shlex.join(place.command(job))
            assert line == f"{job.cron} {who}cd {place.directory} && {command}"


def test_nothing_is_set_for_the_other_lines() -> None:
    """A person's crontab keeps its own environment."""
    assert "MAILTO=" in crontab(jobs(10), Place())
    assert "=" not in crontab(jobs(10), MINE).replace("<<", "")


def test_a_remark_is_there_to_be_read() -> None:
    """Where an interval cannot be had, the crontab says so."""
    assert "# Mind: no cron line" in crontab(jobs(7), MINE)
    assert "Mind" not in crontab(jobs(10), MINE)


@given(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1))
def test_any_path_can_be_said(name: str) -> None:
    """Cron and the shell together make of it what it was: a percent sign ends a line for cron."""
    place = replace(MINE, directory=Path("/srv") / name.replace("/", "_"))
    line = jobs_of(crontab(jobs(10), place))[0]
    command = line.removeprefix(f"{jobs(10)[0].cron} ")
    assert "%" not in command.replace("\\%", "")
    assert shlex.split(command.replace("\\%", "%"))[:3] == ["cd", str(place.directory), "&&"]


@pytest.mark.parametrize("before", ["", "# mine\n", "# mine", "0 0 * * * x\n\n"])
def test_our_part_comes_after_a_persons(before: str) -> None:
    """On lines of its own; with it taken away, all is as it was."""
    text = Block.put(before, LINES)
    assert text.startswith(before)
    assert LINES in text
    assert Block.take(text).rstrip("\n") == before.rstrip("\n")


@given(CRONTABS, CRONTABS)
def test_other_lines_stay(before: str, after: str) -> None:
    """Whatever they are, before and after ours, when it comes, is renewed and goes."""
    text = Block.put(before, LINES)
    theirs = Block.take(text)
    assert theirs in (before, f"{before}\n")
    assert Block.put(text, LINES) == text
    renewed = Block.put(text + after, "another\n")
    block = Block.of(renewed)
    assert block
    assert block.is_sealed
    assert "another\n" in block.text
    assert Block.take(renewed) == theirs + after
    assert Block.take(theirs) == theirs


def test_a_change_of_our_part_is_noticed() -> None:
    """Also where its end was lost."""
    text = Block.put("# mine\n", LINES)
    for changed in (text.replace("true", "false"), text.replace("# camdl ends\n", "x\n")):
        block = Block.of(changed)
        assert block
        assert not block.is_sealed


def test_a_shell_takes_the_line() -> None:
    """The command that cron hands to the shell is one."""
    for line in jobs_of(crontab(jobs(10), MINE)):
        command = line.split(" ", 5)[5]
        subprocess.run(["sh", "-n", "-c", command], check=True)
