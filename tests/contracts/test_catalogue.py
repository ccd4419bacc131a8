"""What every catalogue does, the real one and the fake."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from camdl.catalogue.database import Database
from camdl.catalogue.rows import SqlCatalogue
from camdl.domain.captures import Capture, ListedCapture
from camdl.domain.failures import FailureKind
from camdl.domain.outcomes import (
    ClockReading,
    Counts,
    Duplicate,
    Failed,
    JobHistory,
    Outcome,
    PendingCapture,
    Rejected,
    RunRecord,
    Saved,
    StoredImage,
    StreamHistory,
    StreamResult,
)
from camdl.errors import CatalogueError, ExitCode
from camdl.verbs.running import run_id
from tests.support.catalogues import empty_catalogue
from tests.support.fake_catalogue import FakeCatalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from camdl.domain.outcomes import ImageOutcome
    from camdl.ports import Catalogue
    from tests.support.postgres import Postgres, PostgresStore

NOON = datetime(2025, 9, 8, 12, 0, tzinfo=UTC)
NOW = NOON + timedelta(hours=1, microseconds=123_456)
NAIVE = datetime(2025, 9, 8, 12, 0)  # noqa: DTZ001  # what must be refused
LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
STREAMS = ("in_gate", "out_gate")


@dataclass(frozen=True)
class World:
    """One kind of catalogue: makes an empty one in place of the last, and breaks it."""

    new: Callable[[], Catalogue]
    damage: Callable[[], None]


@pytest.fixture(params=["sqlite", "postgres", "fake"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Each kind of catalogue. Only this knows how to come by one."""
    with ExitStack() as closing:
        if request.param == "sqlite":
            yield sqlite_world(tmp_path / "camdl.db", closing)
        elif request.param == "postgres":
            yield postgres_world(request.getfixturevalue("postgres"), closing)
        else:
            yield fake_world()


def sqlite_world(file: Path, closing: ExitStack) -> World:
    """The real one, in a file."""
    database = Database(f"sqlite:///{file}")
    closing.callback(database.close)

    def new() -> Catalogue:
        empty_catalogue(file)
        return SqlCatalogue(database)

    def damage() -> None:
        file.write_bytes(b"this is no database " * 1000)

    return World(new, damage)


def postgres_world(server: Postgres, closing: ExitStack) -> World:
    """The real one, on a server."""
    stores: list[PostgresStore] = []

    def new() -> Catalogue:
        closing.close()
        stores.append(closing.enter_context(server.catalogue()))
        database = Database(stores[-1].url)
        closing.callback(database.close)
        return SqlCatalogue(database)

    def damage() -> None:
        stores[-1].break_it()

    return World(new, damage)


def fake_world() -> World:
    """The fake."""
    fakes: list[FakeCatalogue] = []

    def new() -> Catalogue:
        fakes.append(FakeCatalogue())
        return fakes[-1]

    def damage() -> None:
        fakes[-1].fault = CatalogueError("the catalogue is out of order")

    return World(new, damage)


@pytest.fixture
def catalogue(world: World) -> Catalogue:
    """An empty catalogue of each kind."""
    return world.new()


def capture(minutes: float, stream: str = "in_gate") -> Capture:
    """A capture that many minutes after noon."""
    return Capture(NOON + timedelta(minutes=minutes), stream)


def listed(minutes: float, stream: str = "in_gate", url: str = "https://cdn/x") -> ListedCapture:
    """A capture that a source has listed."""
    return ListedCapture(capture(minutes, stream), url)


def stored(of: Capture, seed: str = "") -> StoredImage:
    """An image of it."""
    digest = hashlib.sha256(seed.encode()).hexdigest()
    return StoredImage(of, of.key, digest, 100_000, 1200, 675, f"https://cdn/{seed}", NOW)


def saved(minutes: float, stream: str = "in_gate") -> tuple[ListedCapture, ImageOutcome]:
    """A capture, and that it was saved."""
    return listed(minutes, stream), Saved(stored(capture(minutes, stream)))


def result(outcome: Outcome, reason: str = "", stream: str = "in_gate") -> StreamResult:
    """A stream's part of a run."""
    return StreamResult(stream, outcome, Counts(), None, 1.5, reason)


