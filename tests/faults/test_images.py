"""The whole program where the images' server is slow, broken, busy, a liar or somebody else."""

from __future__ import annotations

import gzip
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from camdl.demo.run import site_config
from camdl.errors import ExitCode
from tests.support import invariants
from tests.support.gate import PICTURE
from tests.support.http import RawServer, always, answer, self_signed, tls_context
from tests.support.images import encoded, gate_jpeg, gate_picture

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.gate import Gate
    from tests.support.http import Conversation
    from tests.support.program import Program

    Fault = Callable[[Conversation], object]

TIMEOUT = 6  # seconds, in which a page has to be read too
LIMIT = 1_000_000  # bytes of an image
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
NO_LENGTH = b"HTTP/1.1 200 OK\r\n\r\n"


class Cdn(RawServer):
    """Answers for the images of a gate, but for those that meet a fault, by their paths."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(self._serve, tls)
        self.faults: dict[str, Fault] = {}

    def _serve(self, conversation: Conversation) -> None:
        while head := conversation.request():
            fault = self.faults.get(head.split()[1].decode("latin-1"))
            if fault:
                fault(conversation)
                return
            conversation.send(answer(body=PICTURE))

    def times_asked(self, path: str) -> int:
        """How often `path` was asked for."""
        return sum(head.split()[1].decode("latin-1") == path for head in self.requests)


@pytest.fixture
def cdn() -> Iterator[Cdn]:
    """The images' server."""
    with Cdn() as server:
        yield server


def tables(gate: Gate, cdn: RawServer) -> str:
    """A configuration for one stream, with the page at `gate` and its images at `cdn`."""
    text = site_config(gate).replace(f'"{gate.origin}/images/', f'"{cdn.origin}/images/')
    return text.replace('stream_names = ["in_gate", "out_gate"]', 'stream_names = ["in_gate"]')


def meet(program: Program, gate: Gate, cdn: Cdn, *faults: Fault) -> list[str]:
    """Have a capture for each of `faults`, and a newer one without; return their images' paths."""
    # Within an hour: just after midnight the evening is looked at too.
    gate.take(*range(1, 5 * len(faults) + 2, 5), streams=("in_gate",))
    gate.taken["out_gate"] = []
    older = gate.taken["in_gate"][-2::-1]
    others = [urlsplit(gate.image_url("in_gate", moment)).path for moment in older]
    cdn.faults = dict(zip(others, faults, strict=True))
    program.configure(tables(gate, cdn), max_image_bytes=LIMIT)
    return others


def fails(program: Program, gate: Gate, *reasons: str) -> None:
    """Make sure that a run tells each of `reasons`, and stores what meets no fault alone."""
    done = program.run("download")
    assert (done.returncode, done.stdout) == (ExitCode.PARTLY, "")
    assert done.stderr.startswith("camdl: in_gate partly: ")
    assert done.stderr.count("\n") == 1
    told = "; ".join(
        why for (why,) in invariants.rows(program.database, "SELECT reason FROM pending")
    )
    assert [reason for reason in reasons if reason not in told] == [], told
    newest = gate.all_keys()[-1]
    assert program.archived() == invariants.files(program.images) == [newest]


def recovers(program: Program, gate: Gate, cdn: Cdn) -> None:
    """Make sure that the next run gets everything, once all is well."""
    cdn.faults = {}
    program.configure(tables(gate, cdn))
    program.goes_on(gate)


@pytest.mark.fault(18)
def test_a_server_without_end(program: Program, gate: Gate, cdn: Cdn) -> None:
    """Silent, or dripping its body or its headers: each is cut at the total deadline."""
    meet(
        program,
        gate,
        cdn,
        lambda asked: asked.hold(),
        lambda asked: asked.drip(answer(length=9999) + b"x" * 9000),
        lambda asked: asked.drip(CHUNKED + b"1\r\nx\r\n" * 9000),
        lambda asked: asked.drip(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 60_000),
    )
    program.configure(tables(gate, cdn), timeout=TIMEOUT)
    began = time.monotonic()
    fails(program, gate, f"no whole answer from 127.0.0.1 within {TIMEOUT} s")
    assert 2 * TIMEOUT < time.monotonic() - began < 60
    recovers(program, gate, cdn)


def pour(asked: Conversation) -> None:
    """Send a body that never ends."""
    asked.send(NO_LENGTH)
    while True:
        asked.send(b"x" * 65536)


@pytest.mark.fault(19)
def test_a_server_that_breaks_off(program: Program, gate: Gate, cdn: Cdn) -> None:
    """What breaks off is asked for again and not stored; what never ends is cut at the limit."""
    reset, short, endless, *_ = meet(
        program,
        gate,
        cdn,
        lambda asked: asked.reset(),
        lambda asked: asked.send(answer(body=PICTURE[:5000], length=len(PICTURE))),
        pour,
        lambda asked: asked.send(NO_LENGTH + PICTURE[:5000]),
    )
    fails(program, gate, "broke", "ended early", "larger than 1,000,000 bytes", "cut off")
    assert [cdn.times_asked(one) for one in (reset, short, endless)] == [2, 2, 1]
    # Without a length the end of a body is told by hanging up: that is no fault.
    cdn.faults = {one: lambda asked: asked.send(NO_LENGTH + PICTURE) for one in cdn.faults}
    program.goes_on(gate)


