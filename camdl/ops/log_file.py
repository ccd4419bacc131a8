"""A log file that several processes write to, and that is put aside before it gets too large."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TRIES = 100
# Others hold it for one line; but one may have been stopped just then.
_PATIENCE_SECONDS = 1.0
_POLL_SECONDS = 0.005


class LogFile:
    """Lines at the end of `path`. Before it would exceed `max_bytes` it becomes `path`.1.

    What was `path`.1 becomes `path`.2, and so on; the one beyond `backups` is gone. With no
    backups that is left to others, such as logrotate: whatever is at `path` now is written to.

    Each line is written by one call, under a lock on the file that is under the name at that
    moment. So among any number of processes nothing is lost and no line is torn.
    """

    def __init__(self, path: Path, max_bytes: int, backups: int) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._backups = backups

    def append(self, line: str) -> None:
        """Write `line`. Directories are made.

        Raises:
            OSError: it could not be written.
        """
        data = f"{line}\n".encode("utf-8", "backslashreplace")
        with self._held() as (descriptor, is_ours):
            size = os.fstat(descriptor).st_size
            fits = not size or size + len(data) <= self._max_bytes
            if fits or not is_ours or not self._backups:
                _write(descriptor, data)
                return
            self._put_aside()
        self.append(line)

    @contextmanager
    def _held(self) -> Iterator[tuple[int, bool]]:
        """A descriptor of the file, and whether the lock on it is ours: it is, but for a fault."""
        for _ in range(_TRIES):
            descriptor = self._open()
            try:
                is_ours = _lock(descriptor)
                if self._is_in_place(descriptor):
                    yield descriptor, is_ours
                    return
            finally:
                os.close(descriptor)
        raise OSError(f"{self.path} is replaced again and again")

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
        try:
            return os.open(self.path, flags, 0o640)
        except FileNotFoundError:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self.path, flags, 0o640)

    def _is_in_place(self, descriptor: int) -> bool:
        """Whether nobody has put it aside since it was opened."""
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except FileNotFoundError:
            return False

    def _put_aside(self) -> None:
        """Give every file its next name, the current one last: until then others wait for it."""
        for number in range(self._backups, 1, -1):
            newer = self._aside(number - 1)
            if newer.exists():
                newer.replace(self._aside(number))
        self.path.replace(self._aside(1))

    def _aside(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")


def _lock(descriptor: int) -> bool:
    """Whether the lock is ours now; not where there are none, or one does not let go of it."""
    give_up_at = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < give_up_at:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_POLL_SECONDS)
        except OSError:
            return False
        else:
            return True
    return False


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
