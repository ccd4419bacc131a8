"""`camdl cleanup`: what is older than it is kept leaves the archive, the oldest first.

A capture leaves in three steps, each durable before the next: its row is moved to those that are
doomed, its file is deleted, its doom is forgotten. So at every moment each row of the archive has
its file, and what a killed run began the next one finishes first.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeVar

from camdl.domain.outcomes import Counts, Outcome, RunRecord, StreamResult
from camdl.domain.retention import (
    Holding,
    Limits,
    Outdated,
    Pinned,
    Policy,
    Room,
    Stock,
    doubt,
    going,
    longest_pause,
    nothing_sure,
    too_much,
)
from camdl.errors import (
    END_OF_RUN,
    CamdlError,
    CatalogueError,
    CleanupRefusedError,
    EndOfRun,
    ExitCode,
    StorageError,
)
from camdl.verbs import running
from camdl.verbs.running import concluded, each_of, failed, outcome, refusals_told, run_id, told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from camdl.ports import Catalogue, Files, Keeping, Lock

T = TypeVar("T")

# On a full disk the journal of the first batch has to fit into the reserve, that of a later one
# into what its forerunner has freed.
_FIRST_BATCH = 50
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Order:
    """What one `camdl cleanup` is asked to do.

    Captures go after `keep`, and the oldest of the others until `min_free_percent` of the disk is
    free; of the `streams` named, or of all. The catalogue's memory has times of its own.
    """

    keep: timedelta = timedelta(days=30)
    min_free_percent: float | None = None
    streams: Sequence[str] = ()
    dry_run: bool = False
    force: bool = False
    wait_seconds: float = 0.0
    keep_runs: timedelta = timedelta(days=90)
    keep_pending: timedelta = timedelta(days=90)
    keep_gaps: timedelta = timedelta(days=365)
    keep_diagnostics: timedelta = timedelta(days=30)


class Reserve(Protocol):
    """Room that is put aside for the catalogue's journal, in case there is no other."""

    def give_up(self) -> None:
        """Let the room be used."""
        ...

    def put_aside(self) -> None:
        """Have it again, as far as there is room."""
        ...


