"""What a person sees at a terminal."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from tests.support.processes import await_that
from tests.support.terminal import COLOUR, Terminal, plain

if TYPE_CHECKING:
    from tests.support.gate import Gate
    from tests.support.program import Program

TABLE = "stream    listed  new  saved  rejected  failed  newest capture"
TOTAL = "2 streams: 4 new, 4 saved, 0 rejected, 0 failed in "


def test_progress_and_then_the_table(program: Program) -> None:
    """While it goes on each stream has a live line; at the end there is a table in colour."""
    code, shown = program.on_terminal("download")
    assert code == 0
    progress, table = plain(shown).split(TABLE)
    assert "waiting for the page…" in progress
    assert "2 saved" in progress
    assert TOTAL in table
    assert COLOUR.search(shown)
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # the cursor is back


def test_no_colour_where_none_is_wanted(program: Program) -> None:
    """NO_COLOR takes the colours away and leaves the rest."""
    _, shown = program.on_terminal("download", NO_COLOR="1")
    assert not COLOUR.search(shown)
    assert "waiting for the page…" in shown
    assert TABLE in plain(shown)


def test_a_dumb_terminal_gets_plain_text(program: Program) -> None:
    """TERM=dumb gets no control sequence at all, and the table all the same."""
    code, shown = program.on_terminal("download", TERM="dumb")
    assert (code, "\x1b" in shown) == (0, False)
    assert "waiting" not in shown
    assert TABLE in shown
    assert TOTAL in shown


def test_quiet_is_quiet(program: Program) -> None:
    """With `-q` a good run shows nothing even to a person."""
    assert program.on_terminal("download", "-q") == (0, "")


def test_json_is_all_there_is(program: Program) -> None:
    """`--json` keeps the progress away, so that what is copied from a terminal is JSON."""
    _, shown = program.on_terminal("download", "--json", "--stream", "in_gate")
    assert "\x1b" not in shown
    assert plain(shown).rstrip().endswith("}")


def test_a_failure_says_why_below_the_table(program: Program, gate: Gate) -> None:
    """The stream that is only partly done is told with its reason, in one line."""
    gate.bodies = iter([b"<html>"])
    code, shown = program.on_terminal("download", "--stream", "in_gate", "--latest", "1")
    assert code == 1
    assert "\nin_gate partly: the body is HTML, not a JPEG image\n" in plain(shown)


def test_health_is_a_line_for_a_person_too(program: Program) -> None:
    """Without `-v` it is the same single line as for monitoring."""
    program.run("download")
    code, shown = program.on_terminal("health")
    assert code == 0
    assert plain(shown).startswith("camdl OK - 2 streams")
    assert shown.count("\n") == 1


def test_the_overview_is_watched_until_ctrl_c(program: Program) -> None:
    """It goes away without a word and without a trace, and that is no failure."""
    program.run("download")
    with Terminal() as terminal:
        watching = program.start("status", "--watch", "600", terminal=terminal.file)
        try:
            assert await_that(lambda: "Every 600 s; Ctrl-C ends it." in terminal.shown, 60)
            watching.send_signal(signal.SIGINT)
            assert watching.wait(30) == 0
        finally:
            watching.kill()
            watching.wait()
    shown, after = terminal.shown.rsplit("\x1b[?1049l", 1)
    assert "in_gate, 24 hours in UTC" in plain(shown)
    assert plain(after).strip() == ""
    assert terminal.shown.count("\x1b[?25l") == terminal.shown.count("\x1b[?25h")


def test_where_there_is_nothing_to_watch_it_on(program: Program) -> None:
    """A terminal that cannot move its cursor, and none at all, are refused."""
    code, shown = program.on_terminal("status", "--watch", TERM="dumb")
    assert (code, "\x1b" in shown) == (2, False)
    assert "--watch needs a terminal" in shown
    assert program.run("status", "--watch", "5").returncode == 2
