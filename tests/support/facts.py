"""What is known of an archive, healthy but for what a test says; and anything that can be known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from camdl.domain.closing import ClosedHours
from camdl.domain.facts import Facts, Fault, JobFacts, StreamFacts
from camdl.domain.health import Database, DiskUsage, LockHolder
from camdl.domain.outcomes import (
    ClockReading,
    Counts,
    JobHistory,
    Outcome,
    RunRecord,
    StreamHistory,
    StreamResult,
)
from camdl.domain.schedule import jobs

if TYPE_CHECKING:
    from camdl.domain.health import Check, Health

NOW = datetime(2025, 9, 8, 20, 0, tzinfo=UTC)
INTERVAL = timedelta(minutes=10)
DAY = timedelta(days=1)
FRESH = timedelta(minutes=5)
HALF_EMPTY = DiskUsage(41.9, 10**9, 3.0)
JOBS = {job.id: job for job in jobs(10)}


def minutes(count: float) -> timedelta:
    """`count` minutes."""
    return timedelta(minutes=count)


def hours(count: float) -> timedelta:
    """`count` hours."""
    return timedelta(hours=count)


def stream(
    name: str = "in_gate",
    age: timedelta | None = FRESH,
    failures: int = 0,
    why: str = "",
    *,
    asked_ago: timedelta | None = None,
    closed: str = "",
    site: str = "apm",
) -> StreamFacts:
    """A stream whose newest capture is `age` old; None if it has none."""
    newest = None if age is None else NOW - age
    asked = None if asked_ago is None else NOW - asked_ago
    history = StreamHistory(name, newest, failures, why, asked)
    return StreamFacts(name, INTERVAL, history, ClosedHours(closed), site)


def run(
    ago: timedelta = FRESH,
    outcome: Outcome | None = Outcome.OK,
    streams: tuple[str, ...] = (),
    error: str = "",
    verb: str = "download",
) -> RunRecord:
    """A run that started `ago`; it still goes on if it has no outcome."""
    started = NOW - ago
    ended = started + minutes(1) if outcome else None
    results = tuple(
        StreamResult(one, outcome or Outcome.OK, Counts(), None, 1.0, f"{one} is gone")
        for one in streams
    )
    return RunRecord("r", verb, started, ended, outcome, 0, error, results)


def job(name: str, *runs: RunRecord, scheduled: bool = True) -> JobFacts:
    """A job and its last runs, newest first."""
    ended = next((one for one in runs if one.ended_at), None)
    good = next((one.started_at for one in runs if one.outcome is Outcome.OK), None)
    history = JobHistory(runs[0] if runs else None, ended, good)
    return JobFacts(JOBS[name], JOBS[name].every, history, scheduled)


def all_jobs(*downloads: RunRecord) -> tuple[JobFacts, ...]:
    """All jobs that are recorded, of which the others ran today."""
    others = (job(verb, run(hours(9), verb=verb)) for verb in ("cleanup", "verify"))
    return job("download", *downloads), *others


def facts(*streams: StreamFacts, **more: object) -> Facts:
    """What is known of a healthy archive, but for what is said."""
    made = Facts(
        "1.0",
        streams or (stream(),),
        all_jobs(run()),
        Database.CONNECTED,
        HALF_EMPTY,
        archive="the archive is at /a",
        browser="the browser is /b",
        clock=ClockReading(0.2, NOW - FRESH),
        since=NOW - 100 * DAY,
    )
    return replace(made, **more)  # type: ignore[arg-type]  # tests name the fields


def check(health: Health, name: str) -> Check:
    """The check called `name`."""
    return {one.name: one for one in health.checks}[name]


texts = st.text(max_size=20)
percents = st.floats(0, 100)
faults = st.builds(Fault, texts, texts)
disks = st.none() | faults | st.builds(DiskUsage, percents, st.integers(0, 10**12), percents)
ages = st.none() | st.timedeltas(minutes(-60), minutes(200))
calendars = st.sampled_from(["", "Sun; Sat 18:00-24:00", "daily 19:00-05:00", "daily"])
streams = st.builds(
    stream,
    st.just(""),
    ages,
    st.integers(0, 9),
    texts,
    asked_ago=ages,
    closed=calendars,
    site=st.sampled_from(["", "apm", "tti"]),
)


def runs_of(verb: str) -> st.SearchStrategy[list[RunRecord]]:
    """Some runs of `verb`."""
    one = st.builds(
        run,
        st.timedeltas(minutes(-30), hours(80)),
        st.none() | st.sampled_from(Outcome),
        st.sampled_from([(), ("a",), ("a", "b")]),
        texts,
        st.just(verb),
    )
    return st.lists(one, max_size=3)


@st.composite
def any_facts(draw: st.DrawFn) -> Facts:
    """Anything that can be known of an archive."""
    database = draw(st.sampled_from(Database))
    names = draw(st.sampled_from([(), ("a",), ("a", "b"), ("a", "b", "c")]))
    known = tuple(replace(draw(streams), name=name) for name in names)
    of_jobs = [
        job(verb, *draw(runs_of(verb)), scheduled=draw(st.booleans()))
        for verb in ("download", "cleanup", "verify")
    ]
    if database is not Database.CONNECTED:
        known = tuple(replace(one, history=None) for one in known)
        of_jobs = [replace(one, history=None) for one in of_jobs]
    return Facts(
        version="1.0",
        streams=known,
        jobs=tuple(of_jobs),
        database=database,
        disk=draw(disks),
        database_fault=draw(st.none() | faults),
        archive=draw(texts | faults),
        browser=draw(texts | faults),
        lock=draw(
            st.none()
            | st.builds(
                LockHolder,
                st.sampled_from(["download", "backfill"]),
                st.integers(1, 9),
                st.timedeltas(minutes(-9), hours(2)).map(lambda ago: NOW - ago),
            )
        ),
        clock=draw(
            st.none() | st.builds(ClockReading, st.floats(-(10**5), 10**5), st.just(NOW - FRESH))
        ),
        since=draw(st.none() | st.timedeltas(minutes(-5), 9 * DAY).map(lambda ago: NOW - ago)),
    )
