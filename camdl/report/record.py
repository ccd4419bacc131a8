"""A run's record for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from camdl.domain.health import iso

if TYPE_CHECKING:
    from camdl.domain.outcomes import RunRecord, StreamResult


def run_as_dict(run: RunRecord) -> dict[str, object]:
    """`run` ready for JSON: times are ISO 8601 with `Z`, what is not known is None."""
    return {
        "id": run.id,
        "verb": run.verb,
        "started_at": iso(run.started_at),
        "ended_at": iso(run.ended_at),
        "outcome": str(run.outcome) if run.outcome else None,
        "exit_code": run.exit_code,
        "error": run.error,
        "clock_offset_seconds": run.clock_offset_seconds and round(run.clock_offset_seconds, 3),
        "counts": asdict(run.counts),
        "streams": [_stream_as_dict(result) for result in run.streams],
    }


def _stream_as_dict(result: StreamResult) -> dict[str, object]:
    return {
        "stream": result.stream,
        "outcome": str(result.outcome),
        "counts": asdict(result.counts),
        "newest": iso(result.newest),
        "seconds": round(result.seconds, 3),
        "reason": result.reason,
        "unreachable": result.unreachable,
        "failures": {str(kind): times for kind, times in result.failures},
    }