def run_of(catalogue: Catalogue, run: RunRecord) -> RunRecord:
    """Have `run` begin and end."""
    catalogue.begin_run(run.id, run.verb, run.started_at)
    catalogue.finish_run(run)
    return run


def ended(run_id: str, minutes: float, *results: StreamResult, verb: str = "download") -> RunRecord:
    """A run that took a minute."""
    started_at = NOON + timedelta(minutes=minutes)
    return RunRecord(
        run_id, verb, started_at, started_at + timedelta(minutes=1), Outcome.OK, 0, "", results
    )


def test_an_empty_catalogue_knows_nothing(catalogue: Catalogue) -> None:
    """Every question has an answer before anything was recorded."""
    assert catalogue.newest("in_gate") is None
    assert catalogue.archived([]) == frozenset()
    assert catalogue.archived([capture(0)]) == frozenset()
    assert catalogue.pending("in_gate", LONG_AGO) == ()
    assert catalogue.last_runs("download", 20) == ()
    assert catalogue.stream_history("in_gate") == StreamHistory("in_gate", None, 0, "")
    assert catalogue.job_history("download") == JobHistory()
    assert catalogue.first_run() is None
    assert catalogue.clock_reading() is None
    catalogue.record("r1", [], NOW)


# Captures


def test_what_is_saved_is_archived(catalogue: Catalogue) -> None:
    """Whether it was fetched or found, and of its own stream only."""
    found = (listed(10), Duplicate(stored(capture(10))))
    catalogue.record("r1", [saved(0), found, saved(20, "out_gate")], NOW)
    asked = [capture(minutes, stream) for minutes in (0, 5, 10, 20) for stream in STREAMS]
    assert catalogue.archived(asked) == {capture(0), capture(10), capture(20, "out_gate")}
    assert catalogue.archived([capture(10)]) == {capture(10)}
    assert [catalogue.newest(stream) for stream in (*STREAMS, "other")] == [
        NOON + timedelta(minutes=10),
        NOON + timedelta(minutes=20),
        None,
    ]
    assert catalogue.pending("in_gate", LONG_AGO) == ()


def test_the_newest_is_the_latest_captured(catalogue: Catalogue) -> None:
    """Not the one that was recorded last."""
    for minutes in (10, 30, 20):
        catalogue.record("r1", [saved(minutes)], NOW)
    assert catalogue.newest("in_gate") == NOON + timedelta(minutes=30)
    assert catalogue.stream_history("in_gate").newest == NOON + timedelta(minutes=30)


def test_an_archived_capture_stays_archived(catalogue: Catalogue) -> None:
    """Recording the same capture again, whatever came of it, changes nothing."""
    catalogue.record("r1", [saved(0)], NOW)
    for outcome in (Duplicate(stored(capture(0), "2")), Rejected("no JPEG"), Failed("reset"), None):
        catalogue.record("r2", [(listed(0), outcome)], NOW)
        assert catalogue.archived([capture(0)]) == {capture(0)}
        assert catalogue.pending("in_gate", LONG_AGO) == ()


def test_many_captures_at_once(catalogue: Catalogue) -> None:
    """The largest batch there is, and a listing of a month."""
    catalogue.record("r1", [(listed(minutes), None) for minutes in range(5000)], NOW)
    catalogue.record("r1", [saved(minutes) for minutes in range(1000)], NOW)
    asked = [capture(minutes) for minutes in range(-1000, 5000)]
    assert len(catalogue.archived(asked)) == 1000
    assert len(catalogue.pending("in_gate", LONG_AGO)) == 4000


# What is pending


def test_what_is_listed_is_pending_until_it_is_saved(catalogue: Catalogue) -> None:
    """A capture that no run has asked for yet is remembered without a reason."""
    catalogue.record("r1", [(listed(0), None), (listed(10), None)], NOW)
    assert catalogue.pending("in_gate", LONG_AGO) == (
        PendingCapture(listed(10), ""),
        PendingCapture(listed(0), ""),
    )
    catalogue.record("r1", [saved(0)], NOW)
    assert catalogue.pending("in_gate", LONG_AGO) == (PendingCapture(listed(10), ""),)
    catalogue.record("r1", [(listed(10), Duplicate(stored(capture(10))))], NOW)
    assert catalogue.pending("in_gate", LONG_AGO) == ()


