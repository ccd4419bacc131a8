"""A journal of systemd's: what it is sent, and what our output looks like when it leads there."""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

Entry = dict[str, list[str]]


class FakeJournal:
    """A socket at `place` that takes what journald takes, inside the `with`."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def __enter__(self) -> Self:
        """Listen."""
        self._socket.bind(str(self.place))
        self._socket.setblocking(False)
        return self

    def __exit__(self, *_: object) -> None:
        """Be gone."""
        self.stop()
        self._socket.close()

    def stop(self) -> None:
        """Take nothing more."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self.place.unlink(missing_ok=True)

    def entries(self) -> list[Entry]:
        """What has come since this was last asked."""
        found: list[Entry] = []
        while True:
            try:
                datagram = self._socket.recv(1_000_000)
            except BlockingIOError:
                return found
            if not datagram:  # stopped
                return found
            found.append(parsed(datagram))


def parsed(datagram: bytes) -> Entry:
    """The values of each field of an entry, read as journald reads them."""
    entry: Entry = {}
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        if b"=" in line:
            name, _, value = line.partition(b"=")
        else:
            name = line
            (size,) = struct.unpack("<Q", rest[:8])
            value, end, rest = rest[8 : 8 + size], rest[8 + size : 9 + size], rest[9 + size :]
            assert end == b"\n"
        entry.setdefault(name.decode(), []).append(value.decode())
        datagram = rest
    return entry


def stream_of(descriptor: int) -> dict[str, str]:
    """The environment in which `descriptor` leads to the journal."""
    found = os.fstat(descriptor)
    return {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
