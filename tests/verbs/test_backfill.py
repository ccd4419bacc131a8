"""`camdl backfill` from its days to the exit code, on a real archive, catalogue and lock."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from camdl.catalogue.database import Database
from camdl.catalogue.ledger import SqlLedger
from camdl.catalogue.rows import SqlCatalogue
from camdl.domain.captures import Capture, ListedCapture
from camdl.domain.gaps import Cause, Gap
from camdl.domain.outcomes import Counts, Failed, Outcome, Rejected
from camdl.domain.windows import Window
from camdl.errors import ExitCode, InterruptedRunError, LockHeldError, UsageError
from camdl.ops.lock import FileLock
from camdl.ports import Listing, NoListing
from camdl.report.screen import NoProgress
from camdl.verbs.backfill import Order, backfill
from tests.support import invariants
from tests.support.fake_fetcher import FakeFetcher
from tests.support.world import NOW, PICTURE, World, gate_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path
    from typing import Any

    from camdl.deadline import Deadline
    from camdl.domain.outcomes import Body, RunRecord
    from camdl.ports import Wanted
    from camdl.verbs.collecting import Finished

TODAY = NOW.date()
DAY = timedelta(days=1)
SOON = 10.0


class Pages:
    """A source with a date picker: it tells the shown day and those that are wanted.

    `taken` is what its cameras took, `untold` are days that it does not tell completely.
    `meanwhile` is called before each answer. `asked` are the days that were wanted, by question.
    """

    def __init__(self) -> None:
        self.taken: dict[str, list[ListedCapture]] = {}
        self.untold: dict[date, str] = {}
        self.meanwhile: Callable[[], object] = lambda: None
        self.asked: list[tuple[date, ...]] = []

    def listings(
        self, wanted: Sequence[Wanted], now: datetime, deadline: Deadline
    ) -> Iterator[Listing | NoListing]:
        """What was taken on the shown day and on the wanted ones."""
        for one in wanted:
            self.asked.append(one.days)
            self.meanwhile()
            zone, name = one.stream.timezone, one.stream.name
            days = (now.astimezone(zone).date(), *one.days)
            told = [day for day in days if day not in self.untold]
            captures = [
                taken
                for taken in self.taken[name]
                if taken.capture.captured_at.astimezone(zone).date() in told
            ]
            lacking = "; ".join(self.untold[day] for day in days if day in self.untold)
            yield Listing(name, tuple(captures), lacking, tuple(told))


class Steps(NoProgress):
    """A progress that remembers how far it was told to be."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int]] = []

    def days(self, done: int, total: int) -> None:
        """Keep it."""
        self.steps.append((done, total))


