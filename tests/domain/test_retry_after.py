"""How `Retry-After` is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdl.domain.retry_after import MOST_SECONDS, retry_after

NOW = datetime(2025, 9, 8, 20, 22, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("12 apples", None),
        ("²", None),
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("1.5", 1),
        ("-5", 0),
        ("86401", MOST_SECONDS),
        ("9" * 5000, MOST_SECONDS),
        ("Mon, 08 Sep 2025 20:23:00 GMT", 30),
        ("Mon, 08 Sep 2025 20:23:00 -0000", 30),
        ("Mon, 08 Sep 2025 22:23:00 +0200", 30),
        ("Monday, 08-Sep-25 20:23:00 GMT", 30),
        ("Mon, 08 Sep 2025 20:22:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MOST_SECONDS),
        ("Fri, 31 Dec 9999 23:59:59 -2359", MOST_SECONDS),
        ("Mon, 99 Sep 2025 20:22:00 GMT", None),
    ],
)
def test_seconds_and_dates_are_read(header: str | None, seconds: float | None) -> None:
    """Both forms give seconds from now, the past gives 0, too much a day, and garbage nothing."""
    assert retry_after(header, NOW) == seconds


@given(st.text())
def test_no_header_raises(header: str) -> None:
    """Whatever a server sends is a number of seconds within a day, or nothing."""
    seconds = retry_after(header, NOW)
    assert seconds is None or 0 <= seconds <= MOST_SECONDS


@given(st.integers(0, 86_000))
def test_both_forms_agree(seconds: int) -> None:
    """An instant means the same as the seconds until it."""
    then = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert retry_after(then, NOW) == retry_after(str(seconds), NOW) == seconds
