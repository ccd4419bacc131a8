"""What a verification shows: findings as lines, a summary, JSON, and how far it has come."""

from __future__ import annotations

import logging
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

from camdl.domain.durations import in_words
from camdl.domain.health import iso
from camdl.report.record import run_as_dict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from camdl.domain.outcomes import RunRecord
    from camdl.domain.verification import Finding, SoFar, Tally

_SCREEN = logging.getLogger("camdl.screen")
_CLEAR_LINE = "\r\x1b[K"


class VerificationScreen:
    """Shows findings on stdout as they come, and on a terminal how far the verification is.

    `quiet` shows findings alone, `verbose` the summary even where nobody is looking; with
    `as_json` everything comes at the end.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False, as_json: bool) -> None:
        self._quiet = quiet
        self._as_json = as_json
        self._sums_up = not quiet and (verbose or sys.stdout.isatty())
        self._is_live = sys.stderr.isatty() and not quiet and not as_json
        self._findings: list[Finding] = []

    def tell(self, finding: Finding) -> None:
        """Show one thing that is wrong."""
        if self._as_json:
            self._findings.append(finding)
            return
        self._clear()
        print(finding.line(), flush=True)  # noqa: T201  # the command's output

    def show(self, so_far: SoFar) -> None:
        """Show how far it has come."""
        if self._is_live:
            print(f"{_CLEAR_LINE}{progress_line(so_far)}", end="", file=sys.stderr, flush=True)  # noqa: T201

    def close(self, run: RunRecord, tally: Tally) -> None:
        """Show how it ended."""
        self._clear()
        if self._as_json:
            import json

            print(json.dumps(verification_as_dict(run, tally, self._findings), indent=2))  # noqa: T201
        elif self._sums_up or (tally.findings and not self._quiet):
            _SCREEN.info("%s", summary_line(run, tally))

    def _clear(self) -> None:
        if self._is_live:
            print(_CLEAR_LINE, end="", file=sys.stderr, flush=True)  # noqa: T201


def progress_line(so_far: SoFar) -> str:
    """How far a verification has come, in one line."""
    of = f" of {so_far.captures}" if so_far.captures else ""
    left = ""
    if so_far.seconds_left is not None:
        left = f", {in_words(timedelta(seconds=so_far.seconds_left))} left"
    return f"{so_far.done}{of} captures, {so_far.findings} findings{left}"


def summary_line(run: RunRecord, tally: Tally) -> str:
    """What a verification found and did, in one line."""
    parts = [f"{tally.checked} captures checked"]
    if tally.hashed:
        parts.append(f"{tally.hashed} of them hashed ({tally.bytes_hashed / 1e6:.1f} MB)")
    if tally.registered:
        parts.append(f"{tally.registered} registered")
    if tally.refetched:
        parts.append(f"{tally.refetched} fetched again")
    parts.append(tally.wrong() or "nothing wrong")
    took = f" in {in_words(run.ended_at - run.started_at)}" if run.ended_at else ""
    return f"{', '.join(parts)}{took}"


def verification_as_dict(
    run: RunRecord, tally: Tally, findings: Sequence[Finding]
) -> dict[str, object]:
    """A verification ready for JSON: times are ISO 8601 with `Z`."""
    record = {
        name: value for name, value in run_as_dict(run).items() if name not in ("counts", "streams")
    }
    return record | {
        "checked": tally.checked,
        "hashed": tally.hashed,
        "bytes_hashed": tally.bytes_hashed,
        "registered": tally.registered,
        "refetched": tally.refetched,
        "found": {str(kind): number for kind, number in tally.found.items()},
        "repaired": {str(kind): number for kind, number in tally.repaired.items()},
        "findings": [_finding_as_dict(one) for one in findings],
    }


def _finding_as_dict(finding: Finding) -> dict[str, object]:
    capture = finding.capture
    return {
        "kind": str(finding.kind),
        "key": finding.key,
        "reason": finding.reason,
        "stream": capture.stream if capture else None,
        "captured_at": iso(capture.captured_at) if capture else None,
        "repair": str(finding.repair),
        "remedy": finding.remedy,
    }
