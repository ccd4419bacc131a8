"""`camdl gaps`."""

from __future__ import annotations

from typing import Annotated

import typer

from camdl.cli.ending import say
from camdl.cli.options import AsJson, ConfigFile, Streams, load, moment_of


def gaps(
    stream: Streams = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Only what ends later; 2025-09-08 or 2025-09-08T14:30."),
    ] = None,
    show_all: Annotated[
        bool, typer.Option("--all", help="Those too that were filled in the meantime.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Say which captures are missing, and why.

    Each gap is open (the next runs ask for it), confirmed (the source was asked since, and does
    not have it) or resolved. Times are UTC. Changes nothing, and waits for no run.

    Exits 0 when no gap is open, 1 when one is, 74 when the catalogue cannot be read, 78 for the
    configuration.
    """
    from camdl import wiring
    from camdl.verbs.gaps import gaps as run

    loaded = load(config)
    streams, later_than = loaded.streams(stream or ()), moment_of(since)
    with wiring.stocktaking(loaded) as stock:
        found = run(stock, streams, wiring.utc_now(), since=later_than, resolved=show_all)
    if as_json:
        from camdl.report.gaps import gaps_as_json

        say(gaps_as_json(found.gaps))
    else:
        from rich.console import Console

        from camdl.report.gaps import show_gaps

        show_gaps(Console(), found.gaps)
    raise typer.Exit(found.exit_code)
