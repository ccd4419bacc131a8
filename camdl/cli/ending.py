"""How a command tells what came of it, and with which code it exits."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

import typer

from camdl.errors import ExitCode
from camdl.ops.signals import Signals

if TYPE_CHECKING:
    from camdl.domain.outcomes import RunRecord
    from camdl.errors import EndOfRun


SIGNALS = Signals()


def say(text: str) -> None:
    """Print the command's output."""
    print(text)  # noqa: T201  # the command's output


def leave(run: RunRecord, error: EndOfRun | None) -> NoReturn:
    """Exit as `run` ended; `error` is what ended it, if it was not done."""
    if error:
        explain(error)
    raise typer.Exit(run.exit_code or 0)


def explain(error: EndOfRun) -> None:
    """Say on stderr what is wrong, and what to do."""
    print(f"camdl: {error}", file=sys.stderr)  # noqa: T201
    if error.advice:
        print(f"       {error.advice}", file=sys.stderr)  # noqa: T201


def confess(bug: Exception) -> ExitCode:
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
