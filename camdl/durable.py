"""Files that are whole and durable under their names at every moment, or not there at all.

A file is written under a temporary name in the same directory, synced, renamed, and the directory
is synced. Temporary files are locked while they are written, and a kernel lock ends with its
process: so what a killed one left is told from what another is writing, whatever their age.
"""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_TRIES = 10
_TOKEN_BYTES = 4
_TOKEN = "[0-9a-f]" * (2 * _TOKEN_BYTES)
_SYNCS_NO_DIRECTORIES = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})


def make_directory(directory: Path) -> None:
    """Make `directory`, and those above it, such that a power failure does not take it away.

    Raises:
        OSError: it cannot be made.
    """
    if directory.is_dir():
        return
    make_directory(directory.parent)
    try:
        directory.mkdir()
    except FileExistsError:
        if not directory.is_dir():  # else another thread was faster
            raise
    sync_directory(directory.parent)


def replace(path: Path, data: bytes) -> None:
    """Put `data` under the name `path`, whatever is there; its directory exists.

    Raises:
        OSError: it could not be done, or is not durable; there is all of what was there or all of
            `data`, and nothing beside it.
    """
    for _ in range(_TRIES):
        if _replaced(path, data):
            sync_directory(path.parent)
            return
    raise OSError(errno.EBUSY, "temporary files disappear again and again")


def sweep(directory: Path, name: str = "") -> None:
    """Remove what killed processes left when they were writing a file called `name`, or any.

    What is being written stays, and so does what does not look like one of our temporary files.
    Nothing waits for it: what cannot be removed stays too, without an error.
    """
    written = glob.escape(name.removeprefix(".")) if name else "?*"
    with suppress(OSError):
        for left_over in directory.glob(f".{written}.{_TOKEN}.tmp"):
            with suppress(OSError):
                _remove_abandoned(left_over)


def sync_directory(directory: Path) -> None:
    """Make what was created, renamed and removed in `directory` durable.

    Raises:
        OSError: it cannot be.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _SYNCS_NO_DIRECTORIES:  # some network file systems
            raise
    finally:
        os.close(descriptor)


def _replaced(path: Path, data: bytes) -> bool:
    """Whether it was done; if not, the temporary file was taken for abandoned by somebody."""
    token = secrets.token_hex(_TOKEN_BYTES)
    temporary = path.with_name(f".{path.name.removeprefix('.')}.{token}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o666)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123  # a file descriptor
            if not _is_ours(descriptor):
                return False
            file.write(data)
            file.flush()
            os.fsync(descriptor)
            # Still open, and so still locked.
            temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    return True


def _is_ours(descriptor: int) -> bool:
    """Lock a new temporary file, and say whether nobody was faster and removes it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # a file system without locks will do; nothing is swept there
    return os.fstat(descriptor).st_nlink > 0


def _remove_abandoned(left_over: Path) -> None:
    """Remove a temporary file.

    Raises:
        OSError: somebody is writing it, or the file system has no locks to tell by.
    """
    # NFS locks only what is open for writing.
    descriptor = os.open(left_over, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        left_over.unlink()
    finally:
        os.close(descriptor)
