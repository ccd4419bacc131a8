"""A month of a terminal in a few minutes: all of camdl is real in it, only the time is not.

Each run is `camdl download` as it is wired, with a browser, HTTP, files and SQLite, at an instant
that the test says. What happens to the terminal, to camdl and to its disk is a script; what
archive, ledger and health must be after each run is worked out from that script alone.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from camdl import wiring
from camdl.config import load
from camdl.domain.captures import Capture
from camdl.domain.windows import Window
from camdl.errors import ExitCode
from camdl.ops.signals import Signals
from camdl.report.screen import NoProgress
from camdl.verbs.backfill import backfill
from camdl.verbs.cleanup import cleanup
from camdl.verbs.download import download
from camdl.verbs.gaps import gaps
from camdl.verbs.pin import pin
from camdl.wiring import cleaning, watching
from tests.support import invariants
from tests.support.month import SLOT, UNSETTLED, Camera, Event, Hole, Script, Why, spacings
from tests.support.pages.gate import Look
from tests.support.pages.harbour import Harbour, picture
from tests.support.processes import marking, survivors
from tests.support.root import needs_root, tmpfs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from camdl.domain.gaps import Gap
    from camdl.domain.outcomes import RunRecord

    Told = tuple[str, datetime, datetime, int, str, bool]

ZONE = ZoneInfo("America/Los_Angeles")
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def at(month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    """An instant of 2025, by the terminal's clocks."""
    return datetime(2025, month, day, hour, minute, tzinfo=ZONE).astimezone(UTC)


