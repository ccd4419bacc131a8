"""`camdl download` from the listing to the exit code, on a real archive and a real catalogue."""

from __future__ import annotations

import errno
import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from camdl.catalogue.database import Database
from camdl.catalogue.keeping import SqlKeeping
from camdl.catalogue.ledger import SqlLedger
from camdl.catalogue.rows import SqlCatalogue
from camdl.domain.failures import FailureKind
from camdl.domain.gaps import Cause, State
from camdl.domain.outcomes import Counts, Failed, Outcome, Rejected
from camdl.domain.windows import Window
from camdl.errors import (
    BrowserMissingError,
    CatalogueError,
    ConfigError,
    ExitCode,
    InterruptedRunError,
    LockHeldError,
    StorageError,
)
from camdl.ports import Listing, NoListing
from camdl.verbs import obtaining
from tests.support import invariants
from tests.support.catalogues import sql
from tests.support.fake_fetcher import FakeFetcher
from tests.support.fake_source import DaySource
from tests.support.images import gate_jpeg
from tests.support.processes import await_that
from tests.support.world import NOW, PICTURE, World, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from camdl.deadline import Deadline
    from camdl.domain.captures import ListedCapture
    from camdl.domain.gaps import Gap
    from camdl.domain.outcomes import Body, ImageOutcome, RunRecord, StreamResult
    from camdl.verbs.collecting import Finished, Order, Ports

GONE = Rejected("the answer is HTTP 404 Not Found", FailureKind.HTTP_STATUS)
BUSY = Failed("the answer is HTTP 503 Service Unavailable", kind=FailureKind.HTTP_STATUS)
SIZE = len(PICTURE)
SOON = 20.0
HOUR = timedelta(hours=1)


class Watched(FakeFetcher):
    """A fetcher that calls `meanwhile` with each URL before it answers."""

    def __init__(self, meanwhile: Callable[[str], object]) -> None:
        super().__init__()
        self.meanwhile = meanwhile

    def fetch(
        self, url: str, origins: frozenset[str], deadline: Deadline
    ) -> Body | Rejected | Failed:
        """The answer of the table, after whatever the test wants to happen first."""
        self.meanwhile(url)
        return super().fetch(url, origins, deadline)


class Told:
    """A progress that remembers, in words, what it was told."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def listed(self, listing: Listing | NoListing, new: int) -> None:
        """A listing came."""
        self.steps.append(f"{listing.stream}: {new} new")

    def image(self, listed: ListedCapture, outcome: ImageOutcome) -> None:
        """An image is done."""
        self.steps.append(f"{listed.capture.stream}: {type(outcome).__name__}")

    def stream(self, result: StreamResult) -> None:
        """A stream is done."""
        self.steps.append(f"{result.stream}: {result.outcome}")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two streams, of which nothing is archived yet."""
    return World(tmp_path)


def archived(world: World) -> list[str]:
    """The archived captures as `stream minutes-before-NOW`, the oldest first."""
    invariants.archived(world.images, world.database)
    query = (
        "SELECT stream, (julianday(?) - julianday(captured_at)) * 1440 FROM captures "
        "ORDER BY captured_at, stream"
    )
    found = invariants.rows(world.database, query, f"{NOW:%Y-%m-%d %H:%M:%S}")
    return [f"{stream} {round(minutes)}" for stream, minutes in found]


def count(world: World) -> int:
    """How many captures are recorded by now."""
    ((number,),) = invariants.rows(world.database, "SELECT count(*) FROM captures")
    assert isinstance(number, int)
    return number


def urls(stream: str, *minutes_ago: float) -> list[str]:
    """Where the images are."""
    return [listed(stream, minutes).url for minutes in minutes_ago]


def watch(world: World, meanwhile: Callable[[str], object]) -> None:
    """Have `meanwhile` called before each image."""
    watched = Watched(meanwhile)
    watched.answers = world.fetcher.answers
    world.fetcher = watched


def failing(error: BaseException) -> Callable[[str], None]:
    """Something that raises `error` whenever it is called."""

    def fail(_: str) -> None:
        raise error

    return fail


def interrupted_after(function: Callable[..., None]) -> Callable[..., None]:
    """`function`, with a signal that is taken notice of at its end."""

    def interrupted(*arguments: object) -> None:
        function(*arguments)
        raise InterruptedRunError("SIGTERM", ExitCode.SIGTERM)

    return interrupted


def break_catalogue(world: World, table: str = "captures") -> None:
    """Make the catalogue unusable, as damage on the disk would."""
    with closing(sqlite3.connect(world.database)) as opened:
        opened.execute(f"DROP TABLE {table}")


def forget_captures(world: World) -> None:
    """As if each run had been killed before it recorded what it stored."""
    with closing(sqlite3.connect(world.database)) as opened, opened:
        opened.execute("DELETE FROM captures")


# What is new is archived.


def test_everything_listed_is_archived(world: World) -> None:
    """Each image that the pages list is stored, recorded and counted, and the run is a success."""
    world.publish("in_gate", 5, 15, 25)
    world.publish("out_gate", 6)
    finished = world.download()
    assert archived(world) == ["in_gate 25", "in_gate 15", "out_gate 6", "in_gate 5"]
    assert finished.run.counts == Counts(listed=4, new=4, saved=4, saved_bytes=4 * SIZE)
    assert (finished.run.exit_code, finished.error) == (0, None)


def test_the_newest_comes_first(world: World) -> None:
    """Whatever the order of the page, the newest image is fetched first."""
    world.publish("in_gate", 25, 5, 15)
    world.download()
    assert world.fetcher.asked == urls("in_gate", 5, 15, 25)


def test_what_is_archived_is_not_fetched_again(world: World) -> None:
    """A second run over the same pages fetches nothing, and is a success."""
    world.publish("in_gate", 5, 15)
    world.publish("out_gate", 5)
    world.download()
    world.fetcher.asked.clear()
    run = world.download().run
    assert world.fetcher.asked == []
    assert (run.exit_code, run.counts) == (0, Counts(listed=3))


def test_only_what_is_new_is_fetched(world: World) -> None:
    """When the page has moved on, the run asks for what came since."""
    world.publish("in_gate", 15, 25)
    world.download()
    world.fetcher.asked.clear()
    world.publish("in_gate", 5, 15)
    world.download()
    assert world.fetcher.asked == urls("in_gate", 5)
    assert archived(world) == ["in_gate 25", "in_gate 15", "in_gate 5"]