class Diagnoses(Protocol):
    """What was kept of pages that could not be understood."""

    def outdated(self, before: datetime) -> int:
        """How many are of before `before`."""
        ...

    def forget(self, before: datetime) -> int:
        """Delete those of before `before`, and say how many."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """The world, as a run that holds the lock works on it."""

    catalogue: Catalogue
    keeping: Keeping
    files: Files
    diagnoses: Diagnoses


class Tools(running.Tools, Protocol):
    """What a run needs before it has the lock, and after it is done."""

    @property
    def lock(self) -> Lock:
        """At most one run at a time."""
        ...

    @property
    def reserve(self) -> Reserve:
        """What makes a clean-up possible on a full disk."""
        ...

    def room(self) -> Room | None:
        """The room for the archive, the reserve being put aside; None where it has no end.

        Raises:
            StorageError: the system does not tell.
        """
        ...

    def open(self, order: Order) -> AbstractContextManager[Ports]:
        """The adapters; leaving the `with` leaves nothing of them behind."""
        ...

    def would_go(self, holding: Holding) -> None:
        """A dry run tells each capture that a real one would delete."""
        ...


@dataclass(frozen=True, slots=True)
class Finished:
    """How a run ended: its record, what else it forgot, and the error that ended it.

    After a dry run they say what a real one would do.
    """

    run: RunRecord
    forgotten: Outdated = field(default_factory=Outdated)
    diagnoses: int = 0
    error: EndOfRun | None = None


def cleanup(order: Order, tools: Tools) -> Finished:
    """Delete what is older than it is kept, unless it is pinned or anything is doubtful.

    Raises:
        LockHeldError: another run is going on; nothing was changed.
        ConfigError: there can be no safe lock.
        StorageError: the lock's file cannot be made.
    """
    # A dry run changes nothing: it is in nobody's way, and leaves not even a lock file.
    with nullcontext() if order.dry_run else tools.lock.hold(order.wait_seconds):
        started_at = tools.now()
        run = RunRecord(run_id(started_at), "cleanup", started_at)
        try:
            return concluded(
                run, lambda: _go(order, tools, run), tools, writes_health=not order.dry_run
            )
        finally:
            # In that order: where nothing could be deleted, the verdict needs the room first.
            if not order.dry_run:
                tools.reserve.put_aside()


def _go(order: Order, tools: Tools, run: RunRecord) -> Finished:
    try:
        with refusals_told():
            room = tools.room()
            if not order.dry_run:
                tools.reserve.give_up()
            with tools.open(order) as ports:
                return _Run(order, ports, tools, run, room).go()
    except END_OF_RUN as error:
        return Finished(failed(run, error, tools.now()), error=error)


class _Run:
    """One run that holds the lock. `go` is the order in which things happen."""

    def __init__(
        self, order: Order, ports: Ports, tools: Tools, run: RunRecord, room: Room | None
    ) -> None:
        self._order = order
        self._ports = ports
        self._tools = tools
        self._run = run
        self._room = room
        self._began = time.monotonic()
        self._deleted: Counter[str] = Counter()
        self._freed: Counter[str] = Counter()
        self._stuck = 0
        self._first_stuck = ""
        self._short_of = 0
        self._forgotten = Outdated()
        self._diagnoses = 0
        self._is_on_record = False

    def go(self) -> Finished:
        """Look, decide, delete, forget; whatever happens, the run's row tells how it ended."""
        try:
            with refusals_told():
                known_since = self._known_since()
                self._begin_record()
                self._refuse_what_is_not_ours()
                self._finish_what_was_begun()
                policy = self._policy()
                self._refuse_what_is_doubtful(policy, known_since)
                self._delete(going(self._oldest_first(policy), policy))
                self._forget_what_is_outdated()
            # Inside, as its first step takes no more signals: one ends the run, or comes too late.
            return self._finished(self._close())
        except END_OF_RUN as error:
            return self._finished(self._close(error), error)
        except BaseException as bug:
            self._close(bug)
            raise

    def _known_since(self) -> datetime | None:
        """From when on the catalogue knows what the archive has; asked before this run is in it."""
        runs = self._ports.keeping.runs_between()
        oldest = next(self._ports.keeping.holdings(), None)
        known = [runs[0]] if runs else []
        return min([*known, oldest.capture.captured_at]) if oldest else None

    def _begin_record(self) -> None:
        # Before it is so: a signal is taken notice of after the commit.
        self._is_on_record = not self._order.dry_run
        try:
            if self._is_on_record:
                self._ports.catalogue.begin_run(self._run.id, self._run.verb, self._run.started_at)
        except CatalogueError:
            self._is_on_record = False
            raise

    def _refuse_what_is_not_ours(self) -> None:
        if why := self._ports.files.refusal():
            raise CleanupRefusedError(
                f"nothing is deleted: {why}",
                advice="Mount the archive's disk, or set download_dir to the directory itself.",
            )

    def _finish_what_was_begun(self) -> None:
        """Delete the files of captures that a killed run was deleting."""
        if not self._order.dry_run:
            self._ports.keeping.reprieve()
        for batch in _batches(self._ports.keeping.doomed()):
            there = list(self._with_files(batch))
            if self._room:
                freed = sum(self._room.taken_by(one.size) for one in there)
                self._room = replace(self._room, free=self._room.free + freed)
            if self._order.dry_run:
                self._tell(there)
            else:
                self._delete_files(batch, there)

    def _policy(self) -> Policy:
        """What is to go. It depends on nothing that a real run has changed until here."""
        asked, room = self._order.min_free_percent, self._room
        if asked is not None and room is None:
            raise CleanupRefusedError(
                "nothing is deleted: the archive is on no disk that could be full",
                advice="Leave --min-free out.",
            )
        pinned = Pinned(self._ports.keeping.pins(self._order.streams))
        before = self._run.started_at - self._order.keep
        if asked is None or room is None:
            return Policy(before, pinned)
        return Policy(before, pinned, room.lacks(asked), room)

    def _oldest_first(self, policy: Policy) -> Iterator[Holding]:
        before = None if policy.to_free else policy.before
        return self._ports.keeping.holdings(self._order.streams, before)

    def _refuse_what_is_doubtful(self, policy: Policy, known_since: datetime | None) -> None:
        stock = self._stock(known_since)
        if why := nothing_sure(stock):
            raise CleanupRefusedError(
                f"nothing is deleted: {why}",
                advice="Restore the catalogue from a backup, or correct database_url.",
            )
        leaving, freed = 0, 0
        for holding in going(self._oldest_first(policy), policy):
            leaving += 1
            freed += policy.room.taken_by(holding.size)
        self._short_of = max(0, policy.to_free - freed)
        why = doubt(stock, self._run.started_at) or too_much(leaving, stock.captures)
        if why and not self._order.force:
            raise CleanupRefusedError(f"nothing is deleted: {why}")

    def _stock(self, known_since: datetime | None) -> Stock:
        keeping, now = self._ports.keeping, self._run.started_at
        newest = keeping.newest()
        pause = longest_pause(newest, keeping.runs_since(newest), now) if newest else timedelta()
        return Stock(keeping.captures(), newest, self._stranger(known_since), pause)

    def _stranger(self, known_since: datetime | None) -> str:
        """The key of a file of before `known_since` that the catalogue does not know, or none."""
        for keys in _batches(self._ports.files.keys(known_since and known_since.date())):
            known = self._ports.keeping.knows(keys)
            for key in keys:
                if key not in known:
                    return key
        return ""

    def _delete(self, leaving: Iterator[Holding]) -> None:
        for batch in _batches(leaving):
            if self._order.dry_run:
                self._tell(batch)
            else:
                doomed = self._ports.keeping.doom(batch)
                if self._delete_files(doomed, doomed) == 0 and doomed:
                    # No more of them lose their rows as long as no file can be deleted.
                    raise StorageError(f"no file can be deleted: {self._first_stuck}")

    def _delete_files(self, doomed: Sequence[Holding], there: Sequence[Holding]) -> int:
        """Delete the files of those `doomed`, of which some are `there`, and say how many went."""
        kept = self._ports.files.delete([one.key for one in doomed])
        self._stuck += len(kept)
        self._first_stuck = self._first_stuck or next(iter(kept.values()), "")
        self._ports.keeping.forget([one for one in doomed if one.key not in kept])
        gone = [one for one in there if one.key not in kept]
        self._count(gone)
        return len(gone)

    def _tell(self, leaving: Sequence[Holding]) -> None:
        for holding in leaving:
            self._tools.would_go(holding)
        self._count(leaving)

    def _count(self, gone: Iterable[Holding]) -> None:
        for one in gone:
            self._deleted[one.capture.stream] += 1
            self._freed[one.capture.stream] += one.size

    def _with_files(self, doomed: Iterable[Holding]) -> Iterator[Holding]:
        """Those of which the file is still there, with its size."""
        for one in doomed:
            if (size := self._ports.files.size(one.key)) is not None:
                yield replace(one, size=size)

    def _forget_what_is_outdated(self) -> None:
        """Forget what nobody will ask for any more, and remove what killed runs left."""
        order, now = self._order, self._run.started_at
        limits = Limits(
            now - order.keep_runs,
            # What is younger than captures are kept may come yet.
            now - max(order.keep_pending, order.keep),
            now - order.keep_gaps,
        )
        keeping, diagnoses = self._ports.keeping, self._ports.diagnoses
        if order.dry_run:
            self._forgotten = keeping.outdated(limits)
            self._diagnoses = diagnoses.outdated(now - order.keep_diagnostics)
        else:
            self._forgotten = keeping.forget_outdated(limits)
            self._diagnoses = diagnoses.forget(now - order.keep_diagnostics)
            self._ports.files.tidy()

    def _close(self, error: BaseException | None = None) -> RunRecord:
        """Record what is gone and how the run ended.

        Raises:
            CatalogueError: it cannot be recorded, and no `error` has to be told first.
        """
        self._tools.is_ending()
        try:
            run = self._ended(error)
        except CamdlError:
            if error is None:
                raise
            run = failed(self._run, error, self._tools.now())
        if self._is_on_record:
            each_of([lambda: self._ports.catalogue.finish_run(run)], error)
        return run

    def _ended(self, error: BaseException | None) -> RunRecord:
        verdict = outcome(error) if error else Outcome.OK
        reason = told(error) if error else ""
        seconds = time.monotonic() - self._began
        results = tuple(
            StreamResult(
                stream,
                verdict,
                Counts(deleted=self._deleted[stream], freed_bytes=self._freed[stream]),
                self._ports.catalogue.newest(stream),
                seconds,
                reason,
            )
            for stream in sorted(self._deleted)
        )
        run, now = replace(self._run, streams=results), self._tools.now()
        if error:
            return failed(run, error, now)
        why = "; ".join(self._what_is_lacking())
        code = ExitCode.PARTLY if why else ExitCode.OK
        verdict = Outcome.PARTLY if why else Outcome.OK
        return replace(run, ended_at=now, outcome=verdict, exit_code=int(code), error=why)

    def _what_is_lacking(self) -> Iterator[str]:
        """In words, why not all is as it was asked for."""
        if self._stuck:
            yield f"files that could not be deleted: {self._stuck}, such as {self._first_stuck}"
        if self._short_of:
            yield (
                f"{self._short_of / 1e6:.1f} MB more should be free, "
                "but all other captures are pinned, or of streams that were not asked for"
            )

    def _finished(self, run: RunRecord, error: EndOfRun | None = None) -> Finished:
        return Finished(run, self._forgotten, self._diagnoses, error)


def _batches(values: Iterable[T]) -> Iterator[list[T]]:
    iterator, size = iter(values), _FIRST_BATCH
    while batch := list(islice(iterator, size)):
        yield batch
        size = _BATCH
