"""Diagnoses that nobody has looked at for a long time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from camdl.sources.old_diagnostics import OldDiagnostics

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2025, 9, 8, 12, tzinfo=UTC)


def test_old_ones_are_forgotten(tmp_path: Path) -> None:
    """By the times in their names; nothing else is touched, and nothing behind a link."""
    for name in (
        "20250908T115959Z_in_gate",
        "20250908T120000Z_in_gate",
        "20250801T000000Z_out_gate",
        "20259999T000000Z_out_gate",
        "20250801T000000Z_OTHER",
        "mine",
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "page.html").touch()
    (tmp_path / "20250801T000000Z_file").touch()
    (tmp_path / "20250801T000000Z_link").symlink_to(tmp_path / "mine")
    old = OldDiagnostics(tmp_path)
    assert old.outdated(NOON) == 2
    assert old.forget(NOON) == 2
    assert old.forget(NOON) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "20250801T000000Z_OTHER",
        "20250801T000000Z_file",
        "20250801T000000Z_link",
        "20250908T120000Z_in_gate",
        "20259999T000000Z_out_gate",
        "mine",
    ]
    assert (tmp_path / "mine" / "page.html").exists()


def test_there_need_be_none(tmp_path: Path) -> None:
    """A camera page that was always understood leaves no directory."""
    assert OldDiagnostics(tmp_path / "nowhere").outdated(NOON) == 0
    assert OldDiagnostics(tmp_path / "nowhere").forget(NOON) == 0
