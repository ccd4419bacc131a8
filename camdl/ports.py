"""The seams: what a verb needs of the world, as Protocols beside the records that cross them.

Each has one contract suite under `tests/contracts/`, which every implementation passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from camdl.deadline import Deadline
    from camdl.domain.captures import Capture, ListedCapture
    from camdl.domain.outcomes import (
        Body,
        Failed,
        ImageOutcome,
        PendingCapture,
        Rejected,
        RunRecord,
        StreamHistory,
        StreamResult,
        ValidImage,
    )
    from camdl.domain.sites import Stream

F = TypeVar("F", bound="Callable[..., object]")


class Retrying(Protocol):
    """A decorator that calls again what raised a passing fault, as the settings say."""

    def __call__(self, function: F, /) -> F:
        """`function`, a plain or a coroutine function, with retries around it."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """A stream to list. `back_to` (UTC) is how far the listing should reach, when the shown day
    alone may not; None if the shown day is enough.
    """

    stream: Stream
    back_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """The captures that a source says exist, newest first, each once.

    `shortfall` is empty when the listing is known to be complete, else one line that says what
    may be lacking.
    """

    stream: str
    captures: tuple[ListedCapture, ...]
    shortfall: str = ""


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
    ) -> Iterator[Listing | NoListing]:
        """One answer for each of `wanted`, in the order in which they come in."""
        ...


class Fetcher(Protocol):
    """One image by HTTP, with its limits and retries."""

    def fetch(
        self, url: str, origins: frozenset[str], deadline: Deadline
    ) -> Body | Rejected | Failed:
        """The body of `url`; only the `origins` are ever contacted. Callable from many threads."""
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


class Catalogue(Protocol):
    """What is archived, what is missing and which runs there were. Every time is aware UTC.

    Every method raises `CatalogueError` when the database cannot be used.
    """

    def begin_run(self, run_id: str, verb: str, started_at: datetime) -> None:
        """Record that a run has begun."""
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

    def last_runs(self, verb: str, limit: int) -> tuple[RunRecord, ...]:
        """The newest runs of `verb`, newest first, with their streams' results."""
        ...

    def stream_history(self, stream: str) -> StreamHistory:
        """What the verdict on a stream needs."""
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
