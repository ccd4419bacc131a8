"""The forms in which a verdict is told."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdl.domain.health import (
    Check,
    Database,
    DiskUsage,
    Health,
    JobHealth,
    Status,
    StreamHealth,
    Thresholds,
    floor,
    iso,
    unjudged,
    worst,
)
from camdl.domain.outcomes import Outcome

NOW = datetime(2025, 9, 8, 20, 22, 30, 999_999, tzinfo=UTC)
INTERVAL = timedelta(minutes=10)


def stream(name: str = "in_gate", age: timedelta | None = timedelta(minutes=4)) -> StreamHealth:
    """A healthy stream."""
    newest = None if age is None else NOW - age
    return StreamHealth(name, Status.HEALTHY, INTERVAL, newest, age, 0, "apm", age)


IN_GATE = stream()
HALF_EMPTY = DiskUsage(41.99, 10**9, 3.0)


def health(
    *checks: Check,
    status: Status = Status.HEALTHY,
    streams: tuple[StreamHealth, ...] = (IN_GATE,),
    disk: DiskUsage | None = HALF_EMPTY,
) -> Health:
    """A verdict."""
    job = JobHealth("download", "Download", NOW, Outcome.OK, NOW + INTERVAL, None)
    return Health(
        status,
        NOW,
        "1.0",
        Database.CONNECTED,
        disk,
        Thresholds(),
        (job,),
        streams,
        checks,
    )


def test_the_line_of_a_healthy_archive() -> None:
    """Streams and the newest capture for people, and numbers with thresholds for programs."""
    two = (stream(), stream("out_gate", timedelta(minutes=14)))
    assert health(streams=two).line() == (
        "camdl OK - 2 streams, newest capture 4 min ago"
        " | in_gate_age=240s;1800;3600 out_gate_age=840s;1800;3600 disk=41%;80;90 inodes=3%;80;90"
    )


def test_numbers_that_are_judged_are_those_that_are_told() -> None:
    """A plugin's thresholds are for the age with the gate open, of which it is healthy."""
    one = replace(stream(age=timedelta(hours=9)), open_age=timedelta(minutes=5))
    assert "in_gate_age=300s;1800;3600" in health(streams=(one,)).line()


def test_the_line_when_little_is_known() -> None:
    """What is not known is left out; a capture ahead of the clock is no age below zero."""
    assert health(streams=(), disk=None).line() == "camdl OK - 0 streams"
    unknown = health(streams=(stream(age=None),), disk=None)
    assert unknown.line() == "camdl OK - 1 stream"
    ahead = health(streams=(stream(age=timedelta(minutes=-1)),), disk=None)
    assert ahead.line().startswith("camdl OK - 1 stream, newest capture 0 s ago")


def test_the_line_of_a_bad_archive() -> None:
    """Every reason is there, the worst first, and none looks like performance data."""
    checks = (
        Check("a", Status.WARNING, "a|b"),
        Check("b", Status.HEALTHY, "fine"),
        Check("c", Status.CRITICAL, "two\nlines"),
    )
    line = health(*checks, status=Status.DEGRADED, streams=(), disk=None).line()
    assert line == "camdl DEGRADED - two lines; a/b"


@given(st.lists(st.tuples(st.sampled_from(Status), st.text()), max_size=5))
def test_the_line_is_one_line(told: list[tuple[Status, str]]) -> None:
    """Whatever the reasons hold, there is one printable line with one bar before the numbers."""
    line = health(*(Check("x", status, reason) for status, reason in told)).line()
    assert line.isprintable()
    assert line.count("|") == 1
    assert re.search(r" \| \S+=\d+s;\d+;\d+ disk=", line)


@given(st.text(), st.text())
def test_what_prevents_a_verdict_is_told_as_one(reason: str, advice: str) -> None:
    """Unknown, in one line and in the form of the health file, whatever is quoted in it."""
    unknown = unjudged(reason, advice, NOW, "1.0")
    assert (unknown.exit_code, unknown.status) == (3, Status.UNKNOWN)
    assert re.fullmatch(r"camdl UNKNOWN - [^|]*", unknown.line())
    assert unknown.line().isprintable()
    form = json.loads(json.dumps(unknown.to_dict()))
    assert list(form) == list(health().to_dict())
    assert [check["name"] for check in form["checks"]] == ["verdict"]


def test_the_health_files_form() -> None:
    """Other programs rely on these names and kinds of values."""
    checks = (Check("disk", Status.WARNING, "full", "Free some."), Check("x", Status.HEALTHY, "y"))
    made = health(*checks, status=Status.WARNING, streams=(stream(), stream("out", None)))
    assert json.loads(json.dumps(made.to_dict())) == {
        "status": "warning",
        "timestamp": "2025-09-08T20:22:30Z",
        "version": "1.0",
        "database": "connected",
        "disk_usage_percent": 41.9,
        "jobs": [
            {
                "id": "download",
                "name": "Download",
                "last_run": "2025-09-08T20:22:30Z",
                "outcome": "ok",
                "next_run": "2025-09-08T20:32:30Z",
                "last_good_run": None,
            }
        ],
        "streams": [
            {
                "name": "in_gate",
                "status": "healthy",
                "newest_capture": "2025-09-08T20:18:30Z",
                "age_seconds": 240,
                "open_age_seconds": 240,
                "consecutive_failures": 0,
                "site": "apm",
            },
            {
                "name": "out",
                "status": "healthy",
                "newest_capture": None,
                "age_seconds": None,
                "open_age_seconds": None,
                "consecutive_failures": 0,
                "site": "apm",
            },
        ],
        "checks": [
            {"name": "disk", "status": "warning", "reason": "full", "advice": "Free some."},
            {"name": "x", "status": "healthy", "reason": "y"},
        ],
    }


def test_no_disk_and_no_run_are_null() -> None:
    """What is not known is null, not zero."""
    told = health(disk=None).to_dict()
    assert told["disk_usage_percent"] is None


def test_instants_in_json() -> None:
    """They are UTC with `Z`, whatever zone they came in; a naive one is refused."""
    assert iso(None) is None
    assert iso(datetime.fromisoformat("0999-01-02T03:04:05+01:00")) == "0999-01-02T02:04:05Z"
    with pytest.raises(TypeError):
        iso(datetime(2025, 1, 1))  # noqa: DTZ001  # the very thing that must fail


def test_the_worst_of_nothing_is_healthy() -> None:
    """And unknown is worse than healthy, better than anything known to be bad."""
    assert worst([]) is Status.HEALTHY
    assert worst([Status.UNKNOWN, Status.HEALTHY]) is Status.UNKNOWN
    assert worst([Status.UNKNOWN, Status.WARNING]) is Status.WARNING


@given(st.floats(0, 100), st.integers(0, 2))
def test_a_shown_percentage_is_never_too_high(percent: float, digits: int) -> None:
    """Rounding down by less than one unit of what is shown."""
    assert percent - 10**-digits <= floor(percent, digits) <= percent
