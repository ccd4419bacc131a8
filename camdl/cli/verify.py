"""`camdl verify`."""

from __future__ import annotations

from typing import Annotated

import typer

from camdl.cli.ending import SIGNALS, leave
from camdl.cli.options import AsJson, ConfigFile, Quiet, Streams, Verbose, Wait, load


def verify(  # noqa: PLR0917  # typer passes them by name
    full: Annotated[
        bool,
        typer.Option(
            "--full/--quick", help="Read and hash every file, or compare names and sizes."
        ),
    ] = False,
    stream: Streams = None,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Register files without a row, move bad files aside, and fetch again what is "
            "lost.",
        ),
    ] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make a lost catalogue anew, from the files alone.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="With --full: the N longest unverified captures."),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="M", help="With --full: the longest unverified, for M minutes."
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="MB_PER_SECOND", help="Read no more than that a second."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what a repair would do; change nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Repair even where nothing of a stream is left.")
    ] = False,
    wait: Wait = 0.0,
    as_json: AsJson = False,
    config: ConfigFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Check that the catalogue and the files agree, and repair it.

    Compares every row with its file and every file with its row, and prints one line for each
    thing that is wrong: what it is, the file, and why. Runs may go on meanwhile; only a repair
    takes the lock, for moments.

    Exits 0 when nothing is wrong or all of it was repaired, 1 when something is, 74 when the
    archive or the catalogue cannot be read, 75 when a repair is locked out by another run, 78 for
    the configuration.
    """
    from camdl import wiring
    from camdl.report.verification import VerificationScreen
    from camdl.verbs.verify import verify as run
    from camdl.wiring import verifying
    from camdl.wiring.announcing import announcing

    loaded = load(config)
    wiring.begin_log(loaded, quiet=quiet, verbose=verbose)
    order = verifying.verification(
        loaded,
        stream or (),
        full=full,
        repair=repair,
        rebuild=rebuild,
        limit=limit,
        minutes=minutes,
        megabytes_per_second=rate,
        dry_run=dry_run,
        force=force,
        wait_seconds=wait,
    )
    screen = VerificationScreen(quiet=quiet, verbose=verbose, as_json=as_json)
    with announcing(loaded, "verify", dry_run=dry_run) as told:
        workshop = told.about(verifying.VerifyWorkshop(loaded, SIGNALS, screen))
        verified = told.ended(run(order, workshop))
        screen.close(verified.run, verified.tally)
    leave(verified.run, verified.error)
