"""`camdl runs`."""

from __future__ import annotations

from typing import Annotated

import typer

from camdl.cli.ending import say
from camdl.cli.options import AsJson, ConfigFile, load


def runs(
    failed: Annotated[
        bool, typer.Option("--failed", help="Only those that did not end ok, or not at all.")
    ] = False,
    verb: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only those of one command, such as download."),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=1000, metavar="N", help="At most the N newest.")
    ] = 20,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Say which runs there were, how they ended, and why some did not end well.

    Newest first, with what became of each stream's captures. Times are UTC. Changes nothing, and
    waits for no run.

    Exits 0, 74 when the catalogue cannot be read, 78 for the configuration.
    """
    from camdl import wiring
    from camdl.ops import lock
    from camdl.verbs.runs import runs as run

    loaded = load(config)
    holder = lock.holder(loaded.settings.lock_file)
    with wiring.known_catalogue(loaded) as catalogue:
        found = run(catalogue, holder, limit=limit, verb=verb, only_bad=failed)
    if as_json:
        from camdl.report.runs import runs_as_json

        say(runs_as_json(found))
    else:
        from rich.console import Console

        from camdl.report.runs import show_runs

        show_runs(Console(), found)
