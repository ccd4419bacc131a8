"""Whether the clock is kept right."""

from __future__ import annotations

import ctypes

import pytest

from camdl.domain.examination import Grade
from camdl.ops import clock


def test_the_kernel_is_asked() -> None:
    """On Linux it tells; which of the two, depends on the machine."""
    one = clock.examine()
    assert one.said in ("the clock is kept right", "nothing keeps this machine's clock right")
    assert (one.grade is Grade.FINE) == (one.remedy == "")


@pytest.mark.parametrize(
    ("status", "grade", "said"),
    [
        (0x2001, Grade.FINE, "the clock is kept right"),
        (0x40, Grade.NOTE, "nothing keeps this machine's clock right"),
        (None, Grade.NOTE, "whether the clock is kept right cannot be asked here"),
    ],
)
def test_what_it_says(
    monkeypatch: pytest.MonkeyPatch, status: int | None, grade: Grade, said: str
) -> None:
    """The bit that says that nobody does, and no answer at all."""
    monkeypatch.setattr(clock, "_status", lambda: status)
    one = clock.examine()
    assert (one.grade, one.said) == (grade, said)


@pytest.mark.parametrize("answer", [-1, AttributeError])
def test_no_answer(monkeypatch: pytest.MonkeyPatch, answer: int | type[Exception]) -> None:
    """Another system has no such call, and a sandbox may refuse it."""

    class Library:
        """A C library."""

        def __init__(self, *_: object, **__: object) -> None:
            """Be one."""

        def adjtimex(self, _: object) -> int:
            """Answer."""
            if isinstance(answer, int):
                return answer
            raise answer

    monkeypatch.setattr(ctypes, "CDLL", Library)
    assert clock._status() is None
