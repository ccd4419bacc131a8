"""`camdl backfill`: what the sources still have of earlier days comes into the archive.

It works in slices: a few days, newest first, or half a minute of images. Each slice holds the lock
for itself, and between two of them it is free for long enough that a waiting run gets it. So a
download that comes meanwhile waits for the end of a slice and no longer, and the newest captures
always come first.

Nothing is kept but what the catalogue knows anyway: which days were read completely, and which
captures were listed. So a backfill goes on where one was stopped, whatever stopped it.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from camdl.deadline import Deadline
from camdl.domain.failures import FailureKind
from camdl.domain.history import begin_of, day_of, days_between, days_in_doubt, unread
from camdl.domain.latest import due
from camdl.domain.outcomes import Counts, Outcome, RunRecord
from camdl.errors import END_OF_RUN, CamdlError, LockHeldError, UsageError
from camdl.ports import Listing, NoListing, Sighting, Wanted
from camdl.verbs import collecting
from camdl.verbs.collecting import (
    Collecting,
    Finished,
    Part,
    asked_for_rest,
    broken_off,
    ended,
    result_of,
)
from camdl.verbs.running import begun, failed, refusals_told, run_id, tell
from camdl.verbs.stocktaking import Stocktaking

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import date, datetime

    from camdl.domain.captures import Capture, ListedCapture
    from camdl.domain.outcomes import PendingCapture, StreamResult
    from camdl.domain.sites import Stream
    from camdl.errors import EndOfRun
    from camdl.ports import Catalogue, LongProgress, Source
    from camdl.verbs.collecting import Ports

# After its last image was begun a slice goes on for so long, for those that are under way.
_LAST_IMAGES_SECONDS = 5.0
# A slice that brought nothing is followed by a longer one, for a page that is slow, but no longer
# than a download waits. After so many there is no hope for a stream, or for a day.
_PATIENCE_SLICES = 3
_PATIENCE_DAY = 2
# What a user asks for by its date is never given up for its age.
_FOR_EVER = timedelta(days=36_500)


@dataclass(frozen=True, slots=True)
class Order(collecting.Order):
    """What one `camdl backfill` is asked to do: the days from `first` to `last`, both included.

    They are days of each stream's time zone. No `last` is the present day; no `first`, which goes
    with `only_gaps` alone, is as long ago as can be. `only_gaps` are days with gaps that the
    source has not confirmed.
    """

    first: date | None = None
    last: date | None = None
    only_gaps: bool = False
    slice_days: int = 3
    slice_seconds: float = 25.0
    pause_seconds: float = 1.0
    lock_seconds: float = 600.0


class Tools(collecting.Tools, Protocol):
    """What a backfill needs before, between and after its slices."""

    @property
    def progress(self) -> LongProgress:
        """What a person sees meanwhile."""
        ...

    def open(self, order: Order, deadline: Deadline) -> AbstractContextManager[Ports]:
        """The adapters, anew for each slice; leaving the `with` leaves nothing of them behind."""
        ...

    def catalogue(self) -> AbstractContextManager[Catalogue]:
        """The catalogue alone, to record how the run ended."""
        ...


def backfill(order: Order, tools: Tools) -> Finished:
    """Archive what the sources list of earlier days and the catalogue lacks, newest day first.

    Raises:
        UsageError: there can be no such days.
        LockHeldError: another run went on for too long; nothing was changed.
        ConfigError: there can be no safe lock.
        StorageError: the lock's file cannot be made.
    """
    _refuse_impossible(order, tools.now())
    return _Backfill(order, tools).go()


def _refuse_impossible(order: Order, now: datetime) -> None:
    first, last = order.first, order.last
    if first is None and not order.only_gaps:
        raise UsageError(
            "a backfill needs the day to begin with",
            advice="Give it as --from YYYY-MM-DD, or use --gaps for what is known to be missing.",
        )
    if first and last and first > last:
        raise UsageError(
            f"--from {first} is after --to {last}", advice="Exchange them: both days are included."
        )
    today = max(day_of(now, stream.timezone) for stream in order.streams)
    for flag, day in (("--from", first), ("--to", last)):
        if day and day > today:
            raise UsageError(
                f"{flag} {day} has not begun yet", advice=f"The present day is {today}."
            )
    for stream in order.streams:
        if not stream.date_picker:
            raise UsageError(
                f"the page of {stream.name} has no date picker, and so no day but the present one",
                advice="Set date_picker for its site, or choose other streams with --stream NAME.",
            )


@dataclass
class _History:
    """What a backfill knows of one stream. `tally` counts over all slices, as one stream's part.

    `days` are those that are asked for, newest first, and `days_left` how many of them are for the
    next run; `read` are those that the source has told completely meanwhile, and `hopeless` those
    that it does not tell, with the reason. `resting` is what the source wants to be left alone
    with.
    """

    stream: Stream
    days: Sequence[date]
    tally: Part
    read: set[date] = field(default_factory=set)
    tries: Counter[date] = field(default_factory=Counter)
    hopeless: dict[date, str] = field(default_factory=dict)
    listed: set[Capture] = field(default_factory=set)
    new: set[Capture] = field(default_factory=set)
    resting: Sequence[PendingCapture] = ()
    fruitless: int = 0
    days_left: int = 0
    has_answered: bool = False
    is_unreachable: bool = False

    @property
    def begin(self) -> datetime:
        """The first instant that is asked for."""
        return begin_of(self.days[-1], self.stream.timezone)

    def day(self, moment: datetime) -> date:
        """The day of the stream's time zone."""
        return day_of(moment, self.stream.timezone)

    def learn(
        self, asked: Sequence[date], answer: Listing | NoListing, *, got_images: bool
    ) -> None:
        """Note what the answer to a question for the days `asked` tells of them."""
        told = set(answer.days).intersection(asked) if isinstance(answer, Listing) else set()
        self.read |= told
        self.has_answered |= isinstance(answer, Listing)
        self.is_unreachable = isinstance(answer, NoListing) and answer.unreachable
        if told or got_images:
            self.fruitless = 0
        else:
            self.fruitless += 1
        why = answer.shortfall if isinstance(answer, Listing) else answer.reason
        why = why or "the page did not tell all of it"
        for day in asked:
            # Those after the last one that was told may not have had their turn.
            if day not in told and any(day > other for other in told):
                self.tries[day] += 1
                if self.tries[day] >= _PATIENCE_DAY:
                    self.hopeless[day] = why
        if self.fruitless >= _PATIENCE_SLICES:
            for day in self.days:
                if day not in self.read and day <= max(asked):
                    self.hopeless.setdefault(day, why)


