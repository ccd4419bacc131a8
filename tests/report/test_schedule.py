"""What a person and a program read of the jobs."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime

from rich.console import Console

from camdl.domain.schedule import due, jobs
from camdl.report.schedule import schedule_as_json, show_schedule

NOW = datetime(2025, 9, 8, 20, 30, tzinfo=UTC)
DUE = due(jobs(10), NOW, UTC)


def test_each_job_is_a_row() -> None:
    """How often, when next, and what is run; it fits a terminal of 80."""
    console = Console(file=io.StringIO(), width=80)
    show_schedule(console, DUE)
    assert isinstance(console.file, io.StringIO)
    head, _, *rows = console.file.getvalue().splitlines()
    assert head.split() == ["job", "every", "next", "run", "command"]
    cells = [re.split(r" {2,}", row.strip()) for row in rows]
    assert cells == [
        ["download", "10 min", "2025-09-08 20:32Z", "camdl download"],
        ["health", "5 min", "2025-09-08 20:34Z", "camdl health --write --quiet"],
        ["cleanup", "1 d", "2025-09-09 03:21Z", "camdl cleanup --wait 600"],
        ["verify", "1 d", "2025-09-09 03:41Z", "camdl verify --full --minutes 30 --rate 20"],
    ]


def test_a_program_reads_the_same() -> None:
    """As JSON, with the cron line and systemd's calendar."""
    first, *others = json.loads(schedule_as_json(DUE))
    assert first == {
        "id": "download",
        "name": "Download of the latest captures",
        "command": "camdl download",
        "every_seconds": 600,
        "cron": "2-59/10 * * * *",
        "calendar": "*-*-* *:02/10:00",
        "next_run": "2025-09-08T20:32:00Z",
    }
    assert [one["id"] for one in others] == ["health", "cleanup", "verify"]
