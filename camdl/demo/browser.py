"""Provides a browser where there is none, as far as this user may."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from camdl.domain.text import one_line
from camdl.errors import BrowserMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Find = Callable[[], Path | None]
    Say = Callable[[str], None]

# What Playwright and Debian both call it.
BROWSER = "chromium-headless-shell"
_START_SECONDS = 30
_QUERY_SECONDS = 60
_DOWNLOAD_SECONDS = 300
_PACKAGE_SECONDS = 600
# A closed network drops packets: Playwright would wait half a minute for each of its tries.
_DOWNLOAD_SETTINGS = {"PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT": "10000"}
_APT_SETTINGS = {"DEBIAN_FRONTEND": "noninteractive"}
_LOCATION = re.compile(r"Install location:\s+(?P<directory>.*headless_shell.*)")


def os_release(file: Path = Path("/etc/os-release")) -> dict[str, str]:
    """What the system says it is; empty where it does not say."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line)
    return {name: value.strip().strip("\"'") for name, value in pairs}


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides how a browser can be had: the Python with Playwright, the system, the user."""

    python: str = sys.executable
    os_release: Mapping[str, str] = field(default_factory=os_release)
    is_root: bool = field(default_factory=lambda: os.geteuid() == 0)

    @property
    def has_deb(self) -> bool:
        """Whether the distribution has Chromium as a package; Ubuntu's only leads to a snap."""
        return "debian" in self._family and not self.is_ubuntu

    @property
    def is_ubuntu(self) -> bool:
        """Whether it is Ubuntu or made of it."""
        return "ubuntu" in self._family

    @property
    def _family(self) -> set[str]:
        return {self.os_release.get("ID", ""), *self.os_release.get("ID_LIKE", "").split()}

    def playwright(self, *arguments: str) -> list[str]:
        """The command line of Playwright's own installer."""
        return [self.python, "-m", "playwright", *arguments]


def provide(find: Find, say: Say, machine: Machine | None = None) -> Path:
    """A browser that starts: the one that `find` knows, else Playwright's, else a package.

    Raises:
        BrowserMissingError: none could be had; its advice is the one command that helps.
    """
    machine = machine or Machine()
    if (found := find()) is not None:
        fault = _why_not(found)
        if not fault:
            return found
        say(f"{found} does not start: {fault}")
    try:
        return _playwrights_own(machine, say)
    except _FaultError as error:
        reason, advice = str(error), error.advice
    if machine.is_root and machine.has_deb:
        say(reason)
        return _package(machine, find, say)
    raise BrowserMissingError(
        f"no browser could be had: {reason}", advice=advice or _advice(machine)
    )


class _FaultError(Exception):
    """One way to a browser has failed. `advice` is what would make it succeed, if known."""

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice


def _playwrights_own(machine: Machine, say: Say) -> Path:
    """Playwright's browser, downloaded for this user.

    Its installer does nothing where the download is whole already, and mends it where it is not.
    """
    say("No browser was found; Playwright downloads its own (about 100 MB) …")
    _run(machine.playwright("install", BROWSER), _DOWNLOAD_SECONDS, _DOWNLOAD_SETTINGS)
    executable = _downloaded(machine)
    if executable is None:
        raise _FaultError("Playwright's download left no browser behind")
    fault = _why_not(executable)
    if fault and machine.is_root and not machine.has_deb:
        say("Playwright installs the system libraries that its browser needs …")
        _run(machine.playwright("install-deps", BROWSER), _PACKAGE_SECONDS, _APT_SETTINGS)
        fault = _why_not(executable)
    if fault:
        command = shlex.join(machine.playwright("install-deps", BROWSER))
        raise _FaultError(
            f"Playwright's own browser does not start: {fault}", f"Run once as root: {command}"
        )
    return executable


def _downloaded(machine: Machine) -> Path | None:
    """The executable of the browser that this Playwright would download, if it is there."""
    told = _run(machine.playwright("install", "--dry-run", BROWSER), _QUERY_SECONDS)
    location = _LOCATION.search(told)
    if location is None:
        return None
    return next(Path(location["directory"].strip()).glob("chrome-*/*headless*shell"), None)


def _package(machine: Machine, find: Find, say: Say) -> Path:
    """The distribution's package, installed as root."""
    install = ["apt-get", "install", "-y", "--no-install-recommends", BROWSER]
    say(f"Installing Debian's package {BROWSER} …")
    try:
        try:
            _run(install, _PACKAGE_SECONDS, _APT_SETTINGS)
        except _FaultError:  # the lists of packages are missing or too old
            _run(["apt-get", "update"], _PACKAGE_SECONDS, _APT_SETTINGS)
            _run(install, _PACKAGE_SECONDS, _APT_SETTINGS)
    except _FaultError as error:
        raise BrowserMissingError(str(error), advice=_advice(machine)) from error
    found = find()
    fault = "it was not found" if found is None else _why_not(found)
    if found is None or fault:
        raise BrowserMissingError(
            f"the package {BROWSER} was installed, but {fault}", advice=_advice(machine)
        )
    return found


def _advice(machine: Machine) -> str:
    """The one command that root must run for a browser."""
    if machine.has_deb:
        return f"Run once as root: apt-get update && apt-get install -y {BROWSER}"
    if machine.is_ubuntu:
        return "Run once as root: snap install chromium"
    return "Install Chromium or Chrome with the system's package manager, then run this again."


def _why_not(executable: Path) -> str:
    """Why `executable` does not start, in one line; empty if it does."""
    try:
        _run([str(executable), "--version"], _START_SECONDS)
    except _FaultError as error:
        return str(error)
    return ""


def _run(command: Sequence[str], seconds: float, settings: Mapping[str, str] | None = None) -> str:
    """What `command` prints.

    Raises:
        _FaultError: it failed, or took more than `seconds`.
    """
    name = shlex.join(command)
    try:
        process = subprocess.Popen(
            command,
            env={**os.environ, **(settings or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # so that it ends with all that it started
        )
    except OSError as error:
        raise _FaultError(f"{name}: {error.strerror}") from error
    try:
        printed, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise _FaultError(f"{name} took more than {seconds:g} s") from None
    finally:
        if process.returncode is None:
            _end(process)
    if process.returncode != 0:
        raise _FaultError(f"{name} failed: {_gist(printed)}")
    return printed


def _end(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _gist(printed: str) -> str:
    """The lines of an installer's output that tell most: those with an error, else the last."""
    lines = list(dict.fromkeys(line.strip() for line in printed.splitlines() if line.strip()))
    telling = [line for line in lines if line.startswith("E:") or "error" in line.lower()]
    return one_line("; ".join(telling[:2] or lines[-2:])) or "it printed nothing"
