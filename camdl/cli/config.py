"""`camdl config`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from camdl.cli.ending import say
from camdl.cli.options import ConfigFile, load

app = typer.Typer(
    help="Show, check or begin the configuration.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


@app.command("show")
def config_show(config: ConfigFile = None) -> None:
    """Print every setting in effect, and where it came from. Secrets are masked."""
    from camdl.verbs.config import show

    say(show(load(config)))


@app.command("check")
def config_check(config: ConfigFile = None) -> None:
    """Check the configuration, and show what its templates make of a capture."""
    from camdl import wiring
    from camdl.verbs.config import check

    say(check(load(config), wiring.utc_now()))


@app.command("init")
def config_init(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file to write; - prints it instead.")
    ] = Path("camdl.toml"),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a commented configuration file to begin with."""
    from camdl.verbs.config import init

    say(init(file, force=force))
