"""Archives that are well or not as a test says, for runs that need no browser to find that out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from camdl.archive.local import LocalArchive
from tests.support.catalogues import empty_catalogue, sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.program import Program

BOTH = ("in_gate", "out_gate")


def begin(program: Program, *minutes_old: float) -> None:
    """Make an archive whose streams have one capture each, so old; none if no age is given."""
    LocalArchive(program.images).begin(holds_captures=False)
    empty_catalogue(program.database)
    if minutes_old:
        age(program, *minutes_old)


def age(program: Program, *minutes_old: float, streams: Sequence[str] = BOTH) -> None:
    """The newest captures of `streams` are so old; one age holds for all of them."""
    ages = minutes_old * (len(streams) if len(minutes_old) == 1 else 1)
    for stream, minutes in zip(streams, ages, strict=True):
        at = f"{datetime.now(UTC) - timedelta(minutes=minutes):%Y-%m-%d %H:%M:%S.000000}"
        sql(
            program.database,
            f"DELETE FROM captures WHERE stream = '{stream}'",  # noqa: S608  # a test's own
            "INSERT INTO captures VALUES "  # noqa: S608
            f"('{stream}', '{at}', 'k', 's', 1, 1, 1, 'u', '{at}', 'r', NULL)",
        )
