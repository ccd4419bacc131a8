"""What can be counted in the catalogue, without a look at every row of what is archived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from camdl.catalogue.tables import gaps, pending, totals
from camdl.domain.figures import Figures, Gaps
from camdl.domain.gaps import State
from camdl.domain.totals import Name, Total

if TYPE_CHECKING:
    from camdl.catalogue.database import Database


class SqlFigures:
    """Counts in a database whose schema is this version's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def figures(self) -> Figures:
        """All of it, as it is now.

        Raises:
            CatalogueError: the database cannot be used, or holds what camdl never wrote.
        """
        is_confirmed = gaps.c.confirmed_at.is_not(None).label("is_confirmed")
        unfilled = (
            select(gaps.c.stream, is_confirmed, func.count(), func.sum(gaps.c.missing))
            .where(gaps.c.resolved_at.is_(None))
            .group_by(gaps.c.stream, is_confirmed)
            .order_by(gaps.c.stream, is_confirmed)
        )
        number = func.count().label("number")
        waiting = select(pending.c.stream, number).group_by(pending.c.stream)
        with self._database.transaction() as connection:
            try:
                return Figures(
                    {
                        Total(Name(row.name), row.subject, row.kind): row.amount
                        for row in connection.execute(select(totals))
                    },
                    tuple(
                        Gaps(
                            stream,
                            State.CONFIRMED if confirmed else State.OPEN,
                            number,
                            int(missing),
                        )
                        for stream, confirmed, number, missing in connection.execute(unfilled)
                    ),
                    {row.stream: row.number for row in connection.execute(waiting)},
                )
            except (TypeError, ValueError) as error:
                raise self._database.damaged(error) from error