class Watched(FakeFetcher):
    """A fetcher that calls `meanwhile` with each URL before it answers."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[str], object] = lambda _: None

    def fetch(
        self, url: str, origins: frozenset[str], deadline: Deadline
    ) -> Body | Rejected | Failed:
        """The answer of the table, after whatever the test wants to happen first."""
        self.meanwhile(url)
        return super().fetch(url, origins, deadline)


class Past(World):
    """Implements `camdl.verbs.backfill.Tools` too: one camera, which took three pictures a day."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, "in_gate")
        self.streams = (replace(gate_stream("in_gate"), date_picker="input"),)
        self.pages = Pages()
        self.fetcher: Watched = Watched()
        self.told = Steps()
        self.progress: NoProgress = self.told
        self.home = home
        self.for_backfill = FileLock(home / "camdl.lock", "backfill")
        self.for_download = FileLock(home / "camdl.lock", "download", {"backfill": SOON})
        self.lock = self.for_backfill
        self.take(*(TODAY - number * DAY for number in range(10)))

    def take(self, *days: date, hours: Sequence[int] = (6, 12, 18)) -> None:
        """The camera took pictures at these hours (UTC) of `days`."""
        for day in days:
            for hour in hours:
                moment = NOW.replace(
                    year=day.year, month=day.month, day=day.day, hour=hour, minute=0
                )
                capture = Capture(moment, "in_gate")
                url = self.streams[0].image.url(capture)
                one = ListedCapture(capture, url)
                self.pages.taken.setdefault("in_gate", []).append(one)
                self.fetcher.answers[url] = PICTURE

    @contextmanager
    def open(self, order: Any, deadline: Deadline) -> Iterator[Any]:
        """As the world's, with a source that has a date picker."""
        with super().open(order, deadline) as ports:
            yield replace(ports, source=self.pages)

    @contextmanager
    def catalogue(self) -> Iterator[Any]:
        """The catalogue alone."""
        with super().catalogue() as catalogue:
            yield catalogue

    def backfill(self, days: int | None = None, **order: Any) -> Finished:
        """Ask for so many days before the present one, and that one, a day a slice."""
        self.is_on_its_way_out = False
        self.lock = self.for_backfill
        given: dict[str, Any] = {
            "concurrent": 1,
            "slice_days": 1,
            "pause_seconds": 0.02,
            "lock_seconds": 0.3,
        }
        if days is not None:
            given["first"] = TODAY - days * DAY
        with self.time_passing():
            return backfill(Order(self.streams, **{**given, **order}), self)

    def archived_days(self) -> list[tuple[date, int]]:
        """How many captures of each day are archived; the archive is whole."""
        keys = invariants.archived(self.images, self.database)
        days = [date.fromisoformat(key.split("/")[1]) for key in keys]
        return [(day, days.count(day)) for day in sorted(set(days), reverse=True)]

    def of_days(self, *days: date) -> list[str]:
        """The URLs of what was taken on these days."""
        return [
            one.url for one in self.pages.taken["in_gate"] if one.capture.captured_at.date() in days
        ]

    @contextmanager
    def ledger(self) -> Iterator[SqlLedger]:
        """The ledger, to look into and to change."""
        with closing(Database(f"sqlite:///{self.database}")) as database:
            yield SqlLedger(database)

    def last(self, verb: str = "backfill") -> RunRecord:
        """The newest run of `verb`, as it was recorded."""
        with self.catalogue() as catalogue:
            run: RunRecord = catalogue.last_runs(verb, 1)[0]
            return run


@pytest.fixture
def past(tmp_path: Path) -> Past:
    """A camera with a history, of which nothing is archived yet."""
    return Past(tmp_path)


def days_ago(*numbers: int) -> list[date]:
    """The days so long before the present one."""
    return [TODAY - number * DAY for number in numbers]


# The days are read and archived.


def test_every_day_is_archived(past: Past) -> None:
    """All that the pages list of the days asked for is stored, and of no other day."""
    finished = past.backfill(3)
    assert past.archived_days() == [(day, 3) for day in days_ago(0, 1, 2, 3)]
    assert (finished.run.exit_code, finished.error) == (0, None)
    assert finished.run.counts == Counts(12, 12, saved=12, saved_bytes=12 * len(PICTURE))


def test_newest_day_comes_first(past: Past) -> None:
    """The picker is driven day by day into the past, and so are the images."""
    past.backfill(3)
    assert past.pages.asked == [(), *((day,) for day in days_ago(1, 2, 3))]
    assert past.fetcher.asked == sorted(past.fetcher.asked, reverse=True)


def test_a_slice_has_a_few_days(past: Past) -> None:
    """With three days a slice, ten are four questions."""
    past.backfill(9, slice_days=3)
    assert [len(days) for days in past.pages.asked] == [2, 3, 3, 1]


def test_only_the_days_asked_for(past: Past) -> None:
    """`--to` leaves out what is newer, though every page shows the present day first."""
    past.backfill(5, last=TODAY - 4 * DAY)
    assert past.archived_days() == [(day, 3) for day in days_ago(4, 5)]
    with past.ledger() as ledger:
        assert sorted(ledger.readings("in_gate", date(2000, 1, 1))) == days_ago(5, 4)


