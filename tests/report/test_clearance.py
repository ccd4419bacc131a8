"""What a clean-up shows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from camdl.domain.captures import Capture
from camdl.domain.outcomes import Counts, Outcome, RunRecord, StreamResult
from camdl.domain.retention import Holding, Outdated
from camdl.report.clearance import ClearanceScreen

START = datetime(2025, 9, 8, 20, 0, tzinfo=UTC)
CAPTURE = Capture(START, "in_gate")
HOLDING = Holding(CAPTURE, CAPTURE.key, 1000)
OUTDATED = Outdated(runs=3, gaps=1)


def run(outcome: Outcome = Outcome.OK, error: str = "") -> RunRecord:
    """A clean-up that deleted three captures."""
    counts = Counts(deleted=3, freed_bytes=1_500_000)
    result = StreamResult("in_gate", outcome, counts, START, 1.0)
    end = START + timedelta(seconds=1)
    return RunRecord("r", "cleanup", START, end, outcome, 0, error, (result,))


def screen(**asked: bool) -> ClearanceScreen:
    """One that nobody looks at, unless `asked` says otherwise."""
    nothing = {"dry_run": False, "quiet": False, "verbose": False, "as_json": False}
    return ClearanceScreen(**{**nothing, **asked})


def test_a_dry_run_shows_a_line_a_capture(capsys: pytest.CaptureFixture[str]) -> None:
    """On stdout, and the totals beside it, so that lines can be counted."""
    shown = screen(dry_run=True)
    shown.would_go(HOLDING)
    shown.show(run(), OUTDATED, 2)
    out, err = capsys.readouterr()
    assert out == f"in_gate\t2025-09-08T20:00:00Z\t1000\t{CAPTURE.key}\n"
    assert err == "would delete 3 captures, 1.5 MB; 3 old runs; 1 filled gaps; 2 diagnoses\n"


@pytest.mark.parametrize("captures", [0, 1, 3])
def test_a_dry_run_is_one_json_document(captures: int, capsys: pytest.CaptureFixture[str]) -> None:
    """However many captures there are."""
    shown = screen(dry_run=True, as_json=True)
    for _ in range(captures):
        shown.would_go(HOLDING)
    shown.show(run(), OUTDATED, 2)
    told = json.loads(capsys.readouterr().out)
    assert told["would_delete"] == captures * [
        {
            "stream": "in_gate",
            "captured_at": "2025-09-08T20:00:00Z",
            "key": CAPTURE.key,
            "bytes": 1000,
        }
    ]
    assert told["counts"]["deleted"] == 3
    assert told["forgotten"] == {
        "runs": 3,
        "pending": 0,
        "gaps": 1,
        "notices": 0,
        "diagnoses": 2,
    }


def test_under_cron_a_success_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    """Unless it is asked for."""
    screen().show(run(), Outdated(), 0)
    assert capsys.readouterr() == ("", "")
    screen(verbose=True).show(run(), Outdated(), 0)
    assert capsys.readouterr() == ("deleted 3 captures, 1.5 MB\n", "")
    screen(as_json=True).show(run(), Outdated(), 0)
    assert json.loads(capsys.readouterr().out)["verb"] == "cleanup"


def test_what_is_lacking_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """To whoever reads complaints, quiet or not."""
    screen(quiet=True).show(run(Outcome.PARTLY, "a file is stuck"), Outdated(), 0)
    assert capsys.readouterr() == ("", "camdl: a file is stuck\n")


def test_quiet_shows_no_captures(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor totals."""
    shown = screen(dry_run=True, quiet=True)
    shown.would_go(HOLDING)
    shown.show(run(), Outdated(), 0)
    assert capsys.readouterr() == ("", "")
