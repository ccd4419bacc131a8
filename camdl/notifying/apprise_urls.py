"""Notices by Apprise, which knows more than a hundred services by their URLs."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from camdl.domain.notices import NotSent, Sent
from camdl.domain.text import one_line

if TYPE_CHECKING:
    from camdl.deadline import Deadline
    from camdl.domain.notices import Notice

_CHILD = Path(__file__).with_name("apprise_child.py")
# -P: what lies beside the file must not be taken for modules of Python's.
_COMMAND = [sys.executable, "-P", str(_CHILD)]


class AppriseUrl:
    """Implements `camdl.ports.Notifier` for the URL that comes `number`th in the configuration."""

    def __init__(self, url: str, number: int) -> None:
        self._url = url
        self.name = f"apprise.{number}"

    def send(self, notice: Notice, deadline: Deadline) -> Sent | NotSent:
        """Have a process of its own send it, which is ended at `deadline`."""
        if deadline.passed():
            return NotSent("there was no time left")
        order = {"url": self._url, "title": notice.title, "body": notice.body}
        try:
            with subprocess.Popen(
                _COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            ) as child:
                return _converse(child, json.dumps(order), deadline)
        except OSError as error:
            return NotSent(one_line(f"no process for Apprise can be started: {error.strerror}"))


def _converse(child: subprocess.Popen[str], order: str, deadline: Deadline) -> Sent | NotSent:
    try:
        answer = _ask(child, order, deadline)
    finally:
        # The whole session: some ways of sending start programs.
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    if answer is None:
        return NotSent("Apprise did not end in time")
    try:
        told = json.loads(answer)
        said = one_line(told["said"])
    except (ValueError, KeyError):
        return NotSent("Apprise ended without an answer")
    if told["sent"]:
        return Sent(said or "Apprise has sent it")
    return NotSent(said or "Apprise could not send it, and does not say why")


def _ask(child: subprocess.Popen[str], order: str, deadline: Deadline) -> str | None:
    """The line that `child` answers, empty if it ends without one; None if none came in time."""
    assert child.stdin  # noqa: S101  # it was asked for
    assert child.stdout  # noqa: S101
    with suppress(BrokenPipeError):
        child.stdin.write(f"{order}\n")
        # Left open: its end tells the child that we are gone.
        child.stdin.flush()
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        if not selector.select(deadline.remaining()):
            return None
    return child.stdout.readline()
