"""`camdl doctor`."""

from __future__ import annotations

import os

import typer

from camdl.cli.ending import say
from camdl.cli.options import AsJson, ConfigFile  # noqa: TC001  # typer looks at them


def doctor(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Check everything that an archive needs, and say what to do about what is not right.

    Looks at the configuration, the browser (which is started and draws a page), the catalogue, the
    archive and its directories, locks, the disk, the clock, what starts the jobs, and whether the
    sites answer. ✔ is fine, ! is worth knowing, ✘ needs attention. Changes nothing, and waits for
    no run.

    Exits 0 when nothing needs attention, 1 when something does.
    """
    from camdl.verbs.doctor import doctor as run
    from camdl.wiring.examining import checks

    wanted = checks(config, os.environ)
    if as_json:
        from camdl.report.doctor import doctor_as_json

        diagnosis = run(wanted)
        say(doctor_as_json(diagnosis.examined))
        raise typer.Exit(diagnosis.exit_code)
    from rich.console import Console

    from camdl.report.doctor import DoctorScreen, total_line

    with DoctorScreen(Console()) as screen:
        diagnosis = run(wanted, screen.tell, screen.waiting_for)
    say(total_line(diagnosis.examined))
    raise typer.Exit(diagnosis.exit_code)
