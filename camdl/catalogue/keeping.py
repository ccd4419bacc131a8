"""The rows that clean-up, pins and verification work on, a batch at a time."""

from __future__ import annotations

import heapq
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, exists, func, insert, select

from camdl.catalogue import totals
from camdl.catalogue.batches import BATCH, batches
from camdl.catalogue.tables import (
    captures,
    doomed,
    gaps,
    horizons,
    notices,
    pending,
    pins,
    runs,
)
from camdl.catalogue.upsert import upsert
from camdl.domain.captures import Capture
from camdl.domain.outcomes import Outcome
from camdl.domain.retention import Holding, Outdated, Pin, Pinned
from camdl.domain.totals import Name
from camdl.domain.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Row, Select, Table

    from camdl.catalogue.database import Database
    from camdl.domain.retention import Limits


# Rows by stream and time, as an index finds them. Lists of values are bound as a whole: each bound
# one by one they would cost more than the database does.
_THESE = and_(
    captures.c.stream == bindparam("of_stream"),
    captures.c.captured_at.in_(bindparam("instants", expanding=True)),
)
_THESE_DOOMED = doomed.c.key.in_(bindparam("keys", expanding=True))


class SqlKeeping:
    """Implements `camdl.ports.Keeping` in a database whose schema is this version's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def captures(self, streams: Sequence[str] = ()) -> int:
        """How many captures are archived, of these streams or of all."""
        query = select(func.count()).select_from(captures).where(_of(streams))
        with self._database.transaction(thorough=True) as connection:
            return connection.scalar(query) or 0

    def captures_in(self, stream: str, window: Window) -> int:
        """How many captures of `stream` in `window` are archived."""
        query = (
            select(func.count())
            .select_from(captures)
            .where(
                captures.c.stream == stream,
                captures.c.captured_at >= window.start,
                captures.c.captured_at < window.end,
            )
        )
        with self._database.transaction() as connection:
            return connection.scalar(query) or 0

    def newest(self) -> datetime | None:
        """The newest archived capture's instant, of any stream."""
        newest = select(func.max(captures.c.captured_at))
        with self._database.transaction() as connection:
            # A look at the end of each stream, instead of at every row.
            found: list[datetime | None] = [
                connection.scalar(newest.where(captures.c.stream == stream))
                for stream in _streams(connection)
            ]
        return max(filter(None, found), default=None)

    def runs_between(self) -> tuple[datetime, datetime] | None:
        """When the oldest and the newest run that are remembered began."""
        query = select(func.min(runs.c.started_at), func.max(runs.c.started_at))
        with self._database.transaction() as connection:
            oldest, newest = connection.execute(query).one()
        return (oldest, newest) if oldest else None

    def runs_since(self, since: datetime) -> tuple[datetime, ...]:
        """When the runs after `since` began, of every verb, the oldest first."""
        query = select(runs.c.started_at).where(runs.c.started_at > since)
        with self._database.transaction() as connection:
            return tuple(connection.scalars(query.order_by(runs.c.started_at)))

    def knows(self, keys: Sequence[str]) -> frozenset[str]:
        """Those of `keys` that are of an archived capture, or of one that is being deleted."""
        with self._database.transaction() as connection:
            found = _doomed_keys(connection, keys)
            for values in _each_stream(filter(None, map(Capture.from_key, keys))):
                found.update(connection.scalars(select(captures.c.key).where(_THESE), values))
        return frozenset(found.intersection(keys))

    def holdings(
        self, streams: Sequence[str] = (), before: datetime | None = None
    ) -> Iterator[Holding]:
        """The archived captures, of these streams or of all, before `before`; the oldest first.

        Read a batch at a time: what is deleted meanwhile does not disturb.
        """
        with self._database.transaction() as connection:
            found = [one for one in _streams(connection) if not streams or one in streams]
        # Merged here: the rows of each stream are in order by the primary key already.
        each = [self._holdings(stream, before) for stream in found]
        return heapq.merge(*each, key=attrgetter("capture"))

    def doom(self, holdings: Sequence[Holding]) -> tuple[Holding, ...]:
        """From now on these are archived no more: only their files are still to be deleted.

        Returns those of which it is so: what was archived, and not pinned in the meantime.
        """
        if not holdings:
            return ()
        # Nobody else writes until its end, so that no pin comes between.
        with self._database.transaction(writes=True) as connection:
            rows = select(captures.c.key, captures.c.stream, captures.c.captured_at).where(_THESE)
            add = upsert(connection, doomed).from_select(["key", "stream", "captured_at"], rows)
            for values in _each_stream(one.capture for one in holdings):
                connection.execute(add, values)
            pinned = Pinned(_pins(connection, {one.capture.stream for one in holdings}))
            _forget(connection, [one for one in holdings if one.capture in pinned])
            there = _doomed_keys(connection, [one.key for one in holdings])
            leaving = tuple(one for one in holdings if one.key in there)
            gone = delete(captures).where(_THESE).returning(captures.c.stream, captures.c.bytes)
            for values in _each_stream(one.capture for one in leaving):
                files = (tuple(row) for row in connection.execute(gone, values))
                totals.went(connection, files, Name.DELETED, Name.DELETED_BYTES)
            _move_horizons(connection, leaving)
        return leaving

    def doomed(self) -> Iterator[Holding]:
        """What was doomed, and neither forgotten nor archived anew yet. Their sizes are 0."""
        query = select(doomed).where(~_archived_anew())
        for row in self._in_order(query, doomed.c.key):
            yield Holding(Capture(row.captured_at, row.stream), row.key, 0)

    def reprieve(self) -> None:
        """What was doomed, but archived anew before its file was deleted, is doomed no more."""
        with self._database.transaction(writes=True) as connection:
            connection.execute(delete(doomed).where(_archived_anew()))

    def forget(self, holdings: Sequence[Holding]) -> None:
        """The files of these doomed ones are gone."""
        with self._database.transaction(writes=True) as connection:
            _forget(connection, holdings)

    def pin(self, stream: str, window: Window, note: str, now: datetime) -> Pin:
        """Keep the captures of `stream` in `window` whatever happens."""
        values = {
            "stream": stream,
            "starts_at": window.start,
            "ends_at": window.end,
            "note": note,
            "pinned_at": now,
        }
        with self._database.transaction(writes=True) as connection:
            added = connection.execute(insert(pins).values(values))
            key = added.inserted_primary_key
        return Pin(key[0] if key else 0, stream, window, note)

    def pins(self, streams: Sequence[str] = ()) -> tuple[Pin, ...]:
        """Every pin, of these streams or of all, in the order of their times."""
        with self._database.transaction() as connection:
            return _pins(connection, streams)

    def trim_pins(self, rest: Mapping[int, Sequence[Window]]) -> None:
        """Leave of these pins, by their ids, only the windows given; of none, no pin at all.

        Pins that are not there do not matter.
        """
        with self._database.transaction(writes=True) as connection:
            query = select(pins).where(pins.c.id.in_(rest))
            left = [
                {
                    "stream": row.stream,
                    "starts_at": window.start,
                    "ends_at": window.end,
                    "note": row.note,
                    "pinned_at": row.pinned_at,
                }
                for row in connection.execute(query)
                for window in rest[row.id]
            ]
            connection.execute(delete(pins).where(pins.c.id.in_(rest)))
            if left:
                connection.execute(insert(pins), left)

    def outdated(self, limits: Limits) -> Outdated:
        """How many rows `forget_outdated` would forget."""
        with self._database.transaction(thorough=True) as connection:
            return Outdated(
                *(
                    connection.scalar(select(func.count()).select_from(table).where(is_old)) or 0
                    for table, is_old in _outdated(limits)
                )
            )

    def forget_outdated(self, limits: Limits) -> Outdated:
        """Forget the rows that nobody will ask for any more, and say how many."""
        return Outdated(*(self._delete(table, is_old) for table, is_old in _outdated(limits)))

    def _delete(self, table: Table, condition: ColumnElement[bool]) -> int:
        """Delete rows of `table`, a batch a transaction, and say how many."""
        key = list(table.primary_key.columns)
        some = select(*key).where(condition).limit(BATCH)
        here = and_(*(column == bindparam(f"of_{column.name}") for column in key))
        deleted = 0
        while True:
            with self._database.transaction(writes=True, thorough=True) as connection:
                rows = [
                    {f"of_{name}": value for name, value in row._asdict().items()}
                    for row in connection.execute(some)
                ]
                if rows:
                    connection.execute(delete(table).where(here), rows)
            deleted += len(rows)
            if len(rows) < BATCH:
                return deleted

    def _holdings(self, stream: str, before: datetime | None) -> Iterator[Holding]:
        columns = (captures.c.captured_at, captures.c.key, captures.c.bytes)
        query = select(*columns).where(captures.c.stream == stream)
        if before is not None:
            query = query.where(captures.c.captured_at < before)
        for row in self._in_order(query, captures.c.captured_at):
            yield Holding(Capture(row.captured_at, stream), row.key, row.bytes)

    def _in_order(self, query: Select[Any], place: ColumnElement[Any]) -> Iterator[Row[Any]]:
        """The rows of `query` by the unique `place`, a batch a transaction."""
        page = query.order_by(place).limit(BATCH)
        rest = page
        while True:
            with self._database.transaction() as connection:
                rows = connection.execute(rest).all()
            yield from rows
            if len(rows) < BATCH:
                return
            rest = page.where(place > getattr(rows[-1], str(place.key)))


