"""How a command tells what came of it, and with which code it exits."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

import typer

from camdl.errors import ExitCode
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


def explain(error: EndOfRun) -> None:
    """Say what is wrong, and what to do, where there is no run that could tell it."""
    _SCREEN.error("%s", _with_advice(str(error), error.advice))
    fields = {"exit_code": str(int(error.exit_code)), "advice": error.advice}
    _EVENTS.error("%s", error, extra={"fields": fields})


def confess(bug: Exception) -> ExitCode:
    """Keep a bug's traceback in a file, and say where."""
    import tempfile
    import traceback

    place = "nowhere: it could not be written"
    with suppress(OSError):
        number, place = tempfile.mkstemp(prefix="camdl-bug-", suffix=".txt")
        with open(number, "w", encoding="utf-8") as file:  # noqa: PTH123  # a file descriptor
            traceback.print_exception(bug, file=file)
    said = f"a bug ({type(bug).__name__}); its traceback went to {place}"
    _SCREEN.error("%s", _with_advice(said, "Please report it with that file."))
    _EVENTS.error("%s", said, extra={"fields": {"exit_code": str(int(ExitCode.BUG))}})
    return ExitCode.BUG


def _with_advice(said: str, advice: str) -> str:
    return f"{said}\n       {advice}" if advice else said