def test_what_failed_is_pending_with_its_reason(catalogue: Catalogue) -> None:
    """Why it could not be had, and until when the source wants to be left alone."""
    later = NOW + timedelta(minutes=7)
    catalogue.record(
        "r1", [(listed(0), Rejected("no JPEG")), (listed(1), Failed("503", later))], NOW
    )
    assert catalogue.pending("in_gate", LONG_AGO) == (
        PendingCapture(listed(1), "503", later),
        PendingCapture(listed(0), "no JPEG", rejected=True),
    )


def test_a_new_failure_replaces_the_old(catalogue: Catalogue) -> None:
    """Reason, time to wait, URL and whether something came are those of the last attempt."""
    catalogue.record("r1", [(listed(0), Failed("503", NOW))], NOW)
    again = listed(0, url="https://cdn/y")
    catalogue.record("r2", [(again, Failed("504", NOW + timedelta(hours=1)))], NOW)
    assert catalogue.pending("in_gate", LONG_AGO) == (
        PendingCapture(again, "504", NOW + timedelta(hours=1)),
    )
    catalogue.record("r3", [(again, Rejected("HTTP 404"))], NOW)
    assert catalogue.pending("in_gate", LONG_AGO) == (
        PendingCapture(again, "HTTP 404", rejected=True),
    )
    catalogue.record("r4", [(again, None)], NOW)
    assert catalogue.pending("in_gate", LONG_AGO)[0].rejected
    catalogue.record("r5", [(again, Failed("504"))], NOW)
    assert catalogue.pending("in_gate", LONG_AGO) == (PendingCapture(again, "504"),)


def test_being_listed_again_renews_the_url_alone(catalogue: Catalogue) -> None:
    """Its signature may have run out; why it failed, and until when to wait, still holds."""
    catalogue.record("r1", [(listed(0), Failed("503", NOW))], NOW)
    again = listed(0, url="https://cdn/x?signature=new")
    catalogue.record("r2", [(again, None)], NOW)
    assert catalogue.pending("in_gate", LONG_AGO) == (PendingCapture(again, "503", NOW),)


def test_only_one_streams_pending_captures_since_then(catalogue: Catalogue) -> None:
    """Those of other streams, and those captured before, are left out."""
    catalogue.record("r1", [(listed(minutes), None) for minutes in range(5)], NOW)
    catalogue.record("r1", [(listed(3, "out_gate"), None)], NOW)
    since = NOON + timedelta(minutes=3)
    assert [one.listed.capture for one in catalogue.pending("in_gate", since)] == [
        capture(4),
        capture(3),
    ]
    assert [one.listed for one in catalogue.pending("out_gate", LONG_AGO)] == [
        listed(3, "out_gate")
    ]


# All or nothing


def test_a_batch_is_recorded_whole_or_not_at_all(catalogue: Catalogue) -> None:
    """An error half-way through leaves nothing of it."""

    def broken() -> Iterator[tuple[ListedCapture, ImageOutcome | None]]:
        yield saved(0)
        yield listed(1), None
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        catalogue.record("r1", broken(), NOW)
    naive_wait = [saved(0), (listed(1), None), (listed(2), Failed("503", NAIVE))]
    with pytest.raises(TypeError):
        catalogue.record("r1", naive_wait, NOW)
    assert catalogue.archived([capture(0)]) == frozenset()
    assert catalogue.pending("in_gate", LONG_AGO) == ()


def test_times_without_a_zone_are_refused(catalogue: Catalogue) -> None:
    """Nobody knows which instant they mean: that is a bug of the caller, and changes nothing."""
    run = run_of(catalogue, ended("r1", 0))
    nowhere = replace(result(Outcome.OK), newest=NAIVE)
    catalogue.begin_run("r2", "download", NOON + timedelta(minutes=10))
    before = catalogue.last_runs("download", 20)
    attempts: list[Callable[[], object]] = [
        lambda: catalogue.begin_run("r3", "download", NAIVE),
        lambda: catalogue.finish_run(replace(run, id="r2", ended_at=NAIVE)),
        lambda: catalogue.finish_run(replace(run, id="r2", streams=(nowhere,))),
        lambda: catalogue.pending("in_gate", NAIVE),
        lambda: catalogue.record("r2", [(listed(0), None)], NAIVE),
        lambda: catalogue.record("r2", [(listed(0), Failed("503", NAIVE))], NOW),
        lambda: catalogue.record(
            "r2", [(listed(0), Saved(replace(stored(capture(0)), fetched_at=NAIVE)))], NOW
        ),
    ]
    for attempt in attempts:
        with pytest.raises(TypeError, match="no time zone"):
            attempt()
    assert catalogue.last_runs("download", 20) == before
    assert catalogue.pending("in_gate", LONG_AGO) == ()
    assert catalogue.newest("in_gate") is None


