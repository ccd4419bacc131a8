"""What counts as a picture, and what each thing that is none is called."""

from __future__ import annotations

import errno
import hashlib
import os
import struct
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdl.domain.outcomes import Rejected, ValidImage
from camdl.domain.validation import validate
from tests.support.images import encoded, gate_jpeg, gate_picture

MIN = (640, 360)
SMALL = gate_jpeg(3, (64, 48))


def frames() -> list[bytes]:
    """Drawn frames, and the real ones of `$CAMDL_REAL_FRAMES` if it names a directory."""
    drawn = [gate_jpeg(seed) for seed in range(3)]
    real = os.environ.get("CAMDL_REAL_FRAMES")
    return (
        drawn + [path.read_bytes() for path in sorted(Path(real).glob("*.jpg"))] if real else drawn
    )


def reason(data: bytes, min_width: int = 1, min_height: int = 1) -> str:
    """Why `data` is rejected."""
    verdict = validate(data, min_width, min_height)
    assert isinstance(verdict, Rejected)
    assert verdict.reason.isprintable()
    return verdict.reason


def with_size(data: bytes, width: int, height: int) -> bytes:
    """A baseline JPEG whose header lies about its size."""
    frame = data.index(b"\xff\xc0")
    return data[: frame + 5] + struct.pack(">HH", height, width) + data[frame + 9 :]


def test_a_whole_frame_is_accepted_with_its_facts() -> None:
    """A full-size JPEG comes back unchanged, with its hash and its size in pixels."""
    for data in frames():
        verdict = validate(data, *MIN)
        assert isinstance(verdict, ValidImage)
        assert verdict.data is data
        assert verdict.sha256 == hashlib.sha256(data).hexdigest()
        assert (verdict.width, verdict.height) == (1200, 675)


def test_half_a_frame_is_rejected() -> None:
    """A frame that is cut anywhere, even just before its last byte, is no capture."""
    for data in frames():
        for keep in (3, 200, 700, len(data) // 2, len(data) - 5000, len(data) - 2, len(data) - 1):
            assert reason(data[:keep]).startswith("the JPEG is ")


def test_a_cut_is_seen_by_decoding_where_an_end_marker_is_near() -> None:
    """Half a frame behind which an embedded preview's end marker stands is still cut off."""
    exif = b"\xff\xe1" + struct.pack(">H", 2 + len(SMALL)) + SMALL
    data = gate_jpeg()[:2] + exif + gate_jpeg()[2:]
    start_of_scan = data.index(b"\xff\xda", 2 + len(exif))
    assert isinstance(validate(data, *MIN), ValidImage)
    assert "truncated" in reason(data[: start_of_scan + 100], *MIN)


@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
def test_every_prefix_is_rejected(progressive: bool) -> None:
    """No proper prefix of a JPEG is a capture."""
    data = gate_jpeg(1, (64, 48), progressive=progressive)
    assert isinstance(validate(data, 1, 1), ValidImage)
    for keep in range(len(data)):
        assert isinstance(validate(data[:keep], 1, 1), Rejected), keep


@given(st.binary(max_size=400))
def test_arbitrary_bytes_never_raise(data: bytes) -> None:
    """Bytes of any kind get a verdict, and it is one line."""
    assert reason(data)


@given(st.binary(max_size=400), st.integers(2, len(SMALL) - 1))
def test_a_jpeg_with_a_foreign_middle_never_raises(foreign: bytes, at: int) -> None:
    """A JPEG with anything written over its middle gets a verdict, without a warning."""
    data = SMALL[:at] + foreign + SMALL[at + len(foreign) :]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert isinstance(validate(data, 1, 1), Rejected | ValidImage)
    assert not told


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "empty"),
        (b"\r\n  ", "blank"),
        (b"<!DOCTYPE html><p>Not here", "HTML"),
        (b"\xef\xbb\xbf\n<!-- x --><HTML>", "HTML"),
        (b"<p>Oops", "XML or HTML"),
        (b"<?xml version='1.0'?><svg xmlns='x'/>", "an SVG image"),
        (b'{"error": "gone"}', "JSON"),
        (b"[]", "JSON"),
        (b"Access denied.", "text"),
        ("gesperrt für dich".encode()[:11], "text"),
        (encoded(gate_picture(size=(8, 8)), "PNG"), "a PNG image"),
        (encoded(gate_picture(size=(8, 8)), "GIF"), "a GIF image"),
        (encoded(gate_picture(size=(8, 8)), "WEBP"), "a WebP image"),
        (encoded(gate_picture(size=(8, 8)), "BMP"), "a BMP image"),
        (encoded(gate_picture(size=(8, 8)), "TIFF"), "a TIFF image"),
        (b"\x00\x00\x00\x20ftypavif", "an AVIF or HEIC image or a video"),
        (b"\x1f\x8b\x08\x00", "gzip data"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"%PDF-1.7", "a PDF document"),
        (b"\x00\x01\x02", "3 bytes that start with 000102"),
        (b"\x80\x81\x82\x83\x84", "5 bytes that start with 80818283"),
        (b"bell\x07", "5 bytes that start with 62656c6c"),
    ],
)
def test_other_things_are_called_by_their_name(data: bytes, named: str) -> None:
    """The reason says what came instead of a JPEG."""
    assert reason(data) == f"the body is {named}, not a JPEG image"


