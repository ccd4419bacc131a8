"""Control groups: a limit on all that a process and its children use together."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path("/sys/fs/cgroup")
# What a controller's limit is called in the first and in the second version of control groups.
_LIMITS = {
    "pids": ("pids.max", "pids.max"),
    "memory": ("memory.limit_in_bytes", "memory.max"),
}
_SECONDS = 10.0


def lacking(controller: str) -> str:
    """Why there are no groups with a limit of `controller` here; empty if there are."""
    if os.geteuid() != 0:
        return "only root makes control groups"
    return "" if _place(controller) else f"this machine has no controller of {controller}"


@contextmanager
def limited(controller: str, limit: int) -> Iterator[tuple[str, ...]]:
    """What to put before a command, so that it and its children have no more than `limit`."""
    place = _place(controller)
    assert place, f"this machine has no controller of {controller}"
    parent, name = place
    group = parent / f"camdl-test-{os.getpid()}-{secrets.token_hex(4)}"
    group.mkdir()
    try:
        (group / name).write_text(str(limit))
        script = f'echo $$ > "{group}/cgroup.procs" && exec "$@"'
        yield ("sh", "-c", script, "sh")
    finally:
        _remove(group)


def _place(controller: str) -> tuple[Path, str] | None:
    """Where groups of `controller` are made, and what their limit is called."""
    first, second = _LIMITS[controller]
    if (_ROOT / controller / "cgroup.procs").exists():
        return _ROOT / controller, first
    with suppress(OSError):
        if controller in (_ROOT / "cgroup.subtree_control").read_text().split():
            return _ROOT, second
    return None


def _remove(group: Path) -> None:
    """Remove it; a process that has ended may still be in it for a moment."""
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            group.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
