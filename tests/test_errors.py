"""The tree of errors: exit codes and advice."""

from __future__ import annotations

import os

import pytest

from camdl.errors import (
    BrowserMissingError,
    CamdlError,
    CatalogueError,
    CleanupRefusedError,
    ConfigError,
    ExitCode,
    InterruptedRunError,
    LockHeldError,
    PassingFaultError,
    StorageError,
    UsageError,
)

CODES = {
    CamdlError: 70,
    UsageError: 2,
    ConfigError: 78,
    BrowserMissingError: 78,
    CleanupRefusedError: 78,
    StorageError: 74,
    CatalogueError: 74,
    LockHeldError: 75,
}


@pytest.mark.parametrize(("error", "code"), CODES.items())
def test_each_error_has_its_exit_code(error: type[CamdlError], code: int) -> None:
    """Other programs rely on these numbers."""
    assert error("what and where").exit_code == code


def test_the_exit_codes_are_those_of_the_system() -> None:
    """The numbers mean what `sysexits.h` and shells mean by them."""
    assert ExitCode.UNREACHABLE == os.EX_UNAVAILABLE
    assert ExitCode.BUG == os.EX_SOFTWARE
    assert ExitCode.STORAGE == os.EX_IOERR
    assert ExitCode.LOCKED == os.EX_TEMPFAIL
    assert ExitCode.CONFIG == os.EX_CONFIG
    assert (ExitCode.SIGINT, ExitCode.SIGTERM) == (128 + 2, 128 + 15)


@pytest.mark.parametrize("error", [error for error in CODES if error is not CamdlError])
def test_each_error_says_what_to_do_next(error: type[CamdlError]) -> None:
    """Every class has advice of its own, which one error may replace."""
    assert str(error("what and where")) == "what and where"
    assert error("what and where").advice == error.advice != ""
    assert error("what and where", advice="do this").advice == "do this"


@pytest.mark.parametrize("code", [ExitCode.SIGINT, ExitCode.SIGTERM])
def test_an_interrupted_run_exits_as_its_signal_says(code: ExitCode) -> None:
    """The signal's name is in the message and its code is the exit code."""
    error = InterruptedRunError(code.name, code)
    assert str(error) == f"interrupted by {code.name}"
    assert error.exit_code is code
    assert error.advice


def test_a_passing_fault_ends_no_run() -> None:
    """It is for the retry decorator, which gets the wait that the server asked for."""
    assert PassingFaultError("busy", wait_seconds=2.5).wait_seconds == 2.5
    assert PassingFaultError("busy").wait_seconds is None
    assert not isinstance(PassingFaultError("busy"), CamdlError)
