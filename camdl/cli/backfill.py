"""`camdl backfill`."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  # typer looks at it
from typing import Annotated

import typer

from camdl.cli.ending import SIGNALS, leave
from camdl.cli.options import AsJson, ConfigFile, Quiet, Streams, Verbose, load


def backfill(  # noqa: PLR0917  # typer passes them by name
    first: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            formats=["%Y-%m-%d"],
            metavar="DATE",
            help="The first day (YYYY-MM-DD, of the site's time zone). Needed without --gaps.",
        ),
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option(
            "--to", formats=["%Y-%m-%d"], metavar="DATE", help="The last day. [default: today]"
        ),
    ] = None,
    gaps: Annotated[
        bool,
        typer.Option(
            "--gaps", help="Only days with gaps that the source has not confirmed, however old."
        ),
    ] = False,
    stream: Streams = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read the days and say what would be fetched.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Archive what the camera pages still have of earlier days.

    Drives each page's date picker, newest day first, and fetches what the catalogue lacks. Stop
    it whenever you like: the next backfill goes on where it was stopped, and fetches nothing twice.
    Days that were read to their end, with all of their captures archived, are not read again.

    It shares the lock with the runs of every ten minutes: it works for about half a minute, lets
    go of the lock for a second, and takes it again. A download that comes meanwhile waits for
    that, two minutes at most, and goes first.

    A clean-up deletes what is older than retention_days, however it came: pin what is to stay.

    Exits as download does; 75 when another run held the lock for longer than a run may take.
    """
    from camdl import wiring
    from camdl.report.screen import Screen
    from camdl.verbs.backfill import backfill as run
    from camdl.wiring.announcing import announcing

    loaded = load(config)
    wiring.begin_log(loaded, quiet=quiet, verbose=verbose)
    order = wiring.backfill_order(
        loaded, stream or (), first=first, last=last, only_gaps=gaps, dry_run=dry_run
    )
    names = [one.name for one in order.streams]
    with announcing(loaded, "backfill", dry_run=dry_run) as told:
        with Screen(names, quiet=quiet, verbose=verbose, as_json=as_json) as screen:
            workshop = told.about(wiring.BackfillWorkshop(loaded, SIGNALS, screen.progress))
            finished = told.ended(run(order, workshop))
        screen.show(finished.run, finished.would_fetch if dry_run else None)
    leave(finished.run, finished.error)
