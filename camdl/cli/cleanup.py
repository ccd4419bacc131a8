"""`camdl cleanup`."""

from __future__ import annotations

from typing import Annotated

import typer

from camdl.cli.ending import SIGNALS, leave
from camdl.cli.options import AsJson, ConfigFile, Quiet, Streams, Verbose, Wait, load


def cleanup(  # noqa: PLR0917  # typer passes them by name
    days: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Delete what was taken more than N days ago. [default: retention_days]",
        ),
    ] = None,
    min_free: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=100,
            metavar="PERCENT",
            help="Delete the oldest of the others too, until so much of the disk is free.",
        ),
    ] = None,
    stream: Streams = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be deleted, and delete nothing.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Delete although more than half would go, the clock seems wrong or the catalogue "
            "is younger than the files.",
        ),
    ] = False,
    wait: Wait = 0.0,
    as_json: AsJson = False,
    config: ConfigFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Delete captures that are older than they are kept.

    Goes by the times of the captures, and deletes only what the catalogue lists and no pin keeps.
    Old runs, given-up captures, filled gaps and old diagnoses are forgotten too. Run it every day.

    Exits 0 when all is done (nothing to delete is success), 1 when a file could not be deleted or
    not enough is free, 74 for the disk or the database, 75 when another run is going on, 78 when
    it refuses, with the reason.
    """
    from camdl import wiring
    from camdl.report.clearance import ClearanceScreen
    from camdl.verbs.cleanup import cleanup as run
    from camdl.wiring import cleaning
    from camdl.wiring.announcing import announcing

    loaded = load(config)
    wiring.begin_log(loaded, quiet=quiet, verbose=verbose)
    order = cleaning.cleanup_order(
        loaded,
        stream or (),
        days=days,
        min_free=min_free,
        dry_run=dry_run,
        force=force,
        wait_seconds=wait,
    )
    screen = ClearanceScreen(dry_run=dry_run, quiet=quiet, verbose=verbose, as_json=as_json)
    with announcing(loaded, "cleanup", dry_run=dry_run) as told:
        workshop = told.about(cleaning.CleanupWorkshop(loaded, SIGNALS, screen.would_go))
        finished = told.ended(run(order, workshop))
        screen.show(finished.run, finished.forgotten, finished.diagnoses)
    leave(finished.run, finished.error)
