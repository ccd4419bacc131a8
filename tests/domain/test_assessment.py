"""The rules of the verdict on an archive."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from camdl.domain.assessment import Facts, Fault, StreamFacts, assess
from camdl.domain.health import Check, Database, DiskUsage, Health, Status, Thresholds
from camdl.domain.outcomes import Counts, Outcome, RunRecord, StreamHistory, StreamResult

NOW = datetime(2025, 9, 8, 20, 0, tzinfo=UTC)
INTERVAL = timedelta(minutes=10)
FRESH = timedelta(minutes=5)
HALF_EMPTY = DiskUsage(41.9, 10**9, 3.0)
BADNESS = list(Status)


def minutes(count: float) -> timedelta:
    """`count` minutes."""
    return timedelta(minutes=count)


def stream(
    name: str = "in_gate", age: timedelta | None = FRESH, failures: int = 0, why: str = ""
) -> StreamFacts:
    """A stream whose newest capture is `age` old; None if it has none."""
    newest = None if age is None else NOW - age
    return StreamFacts(name, INTERVAL, StreamHistory(name, newest, failures, why))


def run(
    ago: timedelta = FRESH,
    outcome: Outcome | None = Outcome.OK,
    streams: tuple[str, ...] = (),
    error: str = "",
) -> RunRecord:
    """A run that started `ago`; it still goes on if it has no outcome."""
    started = NOW - ago
    ended = started + minutes(1) if outcome else None
    results = tuple(
        StreamResult(one, outcome or Outcome.OK, Counts(), None, 1.0, f"{one} is gone")
        for one in streams
    )
    return RunRecord("r", "download", started, ended, outcome, 0, error, results)


def facts(
    *streams: StreamFacts,
    runs: tuple[RunRecord, ...] = (run(),),
    database: Database = Database.CONNECTED,
    disk: DiskUsage | Fault | None = HALF_EMPTY,
    **more: object,
) -> Facts:
    """What is known of a healthy archive, but for what is said."""
    made = Facts("1.0", streams or (stream(),), runs, INTERVAL, database, disk)
    return replace(made, **more)  # type: ignore[arg-type]  # tests name the fields


def check(health: Health, name: str) -> Check:
    """The check called `name`."""
    return {one.name: one for one in health.checks}[name]


ages = st.none() | st.timedeltas(minutes(-60), minutes(200))
runs = st.builds(
    run,
    st.timedeltas(minutes(-30), minutes(100)),
    st.none() | st.sampled_from(Outcome),
    st.sampled_from([(), ("a",), ("a", "b")]),
    st.text(max_size=20),
)
percents = st.floats(0, 100)
disks = (
    st.none()
    | st.builds(Fault, st.text(min_size=1), st.text())
    | st.builds(DiskUsage, percents, st.integers(0, 10**12), percents)
)


@st.composite
def any_facts(draw: st.DrawFn) -> Facts:
    """Anything that can be known of an archive."""
    database = draw(st.sampled_from(Database))
    streams = [
        stream(name, draw(ages), draw(st.integers(0, 9)), draw(st.text(max_size=20)))
        for name in draw(st.sampled_from([(), ("a",), ("a", "b"), ("a", "b", "c")]))
    ]
    if database is not Database.CONNECTED:
        streams = [replace(one, history=None) for one in streams]
    return Facts(
        version="1.0",
        streams=tuple(streams),
        runs=tuple(draw(st.lists(runs, max_size=3))) if database is Database.CONNECTED else (),
        interval=INTERVAL,
        database=database,
        disk=draw(disks),
        database_fault=draw(st.none() | st.builds(Fault, st.text(min_size=1), st.text())),
        browser_note=draw(st.text(max_size=20)),
    )


@given(any_facts())
def test_whatever_is_not_healthy_has_its_reason(known: Facts) -> None:
    """The whole is healthy only if everything is, and every bad thing says why in one line."""
    health = assess(known, NOW)
    assert (health.status is Status.HEALTHY) == (not health.problems)
    for one in health.problems:
        assert one.reason
    for one in health.checks:
        assert f"{one.reason}{one.advice}".isprintable()


@given(any_facts())
def test_the_whole_is_no_better_than_its_parts(known: Facts) -> None:
    """Nothing bad is lost on the way up; only some critical streams of many become `degraded`."""
    health = assess(known, NOW)
    worst = max((BADNESS.index(one.status) for one in health.checks), default=0)
    if health.status is Status.DEGRADED:
        criticals = [one.status is Status.CRITICAL for one in health.streams]
        assert any(criticals)
        assert not all(criticals)
    else:
        assert BADNESS.index(health.status) == worst
    for one in health.streams:
        mine = [c.status for c in health.checks if c.name.startswith(f"stream.{one.name}.")]
        assert one.status is max(mine, key=BADNESS.index)


@given(any_facts())
def test_the_exit_code_is_that_of_the_status(known: Facts) -> None:
    """Monitoring sees what the health file says."""
    health = assess(known, NOW)
    codes = {"healthy": 0, "warning": 1, "degraded": 1, "critical": 2, "unknown": 3}
    assert health.exit_code == codes[str(health.status)]


@given(
    st.timedeltas(timedelta(), minutes(200)),
    st.timedeltas(timedelta(), minutes(200)),
    st.integers(0, 5),
)
def test_getting_older_never_makes_it_better(
    age: timedelta, more: timedelta, failures: int
) -> None:
    """The same archive, looked at later, is as bad or worse."""
    known = facts(stream(age=age, failures=failures), runs=(run(age),))
    earlier, later = assess(known, NOW), assess(known, NOW + more)
    assert BADNESS.index(later.status) >= BADNESS.index(earlier.status)


@pytest.mark.parametrize(
    ("age", "status"),
    [
        (minutes(30), Status.HEALTHY),
        (minutes(30.1), Status.WARNING),
        (minutes(60), Status.WARNING),
        (minutes(60.1), Status.CRITICAL),
        (minutes(-10), Status.HEALTHY),
        (minutes(-10.1), Status.WARNING),
    ],
)
def test_the_newest_captures_age(age: timedelta, status: Status) -> None:
    """Three intervals are fine and six are a warning; a capture from the future is one too."""
    health = assess(facts(stream(age=age)), NOW)
    assert health.streams[0].status is status
    assert check(health, "stream.in_gate.newest").status is status


@pytest.mark.parametrize(
    ("failures", "status", "reason"),
    [
        (0, Status.HEALTHY, "in_gate: its last listing came"),
        (1, Status.WARNING, "in_gate: failed in the last run: no image matches"),
        (2, Status.WARNING, "in_gate: failed 2 times in a row: no image matches"),
        (3, Status.CRITICAL, "in_gate: failed 3 times in a row: no image matches"),
    ],
)
def test_consecutive_failures(failures: int, status: Status, reason: str) -> None:
    """One failure is a warning and three are critical, with the newest reason."""
    health = assess(facts(stream(failures=failures, why="no image\nmatches")), NOW)
    assert check(health, "stream.in_gate.failures").reason == reason
    assert health.streams[0].status is status
    assert health.streams[0].consecutive_failures == failures


def test_one_camera_or_the_whole_site() -> None:
    """One of two streams critical degrades the archive; both of them, or the only one, is more."""
    good, bad = stream("a"), stream("b", minutes(100))
    assert assess(facts(good, bad), NOW).status is Status.DEGRADED
    assert assess(facts(replace(bad, name="a"), bad), NOW).status is Status.CRITICAL
    assert assess(facts(bad), NOW).status is Status.CRITICAL


@pytest.mark.parametrize(
    ("ago", "status"),
    [
        (minutes(20), Status.HEALTHY),
        (minutes(20.1), Status.WARNING),
        (minutes(30), Status.WARNING),
        (minutes(30.1), Status.CRITICAL),
        (minutes(-10.1), Status.WARNING),
    ],
)
def test_nothing_ran_for_long(ago: timedelta, status: Status) -> None:
    """A job that no longer starts is critical, although its last run and the images are fine."""
    health = assess(facts(runs=(run(ago),)), NOW)
    assert health.status is status
    assert check(health, "download.schedule").status is status
    if ago > minutes(20):
        assert "camdl has not run since 2025-09-08 19:" in health.line()


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.OK, Status.HEALTHY),
        (Outcome.PARTLY, Status.HEALTHY),
        (Outcome.FAILED, Status.WARNING),
        (Outcome.INTERRUPTED, Status.WARNING),
    ],
)
def test_the_last_runs_outcome(outcome: Outcome, status: Status) -> None:
    """A run that failed or was interrupted is a warning, with its error or its streams' reasons."""
    health = assess(facts(runs=(run(outcome=outcome, error="disk full"),)), NOW)
    assert health.status is status
    assert ("disk full" in health.line()) == (status is Status.WARNING)
    health = assess(facts(runs=(run(outcome=outcome, streams=("a", "b")),)), NOW)
    assert ("a is gone; b is gone" in health.line()) == (status is Status.WARNING)
    health = assess(facts(runs=(run(outcome=outcome),)), NOW)
    assert check(health, "download.outcome").reason.endswith(f"ended {outcome}")


