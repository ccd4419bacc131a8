"""`camdl gaps`: what the archive lacks, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from camdl.domain.gaps import State
from camdl.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from camdl.domain.gaps import Gap
    from camdl.domain.sites import Stream
    from camdl.verbs.stocktaking import Stocktaking


@dataclass(frozen=True, slots=True)
class Lacking:
    """The gaps that are known: stream by stream, in the order of time."""

    gaps: tuple[Gap, ...]

    @property
    def exit_code(self) -> ExitCode:
        """1 as long as captures are missing that the source may still have."""
        is_open = any(gap.state is State.OPEN for gap in self.gaps)
        return ExitCode.PARTLY if is_open else ExitCode.OK


def gaps(
    stocktaking: Stocktaking | None,
    streams: Sequence[Stream],
    now: datetime,
    *,
    since: datetime | None = None,
    resolved: bool = False,
) -> Lacking:
    """What `streams` lack at `now` that ends after `since`, and what they lacked if `resolved`.

    `stocktaking` is None if nothing was ever archived. Nothing is changed, and no lock is needed:
    a run that is going on changes the ledger in one step, at its end.

    Raises:
        CatalogueError: the catalogue cannot be used.
    """
    known = [gap for one in streams for gap in stocktaking.gaps(one, now)] if stocktaking else []
    return Lacking(
        tuple(
            gap
            for gap in known
            if (resolved or gap.state is not State.RESOLVED)
            and (since is None or gap.window.end > since)
        )
    )
