"""The mail server of a machine, as its cron sees it: the program that takes each mail."""

from __future__ import annotations

from email import message_from_string
from email.policy import default
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from email.message import EmailMessage

    from tests.support.machine import Machine

_PROGRAM = "/usr/sbin/sendmail"
_BOX = Path("/var/spool/taken")
# Whoever sends: cron calls it as the user of the job.
_SCRIPT = f"""\
#!/bin/sh
file=$(mktemp {_BOX}/XXXXXXXX) && cat >"$file" && chmod 644 "$file" && mv "$file" "$file.mail"
"""


class Sendmail:
    """Takes the mails that are sent on `machine`."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        machine.write(_PROGRAM, _SCRIPT, 0o755)
        box = machine.changed(_BOX)
        box.mkdir(parents=True)
        box.chmod(0o1777)

    def mails(self) -> list[EmailMessage]:
        """Those that were taken, in no order."""
        files = self._machine.changed(_BOX).glob("*.mail")
        return [message_from_string(file.read_text(), policy=default) for file in files]
