"""What holds of every archive, whatever has happened to it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from camdl.domain.captures import Capture
from camdl.domain.outcomes import Rejected
from camdl.domain.validation import validate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.catalogues import Store


def rows(database: Path | Store, query: str, *values: object) -> list[tuple[Any, ...]]:
    """What `query` finds in the catalogue, read by nothing of ours."""
    if not isinstance(database, Path):
        return database.sql(query)
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as opened:
        return opened.execute(query, values).fetchall()


def sound(images: Path, database: Path | Store, health_file: Path | None = None) -> None:
    """Make sure of what holds of every archive, whatever has just happened to it.

    Each row has its file, with its digest; each file under a capture's name is a whole picture;
    and the verdict can be read, and calls nothing healthy of which a part is not.
    """
    for key, digest, size in captures(database):
        data = (images / key).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (digest, size), key
    for key in files(images):
        assert Capture.from_key(key), key
        assert not isinstance(validate((images / key).read_bytes(), 640, 360), Rejected), key
    if health_file and health_file.exists():
        verdict = health(health_file)
        assert is_honest(verdict), verdict


def is_honest(verdict: Mapping[str, Any]) -> bool:
    """Whether a verdict calls nothing healthy of which a part is not."""
    parts = {one["status"] for one in (*verdict["streams"], *verdict["checks"])}
    return verdict["status"] != "healthy" or parts == {"healthy"}


def archived(images: Path, database: Path | Store) -> list[str]:
    """The keys of all captures in the order of time, after making sure that the archive is whole.

    It is sound, and nothing that was half written is left.
    """
    sound(images, database)
    assert not list(images.rglob("*.tmp"))
    return [key for key, _, _ in captures(database)]


def captures(database: Path | Store) -> list[tuple[str, str, int]]:
    """Key, digest and size of all captures in the order of time, if there is a catalogue."""
    query = "SELECT key, sha256, bytes FROM captures ORDER BY captured_at, stream"
    if isinstance(database, Path) and not (database.exists() and database.stat().st_size):
        return []
    return rows(database, query)


def files(images: Path) -> list[str]:
    """The keys of all files that are under an image's name."""
    return sorted(str(file.relative_to(images)) for file in images.rglob("*.jpg"))


def health(file: Path) -> dict[str, Any]:
    """What the health file says."""
    said = json.loads(file.read_text(encoding="utf-8"))
    assert isinstance(said, dict)
    return said
