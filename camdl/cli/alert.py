"""`camdl alert`."""

from __future__ import annotations

import typer

from camdl.cli.ending import say
from camdl.cli.options import ConfigFile, load

app = typer.Typer(
    help="How you are told when something is wrong.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


# Without it the only command would be the group itself.
@app.callback()
def _alert() -> None: ...


@app.command("test")
def alert_test(config: ConfigFile = None) -> None:
    """Send a trial by every configured way, and say what each answered.

    Exits 0 when all of them took it, 1 when one did not, 78 when none is configured.
    """
    from camdl.wiring.announcing import try_out

    tried = try_out(load(config))
    for line in tried.lines():
        say(line)
    raise typer.Exit(tried.exit_code)