def test_times_of_every_zone_come_back_in_utc(catalogue: Catalogue) -> None:
    """The instant is the same, and its zone is UTC."""
    zone = timezone(timedelta(hours=-7))
    local = NOW.astimezone(zone)
    run = replace(ended("r1", 0), started_at=local, ended_at=local)
    run_of(catalogue, replace(run, streams=(replace(result(Outcome.OK), newest=local),)))
    at_noon = ListedCapture(Capture(NOON.astimezone(zone), "in_gate"), "u")
    catalogue.record("r1", [(at_noon, Failed("503", local)), saved(-5)], local)
    (told,) = catalogue.last_runs("download", 1)
    (waits,) = catalogue.pending("in_gate", NOON.astimezone(zone))
    instants = [told.started_at, told.ended_at, told.streams[0].newest, waits.not_before]
    assert instants == [NOW] * 4
    assert waits.listed.capture == capture(0)
    instants += [waits.listed.capture.captured_at, catalogue.newest("in_gate")]
    assert [instant and instant.tzinfo for instant in instants] == [UTC] * 6


# Runs


def test_a_run_that_goes_on(catalogue: Catalogue) -> None:
    """From its beginning on it is told, without an end."""
    catalogue.begin_run("r1", "download", NOW)
    assert catalogue.last_runs("download", 20) == (RunRecord("r1", "download", NOW),)


def test_a_run_comes_back_as_it_ended(catalogue: Catalogue) -> None:
    """Everything that was recorded of it and its streams, which come by name."""
    counts = Counts(1, 2, 3, 4, 5, 6, 7, 2**40, 2**41)
    kinds = ((FailureKind.HTTP_STATUS, 2), (FailureKind.TIMEOUT, 1))
    why = "3 x HTTP 503; für 5 € \N{FACE WITH TEARS OF JOY}"
    streams = (
        StreamResult("in_gate", Outcome.PARTLY, counts, NOON, 0.123456789, why, failures=kinds),
        StreamResult("out_gate", Outcome.FAILED, Counts(), None, 0.0, why, unreachable=True),
    )
    run = RunRecord("r1", "download", NOON, NOW, Outcome.PARTLY, 1, "a\nbug", streams, -1.25)
    run_of(catalogue, replace(run, streams=streams[::-1]))
    assert catalogue.last_runs("download", 20) == (run,)


def test_a_run_may_end_again(catalogue: Catalogue) -> None:
    """What goes wrong after its end was recorded is its end then."""
    partly = replace(result(Outcome.PARTLY), failures=((FailureKind.TIMEOUT, 2),))
    run = run_of(catalogue, ended("r1", 0, partly))
    again = replace(run, outcome=Outcome.FAILED, exit_code=74, error="no space")
    catalogue.finish_run(again)
    assert catalogue.last_runs("download", 20) == (again,)


def test_the_last_runs_come_newest_first(catalogue: Catalogue) -> None:
    """As many as are wanted, of one verb, by when they started and not by when they ended."""
    runs = [ended(f"r{n}", n, result(Outcome.OK, stream=f"s{n}")) for n in (3, 1, 2)]
    for run in runs:
        run_of(catalogue, run)
    run_of(catalogue, ended("b1", 9, verb="backfill"))
    assert [run.id for run in catalogue.last_runs("download", 20)] == ["r3", "r2", "r1"]
    assert catalogue.last_runs("download", 2) == (runs[0], runs[2])
    assert [run.id for run in catalogue.last_runs("backfill", 1)] == ["b1"]
    assert catalogue.last_runs("download", 0) == ()
    at_once = [ended(run_id, 20, verb="verify") for run_id in ("v2", "v3", "v1")]
    for run in at_once:
        run_of(catalogue, run)
    assert [run.id for run in catalogue.last_runs("verify", 20)] == ["v3", "v2", "v1"]