def test_days_are_those_of_the_sites_time_zone(past: Past) -> None:
    """Where the day begins at 15:00 UTC, the pictures of 18:00 are of the next one."""
    zone = ZoneInfo("Asia/Tokyo")
    past.streams = (replace(past.streams[0], timezone=zone),)
    past.backfill(4, last=TODAY - 4 * DAY)
    before, day = days_ago(5, 4)
    assert sorted(past.fetcher.asked) == sorted([*past.of_days(before)[2:], *past.of_days(day)[:2]])


def test_one_run_is_recorded(past: Past) -> None:
    """However many slices there are, the catalogue knows one run with its streams' results."""
    past.backfill(3)
    runs = invariants.rows(past.database, "SELECT verb, outcome, exit_code FROM runs")
    assert runs == [("backfill", "ok", 0)]
    (result,) = past.last().streams
    assert (result.stream, result.counts.saved, result.outcome) == ("in_gate", 12, Outcome.OK)


def test_progress_tells_how_many_days_are_done(past: Past) -> None:
    """It begins at nothing and ends with all."""
    past.backfill(3)
    assert (past.told.steps[0], past.told.steps[-1]) == ((0, 4), (4, 4))
    assert past.told.steps == sorted(past.told.steps)


# Nothing is done twice.


def test_what_was_read_completely_is_not_read_again(past: Past) -> None:
    """A second backfill asks for the present day alone, and fetches nothing."""
    past.backfill(3)
    past.pages.asked.clear()
    past.fetcher.asked.clear()
    assert past.backfill(3).run.exit_code == 0
    assert (past.pages.asked, past.fetcher.asked) == ([()], [])


def test_a_day_that_has_just_ended_is_read_again(past: Past) -> None:
    """What was read less than half an hour after its end may have got captures since."""
    past.clock = NOW.replace(day=9, hour=0, minute=20)
    past.backfill(0, last=TODAY)
    past.pages.asked.clear()
    past.take(TODAY, hours=(23,))
    past.clock += timedelta(hours=1)
    past.backfill(0, last=TODAY)
    assert past.pages.asked == [(TODAY,)]
    assert past.archived_days() == [(TODAY, 4)]
    past.pages.asked.clear()
    past.backfill(0, last=TODAY)
    assert past.pages.asked == []


def test_interrupted_between_images(past: Past) -> None:
    """It is recorded as such, and the next one goes on: every image is asked for once."""

    def interrupt() -> None:
        if len(past.pages.asked) == 4:
            raise InterruptedRunError("SIGTERM", ExitCode.SIGTERM)

    past.pages.meanwhile = interrupt
    finished = past.backfill(5)
    assert (finished.run.outcome, finished.run.exit_code) == (Outcome.INTERRUPTED, 143)
    assert past.is_on_its_way_out
    assert past.last().outcome is Outcome.INTERRUPTED
    assert past.archived_days() == [(day, 3) for day in days_ago(0, 1, 2)]
    past.pages.meanwhile = lambda: None
    assert past.backfill(5).run.exit_code == 0
    assert sorted(past.fetcher.asked) == sorted(past.of_days(*days_ago(0, 1, 2, 3, 4, 5)))
    assert past.pages.asked == [
        (),
        *((day,) for day in days_ago(1, 2, 3)),
        (),
        *((day,) for day in days_ago(3, 4, 5)),
    ]


def test_pending_captures_are_fetched_from_their_remembered_urls(past: Past) -> None:
    """Listed by a backfill that broke off, they come although no page is asked for their day."""

    def refuse_the_third(_: str) -> None:
        if len(past.fetcher.asked) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")

    past.fetcher.meanwhile = refuse_the_third
    broken = past.backfill(2, last=TODAY - DAY, slice_days=2)
    assert (broken.run.exit_code, broken.run.counts.saved) == (ExitCode.STORAGE, 2)
    past.fetcher.meanwhile = lambda _: None
    past.pages.asked.clear()
    assert past.backfill(2, last=TODAY - DAY).run.exit_code == 0
    assert past.pages.asked == []
    assert len(past.fetcher.asked) == len(set(past.fetcher.asked)) == 6


