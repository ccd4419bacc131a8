"""The command line: parse, wire, call one verb, exit with its code. No decisions of its own.

Data goes to stdout and messages to stderr. Heavy modules are imported inside the commands, so that
`camdl --help` and `camdl health` start fast.
"""

from __future__ import annotations

import gc
import io
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from camdl import __version__
from camdl.cli.commands import Commands
from camdl.cli.ending import SIGNALS, explain, fault_of, let_go_of_output
from camdl.errors import ExitCode, InterruptedRunError
from camdl.ops import log, process

app = typer.Typer(
    name="camdl",
    cls=Commands,
    help="Collect a complete, trustworthy archive of terminal gate cameras.\n\n"
    "Each call does one piece of work and exits; cron or a systemd timer gives the cadence.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help fits every width, and pastes into a mail
    add_completion=False,
)


def main() -> NoReturn:
    """Run the command line; the one place that turns errors into exit codes."""
    _start_fast()
    _prepare_output()
    log.begin()
    SIGNALS.install()
    try:
        _run_to_the_last_byte()
    except InterruptedRunError as error:
        explain(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # whoever read our output has left
        let_go_of_output()
        sys.exit(ExitCode.PARTLY)
    except Exception as error:  # noqa: BLE001  # the boundary: a bug is told in one line
        if isinstance(error, OSError):  # maybe of the output itself
            let_go_of_output()
        fault = fault_of(error)
        explain(fault)
        sys.exit(fault.exit_code)
    finally:
        # What there is goes with the process: Python would look through all of it before.
        gc.freeze()
    sys.exit(ExitCode.OK)


def _run_to_the_last_byte() -> None:
    """Run the command and write all of its output."""
    try:
        app(prog_name="camdl")
    except SystemExit:
        sys.stdout.flush()
        raise


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


def _version(asked: bool) -> None:
    if asked:
        print(f"camdl {__version__}")  # noqa: T201  # the command's output
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001  # its callback has seen to it
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Options of every command."""
    process.be_called(f"camdl {context.invoked_subcommand or ''}")
