"""Archives that are well or not as a test says, for runs that need no browser to find that out."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from camdl.archive.local import LocalArchive
from camdl.domain.captures import Capture
from tests.support.catalogues import empty_catalogue, sql
from tests.support.images import gate_jpeg

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
    now = datetime.now(UTC).replace(microsecond=0)
    picture = gate_jpeg()
    digest = hashlib.sha256(picture).hexdigest()
    for stream, minutes in zip(streams, ages, strict=True):
        of_stream = f"FROM captures WHERE stream = '{stream}'"
        for (key,) in sql(program.database, f"SELECT key {of_stream}"):
            (program.images / str(key)).unlink()
        capture = Capture((now - timedelta(minutes=minutes)).replace(microsecond=0), stream)
        file = program.images / capture.key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture)
        at = f"{capture.captured_at:%Y-%m-%d %H:%M:%S.000000}"
        sql(
            program.database,
            f"DELETE {of_stream}",
            "INSERT INTO captures VALUES "  # noqa: S608  # a test's own
            f"('{stream}', '{at}', '{capture.key}', '{digest}', {len(picture)}, 1200, 675, "
            f"'u', '{at}', 'r', NULL)",
        )
