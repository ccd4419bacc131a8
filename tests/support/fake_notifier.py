"""A way to tell people that only remembers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from camdl.domain.notices import NotSent, Sent

if TYPE_CHECKING:
    from collections.abc import Callable

    from camdl.deadline import Deadline
    from camdl.domain.notices import Notice


class FakeNotifier:
    """Implements `camdl.ports.Notifier`. Once `fault` is set, nothing is sent for that reason.

    `meanwhile` is called before each.
    """

    def __init__(self, name: str = "fake") -> None:
        self.name = name
        self.fault = ""
        self.sent: list[Notice] = []
        self.tried = 0
        self.meanwhile: Callable[[], object] = lambda: None

    def send(self, notice: Notice, deadline: Deadline) -> Sent | NotSent:
        """Remember it, or say what is wrong."""
        if deadline.passed():
            return NotSent("there was no time left")
        self.tried += 1
        self.meanwhile()
        if self.fault:
            return NotSent(self.fault)
        self.sent.append(notice)
        return Sent("remembered")