def test_the_last_runs_of_any_verb(catalogue: Catalogue) -> None:
    """All verbs together, in the order of their beginnings."""
    for number, verb in enumerate(("download", "cleanup", "download", "verify")):
        run_of(catalogue, ended(f"r{number}", number, result(Outcome.OK), verb=verb))
    assert [run.id for run in catalogue.last_runs(None, 20)] == ["r3", "r2", "r1", "r0"]
    assert [run.id for run in catalogue.last_runs(None, 3)] == ["r3", "r2", "r1"]
    assert len(catalogue.last_runs(None, 1)[0].streams) == 1


def test_the_last_bad_runs(catalogue: Catalogue) -> None:
    """What did not end ok, whatever else it was; and what has no end, so that it was killed."""
    for number, outcome in enumerate((*Outcome, Outcome.OK)):
        verb = "cleanup" if outcome is Outcome.PARTLY else "download"
        run_of(catalogue, replace(ended(f"r{number}", number, verb=verb), outcome=outcome))
    catalogue.begin_run("r9", "download", NOW)
    assert [run.id for run in catalogue.last_runs(None, 20, only_bad=True)] == [
        *("r9", "r3", "r2", "r1")
    ]
    assert [run.id for run in catalogue.last_runs("cleanup", 20, only_bad=True)] == ["r1"]
    assert [run.id for run in catalogue.last_runs("download", 2, only_bad=True)] == ["r9", "r3"]


OK, PARTLY, FAILED, INTERRUPTED = Outcome.OK, Outcome.PARTLY, Outcome.FAILED, Outcome.INTERRUPTED


@pytest.mark.parametrize(
    ("outcomes", "failures", "reason"),
    [
        ([OK], 0, ""),
        ([FAILED], 1, "0"),
        ([FAILED, FAILED, FAILED], 3, "2"),
        ([FAILED, OK, FAILED, FAILED], 2, "3"),
        ([FAILED, FAILED, PARTLY], 0, ""),
        ([OK, FAILED, INTERRUPTED], 1, "1"),
        ([FAILED, INTERRUPTED, FAILED], 2, "2"),
        ([INTERRUPTED, INTERRUPTED], 0, ""),
        ([FAILED, OK, INTERRUPTED], 0, ""),
    ],
)
def test_failures_are_counted_since_the_last_listing(
    catalogue: Catalogue, outcomes: list[Outcome], failures: int, reason: str
) -> None:
    """A run that was interrupted counts as neither, and another stream's as nothing."""
    for number, outcome in enumerate(outcomes):
        other = result(FAILED if outcome is OK else OK, "another's", "out_gate")
        run_of(catalogue, ended(f"r{number}", number, result(outcome, str(number)), other))
    catalogue.begin_run("now", "download", NOON + timedelta(days=1))
    catalogue.record("r0", [saved(0)], NOW)
    assert catalogue.stream_history("in_gate") == StreamHistory("in_gate", NOON, failures, reason)


def test_failures_are_counted_by_when_runs_started(catalogue: Catalogue) -> None:
    """The order in which they were recorded does not matter."""
    for number, outcome in ((5, FAILED), (3, OK), (1, FAILED), (4, FAILED)):
        run_of(catalogue, ended(f"r{number}", number, result(outcome, str(number))))
    first = NOON + timedelta(minutes=1)
    assert catalogue.stream_history("in_gate") == StreamHistory("in_gate", None, 2, "5", first)


def test_runs_of_one_second_are_told_apart(catalogue: Catalogue) -> None:
    """What fails at once, and is started again at once, is not taken for the last word."""
    for milliseconds, outcome in ((100, FAILED), (400, OK), (700, FAILED), (999, OK)):
        began = NOON + timedelta(milliseconds=milliseconds)
        run_of(catalogue, replace(ended(run_id(began), 0, result(outcome)), started_at=began))
        told = catalogue.stream_history("in_gate")
        assert told.consecutive_failures == (outcome is FAILED)


