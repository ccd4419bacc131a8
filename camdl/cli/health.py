"""`camdl health`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from camdl.cli.ending import say
from camdl.cli.options import AsJson, ConfigFile, Quiet, load
from camdl.domain.text import one_line
from camdl.errors import CamdlError


def health(
    as_json: AsJson = False,
    config: ConfigFile = None,
    quiet: Quiet = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print every check, and what to do.")
    ] = False,
) -> None:
    """Judge the archive as it is now, for a person or for monitoring.

    Looks at the database, the disk, each stream's newest capture and the last runs, never at an
    old health file. Prints one line, and exits 0 healthy, 1 warning or degraded, 2 critical,
    3 unknown.
    """
    from camdl import wiring

    try:
        verdict = wiring.health(load(config))
    except CamdlError as error:
        # Monitoring knows no other codes; what is wrong with a configuration is told all the same.
        say(f"camdl UNKNOWN - {one_line(str(error), 1000)}")
        raise typer.Exit(3) from error
    if as_json:
        say(json.dumps(verdict.to_dict(), indent=2))
    elif verbose:
        from rich.console import Console

        from camdl.report.tables import show_health

        show_health(Console(), verdict)
    elif not quiet:
        say(verdict.line())
    raise typer.Exit(verdict.exit_code)
