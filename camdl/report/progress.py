"""What a person sees while a run goes on. Import it late: Rich takes time to load."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from camdl.domain.durations import in_words
from camdl.domain.outcomes import Outcome
from camdl.domain.text import one_line
from camdl.ports import Listing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from rich.console import Console
    from rich.progress import TaskID

    from camdl.domain.captures import ListedCapture
    from camdl.domain.outcomes import ImageOutcome, StreamResult
    from camdl.ports import NoListing


class RichProgress:
    """One live line for each of `streams` inside the `with`, gone after it; one for all days, too,
    once `days` is told.

    On anything but a terminal that can move its cursor it shows nothing.
    """

    def __init__(self, console: Console, streams: Iterable[str]) -> None:
        self._progress = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[said]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not can_be_live(console),
        )
        self._tasks = {
            stream: self._progress.add_task(stream, total=None, said="waiting for the page…")
            for stream in streams
        }
        self._new: Counter[str] = Counter()
        self._done: Counter[str] = Counter()
        self._days: TaskID | None = None
        self._first_done = 0
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        """Show that each stream's page is waited for."""
        # A terminal that has gone away must not end a run.
        with suppress(OSError):
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the terminal back as it was."""
        with suppress(OSError):
            self._progress.stop()

    def listed(self, listing: Listing | NoListing, new: int) -> None:
        """Show how many images there are to fetch, or why there is no listing."""
        # A run that takes long lists a stream again and again.
        self._new[listing.stream], self._done[listing.stream] = new, 0
        if isinstance(listing, Listing):
            self._show(listing.stream, f"0/{new} images" if new else "nothing new")
        else:
            self._show(listing.stream, one_line(listing.reason, 60))

    def image(self, listed: ListedCapture, outcome: ImageOutcome) -> None:  # noqa: ARG002  # a bad one is done too
        """Count one image more."""
        stream = listed.capture.stream
        self._done[stream] += 1
        # Some are fetched before it is known how many there are.
        of = f"/{self._new[stream]}" if self._new[stream] else ""
        self._show(stream, f"{self._done[stream]}{of} images")

    def stream(self, result: StreamResult) -> None:
        """Show how a stream's part of the run ended."""
        ok = result.outcome is Outcome.OK
        self._new[result.stream] = self._done[result.stream] = 1
        self._show(result.stream, f"{result.counts.saved} saved" if ok else str(result.outcome))

    def days(self, done: int, total: int) -> None:
        """Show how far a run that takes long has come, and about how long the rest will take."""
        if self._days is None:
            self._days = self._progress.add_task("all days", total=total, said="")
            self._first_done, self._began = done, time.monotonic()
        said = f"{done}/{total} days"
        # What was done before this run tells nothing of its pace.
        new = done - self._first_done
        if new > 0 and done < total:
            seconds = (time.monotonic() - self._began) / new * (total - done)
            said += f", about {in_words(timedelta(seconds=seconds))} left"
        self._progress.update(self._days, completed=done, total=total, said=said)

    def _show(self, stream: str, said: str) -> None:
        # Without a number of images the bar pulses.
        total = self._new[stream] or None
        self._progress.update(
            self._tasks[stream], total=total, completed=self._done[stream], said=said
        )


def can_be_live(console: Console) -> bool:
    """Whether `console` is a terminal whose lines can be drawn again.

    Variables that force colour make Rich take a pipe for a terminal, so the file itself is asked.
    """
    return console.is_interactive and not console.is_dumb_terminal and console.file.isatty()