def _of(streams: Sequence[str]) -> ColumnElement[bool]:
    return captures.c.stream.in_(streams) if streams else captures.c.stream.is_not(None)


def _streams(connection: Connection) -> Iterator[str]:
    """Those with captures; by one look into the index each, instead of at every row."""
    first = select(func.min(captures.c.stream))
    stream: str | None = connection.scalar(first)
    while stream is not None:
        yield stream
        stream = connection.scalar(first.where(captures.c.stream > stream))


def _pins(connection: Connection, streams: Sequence[str] | set[str]) -> tuple[Pin, ...]:
    query = select(pins).order_by(pins.c.starts_at, pins.c.id)
    if streams:
        query = query.where(pins.c.stream.in_(streams))
    return tuple(
        Pin(row.id, row.stream, Window(row.starts_at, row.ends_at), row.note)
        for row in connection.execute(query)
    )


def _doomed_keys(connection: Connection, keys: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for some in batches(keys):
        query = select(doomed.c.key).where(_THESE_DOOMED)
        found.update(connection.scalars(query, {"keys": some}))
    return found


def _forget(connection: Connection, holdings: Sequence[Holding]) -> None:
    for some in batches([one.key for one in holdings]):
        connection.execute(delete(doomed).where(_THESE_DOOMED), {"keys": some})


def _archived_anew() -> ColumnElement[bool]:
    return exists().where(
        captures.c.stream == doomed.c.stream, captures.c.captured_at == doomed.c.captured_at
    )


def _outdated(limits: Limits) -> Iterator[tuple[Table, ColumnElement[bool]]]:
    """In each table the rows that nobody will ask for any more, as `Outdated` counts them."""
    one, other = runs.alias(), runs.alias()
    first = select(func.min(other.c.started_at)).scalar_subquery()
    last_of_verb = (
        select(func.max(one.c.started_at)).where(one.c.verb == runs.c.verb).scalar_subquery()
    )
    # The first tells how old the catalogue is, the last of a verb when it was done, and the last
    # good one since when it is not done well. Ids sort as the runs began.
    between = and_(runs.c.started_at > first, runs.c.started_at < last_of_verb)
    good = runs.alias()
    last_good = (
        select(func.max(good.c.id)).where(good.c.outcome == str(Outcome.OK)).group_by(good.c.verb)
    )
    yield runs, and_(runs.c.started_at < limits.runs, between, runs.c.id.not_in(last_good))
    yield pending, pending.c.captured_at < limits.pending
    yield gaps, gaps.c.resolved_at < limits.gaps
    yield notices, notices.c.at < limits.runs


def _move_horizons(connection: Connection, leaving: Sequence[Holding]) -> None:
    """Remember up to where captures were deleted on purpose; only ever forwards."""
    latest: dict[str, datetime] = {}
    for one in leaving:
        stream, instant = one.capture.stream, one.capture.captured_at
        latest[stream] = max(instant, latest.get(stream, instant))
    for stream, instant in latest.items():
        later = exists().where(horizons.c.stream == stream, horizons.c.kept_since >= instant)
        if connection.scalar(select(later)):
            continue
        add = upsert(connection, horizons, replace=["kept_since"])
        connection.execute(add, [{"stream": stream, "kept_since": instant}])


def _each_stream(wanted: Iterable[Capture]) -> Iterator[dict[str, object]]:
    """The values of `_THESE` for those `wanted`, a batch of one stream at a time."""
    instants: dict[str, list[datetime]] = {}
    for one in wanted:
        instants.setdefault(one.stream, []).append(one.captured_at)
    for stream, some in instants.items():
        for batch in batches(some):
            yield {"of_stream": stream, "instants": batch}
