"""Instants and texts in a database: aware and in UTC both ways, and whatever they hold."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Table, delete, insert, make_url, select

from camdl.catalogue.database import Database
from camdl.catalogue.tables import Instant, Words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.catalogues import Store

zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
instants = st.datetimes(
    datetime(1000, 1, 2),  # noqa: DTZ001  # hypothesis adds the zone
    datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=zones,
)
notes = Table("notes", MetaData(), Column("at", Instant), Column("words", Words))


@pytest.fixture
def database(blank: Store) -> Iterator[Database]:
    """A database of each kind, with nothing but a table of notes."""
    # In memory rather than in a file, as there are many examples.
    url = "sqlite://" if blank.url.startswith("sqlite:") else blank.url
    with closing(Database(url)) as opened:
        with opened.transaction(writes=True) as connection:
            notes.create(connection)
        yield opened


def kept(database: Database, rows: list[dict[str, object]], column: Any) -> list[Any]:
    """What comes back of these notes, of this column, in its order."""
    with database.transaction(writes=True) as connection:
        connection.execute(delete(notes))
        for row in rows:
            connection.execute(insert(notes).values(row))
        return list(connection.scalars(select(column).order_by(column.nulls_first())))


def test_an_instant_comes_back_in_utc(database: Database) -> None:
    """Whatever its zone was, the same instant comes back, and they sort as instants do."""

    @settings(max_examples=60, deadline=None)
    @given(st.lists(instants | st.none(), max_size=5))
    def comes_back(found: list[datetime | None]) -> None:
        ordered = kept(database, [{"at": at} for at in found], notes.c.at)
        assert {at.tzinfo for at in ordered if at} <= {UTC}
        assert ordered == [None] * found.count(None) + sorted(at for at in found if at)

    comes_back()


def test_any_text_can_be_kept(database: Database) -> None:
    """As it is, but for NUL and halves of characters: those are written out."""

    @settings(max_examples=60, deadline=None)
    @given(st.text() | st.text(st.sampled_from("a\0\ud800\udfff\u00e9\N{GRINNING FACE}")))
    def comes_back(words: str) -> None:
        (back,) = kept(database, [{"words": words}], notes.c.words)
        expected = words.replace("\0", r"\x00")
        for half in re.findall("[\ud800-\udfff]", words):
            expected = expected.replace(half, f"\\u{ord(half):x}")
        assert back == expected

    comes_back()


@pytest.mark.parametrize("url", ["sqlite://", "postgresql://"])
def test_a_time_without_a_zone_is_refused(url: str) -> None:
    """It is no instant, for any database."""
    dialect = make_url(url).get_dialect()()
    with pytest.raises(TypeError, match="no time zone"):
        Instant().process_bind_param(datetime(2025, 9, 8), dialect)  # noqa: DTZ001  # the point


@given(instants)
def test_a_server_is_given_and_gives_zones(at: datetime) -> None:
    """PostgreSQL answers in the zone of its session, which may be any."""
    dialect = make_url("postgresql://").get_dialect()()
    sent = Instant().process_bind_param(at, dialect)
    assert sent == at
    assert sent is not None
    assert sent.tzinfo is UTC
    told = Instant().process_result_value(at, dialect)
    assert told == at
    assert told is not None
    assert told.tzinfo is UTC
