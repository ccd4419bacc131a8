"""The command line: parse, wire, call one verb, exit with its code. No decisions of its own.

Data goes to stdout and messages to stderr. Heavy modules are imported inside the commands, so that
`camdl --help` and `camdl health` start fast.
"""

from __future__ import annotations

import gc
import io
import json
import os
import sys
from contextlib import suppress
from datetime import datetime  # noqa: TC003  # typer looks at it
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from camdl import __version__
from camdl.domain.text import one_line
from camdl.errors import END_OF_RUN, CamdlError, EndOfRun, ExitCode, StorageError, UsageError
from camdl.ops.signals import Signals

if TYPE_CHECKING:
    from camdl.config import Loaded
    from camdl.domain.windows import Window

app = typer.Typer(
    name="camdl",
    help="Collect a complete, trustworthy archive of terminal gate cameras.\n\n"
    "Each call does one piece of work and exits; cron or a systemd timer gives the cadence.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help fits every width, and pastes into a mail
    add_completion=False,
)
config_app = typer.Typer(
    help="Show, check or begin the configuration.", no_args_is_help=True, rich_markup_mode=None
)
db_app = typer.Typer(
    help="The catalogue's database schema.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(config_app, name="config")
app.add_typer(db_app, name="db")

SIGNALS = Signals()

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
PinFrom = Annotated[
    str | None, typer.Option("--from", metavar="WHEN", help="2025-09-08 or 2025-09-08T14:30.")
]
PinTo = Annotated[
    str | None, typer.Option("--to", metavar="WHEN", help="Up to this time, or the end of a day.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say what happens, under cron too.")]


def main() -> NoReturn:
    """Run the command line; the one place that turns errors into exit codes."""
    _start_fast()
    _prepare_output()
    SIGNALS.install()
    try:
        _run_to_the_last_byte()
    except END_OF_RUN as error:
        _explain(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # whoever read our output has left
        _let_go_of_output()
        sys.exit(ExitCode.PARTLY)
    except Exception as bug:  # noqa: BLE001  # the boundary: a bug is told in one line
        sys.exit(_confess(bug))
    sys.exit(ExitCode.OK)


def _run_to_the_last_byte() -> None:
    """Run the command and write all of its output.

    Raises:
        StorageError: the system refused something, such as a place for the output.
    """
    try:
        try:
            app(prog_name="camdl")
        except SystemExit:
            sys.stdout.flush()
            raise
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.errno is None:  # raised by a library, not by the system
            raise
        _let_go_of_output()
        raise StorageError(f"the system refused something: {error}") from error


def _start_fast() -> None:
    """Half of what a command such as `camdl health` takes is spent on imports."""
    # Those make hundreds of thousands of objects that stay, and are not worth looking through.
    gc.set_threshold(50_000)
    # typer has pydantic look for plugins among all that is installed.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def _prepare_output() -> None:
    """Have streams to write to, whoever started this, and letters that any of them can take."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # Else the next file that is opened, such as the lock, would get this number, and
            # what a child process prints.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # for good
            setattr(sys, name, nowhere)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _let_go_of_output() -> None:
    """What is still to be written and cannot be must not be tried again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _version(asked: bool) -> None:
    if asked:
        print(f"camdl {__version__}")  # noqa: T201  # the command's output
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Options of every command."""


@app.command()
def download(  # noqa: PLR0917  # typer passes them by name
    stream: Streams = None,
    latest: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="At most the N newest new images of each stream."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read the pages and say what would be fetched.")
    ] = False,
    wait: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="Wait so long for a run that is going on."),
    ] = 0.0,
    as_json: AsJson = False,
    config: ConfigFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Archive every new image of the configured gates.

    Reads each camera page in a browser, fetches what the catalogue does not have, newest first,
    checks it, stores it, records it and writes the health file. Run it every ten minutes.
    While a backfill has the lock, it waits for that to let go, which is within two minutes.

    Exits 0 when all is done (nothing new is success), 1 when a stream or an image failed, 69 when
    nothing could be reached, 74 for the disk or the database, 75 when another run is going on,
    78 for the configuration.
    """
    from camdl import wiring
    from camdl.report.screen import Screen
    from camdl.verbs.download import download as run

    loaded = _load(config)
    wiring.log_to_stderr(quiet=quiet, verbose=verbose)
    order = wiring.order(loaded, stream or (), latest=latest, dry_run=dry_run, wait_seconds=wait)
    names = [one.name for one in order.streams]
    with Screen(names, quiet=quiet, verbose=verbose, as_json=as_json) as screen:
        finished = run(order, wiring.Workshop(loaded, SIGNALS, screen.progress))
    screen.show(finished.run, finished.would_fetch if dry_run else None)
    if finished.error:
        _explain(finished.error)
    raise typer.Exit(finished.run.exit_code or 0)


@app.command(short_help="Check that the catalogue and the files agree, and repair it.")
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
            help="Register files without a row, move bad files aside, and have the fetcher get "
            "again what is lost.",
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
    wait: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="Wait so long for a run that is going on."),
    ] = 0.0,
    as_json: AsJson = False,
    config: ConfigFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Check every row of the catalogue against its file, and every file against its row.

    Prints one line for each thing that is wrong: what it is, the file, and why. Runs may go on
    meanwhile; only a repair takes the lock, for moments.

    Exits 0 when nothing is wrong or all of it was repaired, 1 when something is, 74 when the
    archive or the catalogue cannot be read, 75 when a repair is locked out by another run, 78 for
    the configuration.
    """
    from camdl import wiring
    from camdl.report.verification import VerificationScreen
    from camdl.verbs.verify import verify as run
    from camdl.wiring import verifying

    loaded = _load(config)
    wiring.log_to_stderr(quiet=quiet, verbose=verbose)
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
    verified = run(order, verifying.VerifyWorkshop(loaded, SIGNALS, screen))
    screen.close(verified.run, verified.tally)
    if verified.error:
        _explain(verified.error)
    raise typer.Exit(verified.run.exit_code or 0)


@app.command()
def cleanup(  # noqa: PLR0917  # typer passes them by name
    days: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Delete what was taken more than N days ago. [default: retention_days]",
        ),
    ] = None,
    min_free: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=100,
            metavar="PERCENT",
            help="Delete the oldest of the others too, until so much of the disk is free.",
        ),
    ] = None,
    stream: Streams = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be deleted, and delete nothing.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Delete although more than half would go, the clock seems wrong or the catalogue "
            "is younger than the files.",
        ),
    ] = False,
    wait: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="Wait so long for a run that is going on."),
    ] = 0.0,
    as_json: AsJson = False,
    config: ConfigFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Delete captures that are older than they are kept.

    Goes by the times of the captures, and deletes only what the catalogue lists and no pin keeps.
    Old runs, given-up captures, filled gaps and old diagnoses are forgotten too. Run it every day.

    Exits 0 when all is done (nothing to delete is success), 1 when a file could not be deleted or
    not enough is free, 74 for the disk or the database, 75 when another run is going on, 78 when
    it refuses, with the reason.
    """
    from camdl import wiring
    from camdl.report.clearance import ClearanceScreen
    from camdl.verbs.cleanup import cleanup as run
    from camdl.wiring import cleaning

    loaded = _load(config)
    wiring.log_to_stderr(quiet=quiet, verbose=verbose)
    order = cleaning.cleanup_order(
        loaded,
        stream or (),
        days=days,
        min_free=min_free,
        dry_run=dry_run,
        force=force,
        wait_seconds=wait,
    )
    screen = ClearanceScreen(dry_run=dry_run, quiet=quiet, verbose=verbose, as_json=as_json)
    finished = run(order, cleaning.CleanupWorkshop(loaded, SIGNALS, screen.would_go))
    screen.show(finished.run, finished.forgotten, finished.diagnoses)
    if finished.error:
        _explain(finished.error)
    raise typer.Exit(finished.run.exit_code or 0)


