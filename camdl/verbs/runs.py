"""`camdl runs`: which runs there were, and how they ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from camdl.domain.endings import Ending, PastRun, ending

if TYPE_CHECKING:
    from camdl.domain.health import LockHolder
    from camdl.ports import Catalogue


def runs(
    catalogue: Catalogue | None,
    holder: LockHolder | None,
    *,
    limit: int,
    verb: str | None = None,
    only_bad: bool = False,
) -> tuple[PastRun, ...]:
    """The newest runs of `verb`, or of any, newest first; those that were not ok if `only_bad`.

    `catalogue` is None if there is none yet, and `holder` is who has the lock at present. A run
    that goes on is not bad.

    Raises:
        CatalogueError: the catalogue cannot be used.
    """
    if catalogue is None:
        return ()
    # One more, as one may go on.
    found = catalogue.last_runs(verb, limit + 1, only_bad=only_bad)
    endless = {run.verb for run in found if run.outcome is None}
    newest = {name: next(iter(catalogue.last_runs(name, 1)), None) for name in endless}
    past = (PastRun(run, ending(run, newest.get(run.verb), holder)) for run in found)
    if only_bad:
        past = (one for one in past if one.ending is not Ending.RUNNING)
    return tuple(past)[:limit]