def test_empty_pages_are_a_success(world: World) -> None:
    """A listing without captures is nothing new."""
    world.publish("in_gate")
    world.publish("out_gate")
    assert world.download().run.exit_code == 0


def test_without_a_gap_the_shown_day_is_enough(world: World) -> None:
    """A first run, and one that finds what was archived today, ask for no other day."""
    world.publish("in_gate", 5, 15)
    world.publish("out_gate")
    world.download()
    world.download()
    assert [[one.days for one in asked] for asked in world.source.asked] == [[(), ()], [(), ()]]


def test_just_after_midnight_the_day_before_is_asked_for(world: World) -> None:
    """At 00:03 the page shows an empty day, and what is missing is on the day before."""
    world.clock = NOW.replace(day=9, hour=0, minute=3)
    world.publish("in_gate", -212)  # 00:02, one minute ago
    world.download()
    assert world.source.asked[0][0].days == (NOW.date(),)


def test_each_step_is_shown_as_it_happens(world: World) -> None:
    """The progress hears of each listing, each image and each stream's end, in that order."""
    told = Told()
    world.progress = told
    world.publish("in_gate", 5, 15)
    world.publish("out_gate", 5, image=GONE)
    world.download()
    of_in_gate = [step for step in told.steps if step.startswith("in_gate")]
    of_out_gate = [step for step in told.steps if step.startswith("out_gate")]
    assert of_in_gate == ["in_gate: 2 new", "in_gate: Saved", "in_gate: Saved", "in_gate: ok"]
    assert of_out_gate == ["out_gate: 1 new", "out_gate: Rejected", "out_gate: partly"]


def test_images_are_fetched_while_other_pages_are_still_read(world: World) -> None:
    """The first stream's images do not wait for the second stream's page."""
    world.publish("in_gate", 5, 15)
    world.publish("out_gate")
    fetched = threading.Semaphore(0)
    watch(world, lambda _: fetched.release())
    came = []

    def wait_for_images(stream: str) -> None:
        if stream == "out_gate":
            came.append(fetched.acquire(timeout=SOON) and fetched.acquire(timeout=SOON))

    world.source.meanwhile = wait_for_images
    world.download()
    assert came == [True]


def test_what_is_seen_is_fetched_while_its_own_page_is_still_read(world: World) -> None:
    """Each image once, whether it came early, late or not at all."""
    told = Told()
    world.progress = told
    world.publish("in_gate", 5, 15, 25)
    world.fetcher.answers[urls("in_gate", 15)[0]] = GONE
    world.source.sightings["in_gate"] = (listed("in_gate", 5), listed("in_gate", 15))
    fetched = threading.Semaphore(0)
    watch(world, lambda _: fetched.release())
    came = []

    def wait_for_images(stream: str) -> None:
        if stream == "in_gate":
            came.append(fetched.acquire(timeout=SOON) and fetched.acquire(timeout=SOON))

    world.source.meanwhile = wait_for_images
    counts = world.download().run.streams[0].counts
    assert came == [True]
    assert archived(world) == ["in_gate 25", "in_gate 5"]
    assert sorted(world.fetcher.asked) == sorted(urls("in_gate", 5, 15, 25))
    assert (counts.listed, counts.new, counts.saved, counts.rejected) == (3, 3, 2, 1)


def test_what_is_seen_early_is_not_all_that_may_be_asked_for(world: World) -> None:
    """A share of it is for what the page tells at its end."""
    world.publish("in_gate", 5, *range(15, 100, 10))
    world.source.sightings["in_gate"] = tuple(listed("in_gate", one) for one in (65, 75, 85, 95))
    world.download(most_requests=4)
    # A third each was for what is seen, for its page's end and for the other stream.
    assert world.fetcher.asked == urls("in_gate", 65, 75, 5)


@pytest.mark.parametrize("asked", [{"latest": 1}, {"dry_run": True}])
def test_the_newest_of_a_part_may_not_be_the_newest_of_all(
    world: World, asked: dict[str, Any]
) -> None:
    """So nothing is fetched early where only some of the new ones are wanted."""
    world.publish("in_gate", 5, 15)
    world.download(**asked)
    assert not any(one.early for one in world.source.asked[0])


def test_a_stream_with_nothing_new_is_done_at_once(world: World) -> None:
    """A person sees so while the next page is still being read."""
    told = Told()
    world.progress = told
    world.publish("in_gate")
    world.publish("out_gate")
    seen: list[list[str]] = []
    world.source.meanwhile = lambda _: seen.append(list(told.steps))
    world.download()
    assert seen == [[], ["in_gate: 0 new", "in_gate: ok"]]


def test_what_is_done_is_recorded_while_pages_are_still_read(tmp_path: Path) -> None:
    """A slow last page does not keep the images of the others out of the catalogue."""
    world = World(tmp_path, "a", "b", "c")
    world.publish("a", 5)
    world.publish("b")
    world.publish("c")
    seen: list[int] = []

    def look(stream: str) -> None:
        if stream == "b":
            assert await_that(lambda: invariants.files(world.images) != [])
            time.sleep(0.1)
        seen.append(count(world) if stream == "c" else 0)

    world.source.meanwhile = look
    world.download(batch_size=1)
    assert seen == [0, 0, 1]


def test_as_many_images_at_once_as_allowed(world: World) -> None:
    """With three workers three images are under way at the same time."""
    world.publish("in_gate", 1, 2, 3, 4, 5, 6)
    together = threading.Barrier(3, timeout=SOON)
    watch(world, lambda _: together.wait())
    assert world.download(concurrent=3).run.counts.saved == 6


# A part of it is asked for.


def test_latest_takes_the_newest_of_each_stream(world: World) -> None:
    """Each stream gets at most so many images, the newest that are new."""
    world.publish("in_gate", 25, 5, 15)
    world.publish("out_gate", 6, 16)
    run = world.download(latest=1).run
    assert archived(world) == ["out_gate 6", "in_gate 5"]
    assert (run.exit_code, run.counts) == (
        0,
        Counts(listed=5, new=5, saved=2, saved_bytes=2 * SIZE),
    )


