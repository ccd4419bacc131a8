"""Reads and writes the catalogue's rows."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, exists, func, insert, select, update

from camdl.catalogue import totals
from camdl.catalogue.tables import captures, failures, pending, runs, stream_results
from camdl.catalogue.upsert import upsert
from camdl.domain.captures import Capture, ListedCapture, utc
from camdl.domain.failures import FailureKind
from camdl.domain.outcomes import (
    ClockReading,
    Counts,
    Duplicate,
    Failed,
    JobHistory,
    Outcome,
    PendingCapture,
    Rejected,
    RunRecord,
    Saved,
    StreamHistory,
    StreamResult,
)
from camdl.domain.totals import Name, Total

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Row, Select, Table

    from camdl.catalogue.database import Database
    from camdl.domain.outcomes import ImageOutcome, StoredImage

_LISTED = [str(Outcome.OK), str(Outcome.PARTLY)]


class SqlCatalogue:
    """Implements `camdl.ports.Catalogue` in a database whose schema is this version's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def database(self) -> Database:
        """Where it is, for what else is in there."""
        return self._database

    def begin_run(self, run_id: str, verb: str, started_at: datetime) -> None:
        """Record that a run has begun."""
        values = {"id": run_id, "verb": verb, "started_at": started_at, "error": ""}
        with self._database.transaction(writes=True) as connection:
            connection.execute(insert(runs).values(values))

    def finish_run(self, run: RunRecord) -> None:
        """Record how a run, begun before, has ended, with its streams' results."""
        values = {
            "ended_at": run.ended_at,
            "outcome": run.outcome and str(run.outcome),
            "exit_code": run.exit_code,
            "error": run.error,
            "clock_offset_seconds": run.clock_offset_seconds,
        }
        results = [_result_values(run.id, result) for result in run.streams]
        failed = [one for result in run.streams for one in _failure_values(run.id, result)]
        with self._database.transaction(writes=True) as connection:
            before = _sums_of(connection, run.id)
            connection.execute(update(runs).where(runs.c.id == run.id).values(values))
            # What goes wrong after its end was recorded makes another end of it.
            for table, rows in ((stream_results, results), (failures, failed)):
                connection.execute(delete(table).where(table.c.run_id == run.id))
                if rows:
                    connection.execute(insert(table), rows)
            after = _sums_of(connection, run.id)
            after.subtract(before)
            totals.add(connection, after)

    def newest(self, stream: str) -> datetime | None:
        """The newest archived capture's instant."""
        with self._reading() as connection:
            return _newest(connection, stream)

    def archived(self, wanted: Sequence[Capture]) -> frozenset[Capture]:
        """Those of `wanted` that are archived."""
        found: set[Capture] = set()
        with self._reading() as connection:
            for stream in {one.stream for one in wanted}:
                # One range instead of a long list of instants: a listing is a stretch of time.
                instants = [one.captured_at for one in wanted if one.stream == stream]
                query = select(captures.c.captured_at).where(
                    captures.c.stream == stream,
                    captures.c.captured_at.between(min(instants), max(instants)),
                )
                found |= {Capture(instant, stream) for instant in connection.scalars(query)}
        return frozenset(found.intersection(wanted))

    def pending(self, stream: str, since: datetime) -> tuple[PendingCapture, ...]:
        """What was listed since `since` and is not archived, newest first."""
        query = (
            select(pending)
            .where(
                pending.c.stream == stream,
                pending.c.captured_at >= since,
                # Both at once can only be where two runs were, their lock file being deleted.
                ~exists().where(_same_capture(captures, pending)),
            )
            .order_by(pending.c.captured_at.desc())
        )
        with self._reading() as connection:
            return tuple(
                PendingCapture(
                    ListedCapture(Capture(row.captured_at, row.stream), row.url),
                    row.reason,
                    row.not_before,
                    row.rejected,
                )
                for row in connection.execute(query)
            )

    def record(
        self,
        run_id: str,
        outcomes: Iterable[tuple[ListedCapture, ImageOutcome | None]],
        now: datetime,
    ) -> None:
        """Record, in one transaction, what became of images."""
        stored: list[StoredImage] = []
        missing: list[dict[str, object]] = []
        listed: list[dict[str, object]] = []
        for one, outcome in outcomes:
            if isinstance(outcome, Saved | Duplicate):
                stored.append(outcome.image)
            elif outcome is None:
                listed.append(_pending_values(one, "", None, now))
            else:
                missing.append(_missing_values(one, outcome, now))
        with self._database.transaction(writes=True) as connection:
            add_captures(connection, stored, run_id)
            _add_pending(connection, listed, ["url"])
            _add_pending(connection, missing, ["url", "rejected", "reason", "not_before"])

    def last_runs(
        self, verb: str | None, limit: int, *, only_bad: bool = False
    ) -> tuple[RunRecord, ...]:
        """The newest runs of `verb`, or of any, newest first, with their streams' results.

        `only_bad` are those that did not end ok; those that have no end are among them.
        """
        query = _newest_first(verb).limit(limit)
        if only_bad:
            query = query.where(runs.c.outcome.is_distinct_from(str(Outcome.OK)))
        with self._reading() as connection:
            found = connection.execute(query).all()
            results = _results_of(connection, [row.id for row in found])
            return tuple(_run(row, results.get(row.id, [])) for row in found)

    def job_history(self, verb: str) -> JobHistory:
        """What the verdict on a job needs.

        Of the runs only `last_ended` has its streams' results, unless it ended ok.
        """
        newest = _newest_first(verb).limit(1)
        with self._reading() as connection:
            last = connection.execute(newest).first()
            if last is None:
                return JobHistory()
            ended: Row[Any] | None = last
            good: Row[Any] | None = last
            if last.ended_at is None:
                ended = connection.execute(newest.where(runs.c.ended_at.is_not(None))).first()
            if last.outcome != Outcome.OK:
                good = connection.execute(newest.where(runs.c.outcome == str(Outcome.OK))).first()
            is_bad = ended is not None and ended.outcome != Outcome.OK
            results = _results_of(connection, [ended.id]) if ended and is_bad else {}
            return JobHistory(
                _run(last, []),
                _run(ended, results.get(ended.id, [])) if ended else None,
                good.started_at if good else None,
            )

    def first_run(self) -> datetime | None:
        """When the first run began that is remembered, of any verb."""
        with self._reading() as connection:
            first: datetime | None = connection.scalar(select(func.min(runs.c.started_at)))
            return first

    def clock_reading(self) -> ClockReading | None:
        """How our clock stood in the last download that could tell."""
        told = _newest_first("download").where(runs.c.clock_offset_seconds.is_not(None)).limit(1)
        with self._reading() as connection:
            row = connection.execute(told).first()
            return ClockReading(row.clock_offset_seconds, row.started_at) if row else None

    def stream_history(self, stream: str) -> StreamHistory:
        """What the verdict on a stream needs.

        It goes back through the runs that asked for the stream, by their ids, which are in the
        order of time: those of years are never read.
        """
        results = (
            select(stream_results.c.run_id, stream_results.c.reason, runs.c.started_at)
            .join_from(stream_results, runs)
            # A clean-up that went well says nothing of the source.
            .where(stream_results.c.stream == stream, runs.c.verb == "download")
        )
        newest_first = results.order_by(stream_results.c.run_id.desc()).limit(1)
        listed = newest_first.where(stream_results.c.outcome.in_(_LISTED))
        failed = stream_results.c.outcome == str(Outcome.FAILED)
        with self._reading() as connection:
            last_listed = connection.execute(listed).first()
            if last_listed:
                failed = and_(failed, stream_results.c.run_id > last_listed.run_id)
            last_failed = connection.execute(newest_first.where(failed)).first()
            failures = connection.scalar(_how_many(results.where(failed))) if last_failed else 0
            newest, first = _newest(connection, stream), None
            if newest is None:
                oldest_first = results.order_by(stream_results.c.run_id).limit(1)
                first = connection.execute(oldest_first).first()
            return StreamHistory(
                stream,
                newest,
                failures or 0,
                last_failed.reason if last_failed else "",
                first.started_at if first else None,
            )

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """A connection in a transaction, for questions and what is made of their answers.

        Raises:
            CatalogueError: the database cannot be used, or holds what camdl never wrote.
        """
        with self._database.transaction() as connection:
            try:
                yield connection
            except (AttributeError, TypeError, ValueError) as error:
                # SQLite notices damage to its own structure, but not to what is stored in it.
                raise self._database.damaged(error) from error


