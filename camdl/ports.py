"""The seams: what a verb needs of the world, as Protocols beside the records that cross them.

Each has one contract suite under `tests/contracts/`, which every implementation passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import date, datetime
    from pathlib import Path

    from camdl.deadline import Deadline
    from camdl.domain.alerts import Book
    from camdl.domain.captures import Capture, ListedCapture
    from camdl.domain.gaps import Gap
    from camdl.domain.ledger import Attempt
    from camdl.domain.notices import Notice, NotSent, Sent
    from camdl.domain.outcomes import (
        Body,
        ClockReading,
        Failed,
        ImageOutcome,
        JobHistory,
        PendingCapture,
        Rejected,
        RunRecord,
        StreamHistory,
        StreamResult,
        ValidImage,
    )
    from camdl.domain.retention import Holding, Limits, Outdated, Pin
    from camdl.domain.sites import Stream
    from camdl.domain.windows import Window

F = TypeVar("F", bound="Callable[..., object]")


class Retrying(Protocol):
    """A decorator that calls again what raised a passing fault, as the settings say."""

    def __call__(self, function: F, /) -> F:
        """`function`, a plain or a coroutine function, with retries around it."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """A stream to list, and the days before the shown one that are worth a look, newest first.

    They are days of the site's time zone. With `early`, what is seen is told before all is.
    """

    stream: Stream
    days: tuple[date, ...] = ()
    early: bool = False


@dataclass(frozen=True, slots=True)
class Sighting:
    """Some captures, newest first, that the listing of a stream will have, which is still made."""

    stream: str
    captures: tuple[ListedCapture, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """The captures that a source says exist, newest first, each once.

    `shortfall` is empty when the listing is known to be complete, else one line that says what
    may be lacking. `days` are those, of the site's time zone, of which all captures are in it.
    """

    stream: str
    captures: tuple[ListedCapture, ...]
    shortfall: str = ""
    days: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True)
class NoListing:
    """The source gave no listing of a stream. `reason` is one line.

    `unreachable` tells a source that could not be reached from one that answered with nothing
    of use; `diagnostics` is the directory where what was seen is kept, if it was.
    """

    stream: str
    reason: str
    unreachable: bool = False
    diagnostics: Path | None = None


class Source(Protocol):
    """Where listings come from."""

    def listings(
        self, wanted: Sequence[Wanted], now: datetime, deadline: Deadline
    ) -> Iterator[Sighting | Listing | NoListing]:
        """One answer for each of `wanted`, in the order in which they come in.

        Before it any number of sightings of a stream that is wanted early.
        """
        ...


class Fetcher(Protocol):
    """One image by HTTP, with its limits and retries."""

    def fetch(
        self, url: str, origins: frozenset[str], deadline: Deadline
    ) -> Body | Rejected | Failed:
        """The body of `url`; only the `origins` are ever contacted. Callable from many threads.

        Raises:
            OSError: this machine refused what every request needs, such as one more open file.
        """
        ...


class Archive(Protocol):
    """Where the image files are."""

    def put(self, capture: Capture, image: ValidImage) -> str:
        """Store `image` whole and durably, and return its key.

        Raises:
            StorageError: it could not be stored; nothing is left under its name.
        """
        ...

    def read(self, capture: Capture) -> bytes | None:
        """The stored bytes, or None if there are none.

        Raises:
            StorageError: they are there and cannot be read.
        """
        ...


class Files(Protocol):
    """The archive's files, for those who delete and verify them.

    Every method raises `StorageError` when they cannot be looked at or changed.
    """

    def refusal(self) -> str:
        """Why nothing may be deleted, in one line; empty if it may."""
        ...

    def keys(self, before: date | None = None) -> Iterator[str]:
        """The key of every file that has the name of a capture: by stream, then by time.

        Only those of days before `before` (UTC), if it is given.
        """
        ...

    def size(self, key: str) -> int | None:
        """How many bytes the file of `key` has; None if there is none."""
        ...

    def read(self, key: str) -> bytes | None:
        """The bytes of the file of `key`; None if there is none."""
        ...

    def delete(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Delete the files of `keys` durably; those that are not there do not matter.

        Returns those that could not be deleted, with the reason in one line.
        """
        ...

    def tidy(self) -> None:
        """Remove what killed runs left half written, and directories with nothing in them."""
        ...


