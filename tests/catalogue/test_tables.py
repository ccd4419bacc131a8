"""Instants in a database: aware, and in UTC both ways."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Table, insert, make_url, select

from camdl.catalogue.database import Database
from camdl.catalogue.tables import Instant

zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
instants = st.datetimes(
    datetime(1000, 1, 2),  # noqa: DTZ001  # hypothesis adds the zone
    datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=zones,
)
moments = Table("moments", MetaData(), Column("at", Instant))


@given(st.lists(instants | st.none(), max_size=5))
def test_an_instant_comes_back_in_utc(given_instants: list[datetime | None]) -> None:
    """Whatever its zone was, SQLite gives the same instant back, and they sort as instants do."""
    database = Database("sqlite://")
    with database.transaction() as connection:
        moments.create(connection)
        for at in given_instants:
            connection.execute(insert(moments).values(at=at))
        found = list(connection.scalars(select(moments.c.at)))
        ordered = list(
            connection.scalars(select(moments.c.at).order_by(moments.c.at.nulls_first()))
        )
    database.close()
    assert found == given_instants
    assert {at.tzinfo for at in found if at} <= {UTC}
    known = sorted(at for at in given_instants if at)
    assert ordered == [None] * given_instants.count(None) + known


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
