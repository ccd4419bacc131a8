"""What a log says of a run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdl.domain.events import events, run_fields
from camdl.domain.outcomes import Counts, Outcome, RunRecord, StreamResult

NOON = datetime(2025, 9, 8, 12, tzinfo=UTC)
RUN = RunRecord(
    "20250908T120000Z-abcdef",
    "download",
    NOON,
    NOON + timedelta(seconds=4.21),
    Outcome.OK,
    0,
    streams=(
        StreamResult("in_gate", Outcome.OK, Counts(listed=140, new=12, saved=12), NOON, 2.0),
        StreamResult("out_gate", Outcome.OK, Counts(listed=140), NOON, 1.0),
    ),
)
COUNTS = st.builds(Counts, *[st.integers(0, 999)] * 8)
RESULTS = st.builds(
    StreamResult,
    st.from_regex(r"[a-z]{1,9}", fullmatch=True),
    st.sampled_from(Outcome),
    COUNTS,
    st.none(),
    st.floats(0, 1000),
    st.text(),
)
RUNS = st.builds(
    replace,
    st.just(RUN),
    outcome=st.sampled_from(Outcome),
    exit_code=st.sampled_from([0, 1, 69, 74, 143]),
    ended_at=st.none() | st.just(RUN.ended_at),
    error=st.text(),
    streams=st.lists(RESULTS, max_size=4).map(tuple),
)


def lines(run: RunRecord) -> list[str]:
    """The lines of its events."""
    return [one.line for one in events(run)]


def test_a_good_run_is_one_line() -> None:
    """Which streams, what became of them, how it ended and how long it took."""
    assert lines(RUN) == ["in_gate 12 saved, out_gate 0 new, ok in 4.2 s"]


def test_its_fields() -> None:
    """They are what one searches by; the streams are values of one field."""
    (event,) = events(RUN, "No need.")
    assert event.fields == {
        "outcome": "ok",
        "exit_code": "0",
        "stream": ("in_gate", "out_gate"),
        "seconds": "4.210",
        "error": "",
        "advice": "No need.",
        "listed": "280",
        "new": "12",
        "saved": "12",
        "rejected": "0",
        "failed": "0",
        "deleted": "0",
    }
    assert run_fields(RUN) == {"run_id": RUN.id, "verb": "download"}


def test_each_stream_that_is_not_ok_has_a_line() -> None:
    """With what became of its captures, and why."""
    counts = Counts(new=4, saved=2, duplicate=1, rejected=1)
    partly = replace(RUN.streams[0], outcome=Outcome.PARTLY, counts=counts, reason="HTML")
    failed = replace(RUN.streams[1], outcome=Outcome.FAILED, reason="no such host")
    run = replace(RUN, outcome=Outcome.PARTLY, exit_code=1, streams=(partly, failed))
    done = "2 saved and 1 already there and 1 rejected"
    assert lines(run) == [
        f"in_gate partly, {done}: HTML",
        "out_gate failed: no such host",
        f"in_gate {done}, out_gate failed, partly in 4.2 s (exit 1)",
    ]
    of_stream = next(events(run)).fields
    assert (of_stream["stream"], of_stream["outcome"], of_stream["error"]) == (
        "in_gate",
        "partly",
        "HTML",
    )


def test_a_run_without_streams() -> None:
    """It says how it ended, and why."""
    run = replace(
        RUN, streams=(), outcome=Outcome.FAILED, exit_code=74, error="no space left\non /dev/sda"
    )
    assert lines(run) == ["failed in 4.2 s (exit 74): no space left on /dev/sda"]


def test_a_clean_up() -> None:
    """What was deleted is what became of captures."""
    result = StreamResult("in_gate", Outcome.OK, Counts(deleted=140), NOON, 1.0)
    run = replace(RUN, verb="cleanup", streams=(result,))
    assert lines(run) == ["in_gate 140 deleted, ok in 4.2 s"]


def test_a_run_whose_end_is_not_known() -> None:
    """It was broken off."""
    run = replace(RUN, streams=(), outcome=None, exit_code=None, ended_at=None)
    (event,) = events(run)
    assert (event.line, event.outcome) == ("interrupted", Outcome.INTERRUPTED)


@given(RUNS)
def test_whatever_happened(run: RunRecord) -> None:
    """Lines are single and short, one closes, and bad streams come with their outcomes."""
    found = list(events(run))
    assert [one.closes for one in found] == [False] * (len(found) - 1) + [True]
    assert all(one.line and one.line.isprintable() and len(one.line) <= 2000 for one in found)
    bad = [one for one in run.streams if one.outcome is not Outcome.OK]
    assert [one.outcome for one in found[:-1]] == [one.outcome for one in bad]
    assert found[-1].outcome is run.outcome


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_is_said(outcome: Outcome) -> None:
    """In the line and in the field."""
    *_, last = events(replace(RUN, outcome=outcome))
    assert f"{outcome} in 4.2 s" in last.line
    assert last.fields["outcome"] == str(outcome)
