"""What those see who look at an archive that systemd keeps."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from camdl.ops.log import ENDED
from tests.support.machine import PROGRAM
from tests.support.root import needs_root

if TYPE_CHECKING:
    from tests.support.gate import Gate
    from tests.support.installation import Installation
    from tests.support.machine import Machine
    from tests.support.systemd import Systemd

pytestmark = needs_root


def test_a_unit_of_systemds_logs_with_fields(
    camdl: Installation, systemd: Systemd, gate: Gate
) -> None:
    """From within its walls it reaches the journal, which knows the unit that it was."""
    assert systemd.start("camdl-download.service")
    assert camdl.archived() == gate.all_keys()
    told = systemd.journal("--output=json", "--all", f"MESSAGE_ID={ENDED}")
    (entry,) = (json.loads(line) for line in told.splitlines())
    assert entry["_SYSTEMD_UNIT"] == "camdl-download.service"
    assert entry["CAMDL_STREAM"] == ["in_gate", "out_gate"]
    assert entry["MESSAGE"].endswith(" s")
    assert "in_gate 2 saved, out_gate 2 saved, ok in " in entry["MESSAGE"]
    ours = systemd.journal("--output=cat", "--identifier=camdl", "--unit=camdl-download")
    assert ours == f"{entry['MESSAGE']}\n"  # and nothing else is said of a good run


def test_the_doctor_sees_what_starts_the_jobs(
    camdl: Installation, systemd: Systemd, machine: Machine, gate: Gate
) -> None:
    """As the owner of the archive: timers that have fired, the browser in its sandbox, the site."""
    doctor = ("env", "--chdir=/var/lib/camdl", str(PROGRAM), "doctor")
    fires = "[Timer]\nRandomizedDelaySec=0\nOnCalendar=\nOnCalendar=*:*:0/10\n"
    systemd.drop_in("camdl-download.timer", fires)
    systemd.control("restart", "camdl-download.timer")
    camdl.await_everything_of(gate)
    done = machine.run(*doctor, user="camdl", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r" the last timer fired \d+ s ago\n", done.stdout), done.stdout
    assert " systemd starts download and health\n" in done.stdout, done.stdout
    assert "cleanup: systemd starts it every 1 d, and no run of it is recorded yet" in done.stdout
    assert " drew a page in its sandbox after " in done.stdout
    systemd.control("stop", "camdl-download.timer")
    done = machine.run(*doctor, user="camdl", check=False)
    assert "✘ schedule      camdl-download.timer is there, and is not active\n" in done.stdout
    assert "  → systemctl enable --now camdl-download.timer\n" in done.stdout
    assert done.returncode == 1
