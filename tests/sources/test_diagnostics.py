"""What is kept of pages on which nothing matched."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from camdl.deadline import Deadline
from camdl.ports import NoListing, Wanted
from camdl.sources.diagnostics import Diagnostics
from camdl.sources.reading import Reading
from tests.support.pages import plain
from tests.support.pages.listing import read
from tests.support.pages.server import PageServer, page

if TYPE_CHECKING:
    from pathlib import Path


def keep(diagnostics: Diagnostics, hours: int, stream: str = plain.STREAM) -> Path | None:
    """What is kept of a page that was never opened, so many hours later."""
    reading = Reading(Wanted(plain.stream("http://127.0.0.1:9")), plain.NOW, 1)
    now = plain.NOW + timedelta(hours=hours)
    return asyncio.run(diagnostics.keep(stream, now, reading, Deadline.after(5)))


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    """Their number is bounded, whatever the stream; what is not ours is left alone."""
    (tmp_path / "notes.txt").touch()
    diagnostics = Diagnostics(tmp_path, kept=3)
    for hours in range(5):
        keep(diagnostics, hours, ("in_gate", "out_gate")[hours % 2])
    assert sorted(found.name for found in tmp_path.iterdir()) == [
        "20250908T223000Z_in_gate",
        "20250908T233000Z_out_gate",
        "20250909T003000Z_in_gate",
        "notes.txt",
    ]


def test_twenty_are_kept_of_real_pages(tmp_path: Path) -> None:
    """The bound holds where a run keeps them."""
    for hours in range(1, 25):
        keep(Diagnostics(tmp_path), -hours)
    with PageServer({"/": page("nothing")}) as server:
        answer = read(plain.stream(server.origin), plain.NOW, timeout=2, kept_in=tmp_path)
    assert isinstance(answer, NoListing)
    assert answer.diagnostics == tmp_path / "20250908T203000Z_in_gate"
    assert len(list(tmp_path.iterdir())) == 20
    assert {file.name for file in answer.diagnostics.iterdir()} == {
        "page.html",
        "requests.txt",
        "screenshot.png",
    }


def test_same_moment_is_kept_once(tmp_path: Path) -> None:
    """A stream that is read twice in a second has one diagnosis."""
    diagnostics = Diagnostics(tmp_path / "made")
    assert keep(diagnostics, 0) == keep(diagnostics, 0)
    assert len(list((tmp_path / "made").iterdir())) == 1


def test_directory_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    """A diagnosis is a help: where it cannot be kept, there is none."""
    (tmp_path / "file").touch()
    assert keep(Diagnostics(tmp_path / "file" / "diagnostics"), 0) is None
