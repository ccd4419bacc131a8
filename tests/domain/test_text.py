"""Foreign text in one printable line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdl.domain.text import one_line


@given(st.text(), st.integers(1, 400))
def test_any_text_becomes_one_printable_line(text: str, limit: int) -> None:
    """Whatever comes in, one line of printable characters within the limit comes out."""
    line = one_line(text, limit)
    assert line.isprintable()
    assert len(line) <= limit


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("all is well", "all is well"),
        ("  two\r\n\tlines  ", "two lines"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("left\u202eright", "left\\u202eright"),
        ("für 5 €", "für 5 €"),
        ("x" * 301, "x" * 299 + "…"),
    ],
)
def test_text_stays_readable(text: str, line: str) -> None:
    """What prints stays as it is, white space shrinks, the rest is escaped."""
    assert one_line(text) == line
