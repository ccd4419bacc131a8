"""What tools such as `top` and `ps -o comm` call this process."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_LONGEST = 15


def be_called(name: str) -> None:
    """Be called `name`, cut to 15 characters, where the system lets a process say so.

    The command line that `ps -f` and `systemctl status` show stays as it is.
    """
    with suppress(OSError):
        Path("/proc/self/comm").write_text(name.strip()[:_LONGEST], encoding="utf-8")
