"""The jobs for a person or a program. Import it late: Rich takes time to load."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from camdl.domain.durations import in_words
from camdl.domain.health import iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from camdl.domain.schedule import Due, Job


def show_schedule(console: Console, due: Sequence[Due]) -> None:
    """Print one row a job: how often it starts, when next, and what is run."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)
    for heading in ("job", "every", "next run", "command"):
        table.add_column(heading, overflow="fold")
    for one in due:
        table.add_row(
            Text(one.job.id),
            Text(in_words(one.job.every)),
            Text(f"{one.next_run:%Y-%m-%d %H:%MZ}"),
            Text(_command(one.job)),
        )
    console.print(table)


def schedule_as_json(due: Sequence[Due]) -> str:
    """The same for a program; times are ISO 8601 with `Z`, lengths seconds."""
    return json.dumps(
        [
            {
                "id": one.job.id,
                "name": one.job.name,
                "command": _command(one.job),
                "every_seconds": int(one.job.every.total_seconds()),
                "cron": one.job.cron,
                "calendar": one.job.calendar,
                "next_run": iso(one.next_run),
            }
            for one in due
        ],
        indent=2,
    )


def _command(job: Job) -> str:
    return shlex.join(["camdl", *job.arguments])
