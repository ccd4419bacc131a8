"""What a gate camera shows: drawn, as a pure function of stream and instant, or photographed."""

from __future__ import annotations

import hashlib
import io
import math
from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw

from camdl.demo.shapes import GATE_Z, LANES, SIZE, at, dice, font, scale
from camdl.demo.trucks import BOX_LENGTH, Truck, daylight_at, paste_truck, trucks_at
from camdl.demo.yard import gate, light, yard
from camdl.domain.captures import utc
from camdl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

THUMBNAIL_SIZE = (300, 169)

_QUALITY = 80
_GRAIN = 14


def frame(stream: str, captured_at: datetime) -> bytes:
    """The picture that the camera of `stream` takes at `captured_at`, as a JPEG.

    The same stream and instant give the same bytes.

    Raises:
        TypeError: `captured_at` has no time zone.
    """
    moment = utc(captured_at)
    daylight = daylight_at(moment)
    trucks = sorted(trucks_at(stream, moment), key=lambda truck: -truck.z)
    picture = yard(stream).copy()
    for truck in trucks:
        if truck.z > GATE_Z:
            paste_truck(picture, truck)
    picture.paste(gate(), mask=gate().getchannel("A"))
    for truck in trucks:
        if truck.z <= GATE_Z:
            paste_truck(picture, truck)
    picture = ImageChops.multiply(picture, light(round(daylight, 2)))
    _draw_lights(picture, trucks, 1.0 - daylight)
    picture = _with_grain(picture, dice(stream, moment.isoformat()))
    _burn_in(picture, stream, moment)
    return _jpeg(picture)


def thumbnail(jpeg: bytes) -> bytes:
    """`jpeg` made small: it fits into 300x169 pixels."""
    with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
        image.thumbnail(THUMBNAIL_SIZE)
        return _jpeg(image.convert("RGB"))


class PhotoFrames:
    """Serves the photos of a directory in turn, in the order of their names, byte for byte."""

    def __init__(self, directory: Path) -> None:
        """Take the .jpg and .jpeg files of `directory`.

        Raises:
            UsageError: there are none, or it cannot be read.
        """
        try:
            files = sorted(directory.iterdir())
        except OSError as error:
            raise UsageError(
                f"the photos of {directory} cannot be read: {error.strerror}",
                advice="Give --frames a directory with JPEG photos.",
            ) from error
        self._photos = [file for file in files if file.suffix.lower() in (".jpg", ".jpeg")]
        if not self._photos:
            raise UsageError(
                f"{directory} holds no .jpg or .jpeg file",
                advice="Give --frames a directory with JPEG photos.",
            )

    def __call__(self, stream: str, captured_at: datetime) -> bytes:  # noqa: ARG002  # Frames
        """The photo whose turn it is at `captured_at`; each ten minutes the next one."""
        turn = int(utc(captured_at).timestamp()) // 600
        return self._photos[turn % len(self._photos)].read_bytes()


def _draw_lights(picture: Image.Image, trucks: Sequence[Truck], darkness: float) -> None:
    """Signals above the lanes, and at night what shines by itself."""
    draw = ImageDraw.Draw(picture)
    free = dict.fromkeys(LANES, True)
    for truck in trucks:
        lane = min(LANES, key=lambda middle: abs(middle - truck.x))
        free[lane] &= not GATE_Z - BOX_LENGTH < truck.z < GATE_Z
    for lane in LANES:
        x, y = at(lane, 474, GATE_Z - 60)
        draw.ellipse(
            (x - 8, y - 8, x + 8, y + 8), fill=(60, 224, 110) if free[lane] else (244, 60, 52)
        )
    if darkness > 0.3:
        for truck in trucks:
            _draw_truck_lights(draw, truck)


def _draw_truck_lights(draw: ImageDraw.ImageDraw, truck: Truck) -> None:
    if truck.z > GATE_Z:
        return
    height, colour = (98, (255, 250, 226)) if truck.leaving else (83, (255, 52, 44))
    radius = 13 * scale(truck.z)
    for side in (-77, 77):
        x, y = at(truck.x + side, height, truck.z)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _with_grain(picture: Image.Image, lots: bytes) -> Image.Image:
    """The noise of a sensor, another one on each picture."""
    grain = ImageChops.offset(_grain(), lots[0] * 4 + lots[1], lots[2] * 2 + lots[3])
    return ImageChops.add(picture, grain, offset=-_GRAIN // 2)


@lru_cache(maxsize=1)
def _grain() -> Image.Image:
    lots = hashlib.shake_128(b"grain").digest(SIZE[0] * SIZE[1])
    flat = Image.frombytes("L", SIZE, lots).point([value * _GRAIN // 255 for value in range(256)])
    return Image.merge("RGB", (flat, flat, flat))


def _burn_in(picture: Image.Image, stream: str, moment: datetime) -> None:
    draw = ImageDraw.Draw(picture)
    name = stream.replace("_", " ").upper()
    texts = ((16, name), (SIZE[0] - 358, f"{moment:%Y-%m-%d  %H:%M:%S} UTC"))
    for x, text in texts:
        width = math.ceil(draw.textlength(text, font=font(27)))
        draw.rectangle((x - 10, 10, x + width + 10, 48), fill=(12, 14, 18))
        draw.text((x, 13), text, font=font(27), fill=(244, 244, 240))


def _jpeg(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
