"""The drawing of a camera picture: a world of boxes, and how it looks from the gate's camera.

Lengths are in units of a pixel at the near edge of the picture, of which 80 make about a metre.
`z` is the distance beyond that edge, `x` the offset from the middle of the road.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Colour = tuple[int, int, int]
    Point = tuple[float, float]
    Shape = tuple[Sequence[Point], Colour]

SIZE = (1200, 675)
HORIZON = 165
LANES = (-450, -150, 150, 450)
ISLANDS = (-600, -300, 0, 300, 600)
GATE_Z = 1150
HALF_WIDTH = 98  # of a truck
BOXES: tuple[Colour, ...] = (
    (168, 62, 48),
    (38, 84, 134),
    (222, 214, 196),
    (58, 122, 92),
    (205, 128, 44),
    (96, 102, 112),
    (128, 44, 78),
    (44, 132, 150),
)

_FOCUS = 900
_MIDDLE, _CAMERA_HEIGHT = 600, 545
_SMOOTH = 2  # drawn so many times larger, then reduced: edges without steps


def dice(*names: str) -> bytes:
    """Bytes that look drawn by lot and are always the same for the same names."""
    return hashlib.sha256("\n".join(names).encode()).digest()


def is_leaving(stream: str) -> bool:
    """Whether the camera of `stream` sees the trucks come towards it."""
    return "out" in stream


def scale(z: float) -> float:
    """How large things look at `z`, 1 at the near edge."""
    return _FOCUS / (_FOCUS + z)


def at(x: float, height: float, z: float) -> Point:
    """Where a point of the world is on the picture."""
    share = scale(z)
    return _MIDDLE + x * share, HORIZON + (_CAMERA_HEIGHT - height) * share


def panel(x: float, z: float, across: tuple[float, float], up: tuple[float, float]) -> list[Point]:
    """An upright rectangle that faces the camera."""
    (left, right), (low, high) = across, up
    return [
        at(x + left, low, z),
        at(x + right, low, z),
        at(x + right, high, z),
        at(x + left, high, z),
    ]


def ground(left: float, right: float, near: float, far: float) -> list[Point]:
    """A rectangle on the ground."""
    return [at(left, 0, near), at(right, 0, near), at(right, 0, far), at(left, 0, far)]


def solid(
    x: float,
    z: float,
    length: float,
    up: tuple[float, float],
    colour: Colour,
    *,
    half: float = HALF_WIDTH,
) -> Iterator[Shape]:
    """The faces of a box that the camera sees: top, inner side, near end."""
    (low, high), far = up, z + length
    top = [at(x - half, high, z), at(x + half, high, z)]
    yield [*top, at(x + half, high, far), at(x - half, high, far)], shade(colour, 1.14)
    inner = x - half if x > 0 else x + half
    side = [at(inner, low, z), at(inner, high, z), at(inner, high, far), at(inner, low, far)]
    yield side, shade(colour, 0.66)
    yield panel(x, z, (-half, half), up), shade(colour, 0.92)


def shade(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(255, int(part * factor)) for part in colour)
    return red, green, blue


def paste(picture: Image.Image, shapes: Sequence[Shape]) -> None:
    xs = [x for points, _ in shapes for x, _ in points]
    ys = [y for points, _ in shapes for _, y in points]
    left, top = max(0, int(min(xs)) - 2), max(0, int(min(ys)) - 2)
    size = (min(SIZE[0], int(max(xs)) + 2) - left, min(SIZE[1], int(max(ys)) + 2) - top)
    if min(size) <= 0:
        return
    patch = drawn(shapes, (left, top), size)
    picture.paste(patch, (left, top), patch.getchannel("A"))


def drawn(shapes: Sequence[Shape], corner: Point, size: tuple[int, int]) -> Image.Image:
    """`shapes` on nothing, with smooth edges; `corner` of the picture is the upper left one."""
    large = Image.new("RGBA", (size[0] * _SMOOTH, size[1] * _SMOOTH))
    draw = ImageDraw.Draw(large)
    for points, colour in shapes:
        moved = [((x - corner[0]) * _SMOOTH, (y - corner[1]) * _SMOOTH) for x, y in points]
        draw.polygon(moved, fill=(*colour, 255))
    return large.reduce(_SMOOTH)


@lru_cache(maxsize=32)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font, so that no system font is needed."""
    return ImageFont.load_default(max(6, size))
