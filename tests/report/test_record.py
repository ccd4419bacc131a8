"""A run's record for programs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from camdl.domain.failures import FailureKind
from camdl.domain.outcomes import Counts, Outcome, RunRecord, StreamResult
from camdl.report.record import run_as_dict

START = datetime(2025, 9, 8, 20, 0, tzinfo=UTC)


def test_a_run_that_ended() -> None:
    """Everything of it is there, with sums, and it is JSON."""
    counts = Counts(144, 3, 2, 0, 1, 0)
    result = StreamResult(
        "in_gate", Outcome.PARTLY, counts, START, 1.23456, "HTML,\nnot a JPEG", unreachable=False
    )
    result = replace(result, failures=((FailureKind.NOT_AN_IMAGE, 1),))
    end = START + timedelta(seconds=12)
    run = RunRecord("r1", "download", START, end, Outcome.PARTLY, 1, "", (result, result), 1.23456)
    parts = {"listed": 144, "new": 3, "saved": 2, "duplicate": 0, "rejected": 1, "failed": 0}
    parts |= {"deleted": 0, "freed_bytes": 0, "saved_bytes": 0}
    told = {
        "stream": "in_gate",
        "outcome": "partly",
        "counts": parts,
        "newest": "2025-09-08T20:00:00Z",
        "seconds": 1.235,
        "reason": "HTML,\nnot a JPEG",
        "unreachable": False,
        "failures": {"not-an-image": 1},
    }
    assert json.loads(json.dumps(run_as_dict(run))) == {
        "id": "r1",
        "verb": "download",
        "started_at": "2025-09-08T20:00:00Z",
        "ended_at": "2025-09-08T20:00:12Z",
        "outcome": "partly",
        "exit_code": 1,
        "error": "",
        "clock_offset_seconds": 1.235,
        "counts": {name: 2 * count for name, count in parts.items()},
        "streams": [told, told],
    }


def test_a_run_that_goes_on() -> None:
    """What is not known yet is null."""
    told = run_as_dict(RunRecord("r1", "download", START))
    assert (told["ended_at"], told["outcome"], told["exit_code"]) == (None, None, None)
    assert told["clock_offset_seconds"] is None
    result = StreamResult("a", Outcome.FAILED, Counts(), None, 0.0, "gone", unreachable=True)
    streams = run_as_dict(RunRecord("r1", "download", START, streams=(result,)))["streams"]
    assert json.loads(json.dumps(streams))[0]["newest"] is None
