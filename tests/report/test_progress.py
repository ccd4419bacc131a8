"""Live progress, on real pseudo-terminals."""

from __future__ import annotations

import errno
import io
import os
import pty
import re
import threading
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

import pytest
from rich.console import Console

from camdl.domain.captures import Capture, ListedCapture
from camdl.domain.outcomes import Counts, Failed, Outcome, StreamResult
from camdl.ports import Listing, NoListing
from camdl.report.progress import RichProgress, can_be_live
from camdl.report.screen import NoProgress

if TYPE_CHECKING:
    from camdl.ports import Progress

STREAMS = ("in_gate", "out_gate", "yard[0]")
TERMINAL = {"TERM": "xterm"}


class Terminal:
    """A pseudo-terminal, with what was shown on it."""

    def __init__(self) -> None:
        self._master, slave = pty.openpty()
        self.file: TextIO = os.fdopen(slave, "w", encoding="utf-8")
        self._shown = bytearray()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:  # the other side is closed
                return
            self._shown += data

    def shown(self) -> str:
        """All of it, once nobody writes any more."""
        self.file.close()
        self._reader.join()
        os.close(self._master)
        return self._shown.decode()


def console(file: TextIO, environ: dict[str, str]) -> Console:
    """A console of a given environment."""
    return Console(file=file, _environ=environ, width=100)


def act(progress: Progress) -> None:
    """What a run tells its progress: two images, an empty listing and none at all."""
    captures = [
        ListedCapture(Capture(datetime(2025, 9, 8, 20, n, tzinfo=UTC), "in_gate"), "http://x/")
        for n in range(2)
    ]
    progress.listed(Listing("in_gate", tuple(captures)), 2)
    progress.listed(Listing("out_gate", ()), 0)
    progress.listed(NoListing("yard[0]", "the page\n[red]changed"), 0)
    for capture in captures:
        progress.image(capture, Failed("404"))
    for stream, outcome in zip(STREAMS, (Outcome.OK, Outcome.OK, Outcome.FAILED), strict=True):
        progress.stream(StreamResult(stream, outcome, Counts(saved=2), None, 1.0))


def test_a_terminal_sees_each_step() -> None:
    """First the pages are waited for, then images counted, then how it ended; then all is gone."""
    terminal = Terminal()
    progress = RichProgress(console(terminal.file, TERMINAL), STREAMS)
    with progress:
        act(progress)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.shown())
    assert [text.count(f"{stream} ") > 0 for stream in STREAMS] == [True] * 3
    assert "waiting for the page…" in text
    last = text.rindex("in_gate")
    assert re.search(r"2 saved .*2 saved .*failed", text[last:].replace("\r\n", " "))


def test_every_step_can_be_seen() -> None:
    """What is said of each stream follows what the run tells."""
    terminal = Terminal()
    on = console(terminal.file, TERMINAL)
    progress = RichProgress(on, STREAMS)
    said: list[list[str]] = []

    def note() -> None:
        said.append([task.fields["said"] for task in progress._progress.tasks])

    capture = ListedCapture(Capture(datetime(2025, 9, 8, tzinfo=UTC), "in_gate"), "http://x/")
    with progress:
        note()
        progress.listed(Listing("in_gate", (capture,)), 1)
        progress.listed(Listing("out_gate", ()), 0)
        progress.listed(NoListing("yard[0]", "the page\n[red]changed"), 0)
        note()
        progress.image(capture, Failed("404"))
        note()
    terminal.shown()
    assert said == [
        ["waiting for the page…"] * 3,
        ["0/1 images", "nothing new", "the page [red]changed"],
        ["1/1 images", "nothing new", "the page [red]changed"],
    ]


@pytest.mark.parametrize(
    "environ",
    [{"TERM": "dumb"}, {"TERM": "unknown"}, {"TERM": "xterm", "TTY_INTERACTIVE": "0"}],
)
def test_a_dumb_terminal_stays_quiet(environ: dict[str, str]) -> None:
    """Where lines cannot be drawn again nothing is shown."""
    terminal = Terminal()
    progress = RichProgress(console(terminal.file, environ), STREAMS)
    with progress:
        act(progress)
    assert terminal.shown() == ""


