"""The rows that `camdl verify` compares with the files, and what it changes of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, func, literal, or_, select, update

from camdl.catalogue import totals
from camdl.catalogue.batches import BATCH, batches
from camdl.catalogue.rows import add_captures
from camdl.catalogue.tables import Instant, captures, doomed, pending, runs
from camdl.catalogue.upsert import upsert
from camdl.domain.captures import Capture, utc
from camdl.domain.totals import Name
from camdl.domain.verification import Recorded, Standing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Row, Select, Table

    from camdl.catalogue.database import Database
    from camdl.domain.outcomes import StoredImage

# To find those that come first every row is looked at, so what it finds is used for a while.
_LONGEST_BATCH = 5000
_NEVER = literal(datetime(1970, 1, 1, tzinfo=UTC), Instant())

_RECORDED = (
    captures.c.stream,
    captures.c.captured_at,
    captures.c.key,
    captures.c.sha256,
    captures.c.bytes,
    captures.c.source_url,
)


class SqlVerifying:
    """Implements `camdl.verbs.verify.Rows` in a database whose schema is this version's.

    `streams` are names; none means all. Every method raises `CatalogueError` when the database
    cannot be used. What is iterated is read a batch at a time, so memory stays flat, and what is
    changed meanwhile does not disturb.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def streams(self) -> list[str]:
        """The names of the streams that have captures."""
        found: list[str] = []
        query = select(func.min(captures.c.stream))
        with self._database.transaction() as connection:
            # From one to the next in the index: DISTINCT would read it all.
            name = connection.scalar(query)
            while name is not None:
                found.append(name)
                name = connection.scalar(query.where(captures.c.stream > name))
        return found

    def total(self, streams: Sequence[str] = ()) -> tuple[int, int]:
        """How many captures are archived, and the bytes of all their files."""
        query = select(func.count(), func.sum(captures.c.bytes)).where(*_of(streams))
        with self._database.transaction(thorough=True) as connection:
            number, size = connection.execute(query).one()
        return number, int(size or 0)

    def of(self, stream: str) -> Iterator[Recorded]:
        """What is recorded of the captures of `stream`, by time."""
        query: Select[Any] = select(*_RECORDED).where(captures.c.stream == stream)
        query = query.order_by(captures.c.captured_at).limit(BATCH)
        page = query
        while True:
            with self._database.transaction() as connection:
                rows = connection.execute(page).all()
            yield from (_recorded(row) for row in rows)
            if len(rows) < BATCH:
                return
            page = query.where(captures.c.captured_at > rows[-1].captured_at)

    def longest_unverified(
        self, before: datetime, streams: Sequence[str] = ()
    ) -> Iterator[Recorded]:
        """What was not verified since `before`: first what never was, then by how long ago."""
        verified = func.coalesce(captures.c.verified_at, _NEVER).label("verified")
        place = (verified, captures.c.stream, captures.c.captured_at)
        query: Select[Any] = select(*_RECORDED, verified).where(*_of(streams), verified < before)
        query = query.order_by(*place).limit(_LONGEST_BATCH)
        page = query
        while True:
            with self._database.transaction(thorough=True) as connection:
                rows = connection.execute(page).all()
            yield from (_recorded(row) for row in rows)
            if len(rows) < _LONGEST_BATCH:
                return
            last = rows[-1]
            page = query.where(_after(place, (last.verified, last.stream, last.captured_at)))

    def standings(self, wanted: Sequence[Capture]) -> dict[Capture, Standing]:
        """What is known of each of `wanted`, all at one moment."""
        recorded: dict[Capture, Recorded] = {}
        urls: dict[Capture, str] = {}
        going: set[Capture] = set()
        with self._database.transaction() as connection:
            for row in _rows_of(connection, captures, wanted):
                one = _recorded(row)
                recorded[one.capture] = one
            for row in _rows_of(connection, pending, wanted):
                urls[Capture(row.captured_at, row.stream)] = row.url
            keys = [one.key for one in wanted]
            for some in batches(keys):
                for row in connection.execute(select(doomed).where(doomed.c.key.in_(some))):
                    going.add(Capture(row.captured_at, row.stream))
        return {one: Standing(recorded.get(one), urls.get(one), one in going) for one in wanted}

    def verified(self, rows: Sequence[Recorded], now: datetime) -> None:
        """The files of `rows` were found to be as recorded at `now`."""
        if not rows:
            return
        values = [_place(one) for one in rows]
        mark = update(captures).where(*_is_as_seen()).values(verified_at=utc(now))
        with self._database.transaction(writes=True) as connection:
            connection.execute(mark, values)

    def give_back(self, lost: Sequence[tuple[Recorded, str]], now: datetime) -> None:
        """In one transaction: these are archived no more, and are pending, for the reason given."""
        rows = [_pending_values(one, reason, utc(now)) for one, reason in lost]
        if not rows:
            return
        gone = delete(captures).where(*_is_as_seen()).returning(captures.c.stream, captures.c.bytes)
        with self._database.transaction(writes=True) as connection:
            files = [tuple(row) for one, _ in lost for row in connection.execute(gone, _place(one))]
            totals.went(connection, files, Name.LOST)
            renewed = ["url", "rejected", "reason", "not_before"]
            connection.execute(upsert(connection, pending, renewed), rows)

    def move(self, row: Recorded, key: str) -> None:
        """The file of `row` is at `key` now."""
        mark = update(captures).where(*_is_as_seen()).values(key=key)
        with self._database.transaction(writes=True) as connection:
            connection.execute(mark, _place(row))

    def register(self, images: Sequence[StoredImage], run_id: str) -> None:
        """In one transaction: these are archived, and pending no more."""
        with self._database.transaction(writes=True) as connection:
            add_captures(connection, images, run_id)

    def is_of_verification_alone(self, verb: str) -> bool:
        """Whether every capture in the catalogue was put there by runs of `verb`."""
        of_verb = select(runs.c.id).where(runs.c.verb == verb)
        others = select(captures.c.run_id).where(captures.c.run_id.not_in(of_verb)).limit(1)
        with self._database.transaction(thorough=True) as connection:
            return connection.scalar(others) is None


