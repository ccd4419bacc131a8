"""What was told, and what is still to be sent, in the catalogue: one for all processes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, or_, select, update

from camdl.catalogue.tables import notices, parcels, standings
from camdl.catalogue.upsert import upsert
from camdl.domain.alerts import Standing
from camdl.domain.notices import Kind, Notice, Sent, item_as_json, item_of_json
from camdl.domain.outbox import KEEP, LEASE, MOST
from camdl.ports import Parcel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from camdl.catalogue.database import Database
    from camdl.domain.alerts import Book
    from camdl.domain.notices import NotSent

_KEY = and_(
    parcels.c.notice_id == bindparam("of_notice"), parcels.c.channel == bindparam("of_channel")
)
_WHAT_CHANGES = [column.name for column in standings.columns if not column.primary_key]


class SqlAlertBook:
    """Implements `camdl.ports.AlertBook` in a database whose schema is this version's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def turn(
        self,
        decide: Callable[[Book], tuple[Book, Sequence[Parcel]]],
        channels: Sequence[str],
        now: datetime,
    ) -> tuple[Parcel, ...]:
        """Let `decide` make the next book of the present one, and the parcels that come with it.

        Returns what is to be sent by `channels` now, the oldest first, claimed for this caller.
        """
        # Nobody else writes until its end, so that no two decide on the same book.
        with self._database.transaction(writes=True) as connection:
            try:
                book = _read(connection)
                following, added = decide(book)
                _write(connection, book, following)
                _add(connection, added)
                return _claim(connection, channels, now)
            except (KeyError, TypeError, ValueError) as error:
                # SQLite notices damage to its own structure, but not to what is stored in it.
                raise self._database.damaged(error) from error

    def settle(self, tried: Sequence[tuple[Parcel, Sent | NotSent | None]], now: datetime) -> None:
        """What became of parcels that `turn` gave: None of one that nobody tried to send."""
        rows = [_outcome(parcel, outcome, now) for parcel, outcome in tried]
        if rows:
            with self._database.transaction(writes=True) as connection:
                connection.execute(update(parcels).where(_KEY), rows)


def _read(connection: Connection) -> dict[str, Standing]:
    return {
        row.subject: Standing(*(row._mapping[name] for name in Standing.__slots__))
        for row in connection.execute(select(standings))
    }


def _write(connection: Connection, before: Book, after: Book) -> None:
    gone = before.keys() - after.keys()
    if gone:
        connection.execute(delete(standings).where(standings.c.subject.in_(gone)))
    changed = [
        {"subject": subject, **asdict(standing)}
        for subject, standing in after.items()
        if before.get(subject) != standing
    ]
    if changed:
        connection.execute(upsert(connection, standings, _WHAT_CHANGES), changed)


def _add(connection: Connection, added: Sequence[Parcel]) -> None:
    if not added:
        return
    # What comes from elsewhere may have come before.
    rows = {parcel.notice.id: _notice_values(parcel.notice) for parcel in added}
    connection.execute(upsert(connection, notices), list(rows.values()))
    connection.execute(
        upsert(connection, parcels),
        [
            {
                "notice_id": parcel.notice.id,
                "channel": parcel.channel,
                "tries": parcel.tries,
                "answer": "",
            }
            for parcel in added
        ],
    )


def _claim(connection: Connection, channels: Sequence[str], now: datetime) -> tuple[Parcel, ...]:
    until = parcels.c.claimed_until
    # One of the far future is that of a clock which was wrong.
    is_free = or_(until.is_(None), until <= now, until > now + 2 * LEASE)
    found: list[Parcel] = []
    for channel in channels:
        newest = (
            select(notices, parcels.c.tries, is_free.label("is_free"))
            .join_from(parcels, notices)
            .where(
                parcels.c.channel == channel, parcels.c.sent_at.is_(None), notices.c.at > now - KEEP
            )
            .order_by(notices.c.at.desc(), notices.c.id.desc())
            .limit(MOST)
        )
        rows = connection.execute(newest).all()
        found += [Parcel(_notice(row), channel, row.tries) for row in reversed(rows) if row.is_free]
    if found:
        values = [{**_key(parcel), "claimed_until": now + LEASE} for parcel in found]
        connection.execute(update(parcels).where(_KEY), values)
    return tuple(found)


def _key(parcel: Parcel) -> dict[str, object]:
    return {"of_notice": parcel.notice.id, "of_channel": parcel.channel}


def _outcome(parcel: Parcel, outcome: Sent | NotSent | None, now: datetime) -> Mapping[str, object]:
    told: dict[str, object] = {"sent_at": None, "tries": parcel.tries, "answer": ""}
    if isinstance(outcome, Sent):
        told |= {"sent_at": now, "answer": outcome.answer}
    elif outcome:
        told |= {"tries": parcel.tries + 1, "answer": outcome.reason}
    return {**_key(parcel), "claimed_until": None, **told}


def _notice_values(notice: Notice) -> dict[str, object]:
    return {
        "id": notice.id,
        "kind": str(notice.kind),
        "at": notice.at,
        "title": notice.title,
        "body": notice.body,
        "items": json.dumps([item_as_json(item) for item in notice.items], ensure_ascii=False),
    }


def _notice(row: Row[Any]) -> Notice:
    items = tuple(item_of_json(item) for item in json.loads(row.items))
    return Notice(row.id, Kind(row.kind), row.at, row.title, row.body, items)
