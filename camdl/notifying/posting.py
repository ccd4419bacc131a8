"""One POST by HTTP or HTTPS: no redirect is followed, and nothing outlives the deadline."""

from __future__ import annotations

import base64
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from camdl import __version__
from camdl.connecting import connect
from camdl.domain.notices import NotSent, Sent
from camdl.domain.text import one_line
from camdl.notifying.failing import failure, watched

if TYPE_CHECKING:
    import ssl
    from urllib.parse import SplitResult

    from camdl.deadline import Deadline

_PORTS = {"http": 80, "https": 443}
_READ = 1000


def post(
    url: str, body: bytes, content_type: str, tls: ssl.SSLContext, deadline: Deadline
) -> Sent | NotSent:
    """Post `body` to `url`, and say what was answered.

    Any answer but a 2xx is a failure. Neither tells more of `url` than its host.

    Raises:
        RuntimeError: there is no thread to be had.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    with watched(deadline) as attempt:
        try:
            sock = connect(host, parts.port or _PORTS[parts.scheme], attempt)
            if parts.scheme == "https":
                sock = tls.wrap_socket(sock, server_hostname=host)
            with closing(sock), closing(HTTPConnection(parts.netloc.rpartition("@")[2])) as talk:
                talk.sock = sock
                talk.request("POST", _target(parts), body, _headers(parts, content_type))
                answer = talk.getresponse()
                said = answer.read(_READ).decode("utf-8", "replace")
        except (OSError, HTTPException, ValueError) as error:
            return failure(host, error, attempt)
    told = one_line(f"{host}: {answer.status} {answer.reason} {said}".rstrip())
    return Sent(told) if 200 <= answer.status < 300 else NotSent(told)


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _headers(parts: SplitResult, content_type: str) -> dict[str, str]:
    headers = {
        "Content-Type": content_type,
        "User-Agent": f"camdl/{__version__}",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    if parts.username:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    return headers
