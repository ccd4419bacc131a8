"""urllib3's connections, made such that the attempt they serve can be cut at any point.

The attempt is the one of the calling thread: urllib3 makes connections where nothing of ours can
be handed through.
"""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from camdl.deadline import Deadline
    from camdl.fetching.watchdog import Attempt

    Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]

# What is left of a deadline as a timeout: 0 would mean "do not wait at all" to a socket.
SHORTEST_SECONDS = 0.001

_ATTEMPT: ContextVar[Attempt] = ContextVar("attempt")


@contextmanager
def serving(attempt: Attempt) -> Iterator[None]:
    """Connections that this thread makes or uses inside the `with` are cut with `attempt`."""
    token = _ATTEMPT.set(attempt)
    try:
        yield
    finally:
        _ATTEMPT.reset(token)


def pools(connections: int) -> PoolManager:
    """Pools that keep up to `connections` connections to each origin; certificates are verified."""
    manager = PoolManager(maxsize=connections, ssl_context=ssl.create_default_context())
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager


class _Watched(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        attempt = _ATTEMPT.get()
        try:
            return _connect(_resolve(self._dns_host, self.port, attempt.deadline), attempt)
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no connection in time") from error
        except (socket.gaierror, UnicodeError) as error:  # UnicodeError: no host name at all
            reason = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
            raise NameResolutionError(self.host, self, reason) from error
        except OSError as error:
            raise NewConnectionError(self, error.strerror or str(error)) from error

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:  # kept alive since an earlier attempt
            _ATTEMPT.get().watch(self.sock)
        super().request(*args, **kwargs)


class _WatchedTls(_Watched, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTls


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
