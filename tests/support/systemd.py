"""systemd on a machine of its own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.processes import await_that

if TYPE_CHECKING:
    import subprocess

    from tests.support.machine import Machine

UNITS = Path("/etc/systemd/system")

_SECONDS = 60.0


class Systemd:
    """The init of `machine`, with nothing to start but what a test puts there."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        for wants in UNITS.glob("*.wants"):
            machine.hide(wants)

    def boot(self) -> None:
        """Switch the machine on, and wait until it is up."""
        self._machine.start("/lib/systemd/systemd", "--system", "--show-status=0")
        assert await_that(self._is_up, _SECONDS), self._machine.said()

    def control(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run systemctl."""
        return self._machine.run("systemctl", *arguments, check=check)

    def start(self, unit: str) -> bool:
        """Start `unit` and wait for its end; whether that is no failure."""
        return self.control("start", unit, check=False).returncode == 0

    def has_run(self, unit: str) -> bool:
        """Whether `unit`, which runs once when it is started, has done that since the boot."""
        return self.show(unit, "ExecMainExitTimestamp") != ""

    def show(self, unit: str, name: str) -> str:
        """A property of `unit`."""
        return self.control("show", "--value", f"--property={name}", unit).stdout.strip()

    def drop_in(self, unit: str, text: str) -> None:
        """Change `unit` as a person does with `systemctl edit`."""
        self._machine.write(UNITS / f"{unit}.d/test.conf", text)
        if self._is_up():
            self.control("daemon-reload")

    def journal(self, *arguments: str) -> str:
        """What was logged, since the machine was first switched on."""
        return self._machine.run("journalctl", "--no-pager", *arguments).stdout

    def _is_up(self) -> bool:
        if not self._machine.is_on:
            return False
        state = self._machine.run("systemctl", "is-system-running", check=False).stdout.strip()
        time.sleep(0.05)  # each question is a process there
        return state in ("running", "degraded")
