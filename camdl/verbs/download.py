"""`camdl download`: what is new on the camera pages goes into the archive and the catalogue."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from camdl.deadline import Deadline
from camdl.domain.latest import due
from camdl.domain.outcomes import RunRecord
from camdl.errors import END_OF_RUN, CatalogueError
from camdl.ports import Wanted
from camdl.verbs import collecting
from camdl.verbs.collecting import Collecting, Finished, ended
from camdl.verbs.running import concluded, each_of, failed, refusals_told, run_id
from camdl.verbs.stocktaking import Stocktaking

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from camdl.domain.captures import ListedCapture
    from camdl.domain.outcomes import PendingCapture
    from camdl.domain.sites import Stream
    from camdl.verbs.collecting import Ports

_LOG = logging.getLogger("camdl")


@dataclass(frozen=True, slots=True)
class Order(collecting.Order):
    """What one `camdl download` is asked to do."""

    wait_seconds: float = 0.0
    deadline_seconds: float = 480.0
    retention: timedelta = timedelta(days=30)


class Tools(collecting.Tools, Protocol):
    """What a run needs before it has the lock, and after it is done."""

    def open(self, order: Order, deadline: Deadline) -> AbstractContextManager[Ports]:
        """The adapters; leaving the `with` leaves nothing of them behind."""
        ...


def download(order: Order, tools: Tools) -> Finished:
    """Archive what the streams' pages list and the catalogue lacks, newest first.

    A backfill, which lets go of the lock every half minute, is waited for all the same.

    Raises:
        LockHeldError: another run is going on; nothing was changed.
        ConfigError: there can be no safe lock.
        StorageError: the lock's file cannot be made.
    """
    # A dry run changes nothing: it is in nobody's way, and leaves not even a lock file.
    with nullcontext() if order.dry_run else tools.lock.hold(order.wait_seconds):
        deadline = Deadline.after(order.deadline_seconds)
        started_at = tools.now()
        run = RunRecord(run_id(started_at), "download", started_at)
        return concluded(
            run,
            lambda: _go(order, tools, run, deadline),
            tools,
            writes_health=not order.dry_run,
        )


def _go(order: Order, tools: Tools, run: RunRecord, deadline: Deadline) -> Finished:
    try:
        with refusals_told(), tools.open(order, deadline) as ports:
            return _Run(order, ports, tools, run, deadline).go()
    except END_OF_RUN as error:
        tools.is_ending()
        ended_early = failed(run, error, tools.now())
        if not order.dry_run:
            tools.record(ended_early)
        return Finished(ended_early, error)


class _Run:
    """One run that holds the lock. `go` is the order in which things happen."""

    def __init__(
        self, order: Order, ports: Ports, tools: Tools, run: RunRecord, deadline: Deadline
    ) -> None:
        self._order = order
        self._ports = ports
        self._tools = tools
        self._run = run
        self._collecting = Collecting(order, ports, tools, run, deadline, choose=self._choose)
        self._stocktaking = Stocktaking(
            ports.ledger, ports.catalogue, order.catch_up, order.run_every
        )
        self._is_on_record = False

    def go(self) -> Finished:
        """List, fetch, record; whatever happens, the run's row tells how it ended."""
        try:
            with refusals_told():
                self._begin_record()
                self._right_the_clock()
                self._collecting.collect(self._wanted())
            # Inside, as its first step takes no more signals: one ends the run, or comes too late.
            return Finished(self._close(), would_fetch=tuple(self._collecting.would_fetch))
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

    def _right_the_clock(self) -> None:
        now = self._run.started_at
        if self._is_on_record and self._ports.ledger.forget_what_is_ahead(now):
            _LOG.warning(
                "the clock was far ahead for a while; what was recorded in that time is forgotten, "
                "but for the captures"
            )

    def _wanted(self) -> Iterator[Wanted]:
        for stream in self._order.streams:
            yield Wanted(stream, self._stocktaking.days_to_ask(stream, self._run.started_at))

    def _choose(
        self, stream: Stream, listed: Sequence[ListedCapture]
    ) -> tuple[list[ListedCapture], list[PendingCapture]]:
        now = self._run.started_at
        captures = [one.capture for one in listed]
        since = min([now - self._order.retention, *(one.captured_at for one in captures)])
        pending = self._ports.catalogue.pending(stream.name, since)
        archived = self._ports.catalogue.archived(captures)
        deleted = self._ports.ledger.deleted_up_to(stream.name)
        return due(listed, archived, pending, now, self._order.retention, deleted_up_to=deleted)

    def _close(self, error: BaseException | None = None) -> RunRecord:
        """Record what is done and how the run ended.

        Raises:
            CatalogueError: it cannot be recorded, and no `error` has to be told first.
        """
        self._tools.is_ending()
        self._collecting.stop(error)
        parts = self._collecting.parts.values()
        results = tuple(part.result for part in parts if part.result)
        offset = self._ports.source_clock.offset_seconds()
        run = replace(self._run, streams=results, clock_offset_seconds=offset)
        now = self._tools.now()
        run = ended(run, now) if error is None else failed(run, error, now)
        if self._is_on_record:
            each_of([self._collecting.settle, lambda: self._finish(run, now)], error)
        return run

    def _finish(self, run: RunRecord, now: datetime) -> None:
        self._ports.catalogue.finish_run(run)
        for part in self._collecting.parts.values():
            self._stocktaking.record(part.stream, now)
