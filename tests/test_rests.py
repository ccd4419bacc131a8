"""That a rest which a host asked for holds for all who ask it."""

from __future__ import annotations

import time

from camdl.rests import Rests


def test_a_rest_holds_for_its_origin_only() -> None:
    """The longest rest asked for stays, and other origins are free."""
    rests = Rests()
    rests.ask("https://a:443", 60)
    rests.ask("https://a:443", 1)
    assert 50 < rests.remaining("https://a:443") <= 60
    assert rests.remaining("https://b:443") == 0


def test_a_rest_that_is_over_stands_no_more() -> None:
    """Only hosts that are still to be left alone are told to the next run."""
    rests = Rests()
    rests.ask("https://a:443", 60)
    rests.ask("https://b:443", 0.001)
    time.sleep(0.01)
    assert list(rests.standing()) == ["https://a:443"]
