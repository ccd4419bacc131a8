"""`camdl download`: what is new on the camera pages goes into the archive and the catalogue."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from camdl.deadline import Deadline
from camdl.domain.latest import back_to, due
from camdl.domain.outcomes import (
    Body,
    Counts,
    Duplicate,
    Outcome,
    Rejected,
    RunRecord,
    Saved,
    StoredImage,
    StreamResult,
)
from camdl.domain.text import one_line
from camdl.domain.validation import validate
from camdl.errors import (
    END_OF_RUN,
    CamdlError,
    CatalogueError,
    EndOfRun,
    ExitCode,
    StorageError,
)
from camdl.ports import Listing, NoListing, Wanted
from camdl.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from camdl.domain.captures import ListedCapture
    from camdl.domain.outcomes import ImageOutcome, PendingCapture, ValidImage
    from camdl.domain.sites import Stream
    from camdl.ports import Archive, Catalogue, Fetcher, Lock, Progress, Source

# After its deadline a run waits this long for images that are as good as done.
_GRACE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Order:
    """What one `camdl download` is asked to do. `latest` limits the images of each stream."""

    streams: Sequence[Stream]
    latest: int | None = None
    dry_run: bool = False
    wait_seconds: float = 0.0
    deadline_seconds: float = 480.0
    retention: timedelta = timedelta(days=30)
    concurrent: int = 8
    batch_size: int = 50


@dataclass(frozen=True, slots=True)
class Ports:
    """The world, as a run that holds the lock works on it."""

    source: Source
    fetcher: Fetcher
    archive: Archive
    catalogue: Catalogue


class Tools(Protocol):
    """What a run needs before it has the lock, and after it is done."""

    @property
    def lock(self) -> Lock:
        """At most one run at a time."""
        ...

    @property
    def progress(self) -> Progress:
        """What a person sees meanwhile."""
        ...

    def now(self) -> datetime:
        """The instant it is, in UTC."""
        ...

    def open(self, order: Order, deadline: Deadline) -> AbstractContextManager[Ports]:
        """The adapters; leaving the `with` leaves nothing of them behind."""
        ...

    def is_ending(self) -> None:
        """From now on no signal needs to end the run."""
        ...

    def record(self, run: RunRecord) -> None:
        """Record, if that is possible, a run that ended before its adapters were open."""
        ...

    def write_health(self, run: RunRecord) -> None:
        """Write the verdict on the archive as it is now, after `run`."""
        ...


@dataclass(frozen=True, slots=True)
class Finished:
    """How a run ended: its record, the error that ended it, and what a dry run would fetch."""

    run: RunRecord
    error: EndOfRun | None = None
    would_fetch: tuple[ListedCapture, ...] = ()


def download(order: Order, tools: Tools) -> Finished:
    """Archive what the streams' pages list and the catalogue lacks, newest first.

    Raises:
        LockHeldError: another run is going on; nothing was changed.
        ConfigError: there can be no safe lock.
        StorageError: the lock's file cannot be made.
    """
    # A dry run changes nothing: it is in nobody's way, and leaves not even a lock file.
    with nullcontext() if order.dry_run else tools.lock.hold(order.wait_seconds):
        deadline = Deadline.after(order.deadline_seconds)
        started_at = tools.now()
        run = RunRecord(_run_id(started_at), "download", started_at)
        try:
            finished = _go(order, tools, run, deadline)
        except BaseException as bug:
            with suppress(CamdlError):  # a bug is told already
                _conclude(order, tools, _failed(run, bug, tools.now()))
            raise
        try:
            _conclude(order, tools, finished.run)
        except CamdlError as error:
            if finished.error is None:
                return Finished(_failed(finished.run, error, tools.now()), error)
        return finished


def _go(order: Order, tools: Tools, run: RunRecord, deadline: Deadline) -> Finished:
    try:
        with _refusals_told(), tools.open(order, deadline) as ports:
            return _Run(order, ports, tools, run, deadline).go()
    except END_OF_RUN as error:
        tools.is_ending()
        failed = _failed(run, error, tools.now())
        if not order.dry_run:
            tools.record(failed)
        return Finished(failed, error)


@contextmanager
def _refusals_told() -> Iterator[None]:
    """Make one error of what the system refuses anywhere: it is no bug.

    Raises:
        StorageError: there is no space, no descriptor, no permission, for whatever it was.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:  # raised by a library, not by the system
            raise
        raise StorageError(f"the system refused something: {error}") from error


def _conclude(order: Order, tools: Tools, run: RunRecord) -> None:
    """Write the verdict, on every way out of a run that held the lock."""
    tools.is_ending()
    if not order.dry_run:
        tools.write_health(run)