@app.command()
def pin(  # noqa: PLR0917  # typer passes them by name
    stream: Annotated[
        str | None, typer.Argument(metavar="STREAM", help="The stream.", show_default=False)
    ] = None,
    start: PinFrom = None,
    end: PinTo = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="What they are kept for.")] = "",
    list_them: Annotated[bool, typer.Option("--list", help="Print every pin instead.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Keep the captures of a stream and a time, whatever clean-up is asked to delete.

    Times without a zone are UTC, as in the names of the files. Take a pin away with camdl unpin.
    """
    from camdl import wiring
    from camdl.report.pins import pin_lines, pins_as_json
    from camdl.verbs import pin as verb
    from camdl.wiring import cleaning

    loaded = _load(config)
    names = [one.name for one in loaded.streams([stream])] if stream else []
    with cleaning.keeping(loaded) as keeping:
        if list_them:
            found = verb.pins(keeping, names)
        else:
            window = _window(start, end)
            if not names or window is None:
                raise UsageError("a pin needs STREAM, --from and --to")
            found = (verb.pin(keeping, names[0], window, one_line(note), wiring.utc_now()),)
    if as_json:
        _print(pins_as_json(found))
    else:
        for line in pin_lines(found):
            _print(line)


@app.command()
def unpin(
    ids: Annotated[
        list[int] | None, typer.Argument(metavar="[ID]...", help="Pins, as camdl pin --list says.")
    ] = None,
    stream: Annotated[
        str | None, typer.Option(metavar="NAME", help="Captures of this stream instead.")
    ] = None,
    start: PinFrom = None,
    end: PinTo = None,
    config: ConfigFile = None,
) -> None:
    """Take pins away, by their ids or from the captures of a stream and a time."""
    from camdl.verbs import pin as verb
    from camdl.wiring import cleaning

    loaded = _load(config)
    window = _window(start, end)
    if bool(ids) == bool(stream) or bool(stream) != (window is not None):
        raise UsageError("say either IDs, or --stream, --from and --to")
    with cleaning.keeping(loaded) as keeping:
        if window and stream:
            # Of a stream that is not configured any more too.
            verb.unpin_window(keeping, stream, window)
        else:
            verb.unpin(keeping, ids or ())


def _moment(text: str | None) -> datetime | None:
    """The instant that `text` says, if it is given.

    Raises:
        UsageError: it is no time.
    """
    from camdl.domain.moments import moment

    try:
        return None if text is None else moment(text)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _window(start: str | None, end: str | None) -> Window | None:
    """The time from `start` to `end`, if both are given.

    Raises:
        UsageError: one of them is no time, or the end does not come after the start.
    """
    from camdl.domain.moments import window

    try:
        return window(start, end) if start and end else None
    except ValueError as error:
        raise UsageError(str(error)) from error


@app.command()
def backfill(  # noqa: PLR0917  # typer passes them by name
    first: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            formats=["%Y-%m-%d"],
            metavar="DATE",
            help="The first day (YYYY-MM-DD, of the site's time zone). Needed without --gaps.",
        ),
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option(
            "--to", formats=["%Y-%m-%d"], metavar="DATE", help="The last day. [default: today]"
        ),
    ] = None,
    gaps: Annotated[
        bool,
        typer.Option(
            "--gaps", help="Only days with gaps that the source has not confirmed, however old."
        ),
    ] = False,
    stream: Streams = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read the days and say what would be fetched.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Archive what the camera pages still have of earlier days.

    Drives each page's date picker, newest day first, and fetches what the catalogue lacks. Stop
    it whenever you like: the next backfill goes on where it was stopped, and fetches nothing twice.
    Days that were read to their end, with all of their captures archived, are not read again.

    It shares the lock with the runs of every ten minutes: it works for about half a minute, lets
    go of the lock for a second, and takes it again. A download that comes meanwhile waits for
    that, two minutes at most, and goes first.

    A clean-up deletes what is older than retention_days, however it came: pin what is to stay.

    Exits as download does; 75 when another run held the lock for longer than a run may take.
    """
    from camdl import wiring
    from camdl.report.screen import Screen
    from camdl.verbs.backfill import backfill as run

    loaded = _load(config)
    wiring.log_to_stderr(quiet=quiet, verbose=verbose)
    order = wiring.backfill_order(
        loaded, stream or (), first=first, last=last, only_gaps=gaps, dry_run=dry_run
    )
    names = [one.name for one in order.streams]
    with Screen(names, quiet=quiet, verbose=verbose, as_json=as_json) as screen:
        finished = run(order, wiring.BackfillWorkshop(loaded, SIGNALS, screen.progress))
    screen.show(finished.run, finished.would_fetch if dry_run else None)
    if finished.error:
        _explain(finished.error)
    raise typer.Exit(finished.run.exit_code or 0)


@app.command()
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

    loaded = _load(config)
    streams, later_than = loaded.streams(stream or ()), _moment(since)
    with wiring.stocktaking(loaded) as stock:
        found = run(stock, streams, wiring.utc_now(), since=later_than, resolved=show_all)
    if as_json:
        from camdl.report.gaps import gaps_as_json

        _print(gaps_as_json(found.gaps))
    else:
        from rich.console import Console

        from camdl.report.gaps import show_gaps

        show_gaps(Console(), found.gaps)
    raise typer.Exit(found.exit_code)


@app.command()
def health(
    as_json: AsJson = False,
    config: ConfigFile = None,
    quiet: Quiet = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print every check, and what to do.")
    ] = False,
) -> None:
    """Judge the archive as it is now, for a person or for monitoring.

    Looks at the database, the disk, each stream's newest capture and the last runs, never at an
    old health file. Prints one line, and exits 0 healthy, 1 warning or degraded, 2 critical,
    3 unknown.
    """
    from camdl import wiring

    try:
        verdict = wiring.health(_load(config))
    except CamdlError as error:
        # Monitoring knows no other codes; what is wrong with a configuration is told all the same.
        _print(f"camdl UNKNOWN - {one_line(str(error), 1000)}")
        raise typer.Exit(3) from error
    if as_json:
        _print(json.dumps(verdict.to_dict(), indent=2))
    elif verbose:
        from rich.console import Console

        from camdl.report.tables import show_health

        show_health(Console(), verdict)
    elif not quiet:
        _print(verdict.line())
    raise typer.Exit(verdict.exit_code)


@app.command()
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
        int, typer.Option(min=0, max=65535, help="The port of --serve; 0 takes a free one.")
    ] = 8765,
) -> None:
    """See everything work: a gate site on this machine, and two real runs against it.

    Needs no network and no configuration. A browser is looked for, and provided if there is none.
    """
    from camdl import wiring

    raise typer.Exit(wiring.demo(frames=frames, directory=directory, serve=serve, port=port))


