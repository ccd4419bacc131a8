"""The rows that tell what is missing: gaps, readings of days, and what explains them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, exists, func, select

from camdl.catalogue.clocks import forget_what_is_ahead, is_ahead
from camdl.catalogue.tables import (
    captures,
    gaps,
    horizons,
    readings,
    rests,
    runs,
    stream_results,
)
from camdl.catalogue.upsert import upsert
from camdl.domain.gaps import Cause, Gap
from camdl.domain.ledger import Attempt
from camdl.domain.outcomes import Outcome
from camdl.domain.windows import Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from sqlalchemy import Row

    from camdl.catalogue.database import Database

# Some runs fail before they ask for a stream.
_asked_for_any = exists().where(stream_results.c.run_id == runs.c.id).correlate(runs)

_CHANGES = ("ends_at", "missing", "cause", "detail", "confirmed_at", "resolved_at")


class SqlLedger:
    """Implements `camdl.ports.Ledger` in a database whose schema is this version's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begins(self, stream: str) -> datetime | None:
        """The first instant from which on captures of `stream` are expected to be here.

        That is its oldest capture; where captures were deleted on purpose, the last of those.
        """
        query = select(func.min(captures.c.captured_at)).where(captures.c.stream == stream)
        with self._database.transaction() as connection:
            oldest: datetime | None = connection.scalar(query)
        return max(filter(None, [oldest, self.deleted_up_to(stream)]), default=None)

    def deleted_up_to(self, stream: str) -> datetime | None:
        """The last capture of `stream` that was deleted on purpose, by its age or for room."""
        query = select(horizons.c.kept_since).where(horizons.c.stream == stream)
        with self._database.transaction() as connection:
            found: datetime | None = connection.scalar(query)
        return found

    def instants(self, stream: str, since: datetime) -> list[datetime]:
        """When the archived captures of `stream` since `since` were taken, ascending.

        The last one before it comes first: how long ago it was tells whether one is missing.
        """
        of_stream = captures.c.stream == stream
        last_before = select(func.max(captures.c.captured_at)).where(
            of_stream, captures.c.captured_at < since
        )
        query = select(captures.c.captured_at).order_by(captures.c.captured_at).where(of_stream)
        with self._database.transaction() as connection:
            before: datetime | None = connection.scalar(last_before)
            return list(
                connection.scalars(query.where(captures.c.captured_at >= (before or since)))
            )

    def attempts(self, stream: str, since: datetime) -> list[Attempt]:
        """The runs that asked for `stream` since `since`, ascending; those that were killed too.

        The newest is left out as long as it has no end: it may be going on.
        """
        query = (
            select(
                runs.c.started_at,
                runs.c.ended_at,
                runs.c.error,
                runs.c.outcome.label("ended_as"),
                _asked_for_any.label("asked_for_any"),
                stream_results.c.outcome,
                stream_results.c.reason,
                stream_results.c.unreachable,
            )
            .join_from(
                runs,
                stream_results,
                (stream_results.c.run_id == runs.c.id) & (stream_results.c.stream == stream),
                isouter=True,
            )
            .where(runs.c.verb == "download", runs.c.started_at >= since)
            .order_by(runs.c.started_at)
        )
        with self._database.transaction() as connection:
            found = connection.execute(query).all()
        if found and found[-1].ended_at is None:
            found = found[:-1]
        return [attempt for attempt in map(_attempt, found) if attempt is not None]

    def readings(self, stream: str, since: date) -> Mapping[date, datetime]:
        """When the source last told all captures of each day since `since`."""
        query = select(readings.c.day, readings.c.read_at).where(
            readings.c.stream == stream, readings.c.day >= since
        )
        with self._database.transaction() as connection:
            return {row.day: row.read_at for row in connection.execute(query)}

    def record_reading(self, stream: str, days: Mapping[date, int], read_at: datetime) -> None:
        """The source has told all captures of `days`: so many of each."""
        rows = [
            {"stream": stream, "day": day, "read_at": read_at, "listed": listed}
            for day, listed in days.items()
        ]
        if rows:
            with self._database.transaction(writes=True) as connection:
                connection.execute(upsert(connection, readings, ["read_at", "listed"]), rows)

    def gaps(
        self, streams: Sequence[str] = (), since: datetime | None = None, *, resolved: bool = False
    ) -> tuple[Gap, ...]:
        """The gaps that end after `since`, by stream and time; the resolved ones if asked for."""
        query = select(gaps).order_by(gaps.c.stream, gaps.c.starts_at)
        if streams:
            query = query.where(gaps.c.stream.in_(streams))
        if since is not None:
            query = query.where(gaps.c.ends_at > since)
        if not resolved:
            query = query.where(gaps.c.resolved_at.is_(None))
        with self._database.transaction() as connection:
            return tuple(_gap(row) for row in connection.execute(query))

    def replace_gaps(self, found: Sequence[Gap], gone: Sequence[Gap], now: datetime) -> None:
        """Record `found` (new, changed or resolved) and forget `gone`, in one transaction."""
        with self._database.transaction(writes=True) as connection:
            for gap in gone:
                connection.execute(
                    delete(gaps).where(
                        gaps.c.stream == gap.stream, gaps.c.starts_at == gap.window.start
                    )
                )
            if found:
                rows = [_gap_values(gap, now) for gap in found]
                connection.execute(upsert(connection, gaps, _CHANGES), rows)

    def told(self, stream: str, since: date) -> Mapping[date, int]:
        """How many captures of each day since `since` the source told when it told them all."""
        query = select(readings.c.day, readings.c.listed).where(
            readings.c.stream == stream, readings.c.day >= since
        )
        with self._database.transaction() as connection:
            return {row.day: row.listed for row in connection.execute(query)}

    def rests(self, now: datetime) -> Mapping[str, datetime]:
        """The origins that asked to be left alone, and until when, if that is after `now`."""
        query = select(rests).where(rests.c.until > now)
        with self._database.transaction() as connection:
            return {row.origin: row.until for row in connection.execute(query)}

    def record_rests(self, found: Mapping[str, datetime], now: datetime) -> None:
        """These origins asked to be left alone until then; what is over at `now` is forgotten."""
        rows = [{"origin": origin, "until": until} for origin, until in found.items()]
        with self._database.transaction(writes=True) as connection:
            connection.execute(delete(rests).where(rests.c.until <= now))
            if rows:
                connection.execute(upsert(connection, rests, ["until"]), rows)

    def forget_what_is_ahead(self, now: datetime) -> bool:
        """Forget what a clock that was far ahead of `now` has left, and say whether any was."""
        with self._database.transaction() as connection:
            if not is_ahead(connection, now):
                return False
        with self._database.transaction(writes=True, thorough=True) as connection:
            return forget_what_is_ahead(connection, now)