def test_a_run_asks_for_so_many_images(past: Past) -> None:
    """Over all of its slices; it tells what is left, and the next ones go on to the end."""
    first = past.backfill(3, most_requests=5).run
    assert (first.exit_code, first.counts.saved, len(past.fetcher.asked)) == (1, 5, 5)
    left = "3 days are left after 5 images, max_requests_per_run: run it again to go on"
    assert first.streams[0].reason == left
    second = past.backfill(3, most_requests=5).run
    assert (second.exit_code, second.counts.saved) == (1, 5)
    assert "1 day is left" in second.streams[0].reason
    third = past.backfill(3, most_requests=5).run
    assert (third.exit_code, third.counts.saved) == (0, 2)
    assert sorted(past.fetcher.asked) == sorted(past.of_days(*days_ago(0, 1, 2, 3)))


def test_killed_in_the_middle(past: Past) -> None:
    """After a SIGKILL, too, the next backfill goes on, and asks for no archived image again."""

    def kill_at_the_third() -> None:
        if len(past.pages.asked) == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover  # it has no end
        past.fetcher.meanwhile = lambda url: os.write(writing, f"{url}\n".encode())
        past.pages.meanwhile = kill_at_the_third
        past.backfill(4)
    os.close(writing)
    with open(reading, encoding="utf-8") as said:  # noqa: PTH123  # a file descriptor
        fetched = said.read().split()
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert past.backfill(4).run.exit_code == 0
    assert past.archived_days() == [(day, 3) for day in days_ago(0, 1, 2, 3, 4)]
    assert len(fetched) == 6
    assert set(fetched).isdisjoint(past.fetcher.asked)


def test_a_failing_image_is_asked_for_once_a_run(past: Past) -> None:
    """It stays pending with its reason, and the next backfill tries again, however old it is."""
    day = TODAY - 9 * DAY
    url = past.of_days(day)[0]
    past.fetcher.answers[url] = Failed("the answer is HTTP 503 Service Unavailable")
    run = past.backfill(9, last=day).run
    assert (run.exit_code, run.counts.failed, past.fetcher.asked.count(url)) == (1, 1, 1)
    assert "503" in run.streams[0].reason
    past.clock += timedelta(days=60)
    past.fetcher.answers[url] = PICTURE
    past.backfill(first=day, last=day)
    assert past.archived_days() == [(day, 3)]


def test_a_capture_that_was_lost_makes_its_day_be_read_again(past: Past) -> None:
    """Where the catalogue knows fewer captures than the source told, the source is asked."""
    past.backfill(2, last=TODAY - DAY)
    with (
        closing(Database(f"sqlite:///{past.database}")) as database,
        database.transaction(writes=True) as rows,
    ):
        rows.exec_driver_sql("DELETE FROM captures WHERE key LIKE '%T120000Z%'")
    past.pages.asked.clear()
    past.backfill(2, last=TODAY - DAY)
    assert past.pages.asked == [(day,) for day in days_ago(1, 2)]
    assert past.archived_days() == [(day, 3) for day in days_ago(1, 2)]


# The lock is shared.


def test_a_download_comes_in_between(past: Past) -> None:
    """One that finds the lock held by a backfill waits for the end of its slice, and goes first."""
    other = Past(past.home)
    order: list[str] = []
    started = threading.Event()

    def download() -> None:
        other.lock = other.for_download
        started.wait(SOON)
        other.download()
        order.append("download")

    def slow() -> None:
        order.append("slice")
        started.set()
        time.sleep(0.5)

    past.pages.meanwhile = slow
    thread = threading.Thread(target=download)
    thread.start()
    finished = past.backfill(3, lock_seconds=SOON, pause_seconds=0.5)
    thread.join(SOON)
    assert finished.run.exit_code == 0
    assert order.index("download") == 1
    assert other.last("download").outcome is Outcome.OK


