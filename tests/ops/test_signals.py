"""Signals that ask a run to end."""

from __future__ import annotations

import contextlib
import importlib
import signal
import sys
import time
from typing import TYPE_CHECKING, cast

import pytest

from camdl.errors import ExitCode, InterruptedRunError
from camdl.ops import signals as module
from camdl.ops.signals import Signals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALL = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture(autouse=True)
def as_they_were() -> Iterator[None]:
    """Signals belong to the whole process."""
    before = {number: signal.getsignal(number) for number in (*ALL, signal.SIGALRM)}
    hook = sys.unraisablehook
    yield
    sys.unraisablehook = hook
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def signals() -> Signals:
    """Installed ones."""
    installed = Signals()
    installed.install()
    return installed


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, ExitCode.SIGTERM),
        (signal.SIGINT, ExitCode.SIGINT),
        (signal.SIGHUP, ExitCode.SIGTERM),
    ],
)
def test_a_signal_becomes_an_error(signals: Signals, number: signal.Signals, code: int) -> None:
    """It names the signal, and has its exit code."""
    with pytest.raises(InterruptedRunError, match=number.name) as caught:
        signal.raise_signal(number)
    assert caught.value.exit_code == code


def test_only_the_first_signal_counts(signals: Signals) -> None:
    """A run on its way out is not torn apart by further ones."""
    with pytest.raises(InterruptedRunError):
        signal.raise_signal(signal.SIGINT)
    for number in ALL:
        signal.raise_signal(number)


def test_none_counts_once_the_run_is_ending(signals: Signals) -> None:
    """What is being recorded is recorded."""
    signals.is_ending()
    for number in ALL:
        signal.raise_signal(number)


def test_what_is_ignored_stays_ignored() -> None:
    """`nohup` means it."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    Signals().install()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    signal.raise_signal(signal.SIGHUP)


class Interrupted:
    """Something whose end is interrupted, where Python lets no error out."""

    def __del__(self) -> None:
        """Be interrupted."""
        signal.raise_signal(signal.SIGTERM)


def test_a_signal_that_got_lost_comes_again(signals: Signals) -> None:
    """An error in a destructor goes nowhere; the signal is not forgotten with it."""
    thing = Interrupted()
    del thing
    with pytest.raises(InterruptedRunError, match="SIGTERM"):
        time.sleep(10)


def test_a_signal_that_got_lost_comes_too_late(signals: Signals) -> None:
    """A run that came to its end in the meantime is left in peace."""
    thing = Interrupted()
    del thing
    signals.is_ending()
    time.sleep(0.1)


def test_other_errors_that_got_lost_are_told_as_ever(
    signals: Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python's own way to tell of them stays."""

    class Broken:
        """Something whose end fails."""

        def __del__(self) -> None:
            """Fail."""
            raise ZeroDivisionError

    thing = Broken()
    del thing
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["/lib/sqlalchemy/engine/base.py", contextlib.__file__])
def test_a_transaction_is_not_torn(signals: Signals, file: str) -> None:
    """Its connection would be held by the error, and the end of the run could not be recorded."""
    done: list[bool] = []
    text = "import signal\nsignal.raise_signal(signal.SIGTERM)\ndone.append(True)"
    exec(compile(text, file, "exec"), {"done": done})  # noqa: S102  # it stands for the library's
    assert done
    with pytest.raises(InterruptedRunError, match="SIGTERM"):
        time.sleep(10)


def a_module(directory: Path, monkeypatch: pytest.MonkeyPatch, last_line: str) -> str:
    """The name of a module that is interrupted while it is imported."""
    name = f"interrupted_{directory.name}"
    text = f"import signal, time\nsignal.raise_signal(signal.SIGINT)\n{last_line}\n"
    (directory / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(directory)
    return name


def test_an_import_is_not_broken_off(
    signals: Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a module would be of no use on the way out: the signal comes right after it."""
    name = a_module(tmp_path, monkeypatch, "is_whole = True")
    imported = cast("object", importlib.import_module(name))
    assert getattr(imported, "is_whole", False)
    with pytest.raises(InterruptedRunError, match="SIGINT"):
        time.sleep(10)


def test_an_import_that_takes_too_long_is_broken_off(
    signals: Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that is imported as a whole can be ended too."""
    monkeypatch.setattr(module, "_LONGEST_WAIT", 3)
    name = a_module(tmp_path, monkeypatch, "time.sleep(10)")
    with pytest.raises(InterruptedRunError, match="SIGINT"):
        importlib.import_module(name)
