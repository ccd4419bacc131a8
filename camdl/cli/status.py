"""`camdl status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from camdl.cli.commands import Command
from camdl.cli.ending import say
from camdl.cli.options import AsJson, ConfigFile, load
from camdl.errors import ExitCode, InterruptedRunError, UsageError

if TYPE_CHECKING:
    from camdl.config import Loaded
    from camdl.domain.overview import Overview

_SECONDS = 10.0
_SHORTEST = 2.0


class _Status(Command):
    """A command whose `--watch` may stand alone."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give it its usual number."""
        given = list(args)
        for place, word in enumerate(args):
            if word == "--watch" and not _is_number(args[place + 1 : place + 2]):
                given[place] = f"--watch={_SECONDS:g}"
        rest: list[str] = super().parse_args(ctx, given)
        return rest


app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(cls=_Status)
def status(
    watch: Annotated[
        float | None,
        typer.Option(
            min=_SHORTEST,
            metavar="[SECONDS]",
            help=f"Look again every so many seconds, {_SECONDS:g} if none are given, until Ctrl-C.",
        ),
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Show how the archive is: streams and their last 24 hours, gaps, the last runs and the next.

    Each stream has a strip with one sign for each capture that is due, by the clocks of its site;
    all other times are UTC. Changes nothing, and waits for no run.

    Exits 0 however the archive is, and 78 for the configuration; camdl health is for monitoring.
    """
    from rich.console import Console

    from camdl.report import status as report
    from camdl.report.progress import can_be_live

    loaded, console = load(config), Console()
    if watch is None:
        found = _look(loaded)
        if as_json:
            say(report.status_as_json(found))
        else:
            report.show_status(console, found)
        return
    if as_json or not can_be_live(console):
        raise UsageError(
            "--watch needs a terminal that can move its cursor, and no --json",
            advice="Call camdl status again and again, or leave --watch out.",
        )
    try:
        report.watch(console, lambda: _look(loaded), watch)
    except InterruptedRunError as asked:
        if asked.exit_code is not ExitCode.SIGINT:  # the way to end it
            raise


def _look(loaded: Loaded) -> Overview:
    from camdl import wiring
    from camdl.verbs.status import status as look
    from camdl.wiring import watching

    return look(
        watching.health(loaded),
        lambda: wiring.stocktaking(loaded),
        loaded.streams(),
        wiring.utc_now(),
    )


def _is_number(words: list[str]) -> bool:
    try:
        float(words[0])
    except (IndexError, ValueError):
        return False
    return True
