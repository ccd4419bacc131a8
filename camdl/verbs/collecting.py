"""What `download` and `backfill` have in common: what sources list and the archive lacks comes in.

List, fetch, check, store, record: one way, once through, inside the lock.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from camdl.domain.failures import FailureKind
from camdl.domain.outcomes import (
    Counts,
    Duplicate,
    Outcome,
    Rejected,
    RunRecord,
    Saved,
    StreamResult,
)
from camdl.errors import ExitCode
from camdl.ports import Listing, NoListing, Sighting, Wanted
from camdl.source_clock import SourceClock
from camdl.verbs import obtaining, running
from camdl.verbs.obtaining import Bounds, Obtaining

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from camdl.deadline import Deadline
    from camdl.domain.captures import ListedCapture
    from camdl.domain.outcomes import ImageOutcome, PendingCapture
    from camdl.domain.sites import Stream
    from camdl.errors import EndOfRun
    from camdl.ports import Lock, Progress, Source

    # What to ask for of what a stream's source listed and what earlier runs could not get, newest
    # first, and what the source wants to be left alone with.
    Choice = Callable[
        [Stream, Sequence[ListedCapture]], tuple[list[ListedCapture], list[PendingCapture]]
    ]

_LOG = logging.getLogger("camdl")

_LISTING_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Order:
    """What every collection is asked to do. `latest` limits the images of each stream.

    `most_requests` are the images that a run asks for at most.
    """

    streams: Sequence[Stream]
    latest: int | None = None
    dry_run: bool = False
    catch_up: timedelta = timedelta(days=7)
    run_every: timedelta = timedelta(minutes=10)
    most_requests: int = 2000
    concurrent: int = 8
    batch_size: int = 50


@dataclass(frozen=True, slots=True)
class Ports(obtaining.Ports):
    """The world with the source of listings in it, which shares its `source_clock` with others."""

    source: Source
    source_clock: SourceClock = field(default_factory=SourceClock)


class Tools(running.Tools, Protocol):
    """What a collection needs of the world besides its ports."""

    @property
    def lock(self) -> Lock:
        """At most one run at a time."""
        ...

    @property
    def progress(self) -> Progress:
        """What a person sees meanwhile."""
        ...

    def record(self, run: RunRecord) -> None:
        """Record, if that is possible, a run that ended before its adapters were open."""
        ...


@dataclass(frozen=True, slots=True)
class Finished:
    """How a run ended: its record, the error that ended it, and what a dry run would fetch."""

    run: RunRecord
    error: EndOfRun | None = None
    would_fetch: tuple[ListedCapture, ...] = ()


@dataclass
class Part:
    """One stream's part of a collection, while it goes on.

    `new` is what is fetched, and `waits_for` how many of those are not done yet.
    """

    stream: Stream
    newest: datetime | None
    began: float
    answer: Listing | NoListing | None = None
    new: list[ListedCapture] = field(default_factory=list)
    waits_for: int = 0
    counts: Counts = field(default_factory=Counts)
    reasons: Counter[str] = field(default_factory=Counter)
    kinds: Counter[FailureKind] = field(default_factory=Counter)
    result: StreamResult | None = None

    def not_begun(self, captures: Iterable[ListedCapture]) -> list[ListedCapture]:
        """Those of `captures` that are not being fetched, or were, in this run."""
        begun = {one.capture for one in self.new}
        return [one for one in captures if one.capture not in begun]

    def left_alone(self, why: str, kind: FailureKind, images: int = 1) -> None:
        """Count images that this run does not get, and why."""
        self.counts += Counts(failed=images)
        self.reasons[why] += images
        self.kinds[kind] += images

    def account(self, listed: ListedCapture, outcome: ImageOutcome) -> None:
        """Count what became of one image."""
        self.waits_for -= 1
        if isinstance(outcome, Saved | Duplicate):
            saved = isinstance(outcome, Saved)
            size = outcome.image.size
            self.counts += Counts(saved=1, saved_bytes=size) if saved else Counts(duplicate=1)
            captured_at = listed.capture.captured_at
            self.newest = max(self.newest or captured_at, captured_at)
        else:
            rejected = isinstance(outcome, Rejected)
            self.counts += Counts(rejected=1) if rejected else Counts(failed=1)
            self.reasons[outcome.reason] += 1
            self.kinds[outcome.kind] += 1


class Collecting:
    """One passage from listings to rows. `collect` is the order in which things happen.

    After `begin_by` no more images are begun, and `deadline` cuts those that were: what was not
    begun stays as the catalogue knows it.
    """

    def __init__(
        self,
        order: Order,
        ports: Ports,
        tools: Tools,
        run: RunRecord,
        deadline: Deadline,
        *,
        choose: Choice,
        begin_by: Deadline | None = None,
    ) -> None:
        self._order = order
        self._ports = ports
        self._tools = tools
        self._begin_by = begin_by or deadline
        self._began_at = run.started_at
        self._choose = choose
        self._run = run
        bounds = Bounds(self._begin_by, deadline, order.concurrent, order.batch_size)
        streams = {stream.name: stream for stream in order.streams}
        self._obtaining = Obtaining(ports, streams, run.id, bounds, tools.now)
        self._may_ask = order.most_requests
        self.parts: dict[str, Part] = {}
        self.outcomes: list[tuple[ListedCapture, ImageOutcome]] = []
        self.would_fetch: list[ListedCapture] = []

    def collect(self, wanted: Iterable[Wanted]) -> None:
        """List and fetch what is new, and record what became of it, but for the last batch."""
        self._began_at = self._tools.now()
        self._obtaining.heed_rests(self._began_at)
        asked = [self._begin(one) for one in wanted]
        # What is listed must be fetched too: after a long absence there are many days to look at.
        half = self._begin_by.within(self._begin_by.remaining() * _LISTING_SHARE)
        for answer in self._ports.source.listings(asked, self._began_at, half):
            if isinstance(answer, Sighting):
                self._begin_early(answer)
            else:
                self._queue_new(answer)
            self._account(self._obtaining.done())
        self._account(self._obtaining.finished())
        for part in self.parts.values():
            self._finish(part)

    def stop(self, error: BaseException | None = None) -> None:
        """Begin nothing more, and count what is done; every stream has a result then."""
        self._obtaining.stop()
        if error is not None:
            for listed, outcome in self._obtaining.leftovers():
                self._count(listed, outcome)
            for part in self.parts.values():
                part.result = part.result or broken_off(part, error)

    def settle(self) -> None:
        """Record what is done and not recorded yet, and who wants to be left alone.

        Raises:
            CatalogueError: it cannot be recorded.
        """
        self._obtaining.settle()
        watch = self._obtaining.watch
        if took := watch.words():
            _LOG.info("%s", took, extra={"fields": watch.fields()})

    def _begin(self, wanted: Wanted) -> Wanted:
        stream = wanted.stream
        newest = self._ports.catalogue.newest(stream.name)
        self.parts[stream.name] = Part(stream, newest, time.monotonic())
        # The newest of a part of the listing may not be the newest of all.
        early = self._order.latest is None and not self._order.dry_run
        return replace(wanted, early=early)

    def _begin_early(self, sighting: Sighting) -> None:
        """Have fetched what the archive lacks of what is seen, while the rest is still looked for.

        Reading a page to its end takes longer than its images do.
        """
        part = self.parts[sighting.stream]
        new, _ = self._choose(part.stream, sighting.captures)
        fresh = part.not_begun(new)
        self._remember(fresh)
        self._fetch(part, fresh[: self._fair_share()])

    def _fetch(self, part: Part, fresh: Sequence[ListedCapture]) -> None:
        part.new += fresh
        part.waits_for += len(fresh)
        self._may_ask -= len(fresh)
        self._obtaining.give(fresh)

    def _queue_new(self, answer: Listing | NoListing) -> None:
        """Have what the archive lacks fetched, once the catalogue remembers that it exists."""
        part = self.parts[answer.stream]
        part.answer = answer
        listed = answer.captures if isinstance(answer, Listing) else ()
        new, left_alone = self._choose(part.stream, listed)
        fresh = part.not_begun(new)
        begun = {one.capture for one in part.new}
        resting = [one for one in left_alone if one.listed.capture not in begun]
        part.counts += Counts(listed=len(listed), new=len(begun) + len(fresh) + len(resting))
        for one in resting:
            part.left_alone(asked_for_rest(one), FailureKind.DEFERRED)
        to_fetch = fresh[: self._order.latest][: self._fair_share()]
        self._tools.progress.listed(answer, part.waits_for + len(to_fetch))
        if self._order.dry_run:
            self.would_fetch += to_fetch
        else:
            self._remember(fresh)
            if isinstance(answer, Listing):
                self._remember_days(part.stream, answer)
            self._fetch(part, to_fetch)
        self._finish_if_done(part)

    def _fair_share(self) -> int:
        """How many images may be asked for now, so that as many are left for each other stream.

        What one stream missed in weeks must not keep back what another has new.
        """
        to_come = sum(part.answer is None for part in self.parts.values())
        return -(-self._may_ask // (to_come + 1))

    def _remember(self, new: Sequence[ListedCapture]) -> None:
        """Images come newest first, so a killed run leaves a hole that no later page may show."""
        if new:
            owed = [(one, None) for one in new]
            self._ports.catalogue.record(self._run.id, owed, self._tools.now())

    def _remember_days(self, stream: Stream, listing: Listing) -> None:
        zone = stream.timezone
        told = Counter(one.capture.captured_at.astimezone(zone).date() for one in listing.captures)
        days = {day: told[day] for day in listing.days}
        self._ports.ledger.record_reading(stream.name, days, self._began_at)

    def _account(self, done: Iterable[tuple[ListedCapture, ImageOutcome]]) -> None:
        """Count images as they get done."""
        for listed, outcome in done:
            part = self._count(listed, outcome)
            self._tools.progress.image(listed, outcome)
            self._finish_if_done(part)

    def _count(self, listed: ListedCapture, outcome: ImageOutcome) -> Part:
        part = self.parts[listed.capture.stream]
        part.account(listed, outcome)
        self.outcomes.append((listed, outcome))
        return part

    def _finish_if_done(self, part: Part) -> None:
        if part.answer is not None and part.waits_for == 0:
            self._finish(part)

    def _finish(self, part: Part) -> None:
        if part.result is None:
            if part.waits_for:
                why = "the run's deadline passed"
                part.left_alone(why, FailureKind.DEADLINE, part.waits_for)
            part.result = result_of(part)
            self._tools.progress.stream(part.result)
            name = part.stream.name
            if took := self._obtaining.watch.words(name):
                fields = {"stream": name, **self._obtaining.watch.fields(name)}
                _LOG.info("%s: %s", name, took, extra={"fields": fields})


def ended(run: RunRecord, now: datetime) -> RunRecord:
    """`run`, which came to its end, with what its streams' results make of it."""
    outcomes = {result.outcome for result in run.streams}
    if outcomes <= {Outcome.OK}:
        outcome, code = Outcome.OK, ExitCode.OK
    elif outcomes == {Outcome.FAILED}:
        # What earlier runs could not get may come though no page does.
        got = run.counts.saved + run.counts.duplicate + run.counts.rejected
        unreachable = not got and all(result.unreachable for result in run.streams)
        outcome, code = Outcome.FAILED, ExitCode.UNREACHABLE if unreachable else ExitCode.PARTLY
    else:
        outcome, code = Outcome.PARTLY, ExitCode.PARTLY
    return replace(run, ended_at=now, outcome=outcome, exit_code=int(code))


