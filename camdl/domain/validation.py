"""What counts as a picture: only a complete, decodable, full-size JPEG."""

from __future__ import annotations

import hashlib
import io
import threading
import warnings
from typing import TYPE_CHECKING

from camdl.domain.outcomes import Rejected, ValidImage
from camdl.domain.text import one_line

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 50_000_000

_START = b"\xff\xd8\xff"
_END = b"\xff\xd9"
# Some cameras pad their files; more than this behind the end marker is something else.
_MAX_TRAILER = 4096
_SIGNATURES = (
    (b"\x89PNG", "a PNG image"),
    (b"GIF8", "a GIF image"),
    (b"BM", "a BMP image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "gzip data"),
    (b"PK\x03\x04", "a ZIP archive"),
)
# Warning filters are one state for all threads, and Pillow warns of odd metadata, which says
# nothing about the picture.
_WARNINGS = threading.Lock()


def validate(data: bytes, min_width: int, min_height: int) -> ValidImage | Rejected:
    """`data` as an image, or why it is none. Smaller than the minimum (pixels) is a thumbnail.

    Damage inside the stream that libjpeg itself forgives passes. Whatever the bytes are, nothing
    is raised because of them. Safe to call from many threads.

    Raises:
        OSError: the system refused something, such as one more open file.
    """
    if not data.startswith(_START):
        return Rejected(f"the body is {_kind(data)}, not a JPEG image")
    try:
        return _validate_jpeg(data, min_width, min_height)
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:  # Pillow's own have no number
            raise
        return Rejected(f"the JPEG is broken: {_told(error)}")


def _validate_jpeg(data: bytes, min_width: int, min_height: int) -> ValidImage | Rejected:
    with _header(data) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            return Rejected(f"image is {width}x{height}, more than {MAX_PIXELS:,} pixels")
        if width < min_width or height < min_height:
            return Rejected(
                f"image is {width}x{height}, smaller than {min_width}x{min_height}: a thumbnail"
            )
        if _END not in data[-_MAX_TRAILER:]:
            return Rejected(f"the JPEG is cut off: no end marker in its {len(data)} bytes")
        _decode(image)
    return ValidImage(data, hashlib.sha256(data).hexdigest(), width, height)


def _header(data: bytes) -> Image:
    """The image with its header read and nothing decoded yet."""
    from PIL import Image

    with _WARNINGS, warnings.catch_warnings():
        # The bomb warning too: the size is judged above, and more strictly.
        warnings.simplefilter("ignore")
        # Several pictures in one file ("MPO") come with JPEG: the first is the picture.
        return Image.open(io.BytesIO(data), formats=("JPEG",))


def _decode(image: Image) -> None:
    """Read the whole stream.

    `verify()` would pass half a JPEG. Decoding at an eighth still reads every byte of it, in a
    fraction of the time.
    """
    width, height = image.size
    image.draft(None, (max(1, width // 8), max(1, height // 8)))
    image.load()


def _kind(data: bytes) -> str:
    """What `data` is, told from its first bytes."""
    for signature, name in _SIGNATURES:
        if data.startswith(signature):
            return name
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "a WebP image"
    if data[4:8] == b"ftyp":
        return "an AVIF or HEIC image or a video"
    return _text_kind(data) or f"{len(data)} bytes that start with {data[:4].hex()}"


def _text_kind(data: bytes) -> str:
    start = data[:1024].removeprefix(b"\xef\xbb\xbf").strip().lower()
    if not start:
        return "blank" if data else "empty"
    if b"<svg" in start:
        return "an SVG image"
    if start.startswith(b"<!doctype html") or b"<html" in start:
        return "HTML"
    if start.startswith(b"<"):
        return "XML or HTML"
    if b"\x00" in start or not _is_text(start):
        return ""
    return "JSON" if start.startswith((b"{", b"[")) else "text"


def _is_text(start: bytes) -> bool:
    # The last character may have been cut in the middle.
    text = start.decode("utf-8", "ignore")
    return len(start) - len(text.encode()) < 4 and all(c.isprintable() or c.isspace() for c in text)


def _told(error: Exception) -> str:
    name = type(error).__name__
    if name == "UnidentifiedImageError":  # its text names an object in memory
        return "its header cannot be read"
    return one_line(str(error)) or name