@pytest.mark.parametrize("environ", [{}, TERMINAL, {"TERM": "xterm", "FORCE_COLOR": "1"}])
def test_a_pipe_stays_quiet(environ: dict[str, str]) -> None:
    """Under cron there is no progress, forced colour or not."""
    file = io.StringIO()
    progress = RichProgress(console(file, environ), STREAMS)
    assert not can_be_live(console(file, environ))
    with progress:
        act(progress)
    assert file.getvalue() == ""


def test_no_colour_is_still_live() -> None:
    """NO_COLOR takes the colour, not the progress."""
    terminal = Terminal()
    progress = RichProgress(console(terminal.file, {**TERMINAL, "NO_COLOR": "1"}), STREAMS)
    with progress:
        act(progress)
    shown = terminal.shown()
    assert "in_gate" in shown
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", shown)


def test_the_cursor_comes_back_after_an_error() -> None:
    """The terminal is given back as it was, whatever happened."""
    terminal = Terminal()
    with (
        pytest.raises(ZeroDivisionError),
        RichProgress(console(terminal.file, TERMINAL), STREAMS),
    ):
        raise ZeroDivisionError
    assert terminal.shown().rstrip("\r\n\x1b[2KA1").endswith("\x1b[?25h")


# The thread that draws may die of the terminal's end, and says so; the run goes on.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_terminal_that_goes_away_ends_no_run() -> None:
    """A terminal that is closed while the run goes on is not the run's fault."""
    master, slave = pty.openpty()
    file = os.fdopen(slave, "w", encoding="utf-8")
    with RichProgress(console(file, TERMINAL), STREAMS) as progress:
        assert os.read(master, 1)  # it is being drawn
        os.close(master)
        act(progress)
    with pytest.raises(OSError, match="Input/output error"):
        os.write(slave, b"x")
    with suppress(OSError):  # what could not be written is tried once more
        file.close()


def test_a_terminal_that_fails_at_once_ends_no_run() -> None:
    """The same if the very first line cannot be drawn."""

    class Broken(io.StringIO):
        """A terminal that takes nothing."""

        def isatty(self) -> bool:
            """Say that it is one."""
            return True

        def flush(self) -> None:
            """Fail as a terminal without its other side does."""
            raise OSError(errno.EIO, "Input/output error")

    with RichProgress(console(Broken(), TERMINAL), STREAMS) as progress:
        act(progress)


def test_nothing_can_be_shown_to_nobody() -> None:
    """The silent one takes everything."""
    act(NoProgress())


def days_shown(*done: int, seconds: float = 600.0) -> str:
    """What is said at last of a run over 30 days that told `done`, `seconds` apart at most."""
    terminal = Terminal()
    progress = RichProgress(console(terminal.file, TERMINAL), STREAMS)
    with progress:
        for number in done:
            progress.days(number, 30)
            progress._began -= seconds
        progress.days(done[-1], 30)
        said = progress._progress.tasks[-1].fields["said"]
    terminal.shown()
    assert isinstance(said, str)
    return said


def test_the_rest_of_a_long_run_is_estimated() -> None:
    """From what this run has done itself: what was done before it took it no time."""
    assert days_shown(10) == "10/30 days"
    assert days_shown(10, 20) == "20/30 days, about 20 min left"


def test_the_end_of_a_long_run_is_not_estimated() -> None:
    """When all days are done, nothing is left to wait for."""
    assert days_shown(29, 30) == "30/30 days"


def test_images_are_counted_anew_with_each_listing() -> None:
    """A run that takes long lists a stream several times, and each time so many are to come."""
    terminal = Terminal()
    progress = RichProgress(console(terminal.file, TERMINAL), STREAMS)
    capture = ListedCapture(Capture(datetime(2025, 9, 8, tzinfo=UTC), "in_gate"), "http://x/")
    with progress:
        for _ in range(2):
            progress.listed(Listing("in_gate", (capture, capture)), 2)
            progress.image(capture, Failed("404"))
            said = progress._progress.tasks[0].fields["said"]
            progress.stream(StreamResult("in_gate", Outcome.PARTLY, Counts(), None, 1.0))
    terminal.shown()
    assert said == "1/2 images"
