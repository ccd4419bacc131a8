"""`camdl download`."""

from __future__ import annotations

from typing import Annotated

import typer

from camdl.cli.ending import SIGNALS, leave
from camdl.cli.options import AsJson, ConfigFile, Quiet, Streams, Verbose, Wait, load


def download(  # noqa: PLR0917  # typer passes them by name
    stream: Streams = None,
    latest: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="At most the N newest new images of each stream."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read the pages and say what would be fetched.")
    ] = False,
    wait: Wait = 0.0,
    as_json: AsJson = False,
    config: ConfigFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Archive every new image of the configured gates.

    Reads each camera page in a browser, fetches what the catalogue does not have, newest first,
    checks it, stores it, records it and writes the health file. Run it every ten minutes.
    While a backfill has the lock, it waits for that to let go, which is within two minutes.

    Exits 0 when all is done (nothing new is success), 1 when a stream or an image failed, 69 when
    nothing could be reached, 74 for the disk or the database, 75 when another run is going on,
    78 for the configuration.
    """
    from camdl import wiring
    from camdl.report.screen import Screen
    from camdl.verbs.download import download as run
    from camdl.wiring.announcing import announcing

    loaded = load(config)
    wiring.begin_log(loaded, quiet=quiet, verbose=verbose)
    order = wiring.order(loaded, stream or (), latest=latest, dry_run=dry_run, wait_seconds=wait)
    names = [one.name for one in order.streams]
    with announcing(loaded, "download", dry_run=dry_run) as told:
        with Screen(names, quiet=quiet, verbose=verbose, as_json=as_json) as screen:
            workshop = told.about(wiring.Workshop(loaded, SIGNALS, screen.progress))
            finished = told.ended(run(order, workshop))
        screen.show(finished.run, finished.would_fetch if dry_run else None)
    leave(finished.run, finished.error)
