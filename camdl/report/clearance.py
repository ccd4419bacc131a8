"""What a clean-up shows: each capture that would go, and the totals."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from camdl.domain.health import iso
from camdl.domain.outcomes import Outcome
from camdl.report.record import run_as_dict

if TYPE_CHECKING:
    from camdl.domain.outcomes import RunRecord
    from camdl.domain.retention import Holding, Outdated

_MB = 1_000_000
_SCREEN = logging.getLogger("camdl.screen")


class ClearanceScreen:
    """Shows what a dry run tells while it goes on, and how any ended.

    The captures go to stdout, one a line or as JSON; a million of them are never held at once.
    `quiet` shows complaints alone, `verbose` the totals even where nobody is looking.
    """

    def __init__(self, *, dry_run: bool, quiet: bool, verbose: bool, as_json: bool) -> None:
        self._dry_run = dry_run
        self._quiet = quiet
        self._shows_totals = not quiet and (dry_run or verbose or sys.stdout.isatty())
        self._as_json = as_json
        self._told = 0

    def would_go(self, holding: Holding) -> None:
        """Show one capture that a real run would delete."""
        at = iso(holding.capture.captured_at)
        if self._as_json:
            one = {
                "stream": holding.capture.stream,
                "captured_at": at,
                "key": holding.key,
                "bytes": holding.size,
            }
            _print(f"{',' if self._told else _BEGIN}\n    {json.dumps(one)}", end="")
        elif not self._quiet:
            _print(f"{holding.capture.stream}\t{at}\t{holding.size}\t{holding.key}")
        self._told += 1

    def show(self, run: RunRecord, forgotten: Outdated, diagnoses: int) -> None:
        """Show how `run` ended."""
        if self._as_json:
            self._show_json(run, forgotten, diagnoses)
            return
        if run.outcome is Outcome.PARTLY:
            _SCREEN.error("%s", run.error)
        if self._shows_totals and run.outcome is not Outcome.FAILED:
            # Beside the captures of a dry run it would be one line that is none.
            print(
                total_line(run, forgotten, diagnoses, dry_run=self._dry_run),
                file=sys.stderr if self._dry_run else sys.stdout,
            )

    def _show_json(self, run: RunRecord, forgotten: Outdated, diagnoses: int) -> None:
        record = run_as_dict(run)
        record["forgotten"] = {**asdict(forgotten), "diagnoses": diagnoses}
        if not self._dry_run:
            _print(json.dumps(record, indent=2))
            return
        rest = json.dumps(record, indent=2).removeprefix("{\n")
        begun = "\n  " if self._told else _BEGIN
        _print(f"{begun}],\n{rest}")


_BEGIN = '{\n  "would_delete": ['


def total_line(run: RunRecord, forgotten: Outdated, diagnoses: int, *, dry_run: bool) -> str:
    """All that went, or would go, in one line."""
    counts = run.counts
    others = {
        "old runs": forgotten.runs,
        "pending captures": forgotten.pending,
        "filled gaps": forgotten.gaps,
        "old notices": forgotten.notices,
        "diagnoses": diagnoses,
    }
    parts = [
        f"{counts.deleted} captures, {counts.freed_bytes / _MB:.1f} MB",
        *(f"{number} {what}" for what, number in others.items() if number),
    ]
    return f"{'would delete' if dry_run else 'deleted'} {'; '.join(parts)}"


def _print(text: str, end: str = "\n") -> None:
    print(text, end=end)  # noqa: T201  # the command's output
