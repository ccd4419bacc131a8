"""How long stages took."""

from __future__ import annotations

import threading
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

import pytest

from camdl.verbs.timing import Spent, Stopwatch

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Has each look at the clock be so many seconds after the last one."""

    def tick(seconds: float) -> None:
        ticks = count()
        monkeypatch.setattr("time.monotonic", lambda: next(ticks) * seconds)

    return tick


def test_stages_add_up(ticking: Callable[[float], None]) -> None:
    """Each by itself, and for each stream by itself."""
    ticking(0.075)
    watch = Stopwatch()
    for stage, of in [("fetch", "a"), ("fetch", "a"), ("store", "a"), ("fetch", "b")]:
        with watch.timed(stage, of):
            pass
    assert watch.words("a") == "fetch 2 x 75 ms, store 1 x 75 ms"
    assert watch.fields("a") == {"fetch_seconds": "0.150", "store_seconds": "0.075"}
    assert watch.words("b") == "fetch 1 x 75 ms"
    assert (watch.words(), watch.fields()) == ("", {})


def test_what_fails_takes_time_too(ticking: Callable[[float], None]) -> None:
    """It is counted however it ends."""
    ticking(3)
    watch = Stopwatch()
    with suppress(ZeroDivisionError), watch.timed("fetch"):
        raise ZeroDivisionError
    assert watch.words() == "fetch 1 x 3.0 s"


def test_many_threads() -> None:
    """None of them is forgotten."""
    watch = Stopwatch()

    def work() -> None:
        for _ in range(200):
            with watch.timed("fetch", "a"):
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert watch.words("a").startswith("fetch 1600 x ")


def test_nothing_done_takes_no_time() -> None:
    """It is no division by zero."""
    assert Spent().words() == "0 x 0 ms"
