"""A kernel lock on a file. It ends with its process, so there is no such thing as a stale lock."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import time
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from camdl.domain.text import one_line
from camdl.errors import ConfigError, LockHeldError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_POLL_SECONDS = 0.1
_TRIES = 10
_NOTE_BYTES = 128
_NOTE = re.compile(r"camdl (?P<verb>[a-z -]+), pid (?P<pid>[1-9]\d{0,9}), started ", re.ASCII)
_NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK})
_NOT_A_FILE = frozenset({errno.EISDIR, errno.ENXIO, errno.ENODEV})


class FileLock:
    """At most one run on one machine, held by `flock` on `path`.

    The file is made with its directories and never deleted: whoever deletes a lock file lets two
    runs hold two files of one name. `verb` goes into it for people to read.

    `patience` are the seconds for which holders of some verbs are waited for in any case: those
    that let go by themselves before long, so that nobody has to give up because of them.
    """

    def __init__(
        self, path: Path, verb: str = "run", patience: Mapping[str, float] | None = None
    ) -> None:
        self._path = path
        self._verb = verb
        self._patience = patience or {}

    @contextmanager
    def hold(self, wait_seconds: float) -> Iterator[None]:
        """Hold the lock inside the `with`; wait at most `wait_seconds` for it.

        Raises:
            LockHeldError: another run held it for all of `wait_seconds`.
            ConfigError: the path is no regular file or not a lock's, or its file system has no
                locks: there is no running without one.
            StorageError: the file cannot be made or opened.
        """
        descriptor = self._take(wait_seconds)
        try:
            yield
        finally:
            # Closing alone lets go only once no child is between its fork and its exec.
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def _take(self, wait_seconds: float) -> int:
        """The descriptor that holds the lock; closing it lets go."""
        began = time.monotonic()
        while (descriptor := self._try()) is None:
            holder = self._holder()
            until = began + max(wait_seconds, self._patience_with(holder))
            left = until - time.monotonic()
            if left <= 0:
                told = f" ({holder})" if holder else ""
                raise LockHeldError(f"another run holds the lock {self._path}{told}")
            time.sleep(min(_POLL_SECONDS, left))
        return descriptor

    def _patience_with(self, holder: str) -> float:
        """For how long a holder is waited for in any case, in seconds."""
        found = _NOTE.match(holder)
        if found:
            return self._patience.get(found["verb"], 0.0)
        # It may have taken the lock this very moment, and be about to sign.
        return _POLL_SECONDS if self._patience else 0.0

    def _try(self) -> int | None:
        """The descriptor that holds the lock, or None if another run holds it."""
        for _ in range(_TRIES):
            with ExitStack() as closing:
                descriptor = self._open()
                closing.callback(os.close, descriptor)
                if not self._flock(descriptor):
                    return None
                if self._is_in_place(descriptor):
                    self._sign(descriptor)
                    closing.pop_all()
                    return descriptor
        raise ConfigError(
            f"the lock file {self._path} is replaced again and again",
            advice="Find out what deletes it: a lock file must stay.",
        )

    def _open(self) -> int:
        """A descriptor of the file, that no child process inherits."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, flags, 0o644)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise self._refused("is a symbolic link") from error
            if error.errno in _NOT_A_FILE:
                raise self._refused("is not a regular file") from error
            raise self._unusable(error) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise self._refused("is not a regular file")
        return descriptor

    def _flock(self, descriptor: int) -> bool:
        """Whether the lock is ours now."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in _NO_LOCKS:
                raise ConfigError(
                    f"the file system of {self._path} has no locks ({error.strerror})",
                    advice="Set lock_file to a path on a local disk.",
                ) from error
            raise self._unusable(error) from error
        return True

    def _is_in_place(self, descriptor: int) -> bool:
        """Whether what we locked still is what the path names, and not deleted or replaced."""
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.lstat())
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._unusable(error) from error

    def _sign(self, descriptor: int) -> None:
        """Write into the file who holds it.

        Raises:
            ConfigError: there is something else in it, which this would destroy.
        """
        now = datetime.now(UTC)
        note = f"camdl {self._verb}, pid {os.getpid()}, started {now:%Y-%m-%dT%H:%M:%SZ}"
        # Always of one length and never truncated first, so that it needs no new disk block; and
        # on a full disk the lock without a note is still a lock, which clean-up may well need.
        with suppress(OSError):
            there = os.pread(descriptor, _NOTE_BYTES, 0).strip(b"\0")  # a power failure's zeros
            if there and not _NOTE.match(there.decode("utf-8", "replace")):
                raise self._refused("holds something else than a lock's note")
            os.pwrite(descriptor, note.ljust(_NOTE_BYTES - 1).encode() + b"\n", 0)

    def _holder(self) -> str:
        """Who holds the lock, as far as its file tells: `camdl download, pid 12, …` or nothing.

        A note may be that of an earlier holder, so its process has to be alive to be believed.
        """
        try:
            note = one_line(self._path.read_bytes()[:_NOTE_BYTES].decode("utf-8", "replace"))
        except OSError:
            return ""
        found = _NOTE.match(note)
        return note if found and _is_alive(int(found["pid"])) else ""

    def _refused(self, why: str) -> ConfigError:
        return ConfigError(
            f"the lock file {self._path} {why}",
            advice="Set lock_file to a path of its own.",
        )

    def _unusable(self, error: OSError) -> StorageError:
        return StorageError(f"the lock file {self._path} cannot be used: {error.strerror}")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True
