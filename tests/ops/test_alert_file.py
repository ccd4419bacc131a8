"""The spare book: whole or nothing, on a full disk too, and one process at a time."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from camdl.domain.alerts import Standing
from camdl.domain.notices import Item, Kind, Notice
from camdl.errors import StorageError
from camdl.ops.alert_file import AlertFile, Content
from camdl.ports import Ahead, Parcel
from tests.support.root import immutable, needs_root, tmpfs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from camdl.domain.alerts import Book

NOW = datetime(2026, 11, 24, 20, 40, 1, 5, tzinfo=UTC)
BOOK = {"database": Standing(NOW, NOW, bad=2, since=NOW)}
SIZE = 32 * 1024


def notice(notice_id: str = "n1", text: str = "text\n") -> Notice:
    """An alert."""
    item = Item(Kind.ALERT, "database", "critical", None, text, "")
    return Notice(notice_id, Kind.ALERT, NOW, "title", text, (item,))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where it is."""
    return tmp_path / "images" / ".health.alerts"


def content(path: Path) -> Content:
    """What another process would find."""
    spare = AlertFile(path)
    with spare.held():
        return spare.read()


def mirror(path: Path, book: Book) -> None:
    """Copy what the catalogue has."""
    spare = AlertFile(path)
    with spare.held():
        spare.mirror(book)


def turn(path: Path, book: Book, *parcels: Parcel) -> tuple[Parcel, ...]:
    """Go on without a catalogue."""
    spare = AlertFile(path)

    def decide(_: Book) -> tuple[Book, Sequence[Parcel]]:
        return book, parcels

    with spare.held():
        return spare.turn(decide, ["mail"], NOW)


def test_it_is_made_with_room_to_spare(path: Path) -> None:
    """While all is well already: once the disk is full it is too late."""
    mirror(path, {})
    assert path.stat().st_size == SIZE
    assert path.stat().st_mode & 0o777 == 0o600
    assert content(path) == Content()


def test_what_does_not_change_is_not_written(path: Path) -> None:
    """All is well nearly always."""
    mirror(path, {})
    before = path.stat().st_mtime_ns
    mirror(path, {})
    assert path.stat().st_mtime_ns == before


def test_a_copy_is_not_ahead(path: Path) -> None:
    """Only what the catalogue lacks is."""
    spare = AlertFile(path)
    mirror(path, BOOK)
    with spare.held():
        assert spare.ahead() is None
    parcel = Parcel(notice(), "mail")
    turn(path, BOOK, parcel)
    with spare.held():
        assert spare.ahead() == Ahead(BOOK, (parcel,), NOW)
        spare.mirror({})
        assert spare.ahead() is None
        assert spare.read() == Content()


@needs_root
def test_it_is_written_on_a_full_disk(path: Path) -> None:
    """In place, into the room that it has."""
    root = path.parent
    with tmpfs(root, "size=64k"):
        mirror(path, {})
        (root / "filler").write_bytes(b"\0" * os.statvfs(root).f_bavail * 4096)
        with pytest.raises(OSError, match="No space left"):
            (root / "more").write_bytes(b"x" * 5000)
        turn(path, BOOK, Parcel(notice(), "mail"))
        assert content(path).book == BOOK


@pytest.mark.parametrize("at", [0, 40, 200])
def test_half_of_it_is_nothing(path: Path, at: int) -> None:
    """What was torn is taken for new, and is whole with the next write."""
    turn(path, BOOK, Parcel(notice(), "mail"))
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\0\0\0")
    assert content(path) == Content()
    turn(path, BOOK)
    assert content(path).book == BOOK


def test_what_is_too_much_goes_the_oldest_first(path: Path) -> None:
    """The standings stay in any case."""
    for number in range(15):
        turn(path, BOOK, Parcel(notice(f"n{number}", "x" * 2000), "mail"))
    found = content(path)
    assert found.book == BOOK
    ids = [one.parcel.notice.id for one in found.waiting]
    assert ids == [f"n{number}" for number in range(15 - len(ids), 15)]
    assert 3 < len(ids) < 15
    assert path.stat().st_size == SIZE


def test_one_at_a_time(path: Path) -> None:
    """A second process gives up soon, and is told so."""
    first, second = AlertFile(path), AlertFile(path)
    with (
        first.held(),
        pytest.raises(StorageError, match="cannot be used"),
        second.held(0.1),
    ):
        pytest.fail("both have it")
    with second.held(0.1):
        assert second.read() == Content()


def test_a_link_is_not_followed(path: Path) -> None:
    """Whoever could make it could have us write anywhere."""
    path.parent.mkdir()
    target = path.with_name("precious")
    target.write_text("precious")
    path.symlink_to(target)
    with pytest.raises(StorageError), AlertFile(path).held():
        pytest.fail("it was followed")
    assert target.read_text() == "precious"


def test_a_place_that_cannot_be(path: Path) -> None:
    """Where a file is in place of the directory."""
    path.parent.write_text("x")
    with pytest.raises(StorageError), AlertFile(path).held():
        pytest.fail("there is none")


@needs_root
def test_what_may_not_be_written_is_told(path: Path) -> None:
    """Nothing can be remembered then."""
    mirror(path, {})
    with immutable(path), pytest.raises(StorageError), AlertFile(path).held():
        pytest.fail("nobody may write it")


def test_what_cannot_be_read_or_written_is_told(path: Path) -> None:
    """It is an error of the storage, whatever the system says."""
    spare = AlertFile(path)
    with spare.held():
        os.close(spare._descriptor)
        spare._descriptor = os.open(path, os.O_WRONLY)
        with pytest.raises(StorageError):
            spare.read()
        os.close(spare._descriptor)
        spare._descriptor = os.open(path, os.O_RDONLY)
        with pytest.raises(StorageError):
            spare.mirror(BOOK)


def test_two_tries_later_it_is_still_the_same(path: Path) -> None:
    """Settling one parcel leaves those of others alone."""
    first, second = Parcel(notice("n1"), "mail"), Parcel(notice("n2"), "webhook")
    turn(path, BOOK, first, second)
    spare = AlertFile(path)
    with spare.held():
        spare.settle([(first, None)], NOW + timedelta(seconds=1))
        assert [one.parcel for one in spare.read().waiting] == [first, second]
