"""What a run shows: a table to a person at a terminal, JSON to a program, nothing under cron."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from camdl.domain.health import iso
from camdl.domain.outcomes import Outcome
from camdl.report.record import run_as_dict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from camdl.domain.captures import ListedCapture
    from camdl.domain.outcomes import ImageOutcome, RunRecord, StreamResult
    from camdl.ports import Listing, LongProgress, NoListing
    from camdl.report.progress import RichProgress

_SCREEN = logging.getLogger("camdl.screen")


class NoProgress:
    """Shows nothing."""

    def listed(self, listing: Listing | NoListing, new: int) -> None:
        """Ignore it."""

    def image(self, listed: ListedCapture, outcome: ImageOutcome) -> None:
        """Ignore it."""

    def stream(self, result: StreamResult) -> None:
        """Ignore it."""

    def days(self, done: int, total: int) -> None:
        """Ignore it."""


class Screen:
    """Shows the progress of a run inside the `with`, and how it ended with `show`.

    Progress and complaints go to stderr, results to stdout. `quiet` shows complaints alone,
    `verbose` the results even where nobody is looking.
    """

    def __init__(
        self, streams: Sequence[str], *, quiet: bool = False, verbose: bool = False, as_json: bool
    ) -> None:
        self._shows_table = not quiet and (verbose or sys.stdout.isatty())
        self._quiet = quiet
        self._as_json = as_json
        self._is_watched = sys.stderr.isatty() and not quiet and not as_json
        self._live = self._live_lines(streams) if self._is_watched else None
        self.progress: LongProgress = self._live or NoProgress()

    def _live_lines(self, streams: Sequence[str]) -> RichProgress:
        from rich.console import Console

        from camdl.report.progress import RichProgress

        return RichProgress(Console(stderr=True), streams)

    def __enter__(self) -> Self:
        """Begin to show progress."""
        if self._live:
            self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the terminal back."""
        if self._live:
            self._live.__exit__(kind, error, trace)

    def show(self, run: RunRecord, would_fetch: Sequence[ListedCapture] | None) -> None:
        """Tell how `run` ended. `would_fetch` is what a dry run found, None for a real one."""
        if self._as_json:
            self._show_json(run, would_fetch)
            return
        if would_fetch is not None and not self._quiet:
            for one in would_fetch:
                _print(f"{one.capture.stream}\t{iso(one.capture.captured_at)}\t{one.url}")
        if self._shows_table and run.streams:
            from rich.console import Console

            from camdl.report.tables import show_run

            show_run(Console(), run, datetime.now(UTC))
        elif run.outcome is not Outcome.OK:
            from camdl.report.tables import reason_lines

            for line in reason_lines(run):
                _SCREEN.error("%s", line)

    @staticmethod
    def _show_json(run: RunRecord, would_fetch: Sequence[ListedCapture] | None) -> None:
        record = run_as_dict(run)
        if would_fetch is not None:
            record["would_fetch"] = [
                {
                    "stream": one.capture.stream,
                    "captured_at": iso(one.capture.captured_at),
                    "url": one.url,
                }
                for one in would_fetch
            ]
        _print(json.dumps(record, indent=2))


def _print(text: str) -> None:
    print(text)  # noqa: T201  # the command's output
