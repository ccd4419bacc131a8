"""What starts jobs on this machine: systemd's timers and crontabs, as this user sees them."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from camdl.domain.starting import Starters, timers, unit_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from camdl.domain.schedule import Job

_SECONDS = 5.0
_PROPERTIES = "Id,LoadState,ActiveState,LastTriggerUSec,NextElapseUSecRealtime"
_CRONS = frozenset({"cron", "crond", "fcron"})


def find(jobs: Sequence[Job], *, etc: Path = Path("/etc"), proc: Path = Path("/proc")) -> Starters:
    """Look for all of them. What cannot be asked is as if it were not there."""
    units = [unit_of(job) for job in jobs]
    show = ("show", "--timestamp=unix", f"--property={_PROPERTIES}", *units)
    found = [
        *timers(_said("systemctl", *show), "system"),
        *timers(_said("systemctl", "--user", *show), "user"),
    ]
    return Starters(found, _crontabs(etc), _cron_runs(proc))


def _crontabs(etc: Path) -> dict[str, str]:
    files = [etc / "crontab"]
    with suppress(OSError):
        # cron passes over names with a dot.
        files += sorted(one for one in (etc / "cron.d").iterdir() if "." not in one.name)
    texts = {str(file): _read(file) for file in files}
    texts["your crontab"] = _said("crontab", "-l")
    return {name: text for name, text in texts.items() if text}


def _cron_runs(proc: Path) -> bool | None:
    """Whether a cron is running; None where processes cannot be seen."""
    try:
        names = {_read(one / "comm").strip() for one in proc.iterdir() if one.name.isdecimal()}
    except OSError:
        return None
    return bool(names & _CRONS)


def _said(*command: str) -> str:
    """What `command` prints; nothing if it fails, or there is no such thing."""
    environ = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=environ,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace")
    except OSError:
        return ""
