"""`camdl demo`."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  # typer looks at it
from typing import Annotated

import typer


def demo(
    frames: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="Serve the photos of this directory instead of drawn ones.",
        ),
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the demo's archive goes. [default: a new one]"),
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Keep the gate site up, for a configuration of yours.")
    ] = False,
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, metavar="PORT", help="The port of --serve; 0 takes a free one."
        ),
    ] = 8765,
) -> None:
    """See everything work: a gate site on this machine, and two real runs against it.

    Needs no network and no configuration. A browser is looked for, and provided if there is none.
    """
    from camdl import wiring

    raise typer.Exit(wiring.demo(frames=frames, directory=directory, serve=serve, port=port))
