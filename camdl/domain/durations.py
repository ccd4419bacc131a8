"""Lengths of time as people say them."""

from __future__ import annotations

from datetime import timedelta

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


def in_words(length: timedelta) -> str:
    """`length` in its two largest units, rounded down: `40 s`, `4 min`, `2 h 5 min`, `3 d 4 h`.

    The sign is left out: the sentence around it says which way.
    """
    seconds = abs(length) // timedelta(seconds=1)
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min"
    if seconds < _DAY:
        return _two(seconds // _HOUR, "h", seconds % _HOUR // _MINUTE, "min")
    return _two(seconds // _DAY, "d", seconds % _DAY // _HOUR, "h")


def to_the_tenth(length: timedelta) -> str:
    """`length` as `4.2 s` below a minute, where that tells more, else as `in_words` says it."""
    below = timedelta() <= length < timedelta(minutes=1)
    return f"{length.total_seconds():.1f} s" if below else in_words(length)


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit} {small} {small_unit}" if small else f"{large} {large_unit}"
