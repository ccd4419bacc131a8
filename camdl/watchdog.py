"""Cuts what takes too long: the total deadline of an attempt, which no socket timeout can hold.

A socket's timeout begins anew with every byte, so a server that sends one byte a second holds a
client for ever. Here a thread shuts the attempt's sockets down when its time is up; whatever
waits for them, a TLS handshake, headers or a body, then ends at once.
"""

from __future__ import annotations

import math
import os
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from camdl.deadline import Deadline


class Attempt:
    """One attempt with its deadline, and the sockets that it uses. `cut` is set when it was cut."""

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self.cut = False
        self._lock = threading.Lock()
        self._handles: list[socket.socket] = []

    def watch(self, sock: socket.socket) -> None:
        """Cut `sock` too when the time is up; at once if it is up already.

        A duplicate is kept: the descriptor itself moves into the TLS socket, may be closed and
        may then be another's, while shutting a duplicate down ends the connection.
        """
        with self._lock:
            self._handles.append(socket.socket(fileno=os.dup(sock.fileno())))
            if self.cut:
                self._shut_down()

    def end(self) -> None:
        """Cut it now."""
        with self._lock:
            self.cut = True
            self._shut_down()

    def release(self) -> None:
        """Let go of the sockets; they live on in their connections."""
        with self._lock:
            for handle in self._handles:
                handle.close()
            self._handles.clear()

    def _shut_down(self) -> None:
        for handle in self._handles:
            with suppress(OSError):  # it is not connected yet or any more
                handle.shutdown(socket.SHUT_RDWR)


class Watchdog:
    """One thread that ends every attempt whose deadline has passed."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._attempts: set[Attempt] = set()
        self._wakes_at = math.inf
        self._thread: threading.Thread | None = None
        self._closed = False

    @contextmanager
    def attempt(self, deadline: Deadline) -> Iterator[Attempt]:
        """An attempt that is cut at `deadline`, at the latest when the watchdog is closed."""
        attempt = Attempt(deadline)
        self._add(attempt)
        try:
            yield attempt
        finally:
            with self._changed:
                self._attempts.discard(attempt)
            attempt.release()

    def close(self) -> None:
        """Cut every attempt, those begun later too."""
        with self._changed:
            self._closed = True
            for attempt in self._attempts:
                attempt.end()
            self._changed.notify()

    def _add(self, attempt: Attempt) -> None:
        with self._changed:
            if self._closed:
                attempt.end()
                return
            self._attempts.add(attempt)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="camdl-watchdog", daemon=True
                )
                self._thread.start()
            if attempt.deadline.at < self._wakes_at:
                self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                for attempt in [a for a in self._attempts if a.deadline.passed()]:
                    attempt.end()
                    self._attempts.discard(attempt)
                upcoming = min(
                    (a.deadline for a in self._attempts), key=lambda d: d.at, default=None
                )
                self._wakes_at = upcoming.at if upcoming else math.inf
                self._changed.wait(upcoming.remaining() if upcoming else None)