class Catalogue(Protocol):
    """What is archived, what is missing and which runs there were. Every time is aware UTC.

    Every method raises `CatalogueError` when the database cannot be used.
    """

    def begin_run(self, run_id: str, verb: str, started_at: datetime) -> None:
        """Record that a run has begun. Ids sort as the runs began (see `running.run_id`)."""
        ...

    def finish_run(self, run: RunRecord) -> None:
        """Record how a run, begun before, has ended, with its streams' results."""
        ...

    def newest(self, stream: str) -> datetime | None:
        """The newest archived capture's instant."""
        ...

    def archived(self, captures: Sequence[Capture]) -> frozenset[Capture]:
        """Those of `captures` that are archived."""
        ...

    def pending(self, stream: str, since: datetime) -> tuple[PendingCapture, ...]:
        """What was listed since `since` and is not archived, newest first."""
        ...

    def record(
        self,
        run_id: str,
        outcomes: Iterable[tuple[ListedCapture, ImageOutcome | None]],
        now: datetime,
    ) -> None:
        """Record, in one transaction, what became of images.

        `Saved` and `Duplicate` become captures and are pending no more; `Rejected`, `Failed`
        and None (listed, not asked for yet) become or stay pending. Recording the same capture
        again changes nothing.
        """
        ...

    def job_history(self, verb: str) -> JobHistory:
        """What the verdict on a job needs.

        Of the runs only `last_ended` has its streams' results, unless it ended ok.
        """
        ...

    def first_run(self) -> datetime | None:
        """When the first run began that is remembered, of any verb."""
        ...

    def clock_reading(self) -> ClockReading | None:
        """How our clock stood in the last download that could tell."""
        ...

    def last_runs(
        self, verb: str | None, limit: int, *, only_bad: bool = False
    ) -> tuple[RunRecord, ...]:
        """The newest runs of `verb`, or of any, newest first, with their streams' results.

        `only_bad` are those that did not end ok; those that have no end are among them.
        """
        ...

    def stream_history(self, stream: str) -> StreamHistory:
        """What the verdict on a stream needs."""
        ...


class Ledger(Protocol):
    """What is missing, and what is known of why. Every time is aware UTC, days are the site's.

    Every method raises `CatalogueError` when the database cannot be used.
    """

    def begins(self, stream: str) -> datetime | None:
        """The first instant from which on captures of `stream` are expected to be here."""
        ...

    def deleted_up_to(self, stream: str) -> datetime | None:
        """The last capture of `stream` that was deleted on purpose, by its age or for room."""
        ...

    def instants(self, stream: str, since: datetime) -> list[datetime]:
        """When the archived captures of `stream` since `since` were taken, ascending.

        The last one before it comes first: how long ago it was tells whether one is missing.
        """
        ...

    def attempts(self, stream: str, since: datetime) -> list[Attempt]:
        """The runs that asked for `stream` since `since`, ascending; those that were killed too.

        The newest is left out as long as it has no end: it may be going on.
        """
        ...

    def readings(self, stream: str, since: date) -> Mapping[date, datetime]:
        """When the source last told all captures of each day since `since`."""
        ...

    def record_reading(self, stream: str, days: Mapping[date, int], read_at: datetime) -> None:
        """The source has told all captures of `days`: so many of each."""
        ...

    def gaps(
        self, streams: Sequence[str] = (), since: datetime | None = None, *, resolved: bool = False
    ) -> tuple[Gap, ...]:
        """The gaps that end after `since`, by stream and time; the resolved ones if asked for."""
        ...

    def replace_gaps(self, found: Sequence[Gap], gone: Sequence[Gap], now: datetime) -> None:
        """Record `found` (new, changed or resolved) and forget `gone`, in one transaction."""
        ...

    def told(self, stream: str, since: date) -> Mapping[date, int]:
        """How many captures of each day since `since` the source told when it told them all."""
        ...

    def rests(self, now: datetime) -> Mapping[str, datetime]:
        """The origins that asked to be left alone, and until when, if that is after `now`."""
        ...

    def forget_what_is_ahead(self, now: datetime) -> bool:
        """Forget what a clock that was far ahead of `now` has left, and say whether any was.

        Nothing is forgotten where captures are ahead too: then it is `now` that is wrong.
        """
        ...

    def record_rests(self, rests: Mapping[str, datetime], now: datetime) -> None:
        """These origins asked to be left alone until then; what is over at `now` is forgotten."""
        ...


