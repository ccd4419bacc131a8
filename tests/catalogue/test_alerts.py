"""Alerts in the catalogue: of two processes at once only one tells."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, update

from camdl.catalogue.alerts import SqlAlertBook
from camdl.catalogue.database import Database
from camdl.catalogue.tables import notices
from camdl.domain.alerts import Rules, Sight, consider
from camdl.domain.health import Check, Status
from camdl.domain.notices import Kind, Notice, NotSent, Sent
from camdl.errors import CatalogueError
from camdl.ports import Parcel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from camdl.domain.alerts import Book
    from tests.support.catalogues import Store

NOW = datetime(2026, 11, 24, 20, 40, tzinfo=UTC)
BAD = {"disk": Sight(True, Status.CRITICAL, (Check("disk", Status.CRITICAL, "full"),))}


def notice(notice_id: str) -> Notice:
    """An alert."""
    return Notice(notice_id, Kind.ALERT, NOW, "title", "text\n")


def test_of_many_at_once_one_alerts(store: Store) -> None:
    """A timer's health and a run see the same, and each would tell."""

    def look(number: int) -> tuple[Parcel, ...]:
        def decide(book: Book) -> tuple[Book, Sequence[Parcel]]:
            turn = consider(book, BAD, Rules(after=1), NOW, is_new=True)
            return turn.book, [Parcel(notice(f"n{number}"), "mail")] if turn.alerts else []

        with closing(Database(store.url)) as database:
            return SqlAlertBook(database).turn(decide, ["mail"], NOW)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(look, range(24)))
    assert sorted(len(parcels) for parcels in found) == [*[0] * 23, 1]


def test_what_was_answered_is_kept(store: Store) -> None:
    """For those who look into what happened."""
    with closing(Database(store.url)) as database:
        book = SqlAlertBook(database)
        added = [Parcel(notice("n1"), channel) for channel in ("mail", "webhook")]
        mail, hook = book.turn(lambda old: (old, added), ["mail", "webhook"], NOW)
        book.settle([(mail, Sent("250 OK")), (hook, NotSent("403"))], NOW)
    rows = store.sql("SELECT channel, tries, sent_at, answer FROM parcels ORDER BY channel")
    assert rows == [
        ("mail", 0, "2026-11-24 20:40:00.000000", "250 OK"),
        ("webhook", 1, None, "403"),
    ]


@pytest.mark.parametrize("items", ["no", '[{"event": "nope"}]', '[{"event": "alert"}]'])
def test_damage_is_told_as_such(store: Store, items: str) -> None:
    """What camdl never wrote there is no bug of its own."""
    with closing(Database(store.url)) as database:
        book = SqlAlertBook(database)
        book.turn(lambda old: (old, [Parcel(notice("n"), "mail")]), [], NOW)
        with database.transaction(writes=True) as connection:
            connection.execute(update(notices).values(items=items))
        with pytest.raises(CatalogueError, match="is damaged"):
            book.turn(lambda old: (old, ()), ["mail"], NOW)


def test_a_notice_that_is_forgotten_takes_its_parcels_with_it(store: Store) -> None:
    """Clean-up deletes notices alone."""
    with closing(Database(store.url)) as database:
        SqlAlertBook(database).turn(lambda old: (old, [Parcel(notice("n"), "mail")]), [], NOW)
        with database.transaction(writes=True) as connection:
            connection.execute(delete(notices))
    assert store.sql("SELECT COUNT(*) FROM parcels") == [(0,)]
