"""What can be wrong between the catalogue and the files: findings, and how they are told apart."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from camdl.domain.captures import Capture
from camdl.domain.outcomes import Rejected
from camdl.domain.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from camdl.domain.outcomes import ValidImage

_IN_PLACE = re.compile(
    r"(?P<stream>[a-z0-9_-]{1,64})/(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
    r"/(?P=year)(?P=month)(?P=day)T\d{6}Z_(?P=stream)\.jpg",
    re.ASCII,
)
_NAME = re.compile(
    r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)T\d{6}Z_(?P<stream>[a-z0-9_-]{1,64})\.jpg",
    re.ASCII,
)
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.tmp", re.ASCII)


class Kind(StrEnum):
    """What is wrong."""

    MISSING = "missing"  # a row without its file
    CHANGED = "changed"  # a whole picture, but not the one that was archived
    TORN = "torn"  # a file that is not all of a JPEG, or has another size than was archived
    ORPHANED = "orphaned"  # a file without a row
    MISPLACED = "misplaced"  # a file, or the place that a row names, where the capture does not go
    LEFT_OVER = "left over"  # a temporary file that nobody is writing


class Repair(StrEnum):
    """How far a finding has been put right."""

    NONE = "none"
    DONE = "done"  # the catalogue and the files agree again
    REFETCHED = "refetched"  # and the picture was fetched again
    FAILED = "failed"  # they agree, but the picture is not back: it is pending


# What a repair would do about each kind, for those who only ask.
PLANS = {
    Kind.MISSING: "would be fetched again",
    Kind.CHANGED: "would be moved aside and fetched again",
    Kind.TORN: "would be moved aside and fetched again",
    Kind.ORPHANED: "would be registered, if it is a whole picture",
    Kind.MISPLACED: "would be put into its place, or moved aside",
    Kind.LEFT_OVER: "would be removed",
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the catalogue says of an archived capture's file; `url` is where it came from."""

    capture: Capture
    key: str
    sha256: str
    size: int
    url: str


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file in the archive and its bytes; `size` is None for what is no regular file."""

    key: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the catalogue knows of one capture.

    `pending_url` is None when it is not pending; `doomed` says that its file is being deleted.
    """

    recorded: Recorded | None = None
    pending_url: str | None = None
    doomed: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, with the file's key. `reason` and `remedy` are one line each.

    `remedy` is what was done about it, or would be; empty for nothing.
    """

    kind: Kind
    key: str
    reason: str
    capture: Capture | None = None
    repair: Repair = Repair.NONE
    remedy: str = ""

    def line(self) -> str:
        """Kind, key and reason between tabs, with what was done about it."""
        done = f"; {self.remedy}" if self.remedy else ""
        return f"{self.kind}\t{one_line(self.key, 1000)}\t{one_line(self.reason + done)}"


@dataclass(slots=True)
class Tally:
    """What a verification has counted so far.

    `checked` are captures, `hashed` those of them whose whole file was read, `registered` those
    that a rebuild has put into the catalogue, `refetched` those whose picture was fetched again.
    """

    checked: int = 0
    hashed: int = 0
    bytes_hashed: int = 0
    registered: int = 0
    refetched: int = 0
    found: Counter[Kind] = field(default_factory=Counter)
    repaired: Counter[Kind] = field(default_factory=Counter)

    def account(self, finding: Finding) -> None:
        """Count a finding."""
        self.found[finding.kind] += 1
        if finding.repair in (Repair.DONE, Repair.REFETCHED):
            self.repaired[finding.kind] += 1
        self.refetched += finding.repair is Repair.REFETCHED

    @property
    def findings(self) -> int:
        """How many things were wrong."""
        return self.found.total()

    @property
    def left(self) -> int:
        """How many of them still are."""
        return self.findings - self.repaired.total()

    def wrong(self) -> str:
        """The findings by kind, in one line: `2 missing, 1 torn (1 repaired)`; empty for none."""
        kinds = ", ".join(f"{self.found[kind]} {kind}" for kind in Kind if self.found[kind])
        repaired = self.repaired.total()
        return f"{kinds} ({repaired} repaired)" if repaired else kinds


@dataclass(frozen=True, slots=True)
class SoFar:
    """How far a verification has come, and about how many seconds it still takes, if it is known.

    Of `captures` it has done `done`; a rebuild does not know beforehand how many there are.
    """

    done: int
    captures: int
    findings: int
    seconds_left: float | None


def seconds_left(done: float, total: float, elapsed_seconds: float) -> float | None:
    """How long the rest takes at the pace so far; None when that cannot be told yet."""
    if done <= 0 or elapsed_seconds <= 0:
        return None
    return max(0.0, total - done) * elapsed_seconds / done


def is_in_place(key: str) -> bool:
    """Whether a file is in the directory that its name asks for.

    It looks at the form alone, fast: it may still name no instant, such as an hour 25.
    """
    return _IN_PLACE.fullmatch(key) is not None


def named(name: str) -> Capture | None:
    """The capture that a file's name without its directory names; None for any other name."""
    found = _NAME.fullmatch(name)
    if not found:
        return None
    day = f"{found['year']}-{found['month']}-{found['day']}"
    return Capture.from_key(f"{found['stream']}/{day}/{name}")