def test_only_downloads_tell_of_a_stream(catalogue: Catalogue) -> None:
    """A clean-up that failed says nothing of the source, and one that went well nothing either."""
    run_of(catalogue, ended("r1", 1, result(FAILED, "no page")))
    run_of(catalogue, ended("r2", 2, result(OK), verb="cleanup"))
    run_of(catalogue, ended("r3", 3, result(FAILED, "no disk"), verb="cleanup"))
    told = catalogue.stream_history("in_gate")
    assert (told.consecutive_failures, told.last_reason) == (1, "no page")


def test_a_jobs_history(catalogue: Catalogue) -> None:
    """The newest run, the newest that has ended, and the newest good one: each another one."""
    good = run_of(catalogue, ended("r1", 1, result(OK)))
    bad = run_of(catalogue, replace(ended("r2", 2, result(FAILED, "gone")), outcome=FAILED))
    run_of(catalogue, ended("r9", 9, verb="cleanup"))
    assert catalogue.job_history("download") == JobHistory(
        replace(bad, streams=()), bad, good.started_at
    )
    catalogue.begin_run("r3", "download", NOON + timedelta(minutes=3))
    going_on = RunRecord("r3", "download", NOON + timedelta(minutes=3))
    assert catalogue.job_history("download") == JobHistory(going_on, bad, good.started_at)
    assert catalogue.job_history("verify") == JobHistory()
    catalogue.begin_run("r4", "verify", NOON)
    assert catalogue.job_history("verify") == JobHistory(RunRecord("r4", "verify", NOON))


def test_when_the_first_run_began(catalogue: Catalogue) -> None:
    """That is how long the archive has been there, whatever the run was for."""
    run_of(catalogue, ended("r2", 2))
    run_of(catalogue, ended("r1", 1, verb="verify"))
    assert catalogue.first_run() == NOON + timedelta(minutes=1)


def test_how_our_clock_stood(catalogue: Catalogue) -> None:
    """As the last download found that could tell; others, and those that could not, are left."""
    run_of(catalogue, replace(ended("r1", 1), clock_offset_seconds=-90.5))
    run_of(catalogue, replace(ended("r2", 2), clock_offset_seconds=0.0))
    run_of(catalogue, ended("r3", 3))
    run_of(catalogue, replace(ended("r4", 4, verb="backfill"), clock_offset_seconds=7.0))
    assert catalogue.clock_reading() == ClockReading(0.0, NOON + timedelta(minutes=2))


# Faults


def test_a_catalogue_that_cannot_be_used_says_so(world: World) -> None:
    """Whatever is asked of it, the error is its own, and a run may end of it."""
    catalogue = world.new()
    run = run_of(catalogue, ended("r1", 0))
    world.damage()
    attempts: list[Callable[[], object]] = [
        lambda: catalogue.begin_run("r2", "download", NOW),
        lambda: catalogue.finish_run(run),
        lambda: catalogue.newest("in_gate"),
        lambda: catalogue.archived([capture(0)]),
        lambda: catalogue.pending("in_gate", LONG_AGO),
        lambda: catalogue.record("r1", [saved(0)], NOW),
        lambda: catalogue.last_runs("download", 1),
        lambda: catalogue.stream_history("in_gate"),
        lambda: catalogue.job_history("download"),
        catalogue.first_run,
        catalogue.clock_reading,
    ]
    for attempt in attempts:
        with pytest.raises(CatalogueError) as raised:
            attempt()
        assert raised.value.exit_code == ExitCode.STORAGE
        assert str(raised.value).isprintable()


# Any sequence of it all

