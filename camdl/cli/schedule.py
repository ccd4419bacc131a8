"""`camdl schedule`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from camdl.cli.ending import say
from camdl.cli.options import AsJson, ConfigFile, load
from camdl.domain.schedule import Format

if TYPE_CHECKING:
    from camdl.config import Loaded

app = typer.Typer(invoke_without_command=True, rich_markup_mode=None, add_completion=False)

OneUser = Annotated[
    bool, typer.Option("--user", help="For yourself, not for the whole machine as user camdl.")
]
Program = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The camdl that is started. [default: this one]"),
]
Directory = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Where it runs, to which relative paths belong. [default: /var/lib/camdl; with --user "
        "the current one]",
    ),
]
BySystemd = Annotated[bool | None, typer.Option("--systemd/--cron", help="By which of the two.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")]


@app.callback()
def schedule(  # noqa: PLR0917  # typer passes them by name
    context: typer.Context,
    form: Annotated[
        Format,
        typer.Option("--format", metavar="FORM", help="table, crontab, systemd or kubernetes."),
    ] = Format.TABLE,
    user: OneUser = False,
    program: Program = None,
    directory: Directory = None,
    image: Annotated[
        str, typer.Option(metavar="NAME", help="The container image for Kubernetes.")
    ] = "",
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write files into DIR instead.")
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Show what is to be started and when, or have it started.

    Without a command: the jobs and their next runs (UTC), or the text that has cron, systemd or
    Kubernetes start them. How often camdl download is started is download_interval_minutes.
    """
    if context.invoked_subcommand:
        return
    from camdl.wiring import scheduling

    loaded = load(config)
    _remark(loaded)
    if form is Format.TABLE:
        _show(loaded, as_json=as_json)
        return
    where = scheduling.place(loaded, program=program, directory=directory, is_users=user)
    texts = scheduling.rendered(loaded, form, where, image)
    if output:
        scheduling.write(texts, output)
        return
    for name, text in texts.items():
        if len(texts) > 1:
            say(f"# {name}")
        say(text.removesuffix("\n"))


@app.command()
def install(  # noqa: PLR0917  # typer passes them by name
    systemd: BySystemd = None,
    user: OneUser = False,
    program: Program = None,
    directory: Directory = None,
    dry_run: DryRun = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Replace files that were changed by hand; keep FILE.orig."),
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Have the jobs started: by systemd where it runs this machine, else by cron.

    As root, for the whole machine: makes the user camdl, as which everything runs, and its
    directory. Says each thing that it does; if one fails, files and timers are as before. Install
    again after an upgrade, or when paths or the interval in the configuration have changed.

    Exits 0 when all is done, 74 when a file cannot be written, 78 when this machine or this user
    cannot, or a file was changed by hand.
    """
    from camdl.verbs.schedule import install as run
    from camdl.wiring import scheduling

    loaded = load(config)
    _remark(loaded)
    where = scheduling.place(loaded, program=program, directory=directory, is_users=user)
    by_systemd, by_cron = scheduling.starters(
        scheduling.jobs(loaded), where, say, dry_run=dry_run, force=force
    )
    if scheduling.systemd_is_running() if systemd is None else systemd:
        run(by_systemd, [by_cron])
    else:
        run(by_cron, [by_systemd])


@app.command()
def uninstall(
    systemd: BySystemd = None,
    user: OneUser = False,
    dry_run: DryRun = False,
    force: Annotated[
        bool, typer.Option("--force", help="Remove files that were changed by hand too.")
    ] = False,
) -> None:
    """Have the jobs started no more.

    Removes what install has put in place, of systemd and of cron, but not what was changed by hand
    since. The archive, the configuration and the user camdl stay.
    """
    from camdl.verbs.schedule import uninstall as run
    from camdl.wiring import scheduling

    by_systemd, by_cron = scheduling.installed(
        is_users=user, tell=say, dry_run=dry_run, force=force
    )
    chosen = {True: [by_systemd], False: [by_cron], None: [by_systemd, by_cron]}[systemd]
    if not run(chosen):
        say("Nothing was put in place here.")


def _remark(loaded: Loaded) -> None:
    from camdl.wiring import scheduling

    for job in scheduling.jobs(loaded):
        if job.remark:
            print(f"camdl: {job.remark}", file=sys.stderr)  # noqa: T201  # a message


def _show(loaded: Loaded, *, as_json: bool) -> None:
    from camdl.wiring import scheduling

    if as_json:
        from camdl.report.schedule import schedule_as_json

        say(schedule_as_json(scheduling.due(loaded)))
    else:
        from rich.console import Console

        from camdl.report.schedule import show_schedule

        show_schedule(Console(), scheduling.due(loaded))
