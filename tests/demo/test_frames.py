"""The pictures that the demo site shows."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageChops, ImageStat

from camdl.demo.frames import PhotoFrames, frame, thumbnail
from camdl.domain.outcomes import ValidImage
from camdl.domain.validation import validate
from camdl.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2025, 9, 8, 12, 0, 7, tzinfo=UTC)
EVERY_HOUR = [NOON + timedelta(hours=hours, minutes=7 * hours) for hours in range(24)]


def opened(jpeg: bytes) -> Image.Image:
    """`jpeg` as pixels."""
    return Image.open(io.BytesIO(jpeg), formats=("JPEG",)).convert("RGB")


def brightness(jpeg: bytes) -> float:
    """The mean of all pixels, 0 to 255."""
    return float(ImageStat.Stat(opened(jpeg).convert("L")).mean[0])


@pytest.mark.parametrize("stream", ["in_gate", "out_gate"])
def test_frames_look_like_a_real_cameras_to_every_check(stream: str) -> None:
    """At any hour a frame is a valid baseline JPEG of 1200x675 and 60 to 145 kB."""
    for moment in EVERY_HOUR:
        jpeg = frame(stream, moment)
        image = validate(jpeg, 640, 360)
        assert isinstance(image, ValidImage)
        assert (image.width, image.height) == (1200, 675)
        assert 60_000 <= len(jpeg) <= 145_000
        with Image.open(io.BytesIO(jpeg)) as opened_image:
            assert "progressive" not in opened_image.info


def test_frame_depends_on_stream_and_instant_only() -> None:
    """The same question gives the same bytes; another stream or instant gives others."""
    zone = NOON.astimezone(tz=datetime.now().astimezone().tzinfo)
    assert frame("in_gate", NOON) == frame("in_gate", zone)
    assert frame("in_gate", NOON) != frame("out_gate", NOON)
    assert frame("in_gate", NOON) != frame("in_gate", NOON + timedelta(seconds=1))


def test_trucks_move_and_the_yard_does_not() -> None:
    """Ten minutes on, the lanes look different by far and the sky above them does not."""
    before, after = (opened(frame("in_gate", NOON + timedelta(minutes=m))) for m in (0, 10))
    difference = ImageChops.difference(before, after).convert("L")
    lanes, sky = (100, 280, 1100, 675), (200, 60, 800, 100)
    moved = sum(difference.crop(lanes).histogram()[60:]) / (1000 * 395)
    assert moved > 0.05
    assert sum(difference.crop(sky).histogram()[60:]) == 0


def test_clock_is_burned_in() -> None:
    """One second later only the clock's corner shows more than a sensor's noise and slow trucks."""
    before, after = (opened(frame("in_gate", NOON + timedelta(seconds=s))) for s in (0, 1))
    difference = ImageChops.difference(before, after).convert("L")
    assert sum(difference.crop((840, 10, 1180, 50)).histogram()[120:]) > 0
    assert sum(difference.crop((0, 10, 820, 50)).histogram()[120:]) == 0


def test_nights_are_dark() -> None:
    """Midnight is much darker than noon, and dusk between them."""
    noon, dusk, night = (
        brightness(frame("in_gate", NOON + timedelta(hours=h))) for h in (0, 8, 12)
    )
    assert noon > dusk + 15 > night + 30


def test_instants_need_a_time_zone() -> None:
    """A naive instant is refused."""
    with pytest.raises(TypeError, match="time zone"):
        frame("in_gate", NOON.replace(tzinfo=None))


def test_thumbnail_is_small_and_never_counts_as_a_capture() -> None:
    """It is a JPEG of 300x169, a tenth of the bytes, of the same picture."""
    full = frame("in_gate", NOON)
    small = thumbnail(full)
    assert opened(small).size == (300, 169)
    assert len(small) < len(full) / 5
    assert brightness(small) == pytest.approx(brightness(full), abs=2)
    assert not isinstance(validate(small, 640, 360), ValidImage)


def test_photos_are_served_in_turn_and_unchanged(tmp_path: Path) -> None:
    """Each ten minutes the next photo by name is served byte for byte; other files are not."""
    for name in ("b.JPG", "a.jpeg", "c.jpg", "notes.txt", "d.png"):
        (tmp_path / name).write_bytes(name.encode())
    photos = PhotoFrames(tmp_path)
    shown = [photos("in_gate", NOON + timedelta(minutes=10 * turn)) for turn in range(6)]
    assert sorted(shown[:3]) == [b"a.jpeg", b"b.JPG", b"c.jpg"]
    assert shown[:3] == shown[3:]
    start = shown.index(b"a.jpeg")
    assert shown[start : start + 3] == [b"a.jpeg", b"b.JPG", b"c.jpg"]


def test_directory_without_photos_is_refused(tmp_path: Path) -> None:
    """The message names the directory that has no photo."""
    with pytest.raises(UsageError, match=str(tmp_path)):
        PhotoFrames(tmp_path)


def test_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The message names the directory and the reason."""
    with pytest.raises(UsageError, match="nowhere cannot be read: No such file"):
        PhotoFrames(tmp_path / "nowhere")
