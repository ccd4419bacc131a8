"""Reads and writes the catalogue's rows."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, exists, func, insert, select, update

from camdl.catalogue.tables import captures, pending, runs, stream_results
from camdl.catalogue.upsert import upsert
from camdl.domain.captures import Capture, ListedCapture, utc
from camdl.domain.outcomes import (
    Counts,
    Duplicate,
    Failed,
    Outcome,
    PendingCapture,
    Rejected,
    RunRecord,
    Saved,
    StreamHistory,
    StreamResult,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Row, Table

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
        with self._database.transaction() as connection:
            connection.execute(insert(runs).values(values))

    def finish_run(self, run: RunRecord) -> None:
        """Record how a run, begun before, has ended, with its streams' results."""
        values = {
            "ended_at": run.ended_at,
            "outcome": run.outcome and str(run.outcome),
            "exit_code": run.exit_code,
            "error": run.error,
        }
        results = [_result_values(run.id, result) for result in run.streams]
        with self._database.transaction() as connection:
            connection.execute(update(runs).where(runs.c.id == run.id).values(values))
            # What goes wrong after its end was recorded makes another end of it.
            connection.execute(delete(stream_results).where(stream_results.c.run_id == run.id))
            if results:
                connection.execute(insert(stream_results), results)

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
        with self._database.transaction() as connection:
            add_captures(connection, stored, run_id)
            _add_pending(connection, listed, ["url"])
            _add_pending(connection, missing, ["url", "rejected", "reason", "not_before"])

    def last_runs(self, verb: str, limit: int) -> tuple[RunRecord, ...]:
        """The newest runs of `verb`, newest first, with their streams' results."""
        query = (
            select(runs)
            .where(runs.c.verb == verb)
            .order_by(runs.c.started_at.desc(), runs.c.id.desc())
            .limit(limit)
        )
        with self._reading() as connection:
            found = connection.execute(query).all()
            results = _results_of(connection, [row.id for row in found])
            return tuple(_run(row, results.get(row.id, [])) for row in found)

    def stream_history(self, stream: str) -> StreamHistory:
        """What the verdict on a stream needs."""
        results = (
            select(stream_results.c.outcome, stream_results.c.reason, runs.c.started_at)
            .join_from(stream_results, runs)
            # A clean-up that went well says nothing of the source.
            .where(stream_results.c.stream == stream, runs.c.verb == "download")
            .subquery()
        )
        last_good = (
            select(func.max(results.c.started_at))
            .where(results.c.outcome.in_(_LISTED))
            .scalar_subquery()
        )
        failed = select(results).where(
            results.c.outcome == str(Outcome.FAILED),
            (results.c.started_at > last_good) | last_good.is_(None),
        )
        newest_failed = failed.order_by(results.c.started_at.desc()).limit(1)
        with self._reading() as connection:
            failures = connection.scalar(select(func.count()).select_from(failed.subquery())) or 0
            reason = connection.scalar(select(newest_failed.subquery().c.reason)) or ""
            newest = _newest(connection, stream)
        return StreamHistory(stream, newest, failures, reason)

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
    connection.execute(
        upsert(connection, captures), [_capture_values(one, run_id) for one in images]
    )
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


def _results_of(connection: Connection, run_ids: Sequence[str]) -> dict[str, list[StreamResult]]:
    query = (
        select(stream_results)
        .where(stream_results.c.run_id.in_(run_ids))
        .order_by(stream_results.c.stream)
    )
    found: dict[str, list[StreamResult]] = {}
    for row in connection.execute(query):
        found.setdefault(row.run_id, []).append(_result(row))
    return found


def _result(row: Row[Any]) -> StreamResult:
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
        ),
        row.newest,
        row.seconds,
        row.reason,
        row.unreachable,
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
    )