@dataclass(frozen=True, slots=True)
class _Share:
    """A stream's part of the next slice, and what is left to do for it altogether."""

    history: _History
    left: Sequence[date]
    ask: Sequence[ListedCapture]
    wanted: Wanted
    reads: Sequence[date]

    @property
    def has_work(self) -> bool:
        """Whether there is anything to read or to fetch."""
        return bool(self.left or self.ask)

    @property
    def days_to_do(self) -> int:
        """How many of the days are not read and archived yet."""
        return len({*self.left, *(self.history.day(one.capture.captured_at) for one in self.ask)})


class _Asked:
    """A `Source` that is asked only where there are days to read, and tells of those days alone."""

    def __init__(self, source: Source, shares: Mapping[str, _Share]) -> None:
        self._source = source
        self._shares = shares

    def listings(
        self, wanted: Sequence[Wanted], now: datetime, deadline: Deadline
    ) -> Iterator[Listing | NoListing]:
        """An empty listing for what needs none, and the narrowed answers of the source."""
        to_read = [one for one in wanted if self._shares[one.stream.name].reads]
        for one in wanted:
            if one not in to_read:
                yield Listing(one.stream.name, ())
        if to_read:
            # Which days are whole is known at the end only, and decides what is fetched.
            late = [replace(one, early=False) for one in to_read]
            for answer in self._source.listings(late, now, deadline):
                if not isinstance(answer, Sighting):
                    yield self._narrowed(answer)

    def _narrowed(self, answer: Listing | NoListing) -> Listing | NoListing:
        if isinstance(answer, NoListing):
            return answer
        history = self._shares[answer.stream].history
        days = frozenset(history.days)
        return replace(
            answer,
            captures=tuple(
                one for one in answer.captures if history.day(one.capture.captured_at) in days
            ),
            days=tuple(day for day in answer.days if day in days),
        )


