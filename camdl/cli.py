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
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from camdl import __version__
from camdl.domain.text import one_line
from camdl.errors import END_OF_RUN, CamdlError, EndOfRun, ExitCode, StorageError
from camdl.ops.signals import Signals

if TYPE_CHECKING:
    from camdl.config import Loaded

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
            app()
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