def test_what_latest_left_out_is_not_forgotten(world: World) -> None:
    """The next run without a limit gets the rest, even if no page shows it any more."""
    world.publish("in_gate", 5, 15, 25)
    world.download(latest=1)
    world.publish("in_gate", 5)
    world.download()
    assert archived(world) == ["in_gate 25", "in_gate 15", "in_gate 5"]


def test_only_the_streams_of_the_order_are_read(tmp_path: Path) -> None:
    """A run for one stream neither asks for nor records another."""
    world = World(tmp_path)
    world.publish("in_gate", 5)
    world.publish("out_gate", 5)
    world.streams = world.streams[1:]
    world.download()
    assert archived(world) == ["out_gate 5"]
    assert [one.stream for one in world.last_run().streams] == ["out_gate"]


# Streams fail, others go on.


def test_one_stream_that_fails_stops_no_other(world: World) -> None:
    """The other stream is archived, the failure is recorded, and the run is partly done."""
    world.source.answers["in_gate"] = NoListing("in_gate", "HTTP 500")
    world.publish("out_gate", 5)
    run = world.download().run
    assert archived(world) == ["out_gate 5"]
    assert (run.exit_code, run.outcome) == (1, Outcome.PARTLY)
    recorded = world.last_run()
    assert [(one.outcome, one.reason) for one in recorded.streams] == [
        ("failed", "HTTP 500"),
        ("ok", ""),
    ]


@pytest.mark.parametrize(
    ("in_gate", "out_gate", "code"),
    [
        ("ok", "ok", 0),
        ("ok", "unreachable", 1),
        ("changed", "ok", 1),
        ("changed", "unreachable", 1),
        ("changed", "changed", 1),
        ("short", "ok", 1),
        ("bad image", "ok", 1),
        ("unreachable", "unreachable", 69),
    ],
)
def test_the_exit_code_tells_what_became_of_the_streams(
    world: World, in_gate: str, out_gate: str, code: int
) -> None:
    """0 all done, 1 partly, 69 nothing could be reached; and it is recorded."""
    for stream, what in (("in_gate", in_gate), ("out_gate", out_gate)):
        if what == "unreachable":
            world.source.answers[stream] = NoListing(stream, "refused", unreachable=True)
        elif what == "changed":
            world.source.answers[stream] = NoListing(stream, "no image matches")
        elif what == "short":
            world.source.answers[stream] = Listing(stream, (), "the page did not show 2025-09-07")
        else:
            world.publish(stream, 5, image=PICTURE if what == "ok" else GONE)
    assert world.download().run.exit_code == code
    assert world.last_run().exit_code == code


def test_what_was_kept_of_a_page_is_named(world: World, tmp_path: Path) -> None:
    """The reason says where a person can look at what the page showed."""
    kept = tmp_path / "diagnostics"
    world.source.answers["in_gate"] = NoListing("in_gate", "no image matches", diagnostics=kept)
    world.download()
    assert world.last_run().streams[0].reason == f"no image matches; kept for a look in {kept}"


def test_a_listing_that_may_lack_something_is_only_partly_done(world: World) -> None:
    """What a shortened listing does have is archived, and its shortfall is the reason."""
    captures = world.publish("in_gate", 5)
    world.source.answers["in_gate"] = Listing("in_gate", tuple(captures), "2025-09-07 was not read")
    run = world.download().run
    assert archived(world) == ["in_gate 5"]
    assert (run.streams[0].outcome, run.streams[0].reason) == ("partly", "2025-09-07 was not read")


def test_a_stream_without_an_answer_is_not_reached(world: World) -> None:
    """A source that says nothing of a stream gave it no listing."""
    world.streams = world.streams[:1]
    world.source.listings = lambda *_: iter(())  # type: ignore[method-assign]
    finished = world.download()
    assert (finished.run.exit_code, finished.run.streams[0].reason) == (69, "no answer")


def test_a_missing_browser_ends_the_run(world: World) -> None:
    """Without a browser there is no run: 78, recorded, with the health written."""
    world.source.answers["in_gate"] = BrowserMissingError("no browser was found")
    finished = world.download()
    assert isinstance(finished.error, BrowserMissingError)
    recorded = world.last_run()
    assert (recorded.exit_code, recorded.error) == (78, "no browser was found")
    assert {one.outcome for one in recorded.streams} == {Outcome.FAILED}
    assert invariants.health(world.health_file)["jobs"][0]["outcome"] == "failed"


# What was missed is caught up with.


class Gate:
    """A stream with a capture an hour and a site that keeps days, asked by a run an hour."""

    def __init__(self, world: World, days: int) -> None:
        self.world = world
        world.streams = (replace(world.streams[0], interval=HOUR),)
        hours = range(days * 24)
        self.site = DaySource([listed("in_gate", 60 * number) for number in hours])
        world.source = self.site
        world.fetcher.answers |= {one.url: PICTURE for one in self.site.captures}

    def download(self, hours_ago: float = 0, **order: Any) -> Finished:
        """Run so long before `NOW`."""
        self.world.clock = NOW - hours_ago * HOUR
        return self.world.download(run_every=HOUR, **order)

    def asked(self) -> list[int]:
        """How many days ago those are that the last run asked for, as it asked for them."""
        today = self.world.clock.date()
        return [(today - day).days for day in self.site.asked[-1][0].days]

    def forget(self, days: int) -> None:
        """From now on the site has no capture that is older than the last `days` days."""
        oldest = NOW.date() - timedelta(days=days)
        kept = [one for one in self.site.captures if one.capture.captured_at.date() >= oldest]
        self.site.captures = kept

    def gaps(self, *, resolved: bool = False) -> tuple[Gap, ...]:
        """The gaps that are known."""
        with self.world.catalogue() as catalogue:
            assert catalogue is not None
            return SqlLedger(catalogue.database).gaps(resolved=resolved)


@pytest.fixture
def gate(world: World) -> Gate:
    """A site with the captures of five days."""
    return Gate(world, 5)


def test_after_days_without_a_run_every_missed_day_is_asked_for(gate: Gate) -> None:
    """The next run gets all that was missed, newest day first, and leaves no gap."""
    gate.download(hours_ago=96)
    finished = gate.download()
    assert gate.asked() == [1, 2, 3, 4]
    assert (finished.run.exit_code, finished.run.counts.saved) == (0, 96)
    assert gate.gaps() == ()
    gate.download()
    assert gate.asked() == []