class _Backfill:
    """One backfill. `go` is the order in which things happen."""

    def __init__(self, order: Order, tools: Tools) -> None:
        started_at = tools.now()
        self._order = order
        self._tools = tools
        self._run = RunRecord(run_id(started_at), "backfill", started_at)
        self._histories: dict[str, _History] = {}
        self._may_ask = order.most_requests
        self._tried: set[Capture] = set()
        self._would_fetch: list[ListedCapture] = []
        self._is_on_record = False
        self._clock_offset: float | None = None

    def go(self) -> Finished:
        """Slice by slice; whatever happens, the run's row tells how it ended."""
        begun(self._run)
        try:
            with refusals_told():
                while self._slice():
                    if not self._order.dry_run:
                        time.sleep(self._order.pause_seconds)
            # Inside, as its first step takes no more signals: one ends the run, or comes too late.
            return self._conclude()
        except LockHeldError as error:
            held = LockHeldError(
                str(error),
                advice=f"It was waited for {self._order.lock_seconds:.0f} s; try again later.",
            )
            if not self._is_on_record:
                raise held from error
            return self._conclude(held)
        except END_OF_RUN as error:
            return self._conclude(error)
        except BaseException as bug:
            self._conclude(None, bug)
            raise

    def _slice(self) -> bool:
        """Do a part of the work, with the lock for itself, and say whether there was any."""
        order = self._order
        # A dry run changes nothing: it is in nobody's way, and leaves not even a lock file.
        with nullcontext() if order.dry_run else self._tools.lock.hold(order.lock_seconds):
            fruitless = [one.fruitless for one in self._histories.values()]
            longer = min(max(fruitless, default=0), _PATIENCE_SLICES - 1)
            begin_by = Deadline.after(order.slice_seconds * (1 + longer))
            deadline = Deadline(begin_by.at + _LAST_IMAGES_SECONDS)
            with self._tools.open(order, deadline) as ports:
                self._begin_record(ports)
                shares = self._plan(ports)
                if any(share.has_work for share in shares):
                    self._work(ports, shares, begin_by, deadline)
                    self._clock_offset = ports.source_clock.offset_seconds() or self._clock_offset
                    shares = self._plan(ports)
                has_work = any(share.has_work for share in shares)
                if not has_work or self._may_ask > 0:
                    return has_work
                # A run may ask for no more: what it leaves, the next one does.
                for share in shares:
                    share.history.days_left = share.days_to_do
                return False

    def _begin_record(self, ports: Ports) -> None:
        if self._is_on_record or self._order.dry_run:
            return
        # Before it is so: a signal is taken notice of after the commit.
        self._is_on_record = True
        try:
            ports.catalogue.begin_run(self._run.id, self._run.verb, self._run.started_at)
        except CamdlError:
            self._is_on_record = False
            raise

    def _plan(self, ports: Ports) -> list[_Share]:
        """Each stream's share of what is left to do, as the catalogue knows it now."""
        now = self._tools.now()
        for stream in self._order.streams:
            if stream.name not in self._histories:
                tally = Part(stream, ports.catalogue.newest(stream.name), time.monotonic())
                days = self._days(ports, stream, now)
                self._histories[stream.name] = _History(stream, days, tally)
        shares = [
            self._share(ports, history, now) for history in self._histories.values() if history.days
        ]
        total = sum(len(history.days) for history in self._histories.values())
        self._tools.progress.days(total - sum(share.days_to_do for share in shares), total)
        return shares

    def _days(self, ports: Ports, stream: Stream, now: datetime) -> Sequence[date]:
        first, today = self._order.first, day_of(now, stream.timezone)
        last = min(self._order.last or today, today)
        if not self._order.only_gaps:
            return days_between(first, last) if first else ()
        doubtful = days_in_doubt(ports.ledger.gaps([stream.name]), stream.timezone)
        return sorted(
            (day for day in doubtful if (first or day) <= day <= last),
            reverse=True,
        )

    def _share(self, ports: Ports, history: _History, now: datetime) -> _Share:
        stream, begin = history.stream, history.begin
        known = [
            *ports.ledger.instants(stream.name, begin),
            *(
                one.listed.capture.captured_at
                for one in ports.catalogue.pending(stream.name, begin)
            ),
        ]
        readings = ports.ledger.readings(stream.name, history.days[-1])
        told = ports.ledger.told(stream.name, history.days[-1])
        done = history.read | history.hopeless.keys()
        left = [
            day
            for day in unread(history.days, readings, told, known, stream.timezone)
            if day not in done
        ]
        ask, history.resting = self._choose(ports, stream, ())
        # What is known comes first: reading on would only make a longer list.
        reads = [] if ask and not self._order.dry_run else left[: self._order.slice_days]
        today = day_of(now, stream.timezone)
        wanted = Wanted(stream, tuple(day for day in reads if day < today))
        return _Share(history, left, ask, wanted, reads)

    def _choose(
        self, ports: Ports, stream: Stream, listed: Sequence[ListedCapture]
    ) -> tuple[list[ListedCapture], list[PendingCapture]]:
        """What is lacking of the days that are asked for, and was not tried by this run yet."""
        history = self._histories[stream.name]
        days = frozenset(history.days)
        pending = [
            one
            for one in ports.catalogue.pending(stream.name, history.begin)
            if one.listed.capture not in self._tried
            and history.day(one.listed.capture.captured_at) in days
        ]
        archived = ports.catalogue.archived([one.capture for one in listed]) | self._tried
        return due(listed, archived, pending, self._tools.now(), _FOR_EVER)

    def _work(
        self, ports: Ports, shares: Sequence[_Share], begin_by: Deadline, deadline: Deadline
    ) -> None:
        """Read, fetch and record; whatever ends it, what is done is counted and recorded."""
        working = {share.history.stream.name: share for share in shares if share.has_work}
        collection = Collecting(
            replace(self._order, most_requests=self._may_ask),
            replace(ports, source=_Asked(ports.source, working)),
            self._tools,
            self._run,
            deadline,
            choose=lambda stream, listed: self._choose(ports, stream, listed),
            begin_by=begin_by,
        )
        try:
            collection.collect(share.wanted for share in working.values())
            collection.stop()
            self._settle(ports, collection)
        except BaseException as error:
            # From here on a signal would only tear apart what it asks for.
            self._tools.is_ending()
            collection.stop(error)
            self._count(collection)
            with suppress(CamdlError):
                self._settle(ports, collection)
            raise
        self._count(collection)
        for name, share in working.items():
            self._learn(share, collection.parts[name], collection)

    def _settle(self, ports: Ports, collection: Collecting) -> None:
        """Bring rows and ledger up to what is done, while the lock is held."""
        if self._order.dry_run:
            return
        collection.settle()
        order = self._order
        stocktaking = Stocktaking(ports.ledger, ports.catalogue, order.catch_up, order.run_every)
        for name, part in collection.parts.items():
            stocktaking.record(part.stream, self._tools.now(), self._histories[name].begin)

    def _count(self, collection: Collecting) -> None:
        self._may_ask -= len(collection.outcomes)
        for listed, outcome in collection.outcomes:
            self._histories[listed.capture.stream].tally.account(listed, outcome)
            self._tried.add(listed.capture)
        for part in collection.parts.values():
            history = self._histories[part.stream.name]
            history.new.update(one.capture for one in part.new)
            if isinstance(part.answer, Listing):
                history.listed.update(one.capture for one in part.answer.captures)
        self._would_fetch += collection.would_fetch
        self._tried.update(one.capture for one in collection.would_fetch)

    def _learn(self, share: _Share, part: Part, collection: Collecting) -> None:
        history = share.history
        name = history.stream.name
        got_images = any(one.capture.stream == name for one, _ in collection.outcomes)
        if share.reads and part.answer:
            history.learn(share.reads, part.answer, got_images=got_images)
        elif got_images:
            history.fruitless = 0
        else:
            history.fruitless += 1
            if history.fruitless >= _PATIENCE_SLICES:
                self._tried.update(one.capture for one in share.ask)
                history.tally.left_alone("no answer in time", FailureKind.TIMEOUT, len(share.ask))

    def _conclude(
        self, error: EndOfRun | None = None, bug: BaseException | None = None
    ) -> Finished:
        """Record how the run ended, and write the verdict."""
        self._tools.is_ending()
        cause, now = error or bug, self._tools.now()
        results = tuple(self._results(cause))
        run = replace(self._run, streams=results, clock_offset_seconds=self._clock_offset)
        run = ended(run, now) if cause is None else failed(run, cause, now)
        try:
            if not self._order.dry_run:
                if self._is_on_record:
                    with self._tools.catalogue() as catalogue:
                        catalogue.finish_run(run)
                else:
                    self._tools.record(run)
                self._tools.write_health(run)
        except CamdlError as problem:
            if cause is None:
                run, error = failed(run, problem, now), problem
        if not self._order.dry_run or run.outcome is not Outcome.OK:
            tell(run, error)
        return Finished(run, error, tuple(self._would_fetch))

    def _results(self, cause: BaseException | None) -> Iterator[StreamResult]:
        for history in self._histories.values():
            tally = history.tally
            for one in history.resting:
                tally.left_alone(asked_for_rest(one), FailureKind.DEFERRED)
            new = history.new.union(one.listed.capture for one in history.resting)
            tally.counts += Counts(listed=len(history.listed), new=len(new))
            if cause is not None:
                yield broken_off(tally, cause)
                continue
            name, why = history.stream.name, _days_in_words(history.hopeless)
            if why and not history.has_answered:
                tally.answer = NoListing(name, why, history.is_unreachable)
            else:
                tally.answer = Listing(
                    name, (), "; ".join(filter(None, [why, self._left(history)]))
                )
            yield result_of(tally)

    def _left(self, history: _History) -> str:
        """What a run that may ask for no more leaves of a stream; empty for nothing."""
        if not history.days_left:
            return ""
        days = "1 day is" if history.days_left == 1 else f"{history.days_left} days are"
        most = self._order.most_requests
        return f"{days} left after {most} images, max_requests_per_run: run it again to go on"


def _days_in_words(hopeless: Mapping[date, str]) -> str:
    """Which days could not be read and why; empty if there is none."""
    if not hopeless:
        return ""
    first, last = min(hopeless), max(hopeless)
    if len(hopeless) == 1:
        days = f"{last} was not read completely"
    else:
        days = f"{len(hopeless)} days from {first} to {last} were not read completely"
    return f"{days}: {hopeless[last]}"
