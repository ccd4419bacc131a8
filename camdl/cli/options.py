"""Options that several commands have, and what is made of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from camdl.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from camdl.config import Loaded
    from camdl.domain.windows import Window

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The configuration file; otherwise $CAMDL_CONFIG, ./camdl.toml, "
        "$XDG_CONFIG_HOME/camdl/config.toml, /etc/camdl/config.toml or the built-in defaults.",
    ),
]
Streams = Annotated[
    list[str] | None,
    typer.Option(
        "--stream", metavar="NAME", help="Only this stream; may be given again. [default: all]"
    ),
]
Wait = Annotated[
    float,
    typer.Option(min=0, metavar="SECONDS", help="Wait so long for a run that is going on."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say what happens, under cron too.")]


def load(config: Path | None) -> Loaded:
    """The configuration in effect.

    Raises:
        ConfigError: something is wrong with it.
    """
    from camdl.config import load as load_settings

    return load_settings({}, config, os.environ)


def moment_of(text: str | None) -> datetime | None:
    """The instant that `text` says, if it is given.

    Raises:
        UsageError: it is no time.
    """
    from camdl.domain import moments

    try:
        return None if text is None else moments.moment(text)
    except ValueError as error:
        raise UsageError(str(error)) from error


def window_of(start: str | None, end: str | None) -> Window | None:
    """The time from `start` to `end`, if both are given.

    Raises:
        UsageError: one of them is no time, or the end does not come after the start.
    """
    from camdl.domain import moments

    try:
        return moments.window(start, end) if start and end else None
    except ValueError as error:
        raise UsageError(str(error)) from error