def test_a_run_that_goes_on() -> None:
    """Meanwhile the run before it counts; one that never ends was killed or hangs."""
    going_on = run(minutes(9), None)
    assert assess(facts(runs=(going_on, run(minutes(19)))), NOW).status is Status.HEALTHY
    failed = run(minutes(19), Outcome.FAILED)
    assert assess(facts(runs=(going_on, failed)), NOW).status is Status.WARNING
    assert assess(facts(runs=(going_on,)), NOW).status is Status.HEALTHY
    hanging = assess(facts(runs=(run(minutes(11), None), run(minutes(21)))), NOW)
    assert hanging.status is Status.WARNING
    assert "it was killed, or it hangs" in hanging.line()


def test_nothing_has_happened_yet() -> None:
    """Without a run and a capture nobody knows, which is neither good nor bad."""
    for runs_yet in ((), (run(minutes(1), None),)):
        health = assess(facts(stream(age=None), runs=runs_yet), NOW)
        assert (health.status, health.exit_code) == (Status.UNKNOWN, 3)
        assert "no run has read it yet" in health.line()
    known = facts(replace(stream(), history=None), runs=(), database=Database.ABSENT)
    health = assess(known, NOW)
    assert (health.status, health.exit_code) == (Status.UNKNOWN, 3)
    assert health.to_dict()["database"] == "disconnected"


