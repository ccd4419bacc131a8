"""Lengths of time in words."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdl.domain.durations import in_words


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(), "0 s"),
        (timedelta(seconds=59.9), "59 s"),
        (timedelta(minutes=4, seconds=59), "4 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=2, minutes=5), "2 h 5 min"),
        (timedelta(days=3, hours=4, minutes=59), "3 d 4 h"),
        (timedelta(days=400), "400 d"),
        (timedelta(minutes=-4), "4 min"),
    ],
)
def test_the_two_largest_units_are_said(length: timedelta, words: str) -> None:
    """What is shorter is left out, as is the sign."""
    assert in_words(length) == words


@given(st.timedeltas(min_value=timedelta()))
def test_nothing_is_rounded_up(length: timedelta) -> None:
    """The words never say more than there is, and lack less than one of their smaller unit."""
    units = {"s": 1, "min": 60, "h": 3600, "d": 86400}
    words = in_words(length).split()
    said = sum(int(n) * units[unit] for n, unit in zip(words[::2], words[1::2], strict=True))
    assert timedelta() <= length - timedelta(seconds=said) < timedelta(hours=1)