def is_temporary(name: str) -> bool:
    """Whether a file's name without its directory is one that files have while being written."""
    return _TEMPORARY.fullmatch(name) is not None


def side_by_side(
    rows: Iterable[Recorded], files: Iterable[FoundFile]
) -> Iterator[tuple[Recorded | None, FoundFile | None]]:
    """Every row with its capture's file, and what has no counterpart alone.

    Both must come in the order of their captures' keys.
    """
    row_iterator, file_iterator = iter(rows), iter(files)
    row, file = next(row_iterator, None), next(file_iterator, None)
    home = row.capture.key if row else ""
    while row or file:
        row_first = file is None or (row is not None and home <= file.key)
        file_first = row is None or (file is not None and file.key <= home)
        yield row if row_first else None, file if file_first else None
        if row_first:
            row = next(row_iterator, None)
            home = row.capture.key if row else ""
        if file_first:
            file = next(file_iterator, None)


def agrees(row: Recorded, file: FoundFile) -> bool:
    """Whether the row and the file of one capture go together, by place and size."""
    return row.key == file.key and row.size == file.size


def missing(row: Recorded) -> Finding:
    """The finding of a row without a file."""
    return Finding(Kind.MISSING, row.key, "there is no such file", row.capture)


def orphaned(capture: Capture) -> Finding:
    """The finding of a file without a row."""
    return Finding(Kind.ORPHANED, capture.key, "the catalogue does not have it", capture)


def told_elsewhere(row: Recorded) -> Finding:
    """The finding of a row that names another place than its capture's."""
    reason = f"the catalogue has it at {row.key}"
    return Finding(Kind.MISPLACED, row.capture.key, reason, row.capture)


def lies_elsewhere(key: str, capture: Capture) -> Finding:
    """The finding of a file in a directory where its name does not belong."""
    return Finding(Kind.MISPLACED, key, f"it belongs at {capture.key}", capture)


def left_over(key: str) -> Finding:
    """The finding of a temporary file that nobody is writing."""
    return Finding(Kind.LEFT_OVER, key, "a temporary file that nobody is writing")


def wrong_size(row: Recorded, file: FoundFile) -> Finding | None:
    """The finding of a file that cannot be what was archived, by its size; None if it may be."""
    if file.size == row.size:
        return None
    if file.size is None:
        return Finding(Kind.TORN, row.key, "it is no regular file", row.capture)
    reason = f"it has {file.size} bytes, not {row.size}"
    return Finding(Kind.TORN, row.key, reason, row.capture)


def wrong_content(row: Recorded, sha256: str, image: ValidImage | Rejected) -> Finding | None:
    """The finding of a file whose hash is `sha256`, and which as an image is `image`."""
    if sha256 == row.sha256:
        return None
    if isinstance(image, Rejected):
        return Finding(Kind.TORN, row.key, image.reason, row.capture)
    reason = f"its SHA-256 is {sha256[:12]}…, not {row.sha256[:12]}…"
    return Finding(Kind.CHANGED, row.key, reason, row.capture)


def unreadable(row: Recorded, why: str) -> Finding:
    """The finding of a file whose bytes the disk does not give any more."""
    return Finding(Kind.TORN, row.key, f"it cannot be read: {why}", row.capture)