@pytest.mark.parametrize(
    ("asked_ago", "status"),
    [
        (minutes(1), Status.WARNING),
        (minutes(60), Status.WARNING),
        (minutes(61), Status.CRITICAL),
        (None, Status.WARNING),
    ],
)
def test_a_stream_that_never_had_a_capture(asked_ago: timedelta | None, status: Status) -> None:
    """It is judged by how long runs have asked for it; one that is new may be so."""
    earlier = run(asked_ago, streams=("b",)) if asked_ago else run(minutes(90))
    known = facts(stream("a"), stream("b", age=None), runs=(run(), earlier))
    assert assess(known, NOW).streams[1].status is status


def test_a_catalogue_that_cannot_be_read() -> None:
    """That is critical, of the streams nothing is known, and the disk is judged all the same."""
    known = facts(
        replace(stream(), history=None),
        runs=(),
        database=Database.DISCONNECTED,
        database_fault=Fault("the database\nis locked", "Wait."),
        disk=DiskUsage(85, 1, 0),
    )
    health = assess(known, NOW)
    assert health.status is Status.CRITICAL
    assert check(health, "database").reason == "the database is locked"
    assert health.streams[0].status is Status.UNKNOWN
    assert check(health, "disk").status is Status.WARNING
    unexplained = assess(replace(known, database_fault=None), NOW)
    assert check(unexplained, "database").reason == "the catalogue cannot be read"


@pytest.mark.parametrize(
    ("percent", "status"),
    [
        (79.99, Status.HEALTHY),
        (80, Status.WARNING),
        (89.99, Status.WARNING),
        (90, Status.CRITICAL),
    ],
)
def test_a_disk_that_fills_up(percent: float, status: Status) -> None:
    """Space and inodes have the same thresholds, from which on they are bad."""
    space = assess(facts(disk=DiskUsage(percent, 5, 0)), NOW)
    inodes = assess(facts(disk=DiskUsage(0, 5, percent)), NOW)
    assert (space.status, inodes.status) == (status, status)
    assert check(space, "disk").status is status
    assert check(inodes, "inodes").status is status


@given(percents, percents, percents)
def test_thresholds_in_the_wrong_order(used: float, warning: float, critical: float) -> None:
    """Whatever the thresholds are, a disk beyond the critical one is critical."""
    assume(used >= critical)
    known = facts(disk=DiskUsage(used, 5, 0), thresholds=Thresholds(warning, critical))
    assert assess(known, NOW).status is Status.CRITICAL


def test_a_disk_that_cannot_be_looked_at() -> None:
    """It is not taken for an empty one."""
    health = assess(facts(disk=Fault("no permission", "Ask root.")), NOW)
    assert (health.status, health.disk) == (Status.UNKNOWN, None)
    assert health.problems == (Check("disk", Status.UNKNOWN, "no permission", "Ask root."),)


def test_an_archive_on_no_disk() -> None:
    """Nothing is said of a disk that there is not."""
    health = assess(facts(disk=None), NOW)
    assert health.status is Status.HEALTHY
    assert not any(one.name in ("disk", "inodes") for one in health.checks)


def test_a_note_on_the_browser() -> None:
    """What is worth knowing is said, and is no fault."""
    health = assess(facts(browser_note="the sandbox is off"), NOW)
    assert health.status is Status.HEALTHY
    assert check(health, "browser").reason == "the sandbox is off"


def test_the_job_and_its_runs() -> None:
    """The last run, the next one's estimate and the last good one are told."""
    bad, good = run(minutes(5), Outcome.PARTLY), run(minutes(15))
    job = assess(facts(runs=(bad, good)), NOW).jobs[0]
    assert (job.id, job.last_run, job.outcome) == ("download", bad.started_at, Outcome.PARTLY)
    assert (job.next_run, job.last_good_run) == (NOW + minutes(5), good.started_at)
    job = assess(facts(runs=()), NOW).jobs[0]
    assert (job.last_run, job.outcome, job.next_run, job.last_good_run) == (None,) * 4


def test_now_is_an_instant() -> None:
    """A `now` without a time zone is refused, one of any zone is told in UTC."""
    with pytest.raises(TypeError, match="no time zone"):
        assess(facts(), NOW.replace(tzinfo=None))
    elsewhere = NOW.astimezone(timezone(timedelta(hours=-7)))
    assert assess(facts(), elsewhere) == assess(facts(), NOW)
