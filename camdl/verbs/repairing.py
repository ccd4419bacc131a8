"""How `camdl verify` makes sure of what it suspects, and puts it right.

Runs go on beside a verification. So what looked wrong is looked at again, with the catalogue asked
before and after: where both answers are the same, no run has come between. Nothing is changed but
under the lock, and no file is ever deleted but temporary ones: what is no capture is moved aside.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from camdl.domain.captures import ListedCapture
from camdl.domain.outcomes import Duplicate, Rejected, Saved, StoredImage, ValidImage
from camdl.domain.validation import validate
from camdl.domain.verification import (
    Finding,
    Kind,
    Repair,
    is_in_place,
    is_temporary,
    left_over,
    lies_elsewhere,
    missing,
    named,
    orphaned,
    told_elsewhere,
    unreadable,
    wrong_content,
    wrong_size,
)
from camdl.errors import LockHeldError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager

    from camdl.domain.captures import Capture
    from camdl.domain.outcomes import ImageOutcome
    from camdl.domain.verification import Recorded, Standing
    from camdl.verbs.verify import Order, Ports, Tools

_PENDING = "pending again"

# What changes so often while it is looked at is not at rest, and so not damaged.
_LOOKS = 3


@dataclass
class _Changes:
    """What a batch of repairs changes in the catalogue, in one transaction each."""

    lost: list[tuple[Recorded, str]] = field(default_factory=list)
    found: list[StoredImage] = field(default_factory=list)


class Repairs:
    """Confirms and repairs what one verification suspects, a batch at a time."""

    def __init__(self, order: Order, ports: Ports, tools: Tools, run_id: str) -> None:
        self._order = order
        self._files = ports.files
        self._rows = ports.rows
        self._ports = ports
        self._tools = tools
        self._run_id = run_id
        self._repairs = order.repair and not order.dry_run

    def captures(self, suspects: Sequence[Capture]) -> list[Finding]:
        """What is wrong with these captures, and what has been done about it."""
        with self._lock_to_repair():
            findings = self._confirmed(suspects)
            told = self._put_right(findings) if self._repairs else [one for one, _ in findings]
        if any(one.repair in (Repair.REFETCHED, Repair.FAILED) for one in told):
            # That took a while: a run that waits for the lock goes first.
            time.sleep(self._order.pause_seconds)
        return told

    def strays(self, keys: Sequence[str]) -> list[Finding]:
        """What is wrong with files in wrong places, and what has been done about it."""
        with self._lock_to_repair():
            findings = self._confirmed_strays(keys)
            return [self._stray_put_right(one) for one in findings] if self._repairs else findings

    def register(
        self, captures: Sequence[Capture], map_: Callable[..., Iterable[object]]
    ) -> tuple[int, list[Finding]]:
        """Put files without a row into the catalogue: how many there were, and what is wrong.

        `map_` applies a function to captures, in many threads perhaps.
        """
        findings = self._confirmed(captures)
        orphans = [one.capture for one, _ in findings if one.kind is Kind.ORPHANED and one.capture]
        others = [one for one, _ in findings if one.kind is not Kind.ORPHANED]
        images = dict(zip(orphans, map_(self._archived_image, orphans), strict=True))
        broken = [
            replace(orphaned(capture), reason=f"not registered: {image.reason}")
            for capture, image in images.items()
            if isinstance(image, Rejected)
        ]
        whole = {one: image for one, image in images.items() if isinstance(image, ValidImage)}
        if self._order.dry_run or not whole:
            return len(whole), [*others, *broken]
        with self._tools.lock.hold(self._order.patience_seconds):
            standings = self._rows.standings(list(whole))
            stored = [
                self._stored(capture, image, standings[capture])
                for capture, image in whole.items()
                if standings[capture].recorded is None and not standings[capture].doomed
            ]
            self._rows.register(stored, self._run_id)
        return len(stored), [*others, *broken]

    def _lock_to_repair(self) -> AbstractContextManager[None]:
        return (
            self._tools.lock.hold(self._order.patience_seconds) if self._repairs else nullcontext()
        )

    # What is really wrong.

    def _confirmed(self, suspects: Sequence[Capture]) -> list[tuple[Finding, Standing]]:
        """What is wrong with `suspects`, where it is, and what the catalogue says of them."""
        confirmed: dict[Capture, tuple[Finding, Standing]] = {}
        left = list(suspects)
        for _ in range(_LOOKS):
            before = self._rows.standings(left)
            found = {one: self._examine(one, before[one]) for one in left}
            after = self._rows.standings(left)
            for one, finding in found.items():
                if finding and before[one] == after[one]:
                    confirmed[one] = finding, after[one]
            left = [one for one in left if before[one] != after[one]]
            if not left:
                break
        in_flight = self._in_flight(confirmed)
        return [confirmed[one] for one in suspects if one in confirmed and one not in in_flight]

    def _in_flight(self, confirmed: dict[Capture, tuple[Finding, Standing]]) -> frozenset[Capture]:
        """Files that a run going on has stored and is about to record."""
        waiting = [
            capture
            for capture, (finding, standing) in confirmed.items()
            if finding.kind is Kind.ORPHANED and standing.pending_url is not None
        ]
        if self._repairs or not waiting:  # under the lock there is no such run
            return frozenset()
        try:
            with self._tools.lock.hold(0):
                standings = self._rows.standings(waiting)
        except LockHeldError:
            return frozenset(waiting)
        return frozenset(one for one in waiting if standings[one].recorded)

    def _examine(self, capture: Capture, standing: Standing) -> Finding | None:
        """What is wrong with a capture of which the catalogue says `standing`."""
        file = self._files.look(capture.key)
        row = standing.recorded
        if row is None:
            return orphaned(capture) if file and not standing.doomed else None
        if row.key != capture.key:
            return told_elsewhere(row)
        if file is None:
            return missing(row)
        return wrong_size(row, file) or (self._examine_content(row) if self._order.full else None)

    def _examine_content(self, row: Recorded) -> Finding | None:
        sha256 = self._files.sha256(row.key)
        if sha256 == row.sha256:
            return None
        if sha256 is None:
            return missing(row)
        if isinstance(sha256, OSError):
            return unreadable(row, sha256.strerror or str(sha256))
        return wrong_content(row, sha256, self._image(row.key, 1, 1))

    def _confirmed_strays(self, keys: Sequence[str]) -> list[Finding]:
        captures = {key: named(PurePosixPath(key).name) for key in keys}
        standings = self._rows.standings([one for one in captures.values() if one])
        return [
            finding
            for key, capture in captures.items()
            if (finding := self._examine_stray(key, capture, standings))
        ]

    def _examine_stray(
        self, key: str, capture: Capture | None, standings: dict[Capture, Standing]
    ) -> Finding | None:
        if capture is None:
            abandoned = is_temporary(PurePosixPath(key).name) and self._files.is_abandoned(key)
            return left_over(key) if abandoned else None
        row = standings[capture].recorded
        if row and row.key == key:  # told where its row is compared
            return None
        return lies_elsewhere(key, capture) if self._files.look(key) else None

    # Putting it right, under the lock.

    def _put_right(self, findings: Sequence[tuple[Finding, Standing]]) -> list[Finding]:
        """Repair what was found; files first, so that whatever ends this leaves rows to go by."""
        changes = _Changes()
        done = [self._repaired(finding, standing, changes) for finding, standing in findings]
        self._rows.give_back(changes.lost, self._tools.now())
        self._rows.register(changes.found, self._run_id)
        return self._fetched_again(done, [row for row, _ in changes.lost])

    def _repaired(self, finding: Finding, standing: Standing, changes: _Changes) -> Finding:
        row, capture = standing.recorded, finding.capture
        if row is None:
            return self._orphan_repaired(finding, standing, changes)
        if finding.kind is Kind.MISPLACED:
            return self._place_repaired(finding, row, changes)
        if finding.kind is not Kind.MISSING:
            aside = self._files.set_aside(finding.key)
            return self._given_back(finding, row, changes, f"moved aside to {aside}; ")
        if capture and self._files.is_bare(capture.stream) and not self._order.force:
            why = "nothing of this stream is there: is its disk mounted? If not, use --force"
            return replace(finding, remedy=f"not repaired: {why}")
        return self._given_back(finding, row, changes)

    def _given_back(
        self, finding: Finding, row: Recorded, changes: _Changes, done: str = ""
    ) -> Finding:
        stream = self._ports.streams.get(row.capture.stream)
        url = row.url or (stream.image.url(row.capture) if stream else "")
        changes.lost.append((replace(row, url=url), f"{finding.kind}: {finding.reason}"))
        return replace(finding, repair=Repair.DONE, remedy=f"{done}{_PENDING}")

    def _orphan_repaired(self, finding: Finding, standing: Standing, changes: _Changes) -> Finding:
        assert finding.capture  # noqa: S101  # an orphan has a capture's name
        capture = finding.capture
        image = self._orphans_image(capture.key, capture)
        if isinstance(image, Rejected):
            aside = self._files.set_aside(capture.key)
            remedy = f"no capture: {image.reason}; moved aside to {aside}"
            return replace(finding, repair=Repair.DONE, remedy=remedy)
        changes.found.append(self._stored(capture, image, standing))
        return replace(finding, repair=Repair.DONE, remedy="registered")

    def _place_repaired(self, finding: Finding, row: Recorded, changes: _Changes) -> Finding:
        """Make row and file agree on the one place where the capture belongs."""
        home = row.capture.key
        if self._files.sha256(home) == row.sha256:
            self._rows.move(row, home)
            return replace(finding, repair=Repair.DONE, remedy="the catalogue names its place")
        done = ""
        if self._files.look(home):
            done = f"what is in its place moved aside to {self._files.set_aside(home)}; "
        if _is_no_others(row.key) and self._files.sha256(row.key) == row.sha256:
            self._files.move(row.key, home)
            self._rows.move(row, home)
            return replace(finding, repair=Repair.DONE, remedy=f"{done}moved to its place")
        return self._given_back(finding, row, changes, done)

    def _stray_put_right(self, finding: Finding) -> Finding:
        if finding.kind is Kind.LEFT_OVER or finding.capture is None:
            self._files.sweep(finding.key)
            return replace(finding, repair=Repair.DONE, remedy="removed")
        standing = self._rows.standings([finding.capture])[finding.capture]
        if self._comes_home(finding.key, finding.capture, standing):
            return replace(finding, repair=Repair.DONE, remedy="moved there")
        aside = self._files.set_aside(finding.key)
        why = "its place is taken" if self._files.look(finding.capture.key) else "it is not that"
        return replace(finding, repair=Repair.DONE, remedy=f"{why}; moved aside to {aside}")

    def _comes_home(self, key: str, capture: Capture, standing: Standing) -> bool:
        """Whether it is the file that the place of `capture` lacks, and has been moved there."""
        home, row = capture.key, standing.recorded
        if row:
            is_it = self._files.sha256(key) == row.sha256
            if not is_it or self._files.sha256(home) == row.sha256:
                return False
            if self._files.look(home):
                self._files.set_aside(home)
            self._files.move(key, home)
            return True
        image = self._orphans_image(key, capture)
        if isinstance(image, Rejected) or standing.doomed or self._files.look(home):
            return False
        self._files.move(key, home)
        self._rows.register([self._stored(capture, image, standing)], self._run_id)
        return True

    def _fetched_again(self, done: list[Finding], lost: Sequence[Recorded]) -> list[Finding]:
        """The findings, with what became of the pictures that are to be fetched once more."""
        if self._ports.refetch is None or not lost:
            return done
        wanted = [
            ListedCapture(row.capture, row.url)
            for row in lost
            if row.capture.stream in self._ports.streams
        ]
        came: dict[Capture | None, ImageOutcome | None] = {row.capture: None for row in lost}
        came.update((one.capture, what) for one, what in self._ports.refetch(self._run_id, wanted))
        return [
            self._with_what_came(one, came[one.capture]) if one.capture in came else one
            for one in done
        ]

    def _with_what_came(self, finding: Finding, outcome: ImageOutcome | None) -> Finding:
        """The finding of a picture that was lost, with what became of it."""
        if isinstance(outcome, Saved | Duplicate):
            remedy = f"{finding.remedy.removesuffix(_PENDING)}fetched again"
            return replace(finding, repair=Repair.REFETCHED, remedy=remedy)
        if outcome:
            why = f"{outcome.reason}; the next download asks again"
        elif finding.capture and finding.capture.stream in self._ports.streams:
            why = "the next download asks for it"
        else:
            why = "its stream is configured no more"
        return replace(finding, repair=Repair.FAILED, remedy=f"{finding.remedy}: {why}")

    # Pictures.

    def _orphans_image(self, key: str, capture: Capture) -> ValidImage | Rejected:
        """The file as a picture that its stream would take."""
        stream = self._ports.streams.get(capture.stream)
        return self._image(key, *((stream.min_width, stream.min_height) if stream else (1, 1)))

    def _archived_image(self, capture: Capture) -> ValidImage | Rejected:
        """The file as a picture that was archived once, whatever the stream takes today."""
        return self._image(capture.key, 1, 1)

    def _image(self, key: str, min_width: int, min_height: int) -> ValidImage | Rejected:
        file = self._files.look(key)
        if file is None or file.size is None:
            return Rejected("it is no regular file")
        data = self._files.read(key)
        if isinstance(data, bytes):
            return validate(data, min_width, min_height)
        return Rejected(f"it cannot be read: {data.strerror}" if data else "it is gone")

    def _stored(self, capture: Capture, image: ValidImage, standing: Standing) -> StoredImage:
        """What to record of a file that is found: its age is that of its content."""
        stream = self._ports.streams.get(capture.stream)
        url = standing.pending_url or (stream.image.url(capture) if stream else "")
        return StoredImage(
            capture,
            capture.key,
            image.sha256,
            len(image.data),
            image.width,
            image.height,
            url,
            self._files.modified_at(capture.key),
        )


def _is_no_others(key: str) -> bool:
    """Whether a key that a row names in error may be taken from: below the archive, and not where
    another capture belongs.
    """
    path = PurePosixPath(key)
    return not path.is_absolute() and ".." not in path.parts and not is_in_place(key)
