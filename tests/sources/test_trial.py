"""The browser, really started."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import camdl
from camdl.domain.examination import Grade
from camdl.errors import BrowserMissingError
from camdl.sources import trial
from camdl.sources.browser import Browser, find
from tests.support.processes import marking, survivors
from tests.support.root import needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from camdl.domain.examination import Finding

CODE = Path(camdl.__file__).parents[1]
# Root of another kind: a user of its own number in a namespace of its own, as a service is.
AS_A_USER = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--keep-caps")
WITHOUT_NAMESPACES = "echo 0 >/proc/sys/user/max_user_namespaces && exec"
PROGRAM = """
from camdl.sources.trial import examine
for one in examine(None, headless=True, seconds=60):
    print(one.grade, one.said, one.remedy, sep="|")
"""


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No process and no file survives it."""
    with tempfile.TemporaryDirectory() as directory, marking() as mark:
        before, tempfile.tempdir = tempfile.tempdir, directory
        yield
        tempfile.tempdir = before
        assert survivors(mark) == []
        assert list(Path(directory).iterdir()) == []


def examined(executable: str | Path | None, seconds: float = 60) -> list[Finding]:
    """What is found out about a browser."""
    configured = None if executable is None else str(executable)
    return list(trial.examine(configured, headless=True, seconds=seconds))


def script(path: Path, text: str) -> Path:
    """An executable that is no browser."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_browser_draws_a_page() -> None:
    """It says which one, its version, and whether it had its sandbox."""
    *before, last = examined(None)
    assert last.grade is Grade.FINE
    assert last.said.startswith(f"{find().executable} 1")
    sandbox = "without its sandbox" if find().sandbox_off else "in its sandbox"
    assert f" drew a page {sandbox} after " in last.said
    assert [one.said for one in before] == ([find().sandbox_off] if find().sandbox_off else [])


def as_a_user(*before: str) -> list[str]:
    """What is found out by a user who is not root, after the shell has done something."""
    with tempfile.TemporaryDirectory() as directory:
        shell = (*AS_A_USER, "sh", "-c", f'{" ".join(before) or "exec"} "$@"', "sh")
        done = subprocess.run(
            [*shell, sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONPATH": str(CODE), "TMPDIR": directory},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@needs_root
def test_a_user_has_the_sandbox() -> None:
    """Without any right of root's the browser starts with it."""
    (told,) = as_a_user()
    assert told.startswith("fine|")
    assert " drew a page in its sandbox after " in told


@needs_root
def test_a_system_without_namespaces() -> None:
    """What has to be set, so that there is a sandbox, is said as a command."""
    told = as_a_user(WITHOUT_NAMESPACES)
    assert any("|As root: sysctl -w user.max_user_namespaces=15000" in line for line in told)
    assert not any("in its sandbox" in line for line in told)


def test_a_browser_that_is_none(tmp_path: Path) -> None:
    """The configuration names it."""
    with pytest.raises(BrowserMissingError, match="not an executable file"):
        examined(tmp_path / "nothing")


def test_a_browser_that_lacks_something(tmp_path: Path) -> None:
    """Its own words, and what to install."""
    words = "error while loading shared libraries: libnss3.so: cannot open shared object file"
    *_, last = examined(script(tmp_path / "browser", f"echo 'x: {words}' >&2; exit 127"))
    assert last.grade is Grade.BAD
    assert words in last.said
    assert "apt-get install" in last.remedy


def test_a_program_that_is_no_browser(tmp_path: Path) -> None:
    """It ends without a word that would tell anything."""
    *_, last = examined(script(tmp_path / "browser", "exit 0"))
    assert last.grade is Grade.BAD
    assert last.said.startswith(f"{tmp_path}/browser cannot be started: ")
    assert "<launching>" not in last.said
    assert f"{tmp_path}/browser --version" in last.remedy


def test_a_browser_that_hangs(tmp_path: Path) -> None:
    """It is given up in time, and ended."""
    *_, last = examined(script(tmp_path / "browser", "sleep 600"), seconds=2)
    assert last.said == f"{tmp_path}/browser drew no page within 2 s"


@pytest.mark.parametrize(
    ("name", "forbidden", "command"),
    [
        ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    ],
)
def test_what_keeps_the_sandbox_from_starting(
    tmp_path: Path, name: str, forbidden: str, command: str
) -> None:
    """Each system has a setting of its own for it."""
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text(f"{forbidden}\n")
    error = BrowserMissingError("No usable sandbox!")
    browser = Browser(Path("/usr/bin/chromium"))
    assert trial._to_start(error, browser, tmp_path) == f"As root: sysctl -w {command}"
    assert "sysctl" not in trial._to_start(error, browser, tmp_path / "elsewhere")
