"""What every archive does, the real one and the fake."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from camdl.archive.local import LocalArchive
from camdl.domain.captures import Capture
from camdl.domain.outcomes import ValidImage
from camdl.errors import ExitCode, StorageError
from tests.support.fake_archive import FakeArchive

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from camdl.ports import Archive

NOON = datetime(2025, 9, 8, 12, 0, tzinfo=UTC)
CAPTURE = Capture(NOON, "in_gate")


@dataclass(frozen=True)
class World:
    """An empty archive, and what makes it impossible to store or read one capture in it."""

    archive: Archive
    damage: Callable[[Capture], None]


@pytest.fixture(params=["local", "fake"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """Each archive."""
    if request.param == "fake":
        fake = FakeArchive()

        def fail(_: Capture) -> None:
            fake.fault = StorageError("no space left")

        return World(fake, fail)
    root = tmp_path / "images"
    local = LocalArchive(root)
    local.begin(holds_captures=False)
    return World(local, lambda capture: (root / capture.key).mkdir(parents=True))


@pytest.fixture
def archive(world: World) -> Archive:
    """Each archive, if that is all that is wanted."""
    return world.archive


def image(data: bytes) -> ValidImage:
    """An image whose bytes are `data`: an archive does not look at them."""
    return ValidImage(data, hashlib.sha256(data).hexdigest(), 640, 480)


def test_what_was_not_stored_is_not_there(archive: Archive) -> None:
    """Nothing is read of a capture that nobody stored."""
    assert archive.read(CAPTURE) is None


def test_what_was_stored_comes_back(archive: Archive) -> None:
    """The bytes are read as they were stored, under the key that the capture has."""
    data = bytes(range(256)) * 1000
    assert archive.put(CAPTURE, image(data)) == CAPTURE.key
    assert archive.read(CAPTURE) == data


def test_what_is_stored_again_is_replaced(archive: Archive) -> None:
    """What was found to be broken can be stored anew, longer or shorter."""
    for data in (b"broken", b"whole" * 1000, b"short"):
        archive.put(CAPTURE, image(data))
        assert archive.read(CAPTURE) == data


def test_an_instant_has_one_name_in_every_zone(archive: Archive) -> None:
    """A capture is known by its instant, whatever the zone in which somebody tells it."""
    elsewhere = NOON.astimezone(datetime.fromisoformat("2025-01-01T00:00:00-07:00").tzinfo)
    archive.put(Capture(elsewhere, "in_gate"), image(b"x"))
    assert archive.read(CAPTURE) == b"x"


def test_a_fault_is_told(world: World) -> None:
    """What cannot be stored or read is an error of the storage, of which a run may end."""
    other = Capture(NOON + timedelta(minutes=1), "in_gate")
    world.archive.put(other, image(b"x"))
    world.damage(CAPTURE)
    for attempt in (
        lambda: world.archive.put(CAPTURE, image(b"x")),
        lambda: world.archive.read(CAPTURE),
    ):
        with pytest.raises(StorageError) as raised:
            attempt()
        assert raised.value.exit_code == ExitCode.STORAGE
        assert str(raised.value).isprintable()


def test_many_threads_may_store_at_once(archive: Archive) -> None:
    """Images that come at the same time, of one day or of several, all arrive."""
    captures = [
        Capture(NOON + timedelta(hours=7 * n), stream) for n in range(20) for stream in ("a", "b")
    ]

    def store(capture: Capture) -> bytes | None:
        archive.put(capture, image(capture.key.encode() * 500))
        return archive.read(capture)

    with ThreadPoolExecutor(8) as pool:
        stored = list(pool.map(store, captures))
    assert stored == [capture.key.encode() * 500 for capture in captures]


captures = st.builds(
    lambda seconds, stream: Capture(NOON + timedelta(seconds=seconds), stream),
    st.sampled_from([0, 1, 59, 86_400, -86_400 * 200]),
    st.sampled_from(["in_gate", "in_gat", "e", "-", "_", "0"]),
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(captures, st.binary(max_size=100)), max_size=8))
def test_it_keeps_what_came_last(archive: Archive, puts: list[tuple[Capture, bytes]]) -> None:
    """Whatever the order, each capture has the bytes that came last, and no other's."""
    for capture, data in puts:
        archive.put(capture, image(data))
    for capture, data in dict(puts).items():
        assert archive.read(capture) == data
