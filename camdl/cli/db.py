"""`camdl db`."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  # typer looks at it
from typing import Annotated

import typer

from camdl.cli.ending import say
from camdl.cli.options import ConfigFile, load

app = typer.Typer(
    help="The catalogue's database schema.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


@app.command("upgrade")
def db_upgrade(config: ConfigFile = None) -> None:
    """Bring the catalogue's schema to this version's."""
    from camdl import wiring
    from camdl.verbs.db import upgrade

    loaded = load(config)
    with wiring.schema(loaded) as schema:
        say(upgrade(schema, wiring.lock(loaded, "db upgrade")))


@app.command("current")
def db_current(config: ConfigFile = None) -> None:
    """Say which schema the catalogue has, and which this version needs."""
    from camdl import wiring
    from camdl.verbs.db import current

    with wiring.schema(load(config)) as schema:
        say(current(schema))


@app.command("backup")
def db_backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    config: ConfigFile = None,
) -> None:
    """Copy the catalogue to FILE, consistent and checked, while runs go on.

    PostgreSQL's pg_dump makes the copy of a catalogue there. To restore one, stop the timer, put
    FILE back (SQLite: copy it to the catalogue's place; PostgreSQL: with pg_restore), and run:
    camdl verify
    """
    from camdl.verbs.backup import backup
    from camdl.wiring import verifying

    with verifying.backup(load(config)) as copying:
        say(backup(copying, file, force=force))