def test_a_thumbnail_is_no_capture() -> None:
    """A picture below the minimum in either direction is a thumbnail, at the minimum it is not."""
    assert reason(gate_jpeg(size=(300, 169)), *MIN) == (
        "image is 300x169, smaller than 640x360: a thumbnail"
    )
    assert "a thumbnail" in reason(gate_jpeg(size=(640, 359)), *MIN)
    assert "a thumbnail" in reason(gate_jpeg(size=(639, 360)), *MIN)
    assert isinstance(validate(gate_jpeg(size=MIN), *MIN), ValidImage)


@pytest.mark.parametrize("size", [(8000, 7000), (12000, 9000), (65535, 65535)])
def test_a_pixel_bomb_is_told_from_its_header(size: tuple[int, int]) -> None:
    """A header that announces too many pixels is enough, without a decode or a warning."""
    assert reason(with_size(SMALL, *size)).startswith("image is ") or size[0] > 12000
    assert "pixels" in reason(with_size(SMALL, *size))


def test_a_short_trailer_is_tolerated_and_a_long_one_is_not() -> None:
    """Padding behind the end marker is the camera's habit; kilobytes of it are something else."""
    assert isinstance(validate(SMALL + b"\0" * 4000, 1, 1), ValidImage)
    assert "no end marker" in reason(SMALL + b"\0" * 5000)


def test_several_pictures_in_one_file_count_as_the_first() -> None:
    """A multi-picture JPEG, as some cameras write, is a capture of its first picture's size."""
    data = encoded(
        gate_picture(), "MPO", save_all=True, append_images=[gate_picture(1, (320, 180))]
    )
    verdict = validate(data, *MIN)
    assert isinstance(verdict, ValidImage)
    assert (verdict.width, verdict.height) == (1200, 675)


def test_odd_metadata_is_no_reason_and_no_noise() -> None:
    """A sound picture with broken EXIF data is a capture, and nothing is warned of."""
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x1a\x01"
    data = SMALL[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(exif)) + exif + SMALL[2:]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(validate(data, 1, 1), ValidImage)


def test_grey_pictures_are_captures() -> None:
    """A camera at night may send one channel only."""
    night = encoded(gate_picture().convert("L"), "JPEG")
    assert isinstance(validate(night, *MIN), ValidImage)


def test_threads_do_not_disturb_each_other() -> None:
    """Verdicts made side by side are those made one by one, and the warning filters stay."""
    before = list(warnings.filters)
    bodies = [gate_jpeg(0), gate_jpeg(0)[:5000], b"", with_size(SMALL, 9000, 9000)] * 25
    with ThreadPoolExecutor(8) as pool:
        kinds = list(pool.map(lambda data: type(validate(data, *MIN)), bodies))
    assert kinds == [ValidImage, Rejected, Rejected, Rejected] * 25
    assert list(warnings.filters) == before


def test_what_the_system_refuses_is_no_fault_of_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture is not rejected because there was no file descriptor to load a decoder with."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("PIL.Image.open", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        validate(gate_jpeg(), 640, 360)