def test_another_process_comes_in_between(past: Past) -> None:
    """Whoever waits for the lock elsewhere on the machine gets it while the backfill goes on."""
    code = (
        "import sys; from pathlib import Path; from camdl.ops.lock import FileLock\n"
        "with FileLock(Path(sys.argv[1]), 'download', {'backfill': 20.0}).hold(0): print('got it')"
    )
    began = threading.Event()

    def slow() -> None:
        began.set()
        time.sleep(0.7)

    past.pages.meanwhile = slow

    def wait_in_line() -> None:
        began.wait(SOON)
        command = [sys.executable, "-c", code, str(past.home / "camdl.lock")]
        said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        answers.append((said.stdout, past.pages.asked[-1]))

    answers: list[tuple[str, tuple[date, ...]]] = []
    thread = threading.Thread(target=wait_in_line)
    thread.start()
    past.backfill(5, lock_seconds=SOON, pause_seconds=0.5)
    thread.join(30)
    ((said, reached),) = answers
    assert said == "got it\n"
    assert reached != (TODAY - 5 * DAY,)


def test_another_run_in_the_way(past: Past) -> None:
    """With the lock held all the while, nothing is changed and the error says how long it took."""
    with past.for_download.hold(0), pytest.raises(LockHeldError) as caught:
        past.backfill(1)
    assert "waited for 0 s" in caught.value.advice
    assert not past.database.exists()


def test_another_run_that_stays_in_the_way(past: Past) -> None:
    """A backfill that does not get the lock back ends there, with what it has done recorded."""
    let_go = threading.Event()
    holding = threading.Event()

    def hold() -> None:
        with past.for_download.hold(SOON):
            holding.set()
            let_go.wait(SOON)

    thread = threading.Thread(target=hold)

    def be_in_the_way() -> None:
        if thread.ident is None:
            thread.start()

    past.pages.meanwhile = be_in_the_way
    finished = past.backfill(3, pause_seconds=1.0)
    let_go.set()
    thread.join(SOON)
    assert holding.is_set()
    assert (finished.run.exit_code, past.last().exit_code) == (75, 75)
    assert past.archived_days() == [(TODAY, 3)]


# Gaps.


def test_only_days_with_open_gaps(past: Past) -> None:
    """With `--gaps` the days of gaps that nobody has confirmed are read, however old."""
    past.backfill(0)
    old, confirmed, resolved = days_ago(9, 7, 5)
    with past.ledger() as ledger:
        ledger.replace_gaps(
            [
                gap_on(old),
                replace(gap_on(confirmed), confirmed_at=NOW),
                replace(gap_on(resolved), resolved_at=NOW),
            ],
            [],
            NOW,
        )
    past.pages.asked.clear()
    assert past.backfill(only_gaps=True).run.exit_code == 0
    assert past.pages.asked == [(old,)]
    assert past.archived_days() == [(day, 3) for day in (TODAY, old)]


def test_gaps_after_a_day(past: Past) -> None:
    """`--gaps` with `--from` and `--to` stays between them."""
    past.backfill(0)
    with past.ledger() as ledger:
        ledger.replace_gaps([gap_on(day) for day in days_ago(9, 7, 5)], [], NOW)
    past.pages.asked.clear()
    past.backfill(8, last=TODAY - 6 * DAY, only_gaps=True)
    assert past.pages.asked == [(TODAY - 7 * DAY,)]


def test_no_gaps_is_nothing_to_do(past: Past) -> None:
    """Without any, no page is asked, and the run is a success."""
    assert past.backfill(only_gaps=True).run.exit_code == 0
    assert past.pages.asked == []