captures = st.builds(capture, st.integers(0, 3), st.sampled_from(STREAMS))
instants = st.timedeltas(timedelta(days=-1), timedelta(days=1)).map(NOON.__add__)
texts = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=10)
counts = st.builds(Counts, *[st.integers(0, 100)] * 9)
kinds = st.dictionaries(st.sampled_from(FailureKind), st.integers(1, 100), max_size=3)
results = st.builds(
    lambda outcome, counts, newest, seconds, reason, unreachable, failures: (
        lambda stream: StreamResult(
            stream, outcome, counts, newest, seconds, reason, unreachable, failures
        )
    ),
    st.sampled_from(Outcome),
    counts,
    st.none() | instants,
    st.floats(0, 1e6),
    texts,
    st.booleans(),
    kinds.map(lambda found: tuple(sorted(found.items()))),
)
ends = st.builds(
    RunRecord,
    *[st.just(""), st.just(""), st.just(NOON)],
    ended_at=instants,
    outcome=st.sampled_from(Outcome),
    exit_code=st.sampled_from([0, 1, 69, 143]),
    error=texts,
    clock_offset_seconds=st.none() | st.floats(-1e6, 1e6),
)
# What comes of a capture: by itself, or made of the capture.
became = st.one_of(
    st.none(),
    st.builds(Rejected, texts),
    st.builds(Failed, texts, st.none() | instants),
    st.builds(lambda seed: lambda of: Saved(stored(of, seed)), texts),
    st.builds(lambda seed: lambda of: Duplicate(stored(of, seed)), texts),
)


class Agreement(RuleBasedStateMachine):
    """A catalogue tells the same as the fake after the same records."""

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__()
        self.fake = FakeCatalogue()
        self.both = (catalogue, self.fake)
        self.open: list[RunRecord] = []
        self.begun = count()

    @rule(
        outcomes=st.dictionaries(captures, st.tuples(texts, became), max_size=4),
        now=instants,
    )
    def record(
        self,
        outcomes: Mapping[
            Capture, tuple[str, ImageOutcome | Callable[[Capture], ImageOutcome] | None]
        ],
        now: datetime,
    ) -> None:
        """Something became of some captures."""
        batch = [
            (ListedCapture(of, url), what(of) if callable(what) else what)
            for of, (url, what) in outcomes.items()
        ]
        for one in self.both:
            one.record("r", batch, now)

    @rule(verb=st.sampled_from(["download", "backfill"]), started_at=instants)
    def begin(self, verb: str, started_at: datetime) -> None:
        """A run begins; no two at once."""
        number = next(self.begun)
        run_id = f"{started_at:%Y%m%dT%H%M%SZ}-{number:06}"
        run = RunRecord(run_id, verb, started_at.replace(microsecond=number))
        self.open.append(run)
        for one in self.both:
            one.begin_run(run.id, run.verb, run.started_at)

    @precondition(lambda self: self.open)
    @rule(
        which=st.integers(0, 100),
        end=ends,
        streams=st.dictionaries(st.sampled_from(STREAMS), results),
    )
    def finish(
        self, which: int, end: RunRecord, streams: Mapping[str, Callable[[str], StreamResult]]
    ) -> None:
        """A run ends; others may have begun meanwhile."""
        run = self.open.pop(which % len(self.open))
        parts = tuple(make(stream) for stream, make in streams.items())
        for one in self.both:
            one.finish_run(
                replace(end, id=run.id, verb=run.verb, started_at=run.started_at, streams=parts)
            )

    @invariant()
    def tells_the_same(self) -> None:
        """Every question has the same answer."""
        catalogue, fake = self.both
        everything = [capture(minutes, stream) for minutes in range(4) for stream in STREAMS]
        assert catalogue.archived(everything) == fake.archived(everything)
        for stream in STREAMS:
            assert catalogue.newest(stream) == fake.newest(stream)
            assert catalogue.stream_history(stream) == fake.stream_history(stream)
        assert catalogue.first_run() == fake.first_run()
        assert catalogue.clock_reading() == fake.clock_reading()
        for verb in ("download", "backfill"):
            assert catalogue.job_history(verb) == fake.job_history(verb)
            for since in (LONG_AGO, NOON + timedelta(minutes=2)):
                assert catalogue.pending(stream, since) == fake.pending(stream, since)
        for verb, limit in (("download", 2), ("backfill", 20)):
            assert catalogue.last_runs(verb, limit) == fake.last_runs(verb, limit)


@pytest.mark.parametrize(
    ("world", "examples"), [("sqlite", 20), ("postgres", 5)], indirect=["world"]
)
def test_it_agrees_with_the_fake(world: World, examples: int) -> None:
    """Whatever is recorded in whatever order, the real catalogue and the fake tell the same."""

    class Here(Agreement):
        """With a new catalogue for each sequence."""

        def __init__(self) -> None:
            super().__init__(world.new())

    run_state_machine_as_test(
        Here, settings=settings(max_examples=examples, stateful_step_count=12, deadline=None)
    )