@dataclass
class _Part:
    """One stream's part of a run, while it goes on."""

    stream: Stream
    newest: datetime | None
    began: float
    answer: Listing | NoListing | None = None
    waits_for: int = 0
    counts: Counts = field(default_factory=Counts)
    reasons: Counter[str] = field(default_factory=Counter)
    result: StreamResult | None = None

    def left_alone(self, why: str, images: int = 1) -> None:
        """Count images that this run does not get, and why."""
        self.counts += Counts(failed=images)
        self.reasons[why] += images

    def account(self, listed: ListedCapture, outcome: ImageOutcome) -> None:
        """Count what became of one image."""
        self.waits_for -= 1
        if isinstance(outcome, Saved | Duplicate):
            saved = isinstance(outcome, Saved)
            self.counts += Counts(saved=1) if saved else Counts(duplicate=1)
            captured_at = listed.capture.captured_at
            self.newest = max(self.newest or captured_at, captured_at)
        else:
            rejected = isinstance(outcome, Rejected)
            self.counts += Counts(rejected=1) if rejected else Counts(failed=1)
            self.reasons[outcome.reason] += 1


class _Run:
    """One run that holds the lock. `go` is the order in which things happen."""

    def __init__(
        self, order: Order, ports: Ports, tools: Tools, run: RunRecord, deadline: Deadline
    ) -> None:
        self._order = order
        self._ports = ports
        self._tools = tools
        self._run = run
        self._deadline = deadline
        self._parts: dict[str, _Part] = {}
        self._workers = Workers(self._obtain, order.concurrent)
        self._owed: list[tuple[ListedCapture, ImageOutcome]] = []
        self._would_fetch: list[ListedCapture] = []
        self._is_on_record = False

    def go(self) -> Finished:
        """List, fetch, record; whatever happens, the run's row tells how it ended."""
        try:
            with _refusals_told():
                self._begin_record()
                self._list_and_fetch()
            # Inside, as its first step takes no more signals: one ends the run, or comes too late.
            return Finished(self._close(), would_fetch=tuple(self._would_fetch))
        except END_OF_RUN as error:
            return Finished(self._close(error), error)
        except BaseException as bug:
            self._close(bug)
            raise

    def _begin_record(self) -> None:
        # Before it is so: a signal is taken notice of after the commit.
        self._is_on_record = not self._order.dry_run
        try:
            if self._is_on_record:
                self._ports.catalogue.begin_run(self._run.id, self._run.verb, self._run.started_at)
        except CatalogueError:
            self._is_on_record = False
            raise

    def _list_and_fetch(self) -> None:
        wanted = [self._begin(stream) for stream in self._order.streams]
        now = self._run.started_at
        for answer in self._ports.source.listings(wanted, now, self._deadline):
            self._queue_new(answer)
            self._account(self._workers.done())
        self._account(self._workers.finished(self._deadline, _GRACE_SECONDS))
        for part in self._parts.values():
            self._finish(part)

    def _begin(self, stream: Stream) -> Wanted:
        newest = self._ports.catalogue.newest(stream.name)
        self._parts[stream.name] = _Part(stream, newest, time.monotonic())
        return Wanted(stream, back_to(newest, self._run.started_at, stream.timezone))

    def _queue_new(self, answer: Listing | NoListing) -> None:
        """Have what the archive lacks fetched, once the catalogue remembers that it exists."""
        part = self._parts[answer.stream]
        part.answer = answer
        listed = answer.captures if isinstance(answer, Listing) else ()
        new, left_alone = self._new(part.stream, listed)
        part.counts = Counts(listed=len(listed), new=len(new) + len(left_alone))
        for one in left_alone:
            part.left_alone(f"the source asked to be left alone until {one.not_before:%H:%M:%SZ}")
        now = new[: self._order.latest]
        self._tools.progress.listed(answer, len(now))
        if self._order.dry_run:
            self._would_fetch += now
        else:
            self._remember(new)
            part.waits_for = len(now)
            self._workers.give(now)
        self._finish_if_done(part)

    def _new(
        self, stream: Stream, listed: Sequence[ListedCapture]
    ) -> tuple[list[ListedCapture], list[PendingCapture]]:
        now = self._run.started_at
        captures = [one.capture for one in listed]
        since = min([now - self._order.retention, *(one.captured_at for one in captures)])
        pending = self._ports.catalogue.pending(stream.name, since)
        archived = self._ports.catalogue.archived(captures)
        return due(listed, archived, pending, now, self._order.retention)

    def _remember(self, new: Sequence[ListedCapture]) -> None:
        """Images come newest first, so a killed run leaves a hole that no later page may show."""
        if new:
            owed = [(one, None) for one in new]
            self._ports.catalogue.record(self._run.id, owed, self._tools.now())

    def _obtain(self, listed: ListedCapture) -> ImageOutcome:
        """Fetch, check and store one image. Runs in a worker's thread."""
        stream = self._parts[listed.capture.stream].stream
        if (whole := self._already_stored(listed, stream)) is not None:
            return Duplicate(self._stored(listed, whole, listed.capture.key))
        body = self._ports.fetcher.fetch(listed.url, stream.image_origins, self._deadline)
        if not isinstance(body, Body):
            return body
        image = validate(body.data, stream.min_width, stream.min_height)
        if isinstance(image, Rejected):
            return image
        return Saved(self._stored(listed, image, self._ports.archive.put(listed.capture, image)))

    def _already_stored(self, listed: ListedCapture, stream: Stream) -> ValidImage | None:
        """The image that a run stored and was killed before it recorded it, if it is whole."""
        data = self._ports.archive.read(listed.capture)
        if data is None:
            return None
        image = validate(data, stream.min_width, stream.min_height)
        return None if isinstance(image, Rejected) else image

    def _stored(self, listed: ListedCapture, image: ValidImage, key: str) -> StoredImage:
        return StoredImage(
            listed.capture,
            key,
            image.sha256,
            len(image.data),
            image.width,
            image.height,
            listed.url,
            self._tools.now(),
        )

    def _account(self, done: Iterable[tuple[ListedCapture, ImageOutcome]]) -> None:
        """Count and record images as they get done."""
        for listed, outcome in done:
            part = self._count(listed, outcome)
            if len(self._owed) >= self._order.batch_size:
                self._pay()
            self._tools.progress.image(listed, outcome)
            self._finish_if_done(part)

    def _count(self, listed: ListedCapture, outcome: ImageOutcome) -> _Part:
        part = self._parts[listed.capture.stream]
        part.account(listed, outcome)
        self._owed.append((listed, outcome))
        return part

    def _count_what_else_is_done(self) -> None:
        """Count what got done beside an error, whatever other workers raise."""
        while True:
            with suppress(Exception):  # one error is told already
                for listed, outcome in self._workers.done():
                    self._count(listed, outcome)
                return

    def _pay(self) -> None:
        """Record what is done and not recorded yet."""
        if self._owed:
            self._ports.catalogue.record(self._run.id, self._owed, self._tools.now())
            self._owed = []

    def _finish_if_done(self, part: _Part) -> None:
        if part.waits_for == 0:
            self._finish(part)

    def _finish(self, part: _Part) -> None:
        if part.result is None:
            if part.waits_for:
                part.left_alone("the run's deadline passed", part.waits_for)
            part.result = _result(part)
            self._tools.progress.stream(part.result)

    def _close(self, error: BaseException | None = None) -> RunRecord:
        """Record what is done and how the run ended.

        Raises:
            CatalogueError: it cannot be recorded, and no `error` has to be told first.
        """
        self._tools.is_ending()
        self._workers.stop()
        if error is not None:
            self._count_what_else_is_done()
            for part in self._parts.values():
                part.result = part.result or _broken_off(part, error)
        results = tuple(part.result for part in self._parts.values() if part.result)
        run, now = replace(self._run, streams=results), self._tools.now()
        run = _ended(run, now) if error is None else _failed(run, error, now)
        if self._is_on_record:
            try:
                self._pay()
                self._ports.catalogue.finish_run(run)
            except CamdlError:
                if error is None:
                    raise
        return run