def _of(streams: Sequence[str]) -> list[ColumnElement[bool]]:
    return [captures.c.stream.in_(streams)] if streams else []


def _after(place: Sequence[ColumnElement[Any]], values: Sequence[object]) -> ColumnElement[bool]:
    """Whether a row comes after one whose `place` is `values`; not every database compares rows."""
    (column, *others), (value, *rest) = place, values
    if not others:
        return column > value
    return and_(column >= value, or_(column > value, _after(others, rest)))


def _rows_of(connection: Connection, table: Table, wanted: Sequence[Capture]) -> Iterator[Row[Any]]:
    """The rows of `wanted` in `table`."""
    by_stream: dict[str, list[datetime]] = {}
    for one in wanted:
        by_stream.setdefault(one.stream, []).append(one.captured_at)
    for stream, instants in by_stream.items():
        for some in batches(instants):
            query = select(table).where(table.c.stream == stream, table.c.captured_at.in_(some))
            yield from connection.execute(query)


def _is_as_seen() -> tuple[ColumnElement[bool], ...]:
    """Whether a row still is what `_place` gives: one that was archived anew since is left."""
    return (
        captures.c.stream == bindparam("of_stream"),
        captures.c.captured_at == bindparam("at"),
        captures.c.sha256 == bindparam("with_sha256"),
    )


def _place(row: Recorded) -> dict[str, object]:
    capture = row.capture
    return {"of_stream": capture.stream, "at": capture.captured_at, "with_sha256": row.sha256}


def _recorded(row: Row[Any]) -> Recorded:
    capture = Capture(row.captured_at, row.stream)
    return Recorded(capture, row.key, row.sha256, row.bytes, row.source_url)


def _pending_values(row: Recorded, reason: str, now: datetime) -> Mapping[str, object]:
    return {
        "stream": row.capture.stream,
        "captured_at": row.capture.captured_at,
        "url": row.url,
        "rejected": False,
        "reason": reason,
        "listed_at": now,
        "not_before": None,
    }