def _attempt(row: Any) -> Attempt | None:
    """What a run tells; None of one that was told to end, or did not ask for the stream."""
    if row.outcome is None:
        if row.ended_at is None:
            return Attempt(row.started_at, Cause.FAULT, "the run was killed")
        # Nobody knows for which streams it was to be, so it was for each.
        failed = row.ended_as == Outcome.FAILED and not row.asked_for_any
        return Attempt(row.started_at, Cause.FAULT, row.error) if failed else None
    if row.outcome == Outcome.INTERRUPTED:
        return None
    if row.outcome in (Outcome.OK, Outcome.PARTLY):
        return Attempt(row.started_at, Cause.NOTHING_LISTED)
    if row.error:
        return Attempt(row.started_at, Cause.FAULT, row.error)
    cause = Cause.UNREACHABLE if row.unreachable else Cause.UNREADABLE
    return Attempt(row.started_at, cause, row.reason)


def _gap(row: Row[Any]) -> Gap:
    return Gap(
        row.stream,
        Window(row.starts_at, row.ends_at),
        row.missing,
        Cause(row.cause),
        row.detail,
        row.confirmed_at,
        row.resolved_at,
    )


def _gap_values(gap: Gap, now: datetime) -> dict[str, object]:
    return {
        "stream": gap.stream,
        "starts_at": gap.window.start,
        "ends_at": gap.window.end,
        "missing": gap.missing,
        "cause": str(gap.cause),
        "detail": gap.detail,
        "found_at": now,
        "confirmed_at": gap.confirmed_at,
        "resolved_at": gap.resolved_at,
    }
