"""Signals that ask a run to end become an error of the main thread."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from camdl.errors import ExitCode, InterruptedRunError

if TYPE_CHECKING:
    from types import FrameType

_ASKS_TO_END = {
    signal.SIGTERM: ExitCode.SIGTERM,
    signal.SIGINT: ExitCode.SIGINT,
    signal.SIGHUP: ExitCode.SIGTERM,
}


class Signals:
    """Raises `InterruptedRunError` at the first signal; after it, and once `is_ending`, none.

    What a run does on its way out is bounded, so a second signal would only tear it apart.
    """

    def __init__(self) -> None:
        self._ending = False

    def install(self) -> None:
        """Take the signals over for the rest of the process."""
        for number in _ASKS_TO_END:
            # nohup and cron have some of them ignored, and mean it.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._raise)

    def is_ending(self) -> None:
        """From now on the run is on its way out."""
        self._ending = True

    def _raise(self, number: int, _frame: FrameType | None) -> None:
        if not self._ending:
            self._ending = True
            name = signal.Signals(number)
            raise InterruptedRunError(name.name, _ASKS_TO_END[name])
