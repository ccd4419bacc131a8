"""Signals that ask a run to end become an error of the main thread."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

from camdl.errors import ExitCode, InterruptedRunError

if TYPE_CHECKING:
    from types import FrameType

_ASKS_TO_END = {
    signal.SIGTERM: ExitCode.SIGTERM,
    signal.SIGINT: ExitCode.SIGINT,
    signal.SIGHUP: ExitCode.SIGTERM,
}
_AGAIN_SECONDS = 0.02
_LONGEST_WAIT = 250  # times as long
# The code of importlib, and the directory of a library.
_NOT_TO_BE_TORN = ("<frozen importlib", f"{os.sep}sqlalchemy{os.sep}")


class Signals:
    """Raises `InterruptedRunError` at the first signal; after it, and once `is_ending`, none.

    What a run does on its way out is bounded, so a second signal would only tear it apart.
    """

    def __init__(self) -> None:
        self._is_ending = False
        self._has_raised = False
        self._number = signal.SIGTERM
        self._postponed = 0

    def install(self) -> None:
        """Take the signals over for the rest of the process, and SIGALRM for what is postponed."""
        for number in _ASKS_TO_END:
            # nohup and cron have some of them ignored, and mean it.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._take)
        signal.signal(signal.SIGALRM, self._take_postponed)
        sys.unraisablehook = self._take_what_got_lost

    def is_ending(self) -> None:
        """From now on the run is on its way out."""
        self._is_ending = True

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self._is_ending or self._has_raised:
            return
        self._number = signal.Signals(number)
        if _is_delicate(frame) and self._postponed < _LONGEST_WAIT:
            self._postpone()
        else:
            self._has_raised = True
            raise InterruptedRunError(self._number.name, _ASKS_TO_END[self._number])

    def _take_postponed(self, _: int, frame: FrameType | None) -> None:
        self._take(self._number, frame)

    def _take_what_got_lost(self, told: sys.UnraisableHookArgs) -> None:
        """Raise again what came up where Python lets no error out, such as in a `__del__`."""
        if isinstance(told.exc_value, InterruptedRunError):
            self._has_raised = False
            self._postpone()
        else:
            sys.__unraisablehook__(told)

    def _postpone(self) -> None:
        self._postponed += 1
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)


def _is_delicate(frame: FrameType | None) -> bool:
    """Whether the main thread does what would be of harm on the way out if it were broken off.

    An import would leave half a module, or a lock that all imports need; a transaction its
    connection, which keeps others from writing as long as the error that broke it off is held.
    So would a `with` that has been entered, of which nobody knows yet.
    """
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back  # what is postponed may come before its own handler is over
    if frame is not None and frame.f_code.co_filename == contextlib.__file__:
        return True
    while frame is not None:
        if any(part in frame.f_code.co_filename for part in _NOT_TO_BE_TORN):
            return True
        frame = frame.f_back
    return False
