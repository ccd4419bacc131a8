"""What stands still at the gate, and the light upon it."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFilter

from camdl.demo.shapes import (
    BOXES,
    GATE_Z,
    HORIZON,
    ISLANDS,
    LANES,
    SIZE,
    at,
    dice,
    drawn,
    ground,
    is_leaving,
    panel,
    paste,
    scale,
    shade,
    solid,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from camdl.demo.shapes import Colour, Shape

_LAMPS = ((-760, 300), (760, 300), (-760, 2300), (760, 2300))


@lru_cache(maxsize=4)
def yard(stream: str) -> Image.Image:
    """Everything that never moves and that no truck hides behind."""
    sky = Image.linear_gradient("L").resize((SIZE[0], HORIZON + 4))
    picture = Image.new("RGB", SIZE)
    picture.paste(_blend((124, 166, 214), (222, 230, 234), sky))
    picture.paste((246, 247, 248), mask=_clouds(stream))
    slope = Image.linear_gradient("L").resize((SIZE[0], SIZE[1] - HORIZON))
    picture.paste(_blend((142, 142, 140), (112, 113, 116), slope), (0, HORIZON))
    paste(picture, list(_cranes(stream)))
    paste(picture, list(_stacks(stream)))
    paste(picture, list(_markings(is_leaving(stream))))
    return picture


def _blend(above: Colour, below: Colour, share: Image.Image) -> Image.Image:
    return Image.composite(
        Image.new("RGB", share.size, below), Image.new("RGB", share.size, above), share
    )


def _clouds(stream: str) -> Image.Image:
    size = (24, 10)
    lots = hashlib.shake_128(f"clouds {stream}".encode()).digest(size[0] * size[1])
    soft = Image.frombytes("L", size, lots).resize((SIZE[0], HORIZON), Image.Resampling.BICUBIC)
    mask = Image.new("L", SIZE)
    mask.paste(soft.point([max(0, value - 120) for value in range(256)]))
    return mask


def _cranes(stream: str) -> Iterator[Shape]:
    steel = (96, 120, 152)
    for place in (-4200, -1500, 2600):
        x = place + dice(stream, str(place))[0] * 4
        for leg in (0, 520):
            yield panel(x, 5200, (leg, leg + 46), (0, 1150)), steel
        yield panel(x, 5200, (-1300, 1300), (1150, 1240)), steel
        yield panel(x, 5200, (240, 300), (1240, 1700)), steel
        for reach in (-1250, 1250):
            rope = [at(x + 250, 1690, 5200), at(x + 290, 1690, 5200), at(x + reach, 1240, 5200)]
            yield rope, steel


def _stacks(stream: str) -> Iterator[Shape]:
    """Rows of containers, which stand beyond the gate."""
    for row, z in enumerate((4300, 3700)):
        for column in range(-9, 9):
            lots = dice(stream, "stack", str(row), str(column))
            for tier in range(1 + lots[0] % (4 - row)):
                colour = shade(BOXES[lots[tier + 1] % len(BOXES)], 0.86 + row * 0.08)
                left, low = column * 500 + 20, tier * 215
                box = panel(0, z, (left, left + 480), (low, low + 210))
                yield box, colour
                for rib in range(60, 480, 60):
                    shape = panel(0, z, (left + rib, left + rib + 14), (low + 12, low + 200))
                    yield shape, shade(colour, 0.86)


def _markings(leaving: bool) -> Iterator[Shape]:
    paint, kerb = (226, 222, 206), (158, 156, 150)
    for island in ISLANDS:
        yield ground(island - 34, island + 34, GATE_Z - 420, GATE_Z + 900), kerb
        for near in range(-300, GATE_Z - 420, 220):
            yield ground(island - 6, island + 6, near, near + 120), paint
        for near in range(GATE_Z + 900, 3000, 300):
            yield ground(island - 6, island + 6, near, near + 150), paint
    for lane in LANES:
        yield ground(lane - 112, lane + 112, GATE_Z - 500, GATE_Z - 465), paint
        yield ground(lane - 9, lane + 9, 120, 330), paint
        base, tip = (120, -10) if leaving else (330, 470)
        yield [at(lane - 38, 0, base), at(lane + 38, 0, base), at(lane, 0, tip)], paint


@lru_cache(maxsize=1)
def gate() -> Image.Image:
    """The booths and the canopy above the lanes, on nothing."""
    return drawn(list(_gate_shapes()), (0, 0), SIZE)


def _gate_shapes() -> Iterator[Shape]:
    z = GATE_Z
    for island in sorted(ISLANDS, key=abs, reverse=True):
        yield from solid(island, z, 60, (0, 440), (120, 126, 134), half=12)
        yield from solid(island, z - 300, 240, (0, 215), (206, 204, 196), half=32)
        yield panel(island, z - 300, (-25, 25), (110, 190)), (58, 82, 100)
        yield panel(island, z - 300, (-32, 32), (206, 222)), (70, 76, 84)
        for stripe, colour in enumerate(((228, 186, 40), (40, 40, 42)) * 2):
            low = stripe * 18
            yield panel(island, z - 420, (-24, 24), (low, low + 18)), colour
    yield from solid(0, z - 60, 520, (440, 470), (196, 200, 204), half=780)
    yield panel(0, z - 60, (-780, 780), (440, 505)), (44, 78, 120)
    yield panel(0, z - 60, (-780, 780), (440, 447)), (226, 226, 222)


@lru_cache(maxsize=128)
def light(daylight: float) -> Image.Image:
    """What the scene is multiplied by: daylight all over, lamps' pools of light at night."""
    day, night = (255, 252, 246), (38, 44, 66)
    ambient = Image.blend(Image.new("RGB", SIZE, night), Image.new("RGB", SIZE, day), daylight)
    lamps = Image.blend(_pools(), Image.new("L", SIZE), daylight)
    ambient.paste((255, 232, 190), mask=lamps)
    return ambient


@lru_cache(maxsize=1)
def _pools() -> Image.Image:
    """Where the lamps shine."""
    small = Image.new("L", (SIZE[0] // 5, SIZE[1] // 5))
    draw = ImageDraw.Draw(small)
    for reach, strength in ((1.6, 80), (1.1, 150), (0.7, 215)):
        for x, z in (*_LAMPS, (0, GATE_Z - 60), (-400, GATE_Z - 100), (400, GATE_Z - 100)):
            middle, road = at(x * 0.7, 0, z)
            width = 900 * scale(z) * reach
            box = (middle - width / 2, road - width / 4, middle + width / 2, road + width / 4)
            draw.ellipse([part / 5 for part in box], fill=strength)
    return small.filter(ImageFilter.GaussianBlur(14)).resize(SIZE, Image.Resampling.BILINEAR)
