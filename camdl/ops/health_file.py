"""The health file, and what else is told with it: replaced as a whole, so that nobody ever reads
half of it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from camdl import durable
from camdl.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write(
    path: Path,
    content: Mapping[str, object] | str,
    name: str = "health file",
    mode: int | None = None,
) -> None:
    """Replace `path` with `content` (JSON if it is no text), durably. Directories are made.

    `name` is what an error calls it, and `mode` what others may do with it, if that is not left to
    the umask.

    Raises:
        StorageError: it could not be written; what was there is as it was.
    """
    text = content if isinstance(content, str) else _json(content)
    try:
        durable.make_directory(path.parent)
        durable.sweep(path.parent, path.name)
        durable.replace(path, text.encode("utf-8", "backslashreplace"), mode)
    except OSError as error:
        raise StorageError(f"the {name} {path} cannot be written: {error.strerror}") from error


def _json(content: Mapping[str, object]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
