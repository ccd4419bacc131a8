"""urllib3's connections, made such that the attempt they serve can be cut at any point.

The attempt is the one of the calling thread: urllib3 makes connections where nothing of ours can
be handed through.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from camdl.connecting import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from camdl.watchdog import Attempt

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
    manager = PoolManager(maxsize=connections)
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager


class _Watched(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        attempt = _ATTEMPT.get()
        try:
            return connect(self._dns_host, self.port, attempt)
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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Here, since reading the system's certificates takes a while and not all sites need them.
        super().__init__(*args, **{"ssl_context": ssl.create_default_context(), **kwargs})
