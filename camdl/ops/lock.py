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
from pathlib import Path
from typing import TYPE_CHECKING

from camdl.domain.health import LockHolder
from camdl.domain.text import one_line
from camdl.errors import ConfigError, LockHeldError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_POLL_SECONDS = 0.1
_TRIES = 10
_NOTE_BYTES = 128
_NOTE = re.compile(r"camdl (?P<verb>[a-z -]+), pid (?P<pid>[1-9]\d{0,9}), started ", re.ASCII)
_SINCE = re.compile(r", started (?P<since>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)", re.ASCII)
# The kernel's list of locks: `1: FLOCK  ADVISORY  WRITE 22275 fe:00:2891950 0 EOF`.
_KERNEL_LOCKS = Path("/proc/locks")
_NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK})
_NOT_A_FILE = frozenset({errno.EISDIR, errno.ENXIO, errno.ENODEV})


def holder(path: Path, kernel_locks: Path = _KERNEL_LOCKS) -> LockHolder | None:
    """Who holds the lock of `path`, as far as that can be told without touching the lock.

    To try for it, even for a moment, could turn away a run that starts in that moment.
    """
    try:
        note = _read_note(path)
        inode = path.stat().st_ino
    except OSError:
        return None
    found, since = _NOTE.match(note), _SINCE.search(note)
    if not found or not since or not _is_alive(int(found["pid"])):
        return None
    # The process may be another one, to which the number of one that ended was given.
    if not _is_locked(inode, int(found["pid"]), kernel_locks):
        return None
    try:
        began = datetime.fromisoformat(since["since"])
    except ValueError:
        return None
    return LockHolder(found["verb"], int(found["pid"]), began)


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
            note = _read_note(self._path)
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


def _read_note(path: Path) -> str:
    with path.open("rb") as file:
        return one_line(file.read(_NOTE_BYTES).decode("utf-8", "replace"))


def _is_locked(inode: int, pid: int, kernel_locks: Path) -> bool:
    """Whether the process holds a lock on a file of that inode; True where nothing tells.

    The devices in the list are not always those that a file says it is on.
    """
    try:
        lines = kernel_locks.read_text("ascii", "replace").splitlines()
    except OSError:
        return True
    wanted = (str(pid), str(inode))
    held = (line.split() for line in lines if "->" not in line)
    return any((words[4], words[5].split(":")[-1]) == wanted for words in held if len(words) > 5)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True
