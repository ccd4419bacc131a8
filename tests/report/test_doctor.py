"""What an examination found, as it is shown."""

from __future__ import annotations

import io
import json
from typing import Literal

from rich.console import Console

from camdl.domain.examination import Examined, bad, fine, note
from camdl.report.doctor import DoctorScreen, doctor_as_json, total_line
from tests.support.terminal import Terminal, plain

FOUND = (
    Examined("camdl", (fine("1.2.3"),), 0.01),
    Examined("browser", (note("no\nsandbox", "Do this."), fine("it draws")), 2.5),
    Examined("page", (bad(f"no connection to {'x' * 90}", "curl http://127.0.0.1/"),), 1.0),
)


def shown(*, encoding: str = "utf-8", colour: bool = False) -> str:
    """What is printed of it, by a console that is 80 wide."""
    system: Literal["standard"] | None = "standard" if colour else None
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=out, width=80, force_terminal=colour, color_system=system)
    with DoctorScreen(console, Console(file=io.StringIO())) as screen:
        screen.waiting_for(["page"])
        for one in FOUND:
            screen.tell(one)
    out.seek(0)
    return out.read()


def test_a_line_for_each_finding_and_its_remedy() -> None:
    """However long: what may be copied or grepped stays one line."""
    assert shown() == (
        "✔ camdl         1.2.3\n"
        "! browser       no sandbox\n"
        "  → Do this.\n"
        "✔               it draws\n"
        f"✘ page          no connection to {'x' * 90}\n"
        "  → curl http://127.0.0.1/\n"
    )


def test_letters_that_every_terminal_has() -> None:
    """Without Unicode the signs are others."""
    assert [line[:4] for line in shown(encoding="ascii").splitlines()] == [
        *("+ ca", "! br", "  ->", "+   ", "x pa", "  ->")
    ]


def test_colours_are_beside_the_signs() -> None:
    """They say the same."""
    assert "\x1b[1;31m✘" in shown(colour=True)
    assert plain(shown(colour=True)) == shown()


def test_what_is_waited_for_is_shown_on_a_terminal() -> None:
    """And is gone at the end."""
    with Terminal() as terminal:
        console = Console(file=terminal.file, width=80, force_terminal=True)
        with DoctorScreen(Console(file=io.StringIO()), console) as screen:
            screen.waiting_for(["browser", "page"])
            console.file.flush()
    assert "looking at: browser, page" in plain(terminal.shown)
    assert terminal.shown.count("\x1b[?25l") == terminal.shown.count("\x1b[?25h") == 1


def test_how_many() -> None:
    """Of how many checks; good ones are not counted one by one."""
    assert total_line(FOUND) == "3 checks: 1 needs attention, 1 is worth knowing"
    assert total_line(FOUND[:1]) == "1 checks: all is fine"
    assert total_line(FOUND * 2) == "6 checks: 2 need attention, 2 are worth knowing"


def test_json() -> None:
    """A list of checks, each with its findings."""
    told = json.loads(doctor_as_json(FOUND))
    assert [one["grade"] for one in told] == ["fine", "note", "bad"]
    assert told[1] == {
        "check": "browser",
        "grade": "note",
        "seconds": 2.5,
        "findings": [
            {"grade": "note", "said": "no\nsandbox", "remedy": "Do this."},
            {"grade": "fine", "said": "it draws", "remedy": ""},
        ],
    }