BEGIN, END = at(10, 20, 9, 3), at(11, 20, 9, 30)
EVERY = timedelta(hours=4)
RUNS = [BEGIN + number * EVERY for number in range((END - BEGIN) // EVERY + 1)]
CATCH_UP, KEPT_BY_SOURCE, RETENTION = 7 * DAY, 4 * DAY, 13 * DAY

CAMERAS = (Camera("in_gate", ZONE, (time(1, 30), time(4, 30))), Camera("out_gate", ZONE))
STREAMS = [camera.stream for camera in CAMERAS]
# What clean-up is to leave: two hours of the first stream.
PINNED = Window(at(10, 23, 10), at(10, 23, 12))

SHORT = Event(Why.OFF, at(10, 22, 8), at(10, 22, 16))
# The cameras go on, and nobody can reach the site.
DOWN = Event(Why.DOWN, at(10, 24, 6), at(10, 25, 4))
# A picture of the second stream is none until the next morning.
SPOILT = Event(Why.SPOILT, at(10, 26, 11), at(10, 27, 7))
LONG = Event(Why.OFF, at(10, 28, 3), at(10, 30, 10))
FULL = Event(Why.FULL, at(10, 31, 7), at(11, 1, 6))
# Until 2 o'clock, which comes an hour later than usual.
REPEATED = Window(at(11, 2, 1), at(11, 2, 2))
# The cameras take no pictures.
SILENT = Event(Why.SILENT, at(11, 4, 8), at(11, 4, 21))
NEW_PAGE = at(11, 5, 13)
LOOKS = (Look("element-ui"), Look("element-plus", lazy=True, delivery="packed"))
# For longer than the source keeps anything, and than camdl looks back.
LONGEST = Event(Why.OFF, at(11, 6, 20), at(11, 14, 20))
OFF = (SHORT, LONG, LONGEST)

# The clock goes on from the instant that the test says until the run has looked at it.
SOON = timedelta(seconds=20)

CONFIG = """
stream_names = ["in_gate", "out_gate"]
download_dir = "{home}/disk"
health_file = "{home}/.health"
database_url = "sqlite:///{home}/camdl.db"
lock_file = "{home}/camdl.lock"
diagnostics_dir = "{home}/diagnostics"
download_interval_minutes = {minutes}
jobs = ["download"]
catch_up_days = {catch_up}
retention_days = {retention}
page_jitter_seconds = 0
max_retries = 1
retry_delay_seconds = 0

[sites.harbour]
page = "{site.page}"
image = "{site.image}"
thumbnail = "{site.thumbnail}"
timezone = "{site.zone.key}"
date_picker = ".el-date-editor input"

[streams.in_gate]
site = "harbour"
interval_minutes = 10
closed = "daily 01:30-04:30"

[streams.out_gate]
site = "harbour"
interval_minutes = 10
"""


class Clock:
    """A time of its own, which goes on as time does."""

    def __init__(self) -> None:
        self.set(BEGIN)

    def set(self, moment: datetime) -> None:
        """Let it be `moment`."""
        self._ahead = moment - datetime.now(UTC)

    def now(self) -> datetime:
        """The instant it is."""
        return datetime.now(UTC) + self._ahead


class Month:
    """An archive below `home` and what is done to it, with everything that must be so after that.

    `here` is what it should have, `ever` what it has ever had; `open` are the holes that it should
    tell, and `filled` those that it should tell to be filled.
    """

    def __init__(self, home: Path, site: Harbour, script: Script, clock: Clock) -> None:
        self._home = home
        self._site = site
        self._script = script
        self._clock = clock
        self._loaded = load({}, self._configured(), {})
        self._failures = 0
        self._read: dict[tuple[str, date], datetime] = {}
        self.images = home / "disk"
        self.database = home / "camdl.db"
        self.here: set[Capture] = set()
        self.ever: dict[str, set[datetime]] = {name: set() for name in STREAMS}
        self.open: list[Hole] = []
        self.filled: list[Hole] = []

    def _configured(self) -> Path:
        file = self._home / "camdl.toml"
        text = CONFIG.format(
            home=self._home,
            site=self._site,
            minutes=EVERY // timedelta(minutes=1),
            catch_up=CATCH_UP.days,
            retention=RETENTION.days,
        )
        file.write_text(text, encoding="utf-8")
        return file

    # What is done to it.

    def download(self, moment: datetime) -> None:
        """`camdl download`, and what must be so after that."""
        self._it_is(moment)
        order = wiring.order(self._loaded, (), latest=None, dry_run=False, wait_seconds=0)
        tools = wiring.Workshop(self._loaded, Signals(), NoProgress())
        with self._as_it_is_then(moment):
            run = download(order, tools).run
            assert run.exit_code == self._code_of_a_download(moment), (moment, run)
            self._came(moment, run)
            self._has_what_it_should()
            self._tells_its_holes(moment)
            self._knows_how_it_is(moment)

    def cleanup(self, moment: datetime) -> None:
        """`camdl cleanup`, which deletes what is old and nothing else."""
        run = self._cleanup(moment)
        assert run.exit_code == ExitCode.OK, (moment, run)
        before = len(self.here)
        self.here = {one for one in self.here if is_kept(one, moment)}
        assert run.counts.deleted == before - len(self.here), moment
        self._has_what_it_should()

    def refused_cleanup(self, moment: datetime) -> None:
        """`camdl cleanup`, which has doubts."""
        run = self._cleanup(moment)
        assert run.exit_code == ExitCode.CONFIG, (moment, run)
        assert "this computer's clock has jumped, or it was off" in run.error
        self._has_what_it_should()

    def _cleanup(self, moment: datetime) -> RunRecord:
        self._it_is(moment)
        order = cleaning.cleanup_order(
            self._loaded, (), days=None, min_free=None, dry_run=False, force=False, wait_seconds=0
        )
        tools = cleaning.CleanupWorkshop(self._loaded, Signals(), lambda _: None)
        with self._as_it_is_then(moment):
            return cleanup(order, tools).run

    def backfill(self, moment: datetime) -> None:
        """`camdl backfill --gaps`, after which nothing is in doubt."""
        self._it_is(moment)
        order = wiring.backfill_order(
            self._loaded, (), first=None, last=None, only_gaps=True, dry_run=False
        )
        tools = wiring.BackfillWorkshop(self._loaded, Signals(), NoProgress())
        run = backfill(order, tools).run
        assert run.exit_code == ExitCode.OK, run
        assert not all(self._is_confirmed(hole) for hole in self.open)
        for hole in self.open:
            self._read |= {(hole.stream, day): moment for day in days_of(hole)}
        assert all(self._is_confirmed(hole) for hole in self.open)
        self._has_what_it_should()
        self._told(self.open, resolved=False, moment=moment)

    def pin(self, moment: datetime) -> None:
        """`camdl pin`."""
        self._it_is(moment)
        with cleaning.keeping(self._loaded) as keeping:
            assert pin(keeping, STREAMS[0], PINNED, "", moment).captures == 12

    def look(self, moment: datetime) -> None:
        """`camdl gaps` and `camdl health` while nothing runs tell that, and what is missing."""
        self._it_is(moment)
        with wiring.stocktaking(self._loaded) as stocktaking:
            found = gaps(stocktaking, self._loaded.streams(), self._clock.now()).gaps
        holes = self._holes(moment)
        assert {hole.why for hole in holes if hole.grows} == {Why.OFF}
        assert_same(
            [of_gap(gap) for gap in found], holes, [self._is_confirmed(one) for one in holes]
        )
        health = watching.health(self._loaded)
        off = next(event for event in OFF if event.holds(moment))
        last = max(run for run in RUNS if run < off.start)
        level = ("critical", 2) if moment - last > 2 * EVERY + 2 * HOUR else ("warning", 1)
        assert (health.status, health.exit_code) == level
        assert any("download has not run since" in check.reason for check in health.problems)

    def _it_is(self, moment: datetime) -> None:
        self._clock.set(moment)
        self._site.now = moment
        look = LOOKS[moment >= NEW_PAGE]
        if look != self._site.look:
            self._site.redesign(look)

    @contextmanager
    def _as_it_is_then(self, moment: datetime) -> Iterator[None]:
        """The site and the disk, as the script has them."""
        filler = self.images / "filler"
        filler.unlink(missing_ok=True)
        if self._script.is_on(Why.FULL, moment):
            disk = os.statvfs(self.images)
            filler.write_bytes(b"\0" * disk.f_bavail * disk.f_frsize)
        is_down = self._script.is_on(Why.DOWN, moment)
        if is_down:
            self._site.down()
        yield
        if is_down:
            self._site.up()

    # What must be so after that.

    def _code_of_a_download(self, moment: datetime) -> ExitCode:
        if self._script.is_on(Why.DOWN, moment):
            return ExitCode.UNREACHABLE
        if self._script.is_on(Why.FULL, moment):
            return ExitCode.STORAGE
        return ExitCode.PARTLY if any(map(self._spoilt, STREAMS)) else ExitCode.OK

    def _spoilt(self, name: str) -> set[datetime]:
        offered = self._site.offered(name)
        spoilt = self._site.spoilt.items()
        return {
            one
            for (stream, one), good_at in spoilt
            if stream == name and one in offered and self._site.now < good_at
        }

    def _came(self, moment: datetime, run: RunRecord) -> None:
        """A run gets all that the source offers; the archive begins with its first day."""
        if run.exit_code not in (ExitCode.OK, ExitCode.PARTLY):
            self._failures += 1
            return
        self._failures = 0
        for name in STREAMS:
            offered = {one for one in self._site.offered(name) if day_of(one) >= day_of(BEGIN)}
            came = offered - self._spoilt(name) - self.ever[name]
            self.here |= {Capture(one, name) for one in came}
            self.ever[name] |= came
            days = [day_of(moment) - number * DAY for number in range(CATCH_UP.days + 1)]
            self._read |= {(name, day): moment for day in days}

    def _has_what_it_should(self) -> None:
        """The catalogue has just that, with the source's bytes, and there is a file for each."""
        found = invariants.rows(self.database, "SELECT key, sha256 FROM captures")
        assert set(found) == {(one.key, digest(one)) for one in self.here}
        assert set(invariants.files(self.images)) == {one.key for one in self.here}

    def _holes(self, moment: datetime) -> list[Hole]:
        """What is lacking of what the last run should have got that should have been by then."""
        last = max(run for run in RUNS if run == moment or run + EVERY / 2 <= moment)
        return [
            hole
            for name, ever in self.ever.items()
            for hole in self._script.holes(name, ever, min(ever), last - UNSETTLED)
        ]

    def _tells_its_holes(self, moment: datetime) -> None:
        """The ledger has them all, the open and the filled ones, and no others."""
        now_there = self._holes(moment)
        starts = {(hole.stream, hole.start) for hole in now_there}
        self.filled += [
            hole
            for hole in self.open
            if (hole.stream, hole.start) not in starts and not any(map(hole.overlaps, now_there))
        ]
        self.open = now_there
        self._told(self.open, resolved=False, moment=moment)
        filled = sorted(self.filled, key=lambda hole: (hole.stream, hole.start))
        self._told(filled, resolved=True, moment=moment)

    def _told(self, holes: Sequence[Hole], *, resolved: bool, moment: datetime) -> None:
        rows = invariants.rows(
            self.database,
            "SELECT stream, starts_at, ends_at, missing, cause, confirmed_at IS NOT NULL FROM gaps "
            "WHERE (resolved_at IS NOT NULL) = ? ORDER BY stream, starts_at",
            resolved,
        )
        confirmed = [not resolved and self._is_confirmed(hole) for hole in holes]
        assert_same([of_row(row) for row in rows], holes, confirmed, moment)

    def _is_confirmed(self, hole: Hole) -> bool:
        """Whether every one of its days was read when all that it has of that time was there."""
        if hole.why in (Why.FULL, Why.SPOILT):  # the source has it
            return False
        reads = [(self._read.get((hole.stream, day)), day) for day in days_of(hole)]
        return all(
            read and read >= min(hole.end, midnight(day + DAY)) + UNSETTLED for read, day in reads
        )

    def _knows_how_it_is(self, moment: datetime) -> None:
        """The verdict goes by how long a camera has been silent while its gate was open, by how
        often it could not be had, and by the disk.
        """
        levels = ["healthy", "warning", "critical"]
        streams = []
        for name, ever in self.ever.items():
            age = self._script.open_time(name, max(ever), moment)
            by_age = (age > 3 * EVERY) + (age > 6 * EVERY)
            streams.append(max(by_age, (self._failures > 0) + (self._failures >= 3)))
        common = 2 if self._script.is_on(Why.FULL, moment) else int(self._failures > 0)
        some = 2 in streams and streams != [2, 2] and common < 2
        found = invariants.health(self._home / ".health")
        assert [one["status"] for one in found["streams"]] == [levels[one] for one in streams]
        assert found["status"] == ("degraded" if some else levels[max(common, *streams)]), moment


def day_of(moment: datetime) -> date:
    """The terminal's day."""
    return moment.astimezone(ZONE).date()


def midnight(day: date) -> datetime:
    """When the terminal's day begins."""
    return datetime.combine(day, time(), ZONE).astimezone(UTC)


def days_of(hole: Hole) -> list[date]:
    """The terminal's days that it touches."""
    first, last = day_of(hole.start), day_of(hole.end - timedelta(seconds=1))
    return [first + number * DAY for number in range((last - first).days + 1)]


def is_kept(capture: Capture, moment: datetime) -> bool:
    """Whether a clean-up leaves it."""
    moment_of = capture.captured_at
    is_pinned = capture.stream == STREAMS[0] and PINNED.start <= moment_of < PINNED.end
    return is_pinned or moment_of >= moment - RETENTION


def digest(capture: Capture) -> str:
    """The SHA-256 of the source's picture."""
    return hashlib.sha256(picture(capture.stream, capture.captured_at)).hexdigest()


def of_row(row: tuple[str, str, str, int, str, int]) -> Told:
    """What a row of the ledger tells."""
    stream, start, end, missing, cause, confirmed = row
    begins, ends = (datetime.fromisoformat(one).replace(tzinfo=UTC) for one in (start, end))
    return stream, begins, ends, missing, cause, bool(confirmed)


def of_gap(gap: Gap) -> Told:
    """What `camdl gaps` tells."""
    window, confirmed = gap.window, gap.confirmed_at is not None
    return gap.stream, window.start, window.end, gap.missing, str(gap.cause), confirmed


def assert_same(
    told: Sequence[Told],
    holes: Sequence[Hole],
    confirmed: Sequence[bool],
    moment: datetime | None = None,
) -> None:
    """These holes are told, and nothing else; what grows is told as it was when the run looked."""
    wanted = [
        (hole.stream, hole.start, hole.end, hole.missing, str(hole.why), is_confirmed)
        for hole, is_confirmed in zip(holes, confirmed, strict=True)
    ]
    rounded = list(told)
    for place, (one, hole) in enumerate(zip(told, holes, strict=False)):
        stream, start, end, missing, cause, is_confirmed = one
        if hole.grows and hole.end <= end <= hole.end + SOON and abs(missing - hole.missing) <= 1:
            rounded[place] = (stream, start, hole.end, hole.missing, cause, is_confirmed)
    assert rounded == wanted, moment


@pytest.fixture
def script() -> Script:
    """What happens."""
    events = (SHORT, DOWN, LONG, FULL, SILENT, LONGEST)
    # The cameras were there before camdl.
    script = Script(CAMERAS, day_of(BEGIN) - 5 * DAY, day_of(END) + DAY, RUNS, events)
    slots = script.slots(STREAMS[1])
    script.spoilt.add((STREAMS[1], next(slot for slot in slots if SPOILT.holds(slot))))
    return script


@pytest.fixture
def site(script: Script) -> Iterator[Harbour]:
    """The terminal's site."""
    past = {name: script.taken(name) for name in STREAMS}
    spoilt = dict.fromkeys(script.spoilt, SPOILT.end)
    kept_days = KEPT_BY_SOURCE.days
    with Harbour(LOOKS[0], BEGIN, ZONE, past=past, kept_days=kept_days, spoilt=spoilt) as site:
        yield site


@pytest.fixture
def month(
    tmp_path: Path, site: Harbour, script: Script, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Month]:
    """The archive before its first run, on a small disk of its own."""
    clock = Clock()
    for module in (wiring, watching):
        monkeypatch.setattr(module, "utc_now", clock.now)
    with marking() as mark, tmpfs(tmp_path / "disk", "size=96m"):
        yield Month(tmp_path, site, script, clock)
        assert survivors(mark) == []


def agenda(month: Month) -> Iterator[tuple[datetime, Callable[[datetime], None]]]:
    """What is done to it, and when, in no order."""
    daily = [midnight(day_of(BEGIN) + n * DAY) + timedelta(hours=3, minutes=17) for n in range(32)]
    for moments, do in ((RUNS, month.download), (daily[1:], month.cleanup)):
        for moment in moments:
            if not any(event.holds(moment) for event in OFF):
                yield moment, do
    yield PINNED.end + EVERY, month.pin
    for event in OFF:
        yield event.end - HOUR, month.look
    # On a machine that was off for a week, and before the first run.
    yield LONGEST.end + timedelta(minutes=1), month.refused_cleanup
    yield LONGEST.end + 2 * DAY, month.backfill


@needs_root
def test_a_month(month: Month, site: Harbour, script: Script) -> None:
    """After each of its runs archive, ledger and health are what the script makes of them."""
    for moment, do in sorted(agenda(month), key=lambda one: one[0]):
        do(moment)
    everything = sorted(month.here)
    assert invariants.archived(month.images, month.database) == [one.key for one in everything]
    # And it was the month that it was meant to be.
    assert {hole.why for hole in month.filled} == {Why.DOWN, Why.SPOILT, Why.FULL}
    assert {hole.why for hole in month.open} == {Why.SILENT, Why.OFF}
    assert min(one.captured_at for one in everything) < PINNED.end < END - 2 * RETENTION
    lost = [slot for name in STREAMS for slot in script.slots(name) if is_lost(month, name, slot)]
    assert sum(hole.missing for hole in month.open) == len(lost) > 700
    assert sum(REPEATED.start <= one < REPEATED.end for one in month.ever["out_gate"]) == 12
    assert site.site.asked("/npm/element-plus@2.14.8/dist/index.css")
    apart = spacings(script.slots("out_gate"))
    assert timedelta(seconds=458) <= min(apart) < max(apart) == timedelta(seconds=718)
    assert abs(sum(apart, timedelta()) / len(apart) - SLOT) < timedelta(seconds=1)


def is_lost(month: Month, name: str, slot: datetime) -> bool:
    """Whether the archive never got what the camera should have taken then."""
    begins, ends = min(month.ever[name]), RUNS[-1] - UNSETTLED
    return begins <= slot < ends and slot not in month.ever[name]
