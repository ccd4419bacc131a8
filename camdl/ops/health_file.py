"""The health file: replaced as a whole, so that nobody ever reads half of it."""

from __future__ import annotations

import errno
import glob
import json
import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from camdl.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LEFT_OVER_SECONDS = 3600


def write(path: Path, content: Mapping[str, object] | str) -> None:
    """Replace `path` with `content` (JSON if it is no text), durably. Directories are made.

    Raises:
        StorageError: it could not be written; what was there is as it was.
    """
    text = content if isinstance(content, str) else _json(content)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_through(temporary, text.encode("utf-8", "backslashreplace"))
            _sweep(path, temporary.stat().st_mtime)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        _sync_directory(path.parent)
    except OSError as error:
        raise StorageError(f"the health file {path} cannot be written: {error.strerror}") from error


def _json(content: Mapping[str, object]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _write_through(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o666), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sweep(path: Path, now: float) -> None:
    """Remove what killed writers left; `now` is the file system's own time."""
    for left_over in path.parent.glob(f"{glob.escape(path.name)}.{'[0-9a-f]' * 8}.tmp"):
        with suppress(OSError):
            if now - left_over.lstat().st_mtime > _LEFT_OVER_SECONDS:
                left_over.unlink()


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems sync no directories
            raise
    finally:
        os.close(descriptor)