@pytest.mark.fault(20)
def test_a_bomb(program: Program, gate: Gate, cdn: Cdn) -> None:
    """Nobody asked for a compressed body, so none is unpacked."""
    bomb = answer("200 OK", gzip.compress(bytes(200_000_000)), "Content-Encoding: gzip")
    meet(program, gate, cdn, lambda asked: asked.send(bomb))
    fails(program, gate, "the body came as gzip, which was not asked for")
    assert all(b"Accept-Encoding: identity\r\n" in head for head in cdn.requests)
    recovers(program, gate, cdn)


@pytest.mark.fault(21)
def test_a_server_that_sends_elsewhere(program: Program, gate: Gate, cdn: Cdn) -> None:
    """Round in circles, to another service of this machine, to a file, to another host."""

    def to(url: str) -> Fault:
        return lambda asked: asked.send(answer("302 Found", b"", f"Location: {url}"))

    with RawServer(always(answer(body=PICTURE))) as internal:
        port = internal.port
        places = (
            f"{internal.origin}/x",
            f"http://127.0.0.2:{port}/x",
            f"http://[::ffff:127.0.0.1]:{port}/x",
            "file:///etc/passwd",
            "http://169.254.169.254/latest/meta-data",
        )
        told = [f"{host}:{port} is" for host in ("127.0.0.1", "127.0.0.2", "[::ffff:127.0.0.1]")]
        circle, *_ = meet(program, gate, cdn, to("/circle"), *map(to, places))
        cdn.faults["/circle"] = to(circle)
        fails(program, gate, "more than 5 redirects", "no http:", "169.254.169.254", *told)
        assert internal.connections == 0
    recovers(program, gate, cdn)


@pytest.mark.fault(23)
def test_a_busy_server(program: Program, gate: Gate, cdn: Cdn) -> None:
    """It is given the second for which it asks, within the run."""

    def once(asked: Conversation) -> None:
        cdn.faults = {}
        asked.send(answer("503 Service Unavailable", b"", "Retry-After: 1"))

    (one,) = meet(program, gate, cdn, once)
    began = time.monotonic()
    program.goes_on(gate)
    assert time.monotonic() - began > 1
    assert cdn.times_asked(one) == 2


@pytest.mark.fault(23)
def test_a_server_that_is_busy_for_long(program: Program, gate: Gate, cdn: Cdn) -> None:
    """It is left alone, by the next runs too, until its time has come."""
    busy = answer("429 Too Many Requests", b"", "Retry-After: 3600")
    meet(program, gate, cdn, lambda asked: asked.send(busy))
    program.run("download")
    asked = len(cdn.requests)
    cdn.faults = {}
    done = program.run("download")
    assert (done.returncode, len(cdn.requests)) == (ExitCode.PARTLY, asked)
    assert "the source asked to be left alone until" in done.stderr
    done = program.run("download", at=datetime.now(UTC) + timedelta(minutes=61))
    assert (done.returncode, done.stderr) == (0, "")
    assert program.archived() == gate.all_keys()


@pytest.mark.fault(24)
def test_a_certificate_that_nobody_vouches_for(
    program: Program, gate: Gate, cdn: Cdn, tmp_path: Path
) -> None:
    """Nothing is fetched from a server that is not known to be the one."""
    meet(program, gate, cdn)
    certificate = self_signed(tmp_path)
    with Cdn(tls_context(certificate)) as stranger:
        program.configure(tables(gate, stranger))
        done = program.run("download")
    assert (done.returncode, done.stdout) == (ExitCode.PARTLY, "")
    assert "certificate" in done.stderr
    assert (stranger.requests, program.archived()) == ([], [])
    program.configure(tables(gate, cdn))
    program.goes_on(gate)


BODIES = {
    "HTML": b"<!doctype html><html><body>the camera is away</body></html>",
    "an SVG image": b'<svg xmlns="http://www.w3.org/2000/svg" width="640" height="360"/>',
    "a PNG image": encoded(gate_picture(2, (640, 360)), "PNG"),
    "empty": b"",
    "cut off": PICTURE[: len(PICTURE) // 2],
    "1x1": gate_jpeg(2, (1, 1)),
    "a thumbnail": gate_jpeg(2, (639, 360)),
    # Its header announces a picture that nobody could hold in memory.
    "pixels": PICTURE.replace(b"\x01\x68\x02\x80", b"\xff\xff\xff\xff", 1),
}


@pytest.mark.fault(28)
def test_bodies_that_are_no_captures(program: Program, gate: Gate, cdn: Cdn) -> None:
    """Each is rejected with its own reason, leaves nothing, and is asked for again."""
    bodies = [answer(body=body) for body in BODIES.values()]
    meet(program, gate, cdn, *(lambda asked, body=body: asked.send(body) for body in bodies))
    fails(program, gate, *BODIES)
    recovers(program, gate, cdn)


@pytest.mark.fault(29)
def test_only_a_thumbnail_can_be_had(program: Program, gate: Gate, cdn: Cdn) -> None:
    """It tells that there is a picture, and is none itself."""
    (one,) = meet(program, gate, cdn, lambda asked: asked.send(answer("404 Not Found")))
    small = one.replace(".jpeg", "-thumbnail.jpeg")
    fails(program, gate, "HTTP 404 Not Found")
    assert (cdn.times_asked(one), cdn.times_asked(small)) == (1, 0)
    recovers(program, gate, cdn)
