"""One thing starts the jobs, or none."""

from __future__ import annotations

import pytest

from camdl.errors import ConfigError
from camdl.verbs.schedule import install, uninstall


class FakeStarter:
    """Implements `Starter` with a flag."""

    def __init__(self, name: str, *, on: bool = False) -> None:
        self.name = name
        self.on = on

    def is_in_place(self) -> bool:
        """Whether the flag is set."""
        return self.on

    def put_in_place(self) -> None:
        """Set it."""
        self.on = True

    def take_away(self) -> bool:
        """Take it off."""
        was, self.on = self.on, False
        return was


def test_one_is_put_in_place() -> None:
    """Again, if it is there already."""
    one, other = FakeStarter("one"), FakeStarter("other")
    for _ in range(2):
        install(one, [other])
        assert (one.on, other.on) == (True, False)


def test_no_job_is_started_by_two() -> None:
    """The other has to go first, and the message says how."""
    one, other = FakeStarter("one"), FakeStarter("other", on=True)
    with pytest.raises(ConfigError, match="other starts camdl already") as caught:
        install(one, [other])
    assert "camdl schedule uninstall" in caught.value.advice
    assert not one.on


def test_all_are_taken_away() -> None:
    """Not only the first that is found; none is no fault."""
    both = [FakeStarter("one", on=True), FakeStarter("other", on=True)]
    assert uninstall(both)
    assert not any(starter.on for starter in both)
    assert not uninstall(both)
