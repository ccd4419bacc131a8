"""How `Date` and `Age` are read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdl.domain.answered_at import answered_at

NOON = datetime(2025, 9, 8, 12, 0, tzinfo=UTC)
DATE = "Mon, 08 Sep 2025 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, None),
        ({"Date": ""}, None),
        ({"Date": "soon"}, None),
        ({"Date": "Mon, 99 Sep 2025 12:00:00 GMT"}, None),
        ({"Date": "Fri, 31 Dec 9999 23:59:59 GMT", "Age": "1"}, None),
        ({"Age": "20"}, None),
        ({"Date": DATE}, NOON),
        ({"date": DATE, "AGE": " 20 "}, NOON + timedelta(seconds=20)),
        ({"Date": DATE, "Age": "-20"}, NOON),
        ({"Date": DATE, "Age": "9" * 5000}, NOON),
        ({"Date": "Mon, 08 Sep 2025 12:00:00 -0000"}, NOON),
        ({"Date": "Mon, 08 Sep 2025 14:00:00 +0200"}, NOON),
        ({"Date": "Monday, 08-Sep-25 12:00:00 GMT"}, NOON),
    ],
)
def test_what_headers_say(headers: dict[str, str], said: datetime | None) -> None:
    """A date in any of its forms, later by the age that a cache admits; nonsense is nothing."""
    assert answered_at(headers) == said


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(9998, 1, 1)),  # noqa: DTZ001  # given a zone below
    st.integers(0, 10**6),
)
def test_a_server_is_understood(naive: datetime, age: int) -> None:
    """What it writes comes back, to the second."""
    moment = naive.replace(tzinfo=UTC, microsecond=0)
    headers = {"Date": format_datetime(moment, usegmt=True), "Age": str(age)}
    assert answered_at(headers) == moment + timedelta(seconds=age)


@given(st.dictionaries(st.sampled_from(["date", "age", "Date"]), st.text()))
def test_nothing_that_a_server_says_is_an_error(headers: dict[str, str]) -> None:
    """Whatever it is, it is an instant or nothing."""
    said = answered_at(headers)
    assert said is None or said.tzinfo is UTC