def gap_on(day: date) -> Gap:
    """A gap in the middle of `day`."""
    start = NOW.replace(month=day.month, day=day.day, hour=8, minute=0)
    return Gap("in_gate", Window(start, start + timedelta(hours=3)), 18, Cause.NOT_RUN)


# What cannot be had.


def test_a_day_that_is_not_told(past: Past) -> None:
    """It is tried twice, named with the reason, and no other day suffers from it."""
    bad = TODAY - 2 * DAY
    past.pages.untold[bad] = "the page did not show it"
    run = past.backfill(6, last=TODAY - DAY, slice_days=3).run
    assert (run.exit_code, run.outcome) == (1, Outcome.PARTLY)
    assert run.streams[0].reason == f"{bad} was not read completely: the page did not show it"
    assert past.archived_days() == [(day, 3) for day in days_ago(1, 3, 4, 5, 6)]
    assert sum(bad in days for days in past.pages.asked) == 2


def test_a_page_that_goes_no_further_back(past: Past) -> None:
    """After three questions in vain the older days are left, and told as they are."""
    for day in days_ago(4, 5, 6, 7, 8, 9):
        past.pages.untold[day] = "the date picker does not offer it"
    run = past.backfill(9, last=TODAY - DAY).run
    assert run.exit_code == 1
    first, last = days_ago(9, 4)
    assert run.streams[0].reason.startswith(f"6 days from {first} to {last} were not read")
    assert len(past.pages.asked) == 3 + 3


def test_a_source_that_cannot_be_reached(past: Past) -> None:
    """It is given up soon, and the exit code says what it was."""
    questions: list[int] = []

    class Down(Pages):
        """A host that is not there."""

        def listings(
            self, wanted: Sequence[Wanted], now: datetime, deadline: Deadline
        ) -> Iterator[Listing | NoListing]:
            """Nothing."""
            questions.append(1)
            yield NoListing("in_gate", "no such host", unreachable=True)

    past.pages = Down()
    run = past.backfill(9).run
    assert (run.exit_code, len(questions)) == (ExitCode.UNREACHABLE, 3)


def test_a_failed_backfill_is_no_failure_of_the_downloads(past: Past) -> None:
    """The verdict on a stream counts the runs that look for what is new."""
    for day in days_ago(*range(10)):
        past.pages.untold[day] = "the page did not show it"
    assert past.backfill(9).run.exit_code == 1
    with past.catalogue() as catalogue:
        assert isinstance(catalogue, SqlCatalogue)
        assert catalogue.stream_history("in_gate").consecutive_failures == 0


# What changes nothing.


def test_a_dry_run_changes_nothing(past: Past) -> None:
    """It reads all days, says what would be fetched, and makes no file."""
    finished = past.backfill(3, dry_run=True)
    days = days_ago(0, 1, 2, 3)
    assert sorted(one.url for one in finished.would_fetch) == sorted(past.of_days(*days))
    assert len(past.pages.asked) == 4
    assert (past.fetcher.asked, list(past.home.iterdir())) == ([], [])


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ({"first": TODAY, "last": TODAY - DAY}, "is after --to 2025-09-07"),
        ({"first": TODAY + DAY}, "--from 2025-09-09 has not begun yet"),
        ({"first": TODAY, "last": TODAY + DAY}, "--to 2025-09-09 has not begun yet"),
        ({}, "needs the day to begin with"),
    ],
)
def test_days_that_cannot_be(past: Past, order: dict[str, Any], said: str) -> None:
    """Such a command line is refused with advice before anything is done."""
    with pytest.raises(UsageError, match=said) as caught:
        past.backfill(**order)
    assert caught.value.advice
    assert not past.database.exists()


def test_a_page_without_a_date_picker(past: Past) -> None:
    """It has no other days to read, so that the stream is refused by name."""
    past.streams = (gate_stream("in_gate"),)
    with pytest.raises(UsageError, match="in_gate has no date picker"):
        past.backfill(1)
