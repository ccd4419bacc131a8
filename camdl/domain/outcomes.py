"""What became of one image, of one stream, and of a run: values, never exceptions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from camdl.domain.failures import FailureKind

if TYPE_CHECKING:
    from datetime import datetime

    from camdl.domain.captures import Capture, ListedCapture


@dataclass(frozen=True, slots=True)
class ValidImage:
    """The bytes of a complete, decodable, full-size JPEG, with what was measured of them."""

    data: bytes
    sha256: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Body:
    """The whole body of a successful answer, not yet looked at."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Rejected:
    """The source answered, but not with an image of the right kind. `reason` is one line."""

    reason: str
    kind: FailureKind = FailureKind.NOT_AN_IMAGE


@dataclass(frozen=True, slots=True)
class Failed:
    """The image could not be had. `reason` is one line.

    `not_before` (UTC) is set when the source asked to be left alone until then.
    """

    reason: str
    not_before: datetime | None = None
    kind: FailureKind = FailureKind.UNREACHABLE


@dataclass(frozen=True, slots=True)
class StoredImage:
    """What the catalogue records of an archived capture: its key and the facts of its file."""

    capture: Capture
    key: str
    sha256: str
    size: int
    width: int
    height: int
    source_url: str
    fetched_at: datetime


@dataclass(frozen=True, slots=True)
class Saved:
    """Fetched, checked and stored by this run."""

    image: StoredImage


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Already whole in the archive, though not in the catalogue: recorded without a fetch."""

    image: StoredImage


ImageOutcome = Saved | Duplicate | Rejected | Failed


@dataclass(frozen=True, slots=True)
class PendingCapture:
    """A capture that a source listed and the archive lacks. Times are UTC.

    `reason` says why in one line; empty if no run has asked for the image yet. `rejected` tells
    what came and was no image from what did not come.
    """

    listed: ListedCapture
    reason: str
    not_before: datetime | None = None
    rejected: bool = False


class Outcome(StrEnum):
    """The verdict on a stream's part of a run, and on a run."""

    OK = "ok"
    PARTLY = "partly"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many captures a run dealt with, by what became of them.

    `freed_bytes` are those of the files of the `deleted` ones, `saved_bytes` of the `saved` ones.
    """

    listed: int = 0
    new: int = 0
    saved: int = 0
    duplicate: int = 0
    rejected: int = 0
    failed: int = 0
    deleted: int = 0
    freed_bytes: int = 0
    saved_bytes: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(
            self.listed + other.listed,
            self.new + other.new,
            self.saved + other.saved,
            self.duplicate + other.duplicate,
            self.rejected + other.rejected,
            self.failed + other.failed,
            self.deleted + other.deleted,
            self.freed_bytes + other.freed_bytes,
            self.saved_bytes + other.saved_bytes,
        )


@dataclass(frozen=True, slots=True)
class StreamResult:
    """One stream's part of a run. `newest` is the newest archived capture's instant (UTC).

    `reason` is one line for everything that is not `ok`, else empty. `unreachable` tells a
    source that could not be reached from one that answered with nothing of use. `failures` says how
    often what kind of thing failed, by kind.
    """

    stream: str
    outcome: Outcome
    counts: Counts
    newest: datetime | None
    seconds: float
    reason: str = ""
    unreachable: bool = False
    failures: tuple[tuple[FailureKind, int], ...] = ()


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One invocation that changed something. Times are UTC; `ended_at` is None while it goes on.

    `clock_offset_seconds` is how far this machine's clock was ahead of the source's, None if
    nothing told.
    """

    id: str
    verb: str
    started_at: datetime
    ended_at: datetime | None = None
    outcome: Outcome | None = None
    exit_code: int | None = None
    error: str = ""
    streams: tuple[StreamResult, ...] = ()
    clock_offset_seconds: float | None = None

    @property
    def counts(self) -> Counts:
        """All streams together."""
        return sum((stream.counts for stream in self.streams), Counts())


@dataclass(frozen=True, slots=True)
class StreamHistory:
    """What the catalogue knows of a stream for the verdict on it. Times are UTC.

    `consecutive_failures` counts the runs since the last one in which the stream was listed;
    `last_reason` is the newest of their reasons. `asked_since` is for a stream without a capture:
    when the first run that is remembered asked for it.
    """

    stream: str
    newest: datetime | None
    consecutive_failures: int
    last_reason: str
    asked_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class JobHistory:
    """What the catalogue knows of the runs of one verb. Times are UTC.

    `last` is the newest, `last_ended` the newest that has ended, and `last_good` when the newest
    began that ended ok. Only `last_ended` has its streams' results, unless it ended ok.
    """

    last: RunRecord | None = None
    last_ended: RunRecord | None = None
    last_good: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClockReading:
    """How far our clock was ahead of the source's, in seconds, in the run that began at `at`."""

    seconds: float
    at: datetime