def _newest_first(verb: str | None) -> Select[Any]:
    """The runs of `verb`, or of any."""
    every = select(runs).order_by(runs.c.started_at.desc(), runs.c.id.desc())
    return every if verb is None else every.where(runs.c.verb == verb)


def _how_many(rows: Select[Any]) -> Select[Any]:
    return rows.with_only_columns(func.count()).order_by(None)


def _newest(connection: Connection, stream: str) -> datetime | None:
    query = select(func.max(captures.c.captured_at)).where(captures.c.stream == stream)
    newest: datetime | None = connection.scalar(query)
    return newest


def _same_capture(one: Table, other: Table) -> Any:
    return and_(one.c.stream == other.c.stream, one.c.captured_at == other.c.captured_at)


def add_captures(connection: Connection, images: Sequence[StoredImage], run_id: str) -> None:
    """These are archived, and pending no more; those that were already stay as they are."""
    if not images:
        return
    added = connection.execute(
        upsert(connection, captures).returning(captures.c.stream, captures.c.bytes),
        [_capture_values(one, run_id) for one in images],
    )
    totals.came(connection, (tuple(row) for row in added))
    # Plain conditions, which SQLite finds by the key; pairs of values in a list it does not.
    gone = delete(pending).where(
        pending.c.stream == bindparam("of_stream"), pending.c.captured_at == bindparam("at")
    )
    places = [{"of_stream": one.capture.stream, "at": one.capture.captured_at} for one in images]
    connection.execute(gone, places)


