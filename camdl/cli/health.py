"""`camdl health`."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Annotated

import typer

from camdl.cli.ending import explain, say
from camdl.cli.options import AsJson, ConfigFile, Quiet, load
from camdl.domain.text import one_line
from camdl.errors import CamdlError, UsageError


def health(
    *,
    as_json: AsJson = False,
    metrics: Annotated[
        bool, typer.Option("--metrics", help="Print the metrics, as Prometheus reads them.")
    ] = False,
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            help="Write the health file too, and the metrics_file if it is set; send alerts.",
        ),
    ] = False,
    config: ConfigFile = None,
    quiet: Quiet = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print every check, and what to do.")
    ] = False,
) -> None:
    """Judge the archive as it is now, for a person or for monitoring.

    Looks at the database, the disk, the lock, each stream's newest capture and the last runs of
    each job, never at an old health file. Prints one line, and exits 0 healthy, 1 warning or
    degraded, 2 critical, 3 unknown. Waits for no run, and is in no run's way.
    """
    from camdl.wiring import begin_log, watching

    if as_json and metrics:
        raise UsageError("--json and --metrics cannot both be printed", advice="Leave one out.")
    unwritten: CamdlError | None = None
    try:
        loaded = load(config)
        with ExitStack() as stack:
            if write:
                from camdl.wiring.announcing import announcing

                begin_log(loaded, quiet=quiet, verbose=False)
                told = stack.enter_context(announcing(loaded, "health"))
                told.begin()
                verdict, unwritten = watching.look_and_tell(loaded)
                told.judged(verdict)
            else:
                verdict = watching.health(loaded)
            if metrics:
                say(watching.metrics(loaded, verdict).rstrip())
            elif as_json:
                say(json.dumps(verdict.to_dict(), indent=2))
            elif verbose:
                from rich.console import Console

                from camdl.report.tables import show_health

                show_health(Console(), verdict)
            elif not quiet:
                say(verdict.line())
    except CamdlError as error:
        # Monitoring knows no other codes; what is wrong with a configuration is told all the same.
        say(f"camdl UNKNOWN - {one_line(str(error), 1000)}")
        raise typer.Exit(3) from error
    if unwritten is not None:
        explain(unwritten)
        # What others read of it is not so any more: nothing but critical is worse.
        raise typer.Exit(2 if verdict.exit_code == 2 else 3)
    raise typer.Exit(verdict.exit_code)
