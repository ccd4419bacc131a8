"""Connections that a deadline ends: the look-up of a name, which nothing can cut, and all after it.

Names are looked up in threads that are left behind, and a `camdl.watchdog` cuts the sockets.
"""

from __future__ import annotations

import socket
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from camdl.deadline import Deadline
    from camdl.watchdog import Attempt

    Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]

# What is left of a deadline as a timeout: 0 would mean "do not wait at all" to a socket.
SHORTEST_SECONDS = 0.001


def connect(host: str, port: int, attempt: Attempt) -> socket.socket:
    """A TCP connection to `host`, which is cut with `attempt`.

    Its timeout is what is left of the attempt, for whatever waits for it first.

    Raises:
        TimeoutError: there was none until the attempt's deadline.
        UnicodeError: `host` is no host name at all.
        OSError: the name is unknown, or what the last of its addresses said.
    """
    return _connect(_resolve(host, port, attempt.deadline), attempt)


def _resolve(host: str, port: int, deadline: Deadline) -> Sequence[Address]:
    """The addresses of `host`.

    The look-up has no timeout of its own and cannot be cut, so it is left behind in a thread.

    Raises:
        TimeoutError: no answer until `deadline`.
        OSError: there is none.
    """
    answers: SimpleQueue[Sequence[Address] | Exception] = SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=look_up, name="camdl-look-up", daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.remaining())
    except Empty:
        raise TimeoutError from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _connect(addresses: Sequence[Address], attempt: Attempt) -> socket.socket:
    """A connection to the first of `addresses` that takes one.

    Raises:
        TimeoutError: not until the attempt's deadline.
        OSError: what the last of them said.
    """
    refused: OSError = TimeoutError()
    for left, (family, kind, protocol, _, address) in zip(
        range(len(addresses), 0, -1), addresses, strict=True
    ):
        if attempt.deadline.passed():
            raise TimeoutError
        sock = socket.socket(family, kind, protocol)
        try:
            attempt.watch(sock)
            # A share of the time each: one that is silent leaves some to the next.
            sock.settimeout(attempt.deadline.remaining() / left)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.connect(address)
            sock.settimeout(max(attempt.deadline.remaining(), SHORTEST_SECONDS))
        except OSError as error:
            sock.close()
            refused = error
        else:
            return sock
    raise refused
