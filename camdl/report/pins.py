"""Pins for a person or a program."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from camdl.domain.health import iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from camdl.domain.retention import Kept


def pin_lines(pins: Sequence[Kept]) -> list[str]:
    """A line each, its parts apart by tabs: id, stream, from, to, archived captures, note."""
    return [
        "\t".join(
            [
                str(kept.pin.id),
                kept.pin.stream,
                str(iso(kept.pin.window.start)),
                str(iso(kept.pin.window.end)),
                str(kept.captures),
                kept.pin.note,
            ]
        )
        for kept in pins
    ]


def pins_as_json(pins: Sequence[Kept]) -> str:
    """The same as JSON."""
    told = [
        {
            "id": kept.pin.id,
            "stream": kept.pin.stream,
            "from": iso(kept.pin.window.start),
            "to": iso(kept.pin.window.end),
            "captures": kept.captures,
            "note": kept.pin.note,
        }
        for kept in pins
    ]
    return json.dumps(told, indent=2)
