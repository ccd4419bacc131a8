"""The trucks at the gate: which are there at an instant, and what each looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import ImageDraw

from camdl.demo.shapes import (
    BOXES,
    HALF_WIDTH,
    LANES,
    at,
    dice,
    font,
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
    from datetime import datetime

    from PIL import Image

    from camdl.demo.shapes import Colour, Shape

BOX_LENGTH = 1000

_CAB_LENGTH = 260
_VISIBLE_Z = range(-260, 3600)
_SPACING = 2400  # between two trucks of a lane
_SPEED = 27.0  # units a second, the waiting at the booth included
_CABS: tuple[Colour, ...] = (
    (232, 232, 228),
    (176, 40, 38),
    (34, 58, 110),
    (52, 54, 58),
    (216, 168, 48),
)


@dataclass(frozen=True, slots=True)
class Truck:
    """A truck at an instant: its near end is at `z`. `leaving` trucks show their front."""

    x: float
    z: float
    box: Colour
    cab: Colour
    number: str
    leaving: bool

    def shapes(self) -> Iterator[Shape]:
        """What it looks like, far parts first."""
        if self.leaving:
            yield from solid(self.x, self.z + _CAB_LENGTH, BOX_LENGTH, (105, 335), self.box)
            yield from self._wheels(self.z + _CAB_LENGTH)
            yield from solid(self.x, self.z, _CAB_LENGTH, (40, 310), self.cab)
            yield from self._front()
        else:
            yield from self._wheels(self.z)
            yield from solid(self.x, self.z, BOX_LENGTH, (105, 335), self.box)
            yield from self._doors()

    def _wheels(self, z: float) -> Iterator[Shape]:
        for far in (BOX_LENGTH - 120, 40):
            for side in (-66, 66):
                yield from solid(self.x + side, z + far, 80, (0, 78), (24, 24, 26), half=26)
        yield from solid(self.x, z + 10, 60, (78, 104), (46, 46, 50), half=84)

    def _doors(self) -> Iterator[Shape]:
        dark = shade(self.box, 0.72)
        yield panel(self.x, self.z, (-2, 2), (108, 332)), shade(self.box, 0.45)
        for bar in (-70, -30, 30, 70):
            yield panel(self.x, self.z, (bar - 3, bar + 3), (112, 328)), dark
        for edge in (108, 326):
            yield panel(self.x, self.z, (-HALF_WIDTH, HALF_WIDTH), (edge, edge + 8)), dark
        yield panel(self.x, self.z, (-HALF_WIDTH, HALF_WIDTH), (70, 96)), (70, 72, 76)
        yield panel(self.x, self.z, (-22, 22), (72, 92)), (236, 232, 210)
        for side in (-1, 1):
            yield panel(self.x, self.z, (side * 78 - 14, side * 78 + 14), (74, 92)), (150, 30, 30)

    def _front(self) -> Iterator[Shape]:
        yield panel(self.x, self.z, (-82, 82), (196, 286)), (34, 44, 56)
        yield panel(self.x, self.z, (-78, -4), (200, 282)), (72, 92, 110)
        yield panel(self.x, self.z, (4, 78), (200, 282)), (64, 84, 102)
        yield panel(self.x, self.z, (-52, 52), (84, 176)), (40, 42, 46)
        for bar in range(94, 170, 16):
            yield panel(self.x, self.z, (-48, 48), (bar, bar + 6)), (122, 126, 130)
        yield panel(self.x, self.z, (-HALF_WIDTH, HALF_WIDTH), (30, 70)), (84, 86, 90)
        yield panel(self.x, self.z, (-24, 24), (38, 60)), (236, 232, 210)
        for side in (-1, 1):
            yield (
                panel(self.x, self.z, (side * 76 - 17, side * 76 + 17), (84, 112)),
                (250, 246, 220),
            )
            yield panel(self.x, self.z, (side * 112 - 9, side * 112 + 9), (196, 262)), (30, 30, 32)


def trucks_at(stream: str, moment: datetime) -> Iterator[Truck]:
    """Those on the picture at `moment`; each drives on steadily, and is the same one all along."""
    leaving = is_leaving(stream)
    for lane, x in enumerate(LANES):
        driven = moment.timestamp() * _SPEED * (1 + 0.07 * lane)
        last = int((driven - _VISIBLE_Z.start) // _SPACING)
        for number in range(last - 2, last + 1):
            own = dice(stream, str(lane), str(number))
            z = driven - number * _SPACING - own[0] * 2.4
            if leaving:
                z = _VISIBLE_Z.stop - z
            if own[1] < _traffic(moment) and int(z) in _VISIBLE_Z:
                yield Truck(
                    x + own[2] / 8 - 16,
                    z,
                    BOXES[own[3] % len(BOXES)],
                    _CABS[own[4] % len(_CABS)],
                    f"CDLU {own[5]:03d}{own[6]:03d}",
                    leaving,
                )


def _traffic(moment: datetime) -> float:
    """How likely a place in the queue is taken, of 255; more by day than by night."""
    return 90 + 130 * daylight_at(moment)


def daylight_at(moment: datetime) -> float:
    """0 at night, 1 by day, with an hour and a half of dusk between (6:00 and 20:00)."""
    hour = moment.hour + moment.minute / 60
    return _ramp((hour - 5.25) / 1.5) * _ramp((20.75 - hour) / 1.5)


def _ramp(share: float) -> float:
    bounded = min(1.0, max(0.0, share))
    return bounded * bounded * (3 - 2 * bounded)


def paste_truck(picture: Image.Image, truck: Truck) -> None:
    """Draw `truck` over what is there."""
    _paste_shadow(picture, truck)
    paste(picture, list(truck.shapes()))
    _paint_number(picture, truck)


def _paste_shadow(picture: Image.Image, truck: Truck) -> None:
    length = BOX_LENGTH + (_CAB_LENGTH if truck.leaving else 0)
    half = HALF_WIDTH + 22
    shape = ground(truck.x - half, truck.x + half + 30, truck.z - 30, truck.z + length)
    ImageDraw.Draw(picture, "RGBA").polygon(shape, fill=(26, 27, 30, 120))


def _paint_number(picture: Image.Image, truck: Truck) -> None:
    """The container's number, where it is near enough to be read."""
    if truck.leaving or truck.z > 700:
        return
    size = 19 * scale(truck.z)
    middle = at(truck.x, 300, truck.z)
    draw = ImageDraw.Draw(picture)
    draw.text(middle, truck.number, (238, 236, 228), font(round(size)), anchor="mm")