def _add_pending(
    connection: Connection, rows: Sequence[Mapping[str, object]], anew: Sequence[str]
) -> None:
    """Add `rows`; of those that are there already the columns `anew` are replaced."""
    if not rows:
        return
    connection.execute(upsert(connection, pending, anew), rows)


def _capture_values(image: StoredImage, run_id: str) -> dict[str, object]:
    return {
        "stream": image.capture.stream,
        "captured_at": image.capture.captured_at,
        "key": image.key,
        "sha256": image.sha256,
        "bytes": image.size,
        "width": image.width,
        "height": image.height,
        "source_url": image.source_url,
        "fetched_at": utc(image.fetched_at),
        "run_id": run_id,
    }


def _missing_values(
    listed: ListedCapture, outcome: Rejected | Failed, now: datetime
) -> dict[str, object]:
    not_before = outcome.not_before if isinstance(outcome, Failed) else None
    values = _pending_values(listed, outcome.reason, not_before, now)
    return values | {"rejected": isinstance(outcome, Rejected)}


def _pending_values(
    listed: ListedCapture, reason: str, not_before: datetime | None, now: datetime
) -> dict[str, object]:
    return {
        "stream": listed.capture.stream,
        "captured_at": listed.capture.captured_at,
        "url": listed.url,
        "rejected": False,
        "reason": reason,
        "listed_at": now,
        "not_before": not_before,
    }


def _result_values(run_id: str, result: StreamResult) -> dict[str, object]:
    return {
        "run_id": run_id,
        "stream": result.stream,
        "outcome": str(result.outcome),
        **asdict(result.counts),
        "newest": result.newest,
        "seconds": result.seconds,
        "reason": result.reason,
        "unreachable": result.unreachable,
    }


def _failure_values(run_id: str, result: StreamResult) -> list[dict[str, object]]:
    return [
        {"run_id": run_id, "stream": result.stream, "kind": str(kind), "times": times}
        for kind, times in result.failures
    ]


def _results_of(connection: Connection, run_ids: Sequence[str]) -> dict[str, list[StreamResult]]:
    kinds = _failures_of(connection, run_ids)
    query = (
        select(stream_results)
        .where(stream_results.c.run_id.in_(run_ids))
        .order_by(stream_results.c.stream)
    )
    found: dict[str, list[StreamResult]] = {}
    for row in connection.execute(query):
        failed = kinds.get((row.run_id, row.stream), [])
        found.setdefault(row.run_id, []).append(_result(row, failed))
    return found


def _sums_of(connection: Connection, run_id: str) -> Counter[Total]:
    """What a run adds to the sums, as it is recorded; nothing before its end."""
    verb = select(runs.c.verb, runs.c.outcome).where(
        runs.c.id == run_id, runs.c.outcome.is_not(None)
    )
    found = Counter(
        {Total(Name.RUNS, row.verb, row.outcome): 1 for row in connection.execute(verb)}
    )
    for row in connection.execute(select(failures).where(failures.c.run_id == run_id)):
        found[Total(Name.FAILURES, row.stream, row.kind)] += row.times
    return found


def _failures_of(
    connection: Connection, run_ids: Sequence[str]
) -> dict[tuple[str, str], list[tuple[FailureKind, int]]]:
    """How often what kind of thing failed, by run and stream."""
    query = select(failures).where(failures.c.run_id.in_(run_ids)).order_by(failures.c.kind)
    found: dict[tuple[str, str], list[tuple[FailureKind, int]]] = {}
    for row in connection.execute(query):
        of_stream = found.setdefault((row.run_id, row.stream), [])
        of_stream.append((FailureKind(row.kind), row.times))
    return found


def _result(row: Row[Any], failed: Sequence[tuple[FailureKind, int]]) -> StreamResult:
    return StreamResult(
        row.stream,
        Outcome(row.outcome),
        Counts(
            row.listed,
            row.new,
            row.saved,
            row.duplicate,
            row.rejected,
            row.failed,
            row.deleted,
            row.freed_bytes,
            row.saved_bytes,
        ),
        row.newest,
        row.seconds,
        row.reason,
        row.unreachable,
        tuple(failed),
    )


def _run(row: Row[Any], results: Sequence[StreamResult]) -> RunRecord:
    return RunRecord(
        row.id,
        row.verb,
        row.started_at,
        row.ended_at,
        Outcome(row.outcome) if row.outcome else None,
        row.exit_code,
        row.error,
        tuple(results),
        row.clock_offset_seconds,
    )