def test_only_the_days_of_a_hole_are_asked_for(gate: Gate) -> None:
    """A hole of some hours, days ago, costs its day, and those since are not read again."""
    everything = gate.site.captures
    gate.site.captures = [one for one in everything if one not in everything[70:75]]
    for hours in range(96, 0, -6):
        gate.download(hours_ago=hours)
    with closing(sqlite3.connect(gate.world.database)) as opened, opened:
        opened.execute("DELETE FROM readings WHERE day < '2025-09-07'")
    gate.site.captures = everything
    gate.download()
    assert gate.asked() == [3]
    assert gate.gaps() == ()


def test_what_the_source_no_longer_has_is_confirmed_as_missing(gate: Gate) -> None:
    """Days that it tells as empty are asked for once; that camdl did not run is why."""
    gate.download(hours_ago=96)
    gate.forget(days=1)
    assert gate.download().run.exit_code == 0
    assert gate.asked() == [1, 2, 3, 4]
    (gap,) = gate.gaps()
    assert (gap.cause, gap.state, gap.confirmed_at) == (Cause.NOT_RUN, State.CONFIRMED, NOW)
    assert gap.window == Window(NOW - 95 * HOUR, NOW.replace(day=7, hour=0))
    assert gap.missing == 51
    gate.download(hours_ago=-1)
    assert gate.asked() == []
    assert gate.gaps() == (gap,)


def test_what_a_gap_lacked_and_came_after_all_resolves_it(gate: Gate) -> None:
    """What the shown day lists late is archived, though the source seemed not to have it."""
    everything = gate.site.captures
    gate.download(hours_ago=10)
    gate.site.captures = [*everything[:4], *everything[9:]]
    gate.download(hours_ago=1)
    assert [gap.state for gap in gate.gaps()] == [State.CONFIRMED]
    gate.site.captures = everything
    gate.download()
    assert gate.gaps() == ()
    assert [gap.resolved_at for gap in gate.gaps(resolved=True)] == [NOW]


def test_no_more_images_are_asked_for_than_allowed(gate: Gate) -> None:
    """The next runs get the rest, newest first, and none of them fails for that."""
    gate.download(hours_ago=48)
    newest = [one.url for one in gate.site.captures]
    gate.world.fetcher.asked.clear()
    saved = []
    for _ in range(3):
        run = gate.download(most_requests=20).run
        saved.append(run.counts.saved)
        assert (run.exit_code, run.streams[0].reason) == (0, "")
    assert saved == [20, 20, 8]
    assert gate.world.fetcher.asked == newest[:48]
    assert gate.gaps() == ()


def test_what_waits_for_the_next_runs_is_told_as_a_gap(gate: Gate) -> None:
    """It is known to exist and that nobody has asked for it yet, and its day is not read again."""
    gate.download(hours_ago=48)
    gate.download(most_requests=20)
    (gap,) = gate.gaps()
    assert (gap.cause, gap.state, gap.missing) == (Cause.WAITING, State.OPEN, 28)
    gate.download(most_requests=1)
    assert gate.asked() == []


def test_no_stream_takes_all_that_may_be_asked_for(world: World) -> None:
    """Another stream's newest images do not wait until the first one's backlog is gone."""
    world.publish("in_gate", *range(5, 100, 10))
    world.publish("out_gate", 6, 16, 26)
    run = world.download(most_requests=5).run
    assert archived(world) == ["in_gate 25", "out_gate 16", "in_gate 15", "out_gate 6", "in_gate 5"]
    assert run.exit_code == 0


def test_pages_are_read_for_half_of_the_time_at_most(world: World) -> None:
    """What they list has to be fetched by the same run's deadline."""
    world.download(deadline_seconds=100)
    assert 45 < world.source.seconds[0] <= 50