@config_app.command("show")
def config_show(config: ConfigFile = None) -> None:
    """Print every setting in effect, and where it came from. Secrets are masked."""
    from camdl.verbs.config import show

    _print(show(_load(config)))


@config_app.command("check")
def config_check(config: ConfigFile = None) -> None:
    """Check the configuration, and show what its templates make of a capture."""
    from camdl import wiring
    from camdl.verbs.config import check

    _print(check(_load(config), wiring.utc_now()))


@config_app.command("init")
def config_init(
    file: Annotated[Path, typer.Argument(help="The file to write.")] = Path("camdl.toml"),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a commented configuration file to begin with."""
    from camdl.verbs.config import init

    _print(init(file, force=force))


@db_app.command("upgrade")
def db_upgrade(config: ConfigFile = None) -> None:
    """Bring the catalogue's schema to this version's."""
    from camdl import wiring
    from camdl.verbs.db import upgrade

    loaded = _load(config)
    with wiring.schema(loaded) as schema:
        _print(upgrade(schema, wiring.lock(loaded, "db upgrade")))


@db_app.command("current")
def db_current(config: ConfigFile = None) -> None:
    """Say which schema the catalogue has, and which this version needs."""
    from camdl import wiring
    from camdl.verbs.db import current

    with wiring.schema(_load(config)) as schema:
        _print(current(schema))


@db_app.command("backup")
def db_backup(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    config: ConfigFile = None,
) -> None:
    """Copy the catalogue to FILE, consistent and checked, while runs go on.

    To restore it, stop the timer, copy FILE to the place of the catalogue, and run: camdl verify
    """
    from camdl.verbs.backup import backup
    from camdl.wiring import verifying

    with verifying.backup(_load(config)) as copying:
        _print(backup(copying, file, force=force))


def _load(config: Path | None) -> Loaded:
    from camdl.config import load

    return load({}, config, os.environ)


def _print(text: str) -> None:
    print(text)  # noqa: T201  # the command's output


def _explain(error: EndOfRun) -> None:
    print(f"camdl: {error}", file=sys.stderr)  # noqa: T201
    if error.advice:
        print(f"       {error.advice}", file=sys.stderr)  # noqa: T201


def _confess(bug: Exception) -> ExitCode:
    """Keep a bug's traceback in a file, and say where."""
    import tempfile
    import traceback

    place = "nowhere: it could not be written"
    with suppress(OSError):
        number, place = tempfile.mkstemp(prefix="camdl-bug-", suffix=".txt")
        with open(number, "w", encoding="utf-8") as file:  # noqa: PTH123  # a file descriptor
            traceback.print_exception(bug, file=file)
    kind = type(bug).__name__
    print(f"camdl: a bug ({kind}); its traceback went to {place}", file=sys.stderr)  # noqa: T201
    print("       Please report it with that file.", file=sys.stderr)  # noqa: T201
    return ExitCode.BUG
