"""How pins are shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from camdl.domain.retention import Kept, Pin
from camdl.domain.windows import Window
from camdl.report.pins import pin_lines, pins_as_json

START = datetime(2025, 9, 8, tzinfo=UTC)
KEPT = Kept(Pin(7, "in_gate", Window(START, START + timedelta(days=1)), "a truck"), 144)


def test_a_pin_is_a_line() -> None:
    """With the id by which it is taken away, and how many captures it keeps."""
    assert pin_lines([]) == []
    assert pin_lines([KEPT]) == [
        "7\tin_gate\t2025-09-08T00:00:00Z\t2025-09-09T00:00:00Z\t144\ta truck"
    ]


def test_pins_are_json() -> None:
    """For programs, all of the same."""
    assert json.loads(pins_as_json([KEPT])) == [
        {
            "id": 7,
            "stream": "in_gate",
            "from": "2025-09-08T00:00:00Z",
            "to": "2025-09-09T00:00:00Z",
            "captures": 144,
            "note": "a truck",
        }
    ]