def asked_for_rest(one: PendingCapture) -> str:
    """Why a capture is not asked for that the source wants to be left alone with."""
    return f"the source asked to be left alone until {one.not_before:%H:%M:%SZ}"


def result_of(part: Part) -> StreamResult:
    """The result of a stream whose listing came, or did not, and whose images are done."""
    counts, seconds = part.counts, time.monotonic() - part.began
    reasons = [f"{images} x {why}" if images > 1 else why for why, images in part.reasons.items()]
    if not isinstance(part.answer, Listing):
        no_listing = part.answer or NoListing(part.stream.name, "no answer", unreachable=True)
        kept = [f"kept for a look in {no_listing.diagnostics}"] if no_listing.diagnostics else []
        why = "; ".join([no_listing.reason, *kept, *reasons])
        unreachable = no_listing.unreachable
        return StreamResult(
            part.stream.name,
            Outcome.FAILED,
            counts,
            part.newest,
            seconds,
            why,
            unreachable,
            _kinds(part, FailureKind.UNREACHABLE if unreachable else FailureKind.UNREADABLE),
        )
    why = "; ".join(filter(None, [part.answer.shortfall, *reasons]))
    outcome = Outcome.PARTLY if why else Outcome.OK
    kinds = _kinds(part, *[FailureKind.INCOMPLETE] if part.answer.shortfall else [])
    return StreamResult(
        part.stream.name, outcome, counts, part.newest, seconds, why, failures=kinds
    )


def broken_off(part: Part, error: BaseException) -> StreamResult:
    """The result of a stream whose run did not come to its end."""
    outcome, seconds = running.outcome(error), time.monotonic() - part.began
    kinds = _kinds(part, running.kind(error))
    return StreamResult(
        part.stream.name,
        outcome,
        part.counts,
        part.newest,
        seconds,
        running.told(error),
        failures=kinds,
    )


def _kinds(part: Part, *of_listing: FailureKind) -> tuple[tuple[FailureKind, int], ...]:
    """How often what kind of thing failed: images, and what `of_listing` says of the listing."""
    return tuple(sorted((part.kinds + Counter(of_listing)).items()))
