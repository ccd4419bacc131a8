"""How a command tells what came of it, and with which code it exits."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

import typer

from camdl.errors import CamdlError, StorageError
from camdl.ops.signals import Signals

if TYPE_CHECKING:
    from camdl.domain.outcomes import RunRecord
    from camdl.errors import EndOfRun


SIGNALS = Signals()

_SCREEN = logging.getLogger("camdl.screen")
_EVENTS = logging.getLogger("camdl.events")


def say(text: str) -> None:
    """Print the command's output."""
    print(text)  # noqa: T201  # the command's output


def leave(run: RunRecord, error: EndOfRun | None) -> NoReturn:
    """Exit as `run` ended; `error` is what ended it, if it was not done."""
    if error:
        _SCREEN.error("%s", _with_advice(str(error), error.advice))  # a log has it from the run
    raise typer.Exit(run.exit_code or 0)


def explain(error: EndOfRun, exit_code: int | None = None) -> None:
    """Say what is wrong, and what to do, where there is no run that could tell it.

    `exit_code` is what the command exits with, if not with the error's own.
    """
    _SCREEN.error("%s", _with_advice(str(error), error.advice))
    code = int(error.exit_code if exit_code is None else exit_code)
    _EVENTS.error("%s", error, extra={"fields": {"exit_code": str(code), "advice": error.advice}})


def fault_of(error: Exception) -> CamdlError:
    """What is to be told of `error`, whatever it is. The traceback of a bug is kept in a file."""
    if isinstance(error, CamdlError):
        return error
    if isinstance(error, OSError) and error.errno is not None:  # else a library has made it up
        return StorageError(f"the system refused something: {error}")
    said = f"a bug ({type(error).__name__}); its traceback went to {_keep_traceback(error)}"
    return CamdlError(said, advice="Please report it with that file.")


def let_go_of_output() -> None:
    """What is still to be written and cannot be must not be tried again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _keep_traceback(bug: Exception) -> str:
    """Write it into a file of its own, and say where that is."""
    import tempfile
    import traceback

    place = "nowhere: it could not be written"
    with suppress(OSError):
        number, place = tempfile.mkstemp(prefix="camdl-bug-", suffix=".txt")
        with open(number, "w", encoding="utf-8") as file:  # noqa: PTH123  # a file descriptor
            traceback.print_exception(bug, file=file)
    return place


def _with_advice(said: str, advice: str) -> str:
    return f"{said}\n       {advice}" if advice else said
