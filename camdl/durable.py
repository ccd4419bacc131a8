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
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
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


def replace(path: Path, data: bytes, mode: int | None = None) -> None:
    """Put `data` under the name `path`, whatever is there; its directory exists.

    `mode` is what others may do with it, whatever this process's umask is; without, that decides.

    Raises:
        OSError: it could not be done, or is not durable; there is all of what was there or all of
            `data`, and nothing beside it.
    """
    temporary, descriptor = _new_temporary(path)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123  # a file descriptor
            file.write(data)
            file.flush()
            if mode is not None:
                os.fchmod(descriptor, mode)
            os.fsync(descriptor)
            # Still open, and so still locked.
            temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sweep(directory: Path, name: str = "") -> None:
    """Remove what killed processes left when they were writing a file called `name`, or any.

    What is being written stays, and so does what does not look like one of our temporary files.
    Nothing waits for it: what cannot be removed stays too, without an error.
    """
    written = glob.escape(name.removeprefix(".")) if name else "?*"
    with suppress(OSError):
        for left_over in directory.glob(f".{written}.{_TOKEN}.tmp"):
            with suppress(OSError):
                remove_abandoned(left_over)


def remove_abandoned(left_over: Path) -> None:
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


def is_abandoned(temporary: Path) -> bool:
    """Whether a temporary file is there, and the process that was writing it is not.

    False where that cannot be told.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    with suppress(OSError):
        descriptor = os.open(temporary, flags)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return os.fstat(descriptor).st_nlink > 0
        finally:
            os.close(descriptor)
    return False


@contextmanager
def built(path: Path) -> Iterator[Path]:
    """The name of an empty file beside `path`, for what can only write to a name.

    At the end of the `with` it is synced and becomes `path`, whatever is there.

    Raises:
        OSError: it could not be done; what was there is as it was, and nothing is beside it.
    """
    temporary, descriptor = _new_temporary(path)
    try:
        try:
            yield temporary
            os.fsync(descriptor)
            temporary.replace(path)
        finally:
            os.close(descriptor)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


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


def _new_temporary(path: Path) -> tuple[Path, int]:
    """A new file next to `path` and its descriptor, locked as long as that is open."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    for _ in range(_TRIES):
        token = secrets.token_hex(_TOKEN_BYTES)
        temporary = path.with_name(f".{path.name.removeprefix('.')}.{token}.tmp")
        descriptor = os.open(temporary, flags, 0o666)
        try:
            if _is_ours(descriptor):
                return temporary, descriptor
        except BaseException:
            os.close(descriptor)
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        os.close(descriptor)  # it was taken for abandoned before it was locked
    raise OSError(errno.EBUSY, "temporary files disappear again and again")


def _is_ours(descriptor: int) -> bool:
    """Lock a new temporary file, and say whether nobody was faster and removes it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # a file system without locks will do; nothing is swept there
    return os.fstat(descriptor).st_nlink > 0
