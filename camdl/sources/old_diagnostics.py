"""Forgets diagnoses that nobody has looked at for a long time."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from camdl.domain.captures import utc

if TYPE_CHECKING:
    from pathlib import Path

# As `Diagnostics` names them.
_NAME = re.compile(r"(\d{8}T\d{6}Z)_[a-z0-9_-]{1,64}", re.ASCII)


class OldDiagnostics:
    """The diagnoses in `directory`, by the times in their names."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def outdated(self, before: datetime) -> int:
        """How many are of before `before`."""
        return len(self._of_before(before))

    def forget(self, before: datetime) -> int:
        """Delete those of before `before`, and say how many; one that cannot be deleted stays."""
        found = self._of_before(before)
        for one in found:
            shutil.rmtree(one, ignore_errors=True)
        return sum(not one.exists() for one in found)

    def _of_before(self, before: datetime) -> list[Path]:
        try:
            inside = sorted(self._directory.iterdir())
        except OSError:  # there are none, or they are not ours to look at
            return []
        before = utc(before)
        return [
            one
            for one in inside
            if (found := _NAME.fullmatch(one.name))
            and (taken := _instant(found[1]))
            and taken < before
            and one.is_dir()
            and not one.is_symlink()
        ]


def _instant(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
