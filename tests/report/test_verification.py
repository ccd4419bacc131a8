"""What a verification shows to a person and to a program."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from camdl.domain.captures import Capture
from camdl.domain.outcomes import Outcome, RunRecord
from camdl.domain.verification import Finding, Kind, Repair, SoFar, Tally
from camdl.report.verification import VerificationScreen, progress_line, summary_line

if TYPE_CHECKING:
    import pytest

NOW = datetime(2025, 9, 8, 20, 0, tzinfo=UTC)
CAPTURE = Capture(NOW, "in_gate")
RUN = RunRecord("r", "verify", NOW, NOW + timedelta(seconds=75), Outcome.OK, 0)
FINDING = Finding(Kind.TORN, CAPTURE.key, "it is short", CAPTURE, Repair.DONE, "moved aside")


def tally(*findings: Finding) -> Tally:
    """The count of a full check of three captures."""
    counted = Tally(checked=3, hashed=3, bytes_hashed=2_500_000)
    for finding in findings:
        counted.account(finding)
    return counted


def test_findings_go_to_stdout_and_the_summary_to_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """So that a program may read the one, and a person sees both."""
    screen = VerificationScreen(as_json=False)
    screen.show(SoFar(1, 3, 0, 5))
    screen.tell(FINDING)
    screen.close(replace(RUN, outcome=Outcome.PARTLY), tally(FINDING))
    said = capsys.readouterr()
    assert said.out == f"torn\t{CAPTURE.key}\tit is short; moved aside\n"
    assert said.err == (
        "camdl: 3 captures checked, 3 of them hashed (2.5 MB), 1 torn (1 repaired) in 1 min\n"
    )


def test_a_success_is_silent_under_cron(capsys: pytest.CaptureFixture[str]) -> None:
    """Unless it is asked for."""
    VerificationScreen(as_json=False).close(RUN, tally())
    assert capsys.readouterr() == ("", "")
    VerificationScreen(as_json=False, verbose=True).close(RUN, tally())
    assert "nothing wrong" in capsys.readouterr().err


def test_quiet_shows_findings_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """They are the output."""
    screen = VerificationScreen(as_json=False, quiet=True)
    screen.tell(FINDING)
    screen.close(RUN, tally(FINDING))
    said = capsys.readouterr()
    assert said.out.startswith("torn\t")
    assert said.err == ""


def test_json_holds_the_run_the_counts_and_the_findings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One object, and nothing before it."""
    left_over = Finding(Kind.LEFT_OVER, "in_gate/.x.tmp", "why")
    screen = VerificationScreen(as_json=True)
    screen.tell(FINDING)
    screen.tell(left_over)
    screen.close(RUN, tally(FINDING, left_over))
    said = json.loads(capsys.readouterr().out)
    assert (said["verb"], said["checked"], said["exit_code"]) == ("verify", 3, 0)
    assert said["found"] == {"torn": 1, "left over": 1}
    assert said["repaired"] == {"torn": 1}
    assert said["findings"][0] == {
        "kind": "torn",
        "key": CAPTURE.key,
        "reason": "it is short",
        "stream": "in_gate",
        "captured_at": "2025-09-08T20:00:00Z",
        "repair": "done",
        "remedy": "moved aside",
    }
    assert said["findings"][1]["captured_at"] is None
    assert "counts" not in said


def test_progress_is_one_line() -> None:
    """With what is known of how much there is, and of the time that it takes."""
    assert progress_line(SoFar(10, 0, 0, None)) == "10 captures, 0 findings"
    assert progress_line(SoFar(10, 20, 1, 65)) == "10 of 20 captures, 1 findings, 1 min left"


def test_the_summary_of_a_rebuild_tells_what_it_registered() -> None:
    """It is what it was for."""
    assert summary_line(RUN, Tally(registered=7)) == (
        "0 captures checked, 7 registered, nothing wrong in 1 min"
    )


def test_the_summary_of_a_repair_tells_what_came_back() -> None:
    """Pictures that were lost and are here again are worth a word."""
    tally = Tally()
    tally.account(replace(FINDING, repair=Repair.REFETCHED))
    assert summary_line(RUN, tally) == (
        "0 captures checked, 1 fetched again, 1 torn (1 repaired) in 1 min"
    )
