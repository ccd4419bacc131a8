"""What a verdict looks at, as a test says it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

from camdl.domain.health import DiskUsage

if TYPE_CHECKING:
    from camdl.domain.health import LockHolder
    from camdl.errors import EndOfRun
    from camdl.ports import Catalogue

T = TypeVar("T")

ROOM = DiskUsage(10, 10**12, 1)


@dataclass
class FakeLooks:
    """Implements `camdl.verbs.health.Looks`; an error is raised when that is looked at.

    `there` is what can be asked of the catalogue, None if there is none.
    """

    there: object = None
    room: DiskUsage | EndOfRun | None = ROOM
    place: str | EndOfRun = "the archive is there"
    program: str | EndOfRun = "the browser is there"
    holder: LockHolder | None = None
    holds_captures: bool | None = None

    def catalogue(self) -> Catalogue | None:
        """What the test says is in it."""
        return cast("Catalogue | None", _found(self.there))

    def disk(self) -> DiskUsage | None:
        """How full it is."""
        return _found(self.room)

    def archive(self, *, holds_captures: bool) -> str:
        """What to say of it; and note what it should hold."""
        self.holds_captures = holds_captures
        return _found(self.place)

    def browser(self) -> str:
        """What to say of it."""
        return _found(self.program)

    def lock(self) -> LockHolder | None:
        """Who holds it."""
        return self.holder


def _found(what: T | EndOfRun) -> T:
    if isinstance(what, BaseException):
        raise what
    return what