def _run_id(started_at: datetime) -> str:
    return f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def _result(part: _Part) -> StreamResult:
    counts, seconds = part.counts, time.monotonic() - part.began
    reasons = [f"{images} x {why}" if images > 1 else why for why, images in part.reasons.items()]
    if not isinstance(part.answer, Listing):
        no_listing = part.answer or NoListing(part.stream.name, "no answer", unreachable=True)
        kept = [f"kept for a look in {no_listing.diagnostics}"] if no_listing.diagnostics else []
        why = "; ".join([no_listing.reason, *kept, *reasons])
        return StreamResult(
            part.stream.name,
            Outcome.FAILED,
            counts,
            part.newest,
            seconds,
            why,
            no_listing.unreachable,
        )
    why = "; ".join(filter(None, [part.answer.shortfall, *reasons]))
    outcome = Outcome.PARTLY if why else Outcome.OK
    return StreamResult(part.stream.name, outcome, counts, part.newest, seconds, why)


def _broken_off(part: _Part, error: BaseException) -> StreamResult:
    """The result of a stream whose run did not come to its end."""
    outcome, seconds = _outcome(error), time.monotonic() - part.began
    return StreamResult(part.stream.name, outcome, part.counts, part.newest, seconds, _told(error))


def _ended(run: RunRecord, now: datetime) -> RunRecord:
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


def _failed(run: RunRecord, error: BaseException, now: datetime) -> RunRecord:
    """`run`, which `error` ended."""
    if isinstance(error, END_OF_RUN):
        code = error.exit_code
    else:
        code = ExitCode.BUG if isinstance(error, Exception) else ExitCode.SIGINT
    return replace(
        run, ended_at=now, outcome=_outcome(error), exit_code=int(code), error=_told(error)
    )


def _outcome(error: BaseException) -> Outcome:
    return Outcome.FAILED if isinstance(error, Exception) else Outcome.INTERRUPTED


def _told(error: BaseException) -> str:
    """`error` in words; that of a bug says little without its kind."""
    if isinstance(error, END_OF_RUN):
        return str(error)
    return one_line(f"{type(error).__name__}: {error}").removesuffix(":")