def test_a_ledger_that_cannot_be_written_is_told(world: World) -> None:
    """What was archived is recorded all the same, and the run's row says how it really ended."""
    world.publish("in_gate", 5, 65)
    world.publish("out_gate", 5)
    world.download(latest=1)
    world.clock += timedelta(hours=2)
    with closing(sqlite3.connect(world.database)) as opened:
        opened.execute(
            "CREATE TRIGGER t BEFORE INSERT ON gaps BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
    finished = world.download()
    assert isinstance(finished.error, CatalogueError)
    assert count(world) == 3
    assert world.last_run().exit_code == finished.run.exit_code == 74


# Images fail and are tried again.


def test_a_rejected_image_leaves_nothing_behind(world: World) -> None:
    """Neither a file nor a row comes of a body that is no picture, and the reason is told."""
    world.publish("in_gate", 5, image=b"<html>busy</html>")
    run = world.download().run
    assert archived(world) == []
    assert invariants.files(world.images) == []
    assert (run.exit_code, run.counts.rejected) == (1, 1)
    assert run.streams[0].reason == "the body is HTML, not a JPEG image"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (gate_jpeg(1, (320, 180)), "smaller than 640x360: a thumbnail"),
        (PICTURE[: len(PICTURE) // 2], "cut off"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"", "empty"),
    ],
    ids=["thumbnail", "half", "png", "empty"],
)
def test_only_whole_pictures_become_captures(world: World, body: bytes, why: str) -> None:
    """Each kind of bad body is rejected with its reason and stays pending with it."""
    world.publish("in_gate", 5, image=body)
    world.download()
    assert archived(world) == []
    (pending,) = world.pending("in_gate")
    assert why in pending.reason


@pytest.mark.parametrize("bad", [GONE, BUSY, b"<html>busy</html>"])
def test_a_bad_image_is_asked_for_until_it_is_good(
    world: World, bad: bytes | Rejected | Failed
) -> None:
    """Every run tries again; once the image is good it is archived and pending no more."""
    (capture,) = world.publish("in_gate", 5, image=bad)
    for _ in range(2):
        assert world.download().run.streams[0].outcome is Outcome.PARTLY
    world.fetcher.answers[capture.url] = PICTURE
    assert world.download().run.streams[0].outcome is Outcome.OK
    assert world.fetcher.asked == [capture.url] * 3
    assert archived(world) == ["in_gate 5"]
    assert world.pending("in_gate") == ()


def test_what_fell_off_the_page_is_still_asked_for(world: World) -> None:
    """A pending image is fetched although no listing names it any more."""
    (capture,) = world.publish("in_gate", 25, image=BUSY)
    world.download()
    world.publish("in_gate", 5)
    world.fetcher.answers[capture.url] = PICTURE
    run = world.download().run
    assert archived(world) == ["in_gate 25", "in_gate 5"]
    assert run.streams[0].counts == Counts(listed=1, new=2, saved=2, saved_bytes=2 * SIZE)


def test_what_is_pending_comes_without_its_page_too(world: World) -> None:
    """With no page to be had, pending images are fetched; then something was reached."""
    (capture,) = world.publish("in_gate", 25, image=BUSY)
    world.publish("out_gate")
    world.download()
    world.source.answers.clear()
    world.fetcher.answers[capture.url] = PICTURE
    run = world.download().run
    assert archived(world) == ["in_gate 25"]
    assert (run.exit_code, run.outcome) == (1, Outcome.FAILED)


def test_an_image_that_stays_bad_is_given_up_with_the_retention(world: World) -> None:
    """What is older than the retention would be cleaned up anyway, and is asked for no more."""
    (capture,) = world.publish("in_gate", 25, image=GONE)
    world.publish("out_gate")
    world.download(retention=timedelta(hours=1))
    world.clock += timedelta(hours=1)
    run = world.download(retention=timedelta(hours=1)).run
    assert world.fetcher.asked == [capture.url]
    assert (run.exit_code, run.counts) == (0, Counts(listed=1))


def test_equal_reasons_are_counted(world: World) -> None:
    """Many images that fail alike make one short reason."""
    world.publish("in_gate", 5, 15, 25, image=GONE)
    result = world.download().run.streams[0]
    assert result.reason == f"3 x {GONE.reason}"
    assert result.failures == ((FailureKind.HTTP_STATUS, 3),)


def test_what_kind_of_thing_failed_is_counted(world: World) -> None:
    """Of images and of listings; what was not asked for, and what broke off, has its kind too."""
    world.publish("in_gate", 5, image=b"<html>")
    world.fetcher.answers |= {one.url: BUSY for one in world.publish("out_gate", 6)}
    listing = world.source.answers["out_gate"]
    assert isinstance(listing, Listing)
    world.source.answers["out_gate"] = replace(listing, shortfall="a day was not read")
    in_gate, out_gate = world.download().run.streams
    assert in_gate.failures == ((FailureKind.NOT_AN_IMAGE, 1),)
    assert out_gate.failures == ((FailureKind.HTTP_STATUS, 1), (FailureKind.INCOMPLETE, 1))
    world.source.answers["in_gate"] = NoListing("in_gate", "no image matches")
    world.source.answers["out_gate"] = NoListing("out_gate", "no route", unreachable=True)
    world.clock += timedelta(minutes=10)
    in_gate, out_gate = world.download().run.streams
    assert (FailureKind.UNREADABLE, 1) in in_gate.failures
    assert (FailureKind.UNREACHABLE, 1) in out_gate.failures
    assert world.last_run().streams == (in_gate, out_gate)


def test_a_source_that_asks_to_be_left_alone_is_left_alone(world: World) -> None:
    """What is to be asked for later is remembered, and later runs keep to it."""
    later = NOW + timedelta(minutes=15)
    (capture,) = world.publish("in_gate", 5, image=Failed("HTTP 429", not_before=later))
    world.download()
    world.clock = NOW + timedelta(minutes=10)
    second = world.download().run
    assert world.fetcher.asked == [capture.url]
    assert second.streams[0].counts == Counts(listed=1, new=1, failed=1)
    assert second.streams[0].reason == "the source asked to be left alone until 20:45:00Z"
    assert second.streams[0].failures == ((FailureKind.DEFERRED, 1),)
    assert world.pending("in_gate")[0].not_before == later


def test_a_source_is_asked_again_when_its_time_has_come(world: World) -> None:
    """After the wait that it asked for, the image is fetched as any other."""
    later = NOW + timedelta(minutes=15)
    (capture,) = world.publish("in_gate", 5, image=Failed("HTTP 429", not_before=later))
    world.download()
    world.clock = NOW + timedelta(minutes=20)
    world.fetcher.answers[capture.url] = PICTURE
    assert world.download().run.streams[0].outcome is Outcome.OK
    assert archived(world) == ["in_gate 5"]


# What a crash left is repaired.


def test_a_file_without_its_row_is_recorded_without_a_fetch(world: World) -> None:
    """A run that was killed between storing and recording is repaired: the file is looked at."""
    (capture,) = world.publish("in_gate", 5)
    world.download()
    forget_captures(world)
    run = world.download().run
    assert world.fetcher.asked == [capture.url]
    assert archived(world) == ["in_gate 5"]
    assert (run.streams[0].outcome, run.streams[0].counts) == (
        "ok",
        Counts(listed=1, new=1, duplicate=1),
    )


def test_a_torn_file_is_fetched_anew(world: World) -> None:
    """A file under an image's name that is no whole picture is replaced by one that is."""
    (capture,) = world.publish("in_gate", 5)
    world.publish("out_gate")
    world.download()
    file = world.images / capture.capture.key
    file.write_bytes(PICTURE[:5000])
    forget_captures(world)
    run = world.download().run
    assert (run.exit_code, run.counts.saved) == (0, 1)
    assert file.read_bytes() == PICTURE
    assert archived(world) == ["in_gate 5"]


def test_what_is_listed_is_remembered_before_it_is_fetched(world: World) -> None:
    """A run that is killed while it fetches leaves word of all that it was going to fetch."""
    world.publish("in_gate", 5, 15)
    seen: list[int] = []
    watch(world, lambda _: seen.append(len(world.pending("in_gate"))))
    world.download()
    assert seen[0] == 2


# The run's deadline.


def test_the_deadline_ends_the_run_and_the_next_one_does_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is done is recorded, what is not is told and pending, and the health is written."""
    monkeypatch.setattr(obtaining, "_GRACE_SECONDS", 0.2)
    world.publish("in_gate", 5, 15, 25)
    world.publish("out_gate")
    may_go = threading.Event()
    watch(world, lambda url: url == urls("in_gate", 5)[0] or may_go.wait(SOON))
    began = time.monotonic()
    run = world.download(deadline_seconds=2).run
    assert time.monotonic() - began < SOON
    may_go.set()
    assert (run.exit_code, run.streams[0].reason) == (1, "2 x the run's deadline passed")
    assert run.streams[0].failures == ((FailureKind.DEADLINE, 2),)
    assert run.streams[0].counts == Counts(3, 3, saved=1, failed=2, saved_bytes=SIZE)
    assert archived(world) == ["in_gate 5"]
    assert len(world.pending("in_gate")) == 2
    assert invariants.health(world.health_file)["streams"][0]["name"] == "in_gate"
    assert world.download().run.exit_code == 0
    assert archived(world) == ["in_gate 25", "in_gate 15", "in_gate 5"]


# Faults of the run.


def test_a_full_disk_ends_the_run(world: World) -> None:
    """What cannot be stored is a fault of the run: 74, and what was stored before is recorded."""
    world.publish("in_gate", 5, 15, 25)

    def take_the_disk_away(url: str) -> None:
        if url == urls("in_gate", 15)[0]:
            day = world.images / "in_gate" / "2025-09-08"
            day.rename(day.with_name("elsewhere"))
            day.touch()

    watch(world, take_the_disk_away)
    finished = world.download()
    assert isinstance(finished.error, StorageError)
    recorded = world.last_run()
    assert (recorded.exit_code, recorded.error) == (74, str(finished.error))
    assert recorded.streams[0].counts.saved == 1
    assert count(world) == 1
    assert len(world.pending("in_gate")) == 2


def test_what_others_stored_beside_the_fault_is_recorded_too(world: World) -> None:
    """An image that was done when another failed for good is in the catalogue."""
    world.publish("in_gate", 1, 2, 3, 4, 5, 6)
    world.publish("out_gate")
    seen = iter(range(6))
    over = threading.Event()

    def two_fail(_: str) -> None:
        if (number := next(seen)) in (1, 3):
            raise StorageError("no space left")
        if number == 5:
            over.set()

    watch(world, two_fail)
    # The one worker has done with five of them before the run takes the first result.
    world.source.meanwhile = lambda stream: stream == "out_gate" and over.wait(SOON)
    assert world.download().run.exit_code == 74
    assert archived(world)[-3:] == ["in_gate 5", "in_gate 3", "in_gate 1"]
    assert world.last_run().streams[0].counts.saved >= 3


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EMFILE, errno.EROFS])
def test_what_the_system_refuses_is_no_bug(world: World, code: int) -> None:
    """Whatever runs out, wherever: 74 with the system's reason."""
    world.source.answers["in_gate"] = OSError(code, "the system's reason")
    finished = world.download()
    assert isinstance(finished.error, StorageError)
    assert (finished.run.exit_code, world.last_run().exit_code) == (74, 74)
    assert "the system's reason" in world.last_run().error


def test_what_the_system_refuses_before_the_first_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the same where the adapters are opened: there is no run to record, but a verdict."""

    @contextmanager
    def refuse(order: Order, deadline: Deadline) -> Iterator[Ports]:
        with world_open(order, deadline) as ports:
            if order.streams:
                raise OSError(errno.EMFILE, "Too many open files")
            yield ports

    world_open = world.open

    monkeypatch.setattr(world, "open", refuse)
    finished = world.download()
    assert isinstance(finished.error, StorageError)
    assert finished.run.exit_code == 74
    assert world.is_on_its_way_out
    assert world.health_file.exists()


def test_a_catalogue_that_breaks_in_the_middle_ends_the_run(world: World) -> None:
    """What cannot be recorded is 74; the file that was stored is found by the run after it."""
    world.streams = world.streams[:1]  # nothing else asks the catalogue in the meantime
    (capture,) = world.publish("in_gate", 5)
    watch(world, lambda _: break_catalogue(world))
    finished = world.download()
    assert isinstance(finished.error, CatalogueError)
    assert finished.run.exit_code == 74
    assert (world.images / capture.capture.key).read_bytes() == PICTURE
    assert invariants.health(world.health_file)["status"] == "critical"


def test_a_catalogue_that_cannot_be_opened_ends_the_run(world: World) -> None:
    """A damaged file is 74, it is not touched, and the health says so."""
    world.database.write_bytes(b"no database at all, " * 100)
    before = world.database.read_bytes()
    finished = world.download()
    assert isinstance(finished.error, CatalogueError)
    assert (finished.run.exit_code, finished.run.streams) == (74, ())
    assert world.database.read_bytes() == before
    assert invariants.health(world.health_file)["database"] == "disconnected"


def test_a_run_that_cannot_be_recorded_does_not_begin(world: World) -> None:
    """Where its row cannot be made no page is read: 74."""
    world.download()
    with closing(sqlite3.connect(world.database)) as opened:
        opened.execute(
            "CREATE TRIGGER t BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
    finished = world.download()
    assert isinstance(finished.error, CatalogueError)
    assert (finished.run.exit_code, len(world.source.asked)) == (74, 1)


def test_an_interruption_while_the_run_is_being_recorded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal that comes with the commit does not leave a run that seems to go on for ever."""
    world.download()
    world.clock += timedelta(minutes=10)
    monkeypatch.setattr(SqlCatalogue, "begin_run", interrupted_after(SqlCatalogue.begin_run))
    finished = world.download()
    assert finished.run.exit_code == 143
    assert world.last_run() == finished.run


def test_the_first_error_is_told(world: World) -> None:
    """A catalogue that fails too, on the way out, does not hide why the run ended."""
    world.streams = world.streams[:1]  # nothing else is read meanwhile
    world.publish("in_gate", 5)

    def fail(_: str) -> None:
        break_catalogue(world)
        break_catalogue(world, "runs")
        raise StorageError("no space left")

    watch(world, fail)
    finished = world.download()
    assert str(finished.error) == finished.run.error == "no space left"


def test_a_bug_is_raised_and_recorded(world: World) -> None:
    """The run is closed as failed with what was done, the health is written, the bug goes on."""
    world.publish("out_gate", 5)
    world.source.answers["in_gate"] = ZeroDivisionError("division\nby zero")
    with pytest.raises(ZeroDivisionError):
        world.download()
    recorded = world.last_run()
    assert (recorded.exit_code, recorded.outcome) == (70, Outcome.FAILED)
    assert recorded.error == "ZeroDivisionError: division by zero"
    assert recorded.ended_at == NOW
    assert invariants.health(world.health_file)["jobs"][0]["outcome"] == "failed"
    assert world.is_on_its_way_out


def test_a_bug_in_a_worker_is_a_bug_of_the_run(world: World) -> None:
    """What a worker's thread raises is not swallowed."""
    world.publish("in_gate", 5)
    watch(world, failing(AssertionError()))
    with pytest.raises(AssertionError):
        world.download()
    assert world.last_run().error == "AssertionError"


def test_a_library_out_of_time_is_a_bug(world: World) -> None:
    """Not every OSError is the system's: Python's TimeoutError is one too."""
    world.source.answers["in_gate"] = TimeoutError("too late")
    with pytest.raises(TimeoutError):
        world.download()
    assert world.last_run().exit_code == 70


def test_a_bug_is_not_hidden_by_a_broken_catalogue(world: World) -> None:
    """The exception that comes out is the bug's, although the run cannot be closed."""
    world.streams = world.streams[:1]
    world.publish("in_gate", 5)

    def fail(_: str) -> None:
        break_catalogue(world, "runs")
        raise ZeroDivisionError

    watch(world, fail)
    with pytest.raises(ZeroDivisionError):
        world.download()


@pytest.mark.parametrize("code", [ExitCode.SIGTERM, ExitCode.SIGINT])
def test_an_interrupted_run_is_recorded_as_such(world: World, code: ExitCode) -> None:
    """A signal ends the run with its code; streams that were done stay done."""
    world.publish("in_gate", 5)
    world.source.answers["out_gate"] = InterruptedRunError(code.name, code)
    fetched = threading.Event()
    watch(world, lambda _: fetched.set())
    world.source.meanwhile = lambda stream: stream == "out_gate" and fetched.wait(SOON)
    finished = world.download()
    recorded = world.last_run()
    assert (finished.run.exit_code, recorded.exit_code) == (code, code)
    assert (recorded.outcome, recorded.error) == (
        Outcome.INTERRUPTED,
        f"interrupted by {code.name}",
    )
    assert recorded.streams[1].outcome is Outcome.INTERRUPTED
    assert invariants.health(world.health_file)["jobs"][0]["outcome"] == "interrupted"


def test_an_interrupted_run_is_continued_by_the_next(world: World) -> None:
    """What it had not fetched is pending, and is fetched although the page moved on."""
    world.publish("in_gate", 5, 15, 25)
    world.source.answers["out_gate"] = InterruptedRunError("SIGTERM", ExitCode.SIGTERM)
    begun: list[str] = []
    may_go = threading.Event()
    watch(world, lambda url: begun.append(url) or may_go.wait(SOON))  # type: ignore[func-returns-value]
    world.download()
    may_go.set()
    time.sleep(0.1)
    assert begun == urls("in_gate", 5)  # no further one was begun
    world.publish("in_gate", 5)
    world.publish("out_gate")
    assert world.download().run.exit_code == 0
    assert archived(world) == ["in_gate 25", "in_gate 15", "in_gate 5"]


def test_the_keyboard_interrupts_a_run_too(world: World) -> None:
    """Python's own KeyboardInterrupt closes the run as interrupted, and goes on."""
    world.source.answers["in_gate"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        world.download()
    recorded = world.last_run()
    assert (recorded.exit_code, recorded.outcome) == (130, Outcome.INTERRUPTED)
    assert world.health_file.exists()


def test_signals_are_off_before_a_run_is_closed(world: World) -> None:
    """From the moment on at which the result is recorded, nothing interrupts any more."""
    world.publish("in_gate", 5)
    seen: list[bool] = []
    world.source.meanwhile = lambda _: seen.append(world.is_on_its_way_out)
    world.download()
    assert seen == [False, False]
    assert world.is_on_its_way_out


# The lock.


def test_a_second_run_changes_nothing(world: World, tmp_path: Path) -> None:
    """While another run holds the lock, a run ends at once and leaves the health alone."""
    world.publish("in_gate", 5)
    with World(tmp_path).lock.hold(0), pytest.raises(LockHeldError):
        world.download()
    assert {file.name for file in tmp_path.iterdir()} == {"camdl.lock"}
    assert world.source.asked == []


def test_a_run_may_wait_for_another(world: World, tmp_path: Path) -> None:
    """With `wait_seconds` it begins when the other one has ended."""
    world.publish("in_gate", 5)
    begun, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with World(tmp_path).lock.hold(0):
            begun.set()
            may_end.wait(SOON)

    other = threading.Thread(target=hold)
    other.start()
    assert begun.wait(SOON)
    threading.Timer(0.2, may_end.set).start()
    world.download(wait_seconds=SOON)
    other.join()
    assert archived(world) == ["in_gate 5"]


def test_the_lock_is_held_until_the_health_is_written(world: World, tmp_path: Path) -> None:
    """The verdict of one run is never overwritten by that of an earlier one."""
    held: list[bool] = []
    write = world.write_health

    def look(run: RunRecord) -> None:
        with pytest.raises(LockHeldError), World(tmp_path).lock.hold(0):
            pass
        held.append(True)
        write(run)

    world.write_health = look  # type: ignore[method-assign]
    world.download()
    assert held == [True]
    with World(tmp_path).lock.hold(0):
        pass


def test_a_lock_that_cannot_be_safe_is_refused(world: World, tmp_path: Path) -> None:
    """A lock file that is a symbolic link ends the run before it began."""
    (tmp_path / "camdl.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError):
        world.download()
    assert world.source.asked == []


# A dry run.


def tree(home: Path) -> dict[str, bytes]:
    """Every file and directory below `home`, and what is in it."""
    return {
        str(path.relative_to(home)): path.read_bytes() if path.is_file() else b""
        for path in home.rglob("*")
    }


def test_a_dry_run_says_what_would_be_fetched(world: World) -> None:
    """It lists what is new, newest first and within the limit, and fetches none of it."""
    world.publish("in_gate", 15)
    world.download()
    world.fetcher.asked.clear()
    world.publish("in_gate", 5, 15, 25)
    world.publish("out_gate", 6)
    finished = world.download(dry_run=True)
    would = [(one.capture.stream, one.url) for one in finished.would_fetch]
    expected = [*urls("in_gate", 5, 25), *urls("out_gate", 6)]
    assert [url for _, url in would] == expected
    assert world.fetcher.asked == []
    assert finished.run.exit_code == 0
    limited = world.download(dry_run=True, latest=1).would_fetch
    assert [one.url for one in limited] == [expected[0], expected[2]]


@pytest.mark.parametrize("ran_before", [False, True])
def test_a_dry_run_changes_nothing(world: World, tmp_path: Path, ran_before: bool) -> None:
    """No file is made or changed: no image, no catalogue, no health, no lock."""
    world.publish("in_gate", 15)
    if ran_before:
        world.download()
    before = tree(tmp_path)
    world.publish("in_gate", 5, 15)
    world.download(dry_run=True)
    assert tree(tmp_path) == before


def test_a_dry_run_is_in_nobodys_way(world: World, tmp_path: Path) -> None:
    """It needs no lock, and works while a run is going on."""
    world.publish("in_gate", 5)
    with World(tmp_path).lock.hold(0):
        assert len(world.download(dry_run=True).would_fetch) == 1


def test_a_dry_run_fails_as_a_real_one_would(world: World) -> None:
    """Its exit code tells whether the pages could be read."""
    assert world.download(dry_run=True).run.exit_code == 69


# Records and health.


def test_a_run_that_cannot_record_its_images_still_records_its_end(world: World) -> None:
    """One table that is damaged is no reason for health to know nothing of it."""
    world.publish("in_gate", 5)
    world.publish("out_gate", 6)
    world.download()
    fail = "BEGIN SELECT RAISE(ABORT, 'malformed'); END"
    sql(world.database, f"CREATE TRIGGER t BEFORE INSERT ON captures {fail}")
    world.clock += timedelta(minutes=10)
    world.publish("in_gate", 1, 5)
    finished = world.download(batch_size=1)
    assert finished.run.exit_code == ExitCode.STORAGE
    assert world.last_run() == finished.run
    assert "malformed" in world.last_run().error


@pytest.mark.parametrize(
    ("batch", "recorded"),
    [(1, [1, 2, 3, 4, 5]), (2, [0, 2, 2, 4, 4]), (50, [0, 0, 0, 0, 0])],
)
def test_images_are_recorded_in_batches(world: World, batch: int, recorded: list[int]) -> None:
    """Each time `batch_size` images are done they are recorded, and the rest at the end."""
    seen = []

    class Counting(Told):
        """Looks into the catalogue after each image."""

        def image(self, listed: ListedCapture, outcome: ImageOutcome) -> None:
            """Count the rows."""
            seen.append(count(world))

    world.progress = Counting()
    world.publish("in_gate", 1, 2, 3, 4, 5)
    world.publish("out_gate")
    world.download(batch_size=batch)
    assert seen == recorded
    assert len(archived(world)) == 5


def test_a_run_is_recorded_with_its_streams(world: World) -> None:
    """The row tells when it began and ended, how, and each stream's counts and newest capture."""
    world.publish("in_gate", 5, 15)
    world.publish("out_gate", 6, image=GONE)
    finished = world.download()
    assert world.last_run() == finished.run
    newest = [(one.stream, one.newest) for one in finished.run.streams]
    assert newest == [("in_gate", NOW - timedelta(minutes=5)), ("out_gate", None)]
    assert finished.run.started_at == finished.run.ended_at == NOW


def test_a_capture_is_recorded_with_the_facts_of_its_file(world: World) -> None:
    """Its row has the image's bytes and pixels, where it came from, when, and by which run."""
    (capture,) = world.publish("in_gate", 5)
    run = world.download().run
    query = "SELECT key, bytes, width, height, source_url, fetched_at, run_id FROM captures"
    assert invariants.rows(world.database, query) == [
        (
            capture.capture.key,
            len(PICTURE),
            *(640, 360),
            capture.url,
            f"{NOW:%Y-%m-%d %H:%M:%S.%f}",
            run.id,
        )
    ]


def test_the_health_is_that_after_the_run(world: World) -> None:
    """The file that a run leaves knows of the run's own captures."""
    world.publish("in_gate", 5)
    world.publish("out_gate", 5)
    world.download()
    said = invariants.health(world.health_file)
    assert said["status"] == "healthy"
    assert [one["newest_capture"] for one in said["streams"]] == ["2025-09-08T20:25:00Z"] * 2


def test_a_health_file_that_cannot_be_written_is_a_failure(world: World) -> None:
    """The images are archived, but 74 tells that nobody will hear of it."""
    world.publish("in_gate", 5)
    world.publish("out_gate")
    world.health_file.mkdir(parents=True)
    finished = world.download()
    assert isinstance(finished.error, StorageError)
    assert finished.run.exit_code == 74
    assert archived(world) == ["in_gate 5"]


def test_a_health_file_that_cannot_be_written_does_not_hide_the_first_error(world: World) -> None:
    """The reason that ended the run is the one that is told."""
    world.health_file.mkdir(parents=True)
    world.source.answers["in_gate"] = BrowserMissingError("no browser was found")
    finished = world.download()
    assert (str(finished.error), finished.run.exit_code) == ("no browser was found", 78)


def test_a_run_that_cannot_begin_is_on_record(world: World) -> None:
    """One that finds no browser is remembered with its reason, and the verdict tells of it."""
    world.publish("in_gate", 5)
    world.download()
    world.clock += timedelta(minutes=10)
    world.cannot_open = BrowserMissingError("no browser was found")
    finished = world.download()
    assert (finished.run.exit_code, finished.error) == (78, world.cannot_open)
    assert world.last_run() == finished.run
    assert "no browser was found" in str(invariants.health(world.health_file)["checks"])


def test_a_dry_run_that_cannot_begin_leaves_nothing(world: World) -> None:
    """It is told, and not recorded."""
    world.cannot_open = BrowserMissingError("no browser was found")
    assert world.download(dry_run=True).run.exit_code == 78
    assert not world.database.exists()
    assert not world.health_file.exists()


def test_what_a_cleanup_made_room_of_is_not_fetched_back(world: World) -> None:
    """A page that still lists deleted captures does not fill the disk again."""
    world.publish("in_gate", 5, 15, 25)
    world.download()
    with closing(Database(f"sqlite:///{world.database}")) as database:
        keeping = SqlKeeping(database)
        oldest = list(keeping.holdings(["in_gate"]))[:2]
        keeping.doom(oldest)
        keeping.forget(oldest)
    asked = list(world.fetcher.asked)
    world.download()
    assert world.fetcher.asked == asked
    assert archived(world) == ["in_gate 5"]
