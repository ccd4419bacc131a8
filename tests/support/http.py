"""Servers that answer as no library would: raw sockets on loopback, with or without TLS."""

from __future__ import annotations

import errno
import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Handler = Callable[["Conversation"], None]


class Conversation:
    """One connection of a client, as its handler sees it."""

    def __init__(self, server: RawServer, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock

    def request(self) -> bytes:
        """The next request's head, empty if the client has hung up."""
        head = b""
        while b"\r\n\r\n" not in head:
            piece = self.sock.recv(65536)
            if not piece:
                return b""
            head += piece
        self.server.requests.append(head)
        return head

    def send(self, data: bytes) -> None:
        """Send all of `data`."""
        self.sock.sendall(data)

    def drip(self, data: bytes, seconds: float = 0.05) -> None:
        """Send `data` byte by byte, `seconds` apart, over and over until someone hangs up."""
        while not self.server.stopping.is_set():
            for byte in data:
                self.send(bytes([byte]))
                if self.server.stopping.wait(seconds):
                    return

    def reset(self) -> None:
        """Hang up with a reset instead of an end."""
        linger = b"\x01\0\0\0\0\0\0\0"
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def hold(self) -> None:
        """Say nothing more until the server stops."""
        self.server.stopping.wait()


class RawServer:
    """Calls `handler` with each connection, in a thread each; a handler's end hangs up.

    `origin` is where it listens, `requests` are the heads of all requests, and `connections`
    counts what was accepted. `port` 0 takes a free one.
    """

    def __init__(self, handler: Handler, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self._handler = handler
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", port))
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self.port: int = self._socket.getsockname()[1]
        self.origin = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.requests: list[bytes] = []
        self.connections = 0
        self.stopping = threading.Event()

    def __enter__(self) -> Self:
        """Start to accept."""
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up everywhere and wait for the handlers' end."""
        self.stopping.set()
        for sock in [self._socket, *self._open]:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._socket.close()

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError as error:
                # A test may leave this process no descriptor for a while.
                if error.errno == errno.EMFILE and not self.stopping.wait(0.01):
                    continue
                return
            self.connections += 1
            self._open.append(sock)
            self._start(self._converse, sock)

    def _converse(self, sock: socket.socket) -> None:
        with suppress(OSError):  # the client hung up, or a certificate was refused
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._open.append(sock)  # the plain one has handed its descriptor over
            with sock:
                self._handler(Conversation(self, sock))
        sock.close()


def answer(
    status: str = "200 OK", body: bytes = b"", *headers: str, length: int | None = None
) -> bytes:
    """A whole HTTP/1.1 answer; `length` lies about its body's."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + body


def always(data: bytes) -> Handler:
    """A handler that answers each request with `data` and keeps the connection alive."""

    def handle(conversation: Conversation) -> None:
        while conversation.request():
            conversation.send(data)

    return handle


def once(data: bytes) -> Handler:
    """A handler that answers one request with `data` and hangs up."""

    def handle(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(data)

    return handle


def self_signed(directory: Path) -> Path:
    """A file with a new certificate for 127.0.0.1 that signed itself, and its key."""
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    what = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=gate"
    names = ("-addext", "subjectAltName=IP:127.0.0.1")
    files = ("-keyout", str(key), "-out", str(certificate))
    command = ["openssl", "req", *what.split(), *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    both = directory / "both.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    return both


def tls_context(certificate: Path) -> ssl.SSLContext:
    """A server's side of TLS with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
