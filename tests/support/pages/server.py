"""A web server for test pages: each path has a route, which answers as it likes."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from tests.support.http import Conversation, RawServer, answer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Mapping

    Route = Callable[["Asked"], None]

_SOCKET_KEY = b"sec-websocket-key: "
_SOCKET_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Asked:
    """One request, and the ways to answer it."""

    def __init__(self, conversation: Conversation, head: bytes) -> None:
        self.conversation = conversation
        self.head = head
        parts = urlsplit(head.split()[1].decode("latin-1"))
        self.path = parts.path
        self.query = {name: values[-1] for name, values in parse_qs(parts.query).items()}

    def send(self, body: str | bytes, kind: str, *headers: str, status: str = "200 OK") -> None:
        """A whole answer."""
        data = body.encode() if isinstance(body, str) else body
        headers = (f"Content-Type: {kind}", "Cache-Control: no-store", *headers)
        self.conversation.send(answer(status, data, *headers))

    def html(self, body: str, *headers: str, status: str = "200 OK") -> None:
        """A page."""
        self.send(body, "text/html; charset=utf-8", *headers, status=status)

    def json(self, value: object) -> None:
        r"""JSON with `\/` for `/`, as many servers write it."""
        self.send(json.dumps(value).replace("/", "\\/"), "application/json")

    def redirect(self, url: str) -> None:
        """Send the browser elsewhere."""
        self.send("", "text/plain", f"Location: {url}", status="302 Found")

    def pieces(self, pieces: Iterable[bytes], kind: str, seconds: float) -> None:
        """An answer in several pieces, `seconds` apart."""
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.conversation.send(head.encode())
        for piece in pieces:
            self.conversation.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            if self.wait(seconds):
                return
        self.conversation.send(b"0\r\n\r\n")

    def web_socket(self, text: str, seconds: float) -> None:
        """A WebSocket that says `text` every so often and never ends."""
        key = next(
            line[len(_SOCKET_KEY) :]
            for line in self.head.split(b"\r\n")
            if line.lower().startswith(_SOCKET_KEY)
        )
        accept = base64.b64encode(hashlib.sha1(key + _SOCKET_MAGIC).digest())  # noqa: S324  # RFC 6455
        self.conversation.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %s\r\n\r\n" % accept
        )
        while not self.wait(seconds):
            self.conversation.send(bytes([0x81, len(text)]) + text.encode())

    def wait(self, seconds: float) -> bool:
        """Let time pass; whether the server stops."""
        return self.conversation.server.stopping.wait(seconds)


class PageServer(RawServer):
    """Answers by `routes`, which may be added to while it is up; other paths are not found."""

    def __init__(
        self,
        routes: Mapping[str, Route] | None = None,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.routes = dict(routes or {})
        super().__init__(self._serve, tls, port)

    def asked(self, path: str) -> int:
        """How often `path` was asked for, whatever its query."""
        paths = [urlsplit(head.split()[1].decode("latin-1")).path for head in self.requests]
        return paths.count(path)

    def _serve(self, conversation: Conversation) -> None:
        while head := conversation.request():
            asked = Asked(conversation, head)
            route = self.routes.get(asked.path, _not_found)
            route(asked)


def page(html: str, *headers: str, status: str = "200 OK") -> Route:
    """A route to a page that is always the same."""
    return lambda asked: asked.html(html, *headers, status=status)


def _not_found(asked: Asked) -> None:
    asked.send("there is nothing", "text/plain", status="404 Not Found")