class Keeping(Protocol):
    """What the catalogue knows of what is archived, for those who delete and verify it.

    `streams` are names; none means all. Every method raises `CatalogueError` when the database
    cannot be used. What is iterated is read a batch at a time, so memory stays flat.
    """

    def captures(self, streams: Sequence[str] = ()) -> int:
        """How many captures are archived."""
        ...

    def captures_in(self, stream: str, window: Window) -> int:
        """How many captures of `stream` in `window` are archived."""
        ...

    def newest(self) -> datetime | None:
        """The newest archived capture's instant, of any stream."""
        ...

    def runs_between(self) -> tuple[datetime, datetime] | None:
        """When the oldest and the newest run that are remembered began."""
        ...

    def runs_since(self, since: datetime) -> tuple[datetime, ...]:
        """When the runs after `since` began, of every verb, the oldest first."""
        ...

    def knows(self, keys: Sequence[str]) -> frozenset[str]:
        """Those of `keys` that are of an archived capture, or of one that is being deleted."""
        ...

    def holdings(
        self, streams: Sequence[str] = (), before: datetime | None = None
    ) -> Iterator[Holding]:
        """The archived captures before `before`, the oldest first."""
        ...

    def doom(self, holdings: Sequence[Holding]) -> tuple[Holding, ...]:
        """From now on these are archived no more: only their files are still to be deleted.

        Returns those of which it is so: what was archived, and not pinned in the meantime.
        """
        ...

    def doomed(self) -> Iterator[Holding]:
        """What was doomed, and neither forgotten nor archived anew yet. Their sizes are 0."""
        ...

    def reprieve(self) -> None:
        """What was doomed, but archived anew before its file was deleted, is doomed no more."""
        ...

    def forget(self, holdings: Sequence[Holding]) -> None:
        """The files of these doomed ones are gone."""
        ...

    def pin(self, stream: str, window: Window, note: str, now: datetime) -> Pin:
        """Keep the captures of `stream` in `window` whatever happens."""
        ...

    def pins(self, streams: Sequence[str] = ()) -> tuple[Pin, ...]:
        """Every pin, in the order of their times."""
        ...

    def trim_pins(self, rest: Mapping[int, Sequence[Window]]) -> None:
        """Leave of these pins, by their ids, only the windows given; of none, no pin at all."""
        ...

    def outdated(self, limits: Limits) -> Outdated:
        """How many rows `forget_outdated` would forget."""
        ...

    def forget_outdated(self, limits: Limits) -> Outdated:
        """Forget the rows that nobody will ask for any more, and say how many.

        Never the first run, which tells how old the catalogue is, nor the last of each verb, nor
        the last that ended ok.
        """
        ...


class Lock(Protocol):
    """At most one run at a time."""

    def hold(self, wait_seconds: float) -> AbstractContextManager[None]:
        """Hold the lock inside the `with`.

        Raises:
            LockHeldError: another run held it for all of `wait_seconds`.
            ConfigError: the lock cannot be had safely here.
        """
        ...


class Notifier(Protocol):
    """One way to tell people something."""

    @property
    def name(self) -> str:
        """What the outbox and messages call it; the same in every run, and no secret."""
        ...

    def send(self, notice: Notice, deadline: Deadline) -> Sent | NotSent:
        """Have `notice` delivered before `deadline`, whatever the other side does.

        May be called from any thread. What was sent in vain may be sent again: the notice's id
        tells the other side so, where that can be told.

        Raises:
            RuntimeError: there is no thread to be had.
        """
        ...


@dataclass(frozen=True, slots=True)
class Parcel:
    """A notice that is to go out by the notifier called `channel`, tried `tries` times in vain."""

    notice: Notice
    channel: str
    tries: int = 0


class AlertBook(Protocol):
    """What is remembered between two processes of what was told, and what is still to be sent.

    Times are UTC. Every method raises `CamdlError` when nothing can be remembered.
    """

    def turn(
        self,
        decide: Callable[[Book], tuple[Book, Sequence[Parcel]]],
        channels: Sequence[str],
        now: datetime,
    ) -> tuple[Parcel, ...]:
        """Let `decide` make the next book of the present one, and the parcels that come with it.

        Returns what is to be sent by `channels` now, the oldest first: for a minute it is this
        caller's alone. All of it is one step, of which no other process sees half.
        """
        ...

    def settle(self, tried: Sequence[tuple[Parcel, Sent | NotSent | None]], now: datetime) -> None:
        """What became of parcels that `turn` gave: None of one that nobody tried to send."""
        ...


@dataclass(frozen=True, slots=True)
class Ahead:
    """A book, and what is to be sent, of a time without a catalogue: up to `at` (UTC)."""

    book: Book
    parcels: tuple[Parcel, ...]
    at: datetime


class SpareBook(AlertBook, Protocol):
    """A book for the time when the catalogue cannot be had. All of it works inside `held` alone.

    Every method raises `StorageError` when it cannot be used.
    """

    def held(self) -> AbstractContextManager[None]:
        """Keep other processes out of it inside the `with`; it is not waited for for long."""
        ...

    def ahead(self) -> Ahead | None:
        """What the catalogue does not have, if there is anything."""
        ...

    def mirror(self, book: Book) -> None:
        """The catalogue holds `book`, and all that is to be sent."""
        ...


class Progress(Protocol):
    """What a person sees while a run goes on; nothing of it decides anything."""

    def listed(self, listing: Listing | NoListing, new: int) -> None:
        """A stream's listing has come, and `new` of its captures are to be fetched."""
        ...

    def image(self, listed: ListedCapture, outcome: ImageOutcome) -> None:
        """One image is done."""
        ...

    def stream(self, result: StreamResult) -> None:
        """One stream is done."""
        ...


class LongProgress(Progress, Protocol):
    """What a person sees while a run goes on that takes long: how far it has come, too."""

    def days(self, done: int, total: int) -> None:
        """`done` of `total` days are read and archived; one counts for each of its streams."""
        ...
