"""A network of its own, with nothing in it but loopback, for a thread and what that starts."""

from __future__ import annotations

import ctypes
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000


class Network:
    """A network as long as the `with`. What is called in it makes its sockets there."""

    def __enter__(self) -> Self:
        # A network namespace is a thread's, and goes on to what that starts.
        self._thread = ThreadPoolExecutor(1)
        self.call(_leave)
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def call(self, function: Callable[[], T]) -> T:
        """What `function` returns or raises, called by the thread in this network."""
        return self._thread.submit(function).result()


def _leave() -> None:
    """Leave this machine's network for a new one."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
