"""The whole program and camera pages that are not to be trusted, or not to be had."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from camdl.errors import ExitCode
from tests.support import invariants
from tests.support.http import RawServer, always, answer
from tests.support.pages.server import PageServer, page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.gate import Gate
    from tests.support.program import Program

TIMEOUT = 6  # seconds


@pytest.fixture
def server() -> Iterator[PageServer]:
    """A server of pages."""
    with PageServer() as server:
        yield server


@pytest.fixture
def internal() -> Iterator[RawServer]:
    """A service of this machine that no page has any business with."""
    with RawServer(always(answer(body=b"secret"))) as internal:
        yield internal


def tables(where: str, gate: Gate) -> str:
    """A configuration for one stream, with its page `where` that says and its images at `gate`."""
    return (
        'stream_names = ["in_gate"]\n'
        f"[sites.other]\npage = '{where}'\nimage = '{gate.image}'\n"
        "[streams.in_gate]\nsite = 'other'"
    )


def shows(program: Program, gate: Gate, server: PageServer, html: str, **settings: object) -> None:
    """Have the page of one stream show its captures, and then `html`."""
    images = "".join(
        f'<img src="{gate.image_url("in_gate", moment)}">' for moment in gate.taken["in_gate"]
    )
    server.routes["/in_gate"] = page(f"<!doctype html><body>{images}{html}</body>")
    program.configure(tables(f"{server.origin}/{{stream}}", gate), **settings)


def recovers(program: Program, gate: Gate) -> None:
    """Make sure that the next run gets everything from a page that is as it should be."""
    program.configure(gate)
    program.goes_on(gate)


@pytest.mark.fault(22)
def test_a_page_whose_host_has_no_name(program: Program, gate: Gate) -> None:
    """69, and a line that says so."""
    program.configure(tables("http://camera.invalid/{stream}", gate))
    done = program.run("download")
    assert (done.returncode, done.stdout) == (ExitCode.UNREACHABLE, "")
    assert "ERR_NAME_NOT_RESOLVED" in done.stderr
    assert done.stderr.count("\n") == 1
    recovers(program, gate)


@pytest.mark.fault(22)
def test_images_whose_host_has_no_name(program: Program, gate: Gate) -> None:
    """The page is read, the images failed, and they come once their host is known."""
    elsewhere = gate.image.replace(gate.origin, "http://cdn.invalid")
    program.configure(tables(gate.page, gate).replace(gate.image, elsewhere))
    done = program.run("download")
    assert (done.returncode, done.stdout) == (ExitCode.PARTLY, "")
    assert "cdn.invalid" in done.stderr
    assert program.archived() == []
    recovers(program, gate)


@pytest.mark.fault(25)
def test_a_page_that_asks_an_internal_service(
    program: Program, gate: Gate, server: PageServer, internal: RawServer
) -> None:
    """By every way that a page has, it gets nowhere; what it shows is archived all the same."""
    host = internal.origin.removeprefix("http://")
    shows(
        program,
        gate,
        server,
        f"<script>new WebSocket('ws://{host}/'); new EventSource('http://{host}/');"
        f"fetch('http://{host}/', {{ mode: 'no-cors' }}).catch(() => 0);"
        f"fetch('/redirect').catch(() => 0); window.open('http://{host}/');</script>"
        f'<iframe src="http://{host}/"></iframe><img src="http://{host}/x.png">',
    )
    server.routes["/redirect"] = lambda asked: asked.redirect(f"{internal.origin}/")
    program.run("download")
    assert server.asked("/redirect") == 1
    assert internal.connections == 0
    assert program.archived() == [key for key in gate.all_keys() if key.startswith("in_gate")]
    recovers(program, gate)


@pytest.mark.fault(25)
def test_a_page_that_is_elsewhere(
    program: Program, gate: Gate, server: PageServer, internal: RawServer
) -> None:
    """A redirect of the page itself is followed to nobody that the site does not name."""
    server.routes["/in_gate"] = lambda asked: asked.redirect(f"{internal.origin}/")
    program.configure(tables(f"{server.origin}/{{stream}}", gate))
    done = program.run("download")
    assert done.returncode in (ExitCode.PARTLY, ExitCode.UNREACHABLE)
    assert done.stderr.startswith("camdl: in_gate failed: ")
    assert (internal.connections, program.archived()) == (0, [])
    recovers(program, gate)


@pytest.mark.fault(26)
@pytest.mark.parametrize(
    "html",
    [
        "<script>setTimeout(() => { for (;;); }, 200)</script>",
        "<script>for (;;) alert('Are you there?')</script>",
        "<a id=a download=x href='data:,x'></a><script>setInterval(() => a.click(), 20)</script>",
        "<script>setInterval(() => fetch('/more?' + Math.random()), 20)</script>",
        "<script>setTimeout(() => { location = '/elsewhere'; }, 200)</script>",
    ],
    ids=["script", "dialogs", "downloads", "requests", "away"],
)
def test_a_page_that_never_rests(
    program: Program, gate: Gate, server: PageServer, html: str
) -> None:
    """The timeout ends it, if it has to; what was seen by then is archived."""
    server.routes["/elsewhere"] = page("<!doctype html>Nothing here")
    shows(program, gate, server, html, timeout=TIMEOUT)
    began = time.monotonic()
    done = program.run("download")
    assert time.monotonic() - began < 60
    assert done.returncode in (ExitCode.OK, ExitCode.PARTLY), done.stderr
    assert program.archived() == [key for key in gate.all_keys() if key.startswith("in_gate")]
    recovers(program, gate)


@pytest.mark.fault(30)
def test_names_that_lead_elsewhere(program: Program, gate: Gate, server: PageServer) -> None:
    """What is not exactly an image's URL is none, whatever it looks like."""
    real = gate.image_url("in_gate", gate.taken["in_gate"][0])
    folder, _, name = real.rpartition("/")
    evil = [
        f"{folder}/../../../../etc/{name}",
        f"{folder}/..%2f..%2f{name}",
        f"{folder}/{name}/../../../../../tmp/x.jpeg",
        real.replace("in_gate", "../in_gate"),
        real.replace("in_gate", "in_gate%00"),
        real.replace("in_gate", "in_gate\u202e"),
        real.replace("T", "\u0054\u0301"),
        f"file:///etc/{name}",
    ]
    shows(program, gate, server, "".join(f'<img src="{one}">' for one in evil))
    done = program.run("download")
    assert (done.returncode, done.stderr) == (0, "")
    assert program.archived() == [key for key in gate.all_keys() if key.startswith("in_gate")]
    known = {"images", "tmp", "camdl.db", "camdl.db.reserve", "camdl.lock", "camdl.toml"}
    assert {path.name for path in program.home.iterdir()} == known
    recovers(program, gate)


@pytest.mark.fault(30)
@pytest.mark.parametrize("name", ["../evil", "in gate", "In_Gate", ".hidden", "a/b", "x" * 65])
def test_streams_of_odd_names(program: Program, gate: Gate, name: str) -> None:
    """A name becomes a directory: what is not of the allow-list is refused before anything."""
    program.configure(f"stream_names = [{json.dumps(name)}]")
    done = program.run("download")
    assert (done.returncode, done.stdout) == (ExitCode.CONFIG, "")
    assert "stream_names" in done.stderr
    assert not program.images.exists()
    recovers(program, gate)


@pytest.mark.fault(32)
def test_line_breaks(program: Program, gate: Gate, server: PageServer) -> None:
    """Whatever a page has in its title and its URL, a reason is one line, and one record."""
    title = "Gate\ncamdl: all is well\r\n\x1b[2Jfoo\u2028bar"
    server.routes["/in_gate"] = page(f"<!doctype html><title>{title}</title>Nothing here")
    where = f"{server.origin}/{{stream}}?x=%0Acamdl:%20all%20is%20well%0D%0A"
    program.configure(tables(where, gate), timeout=TIMEOUT)
    for arguments in ((), ("-v",)):
        done = program.run("download", *arguments)
        assert done.returncode == ExitCode.PARTLY
        assert all(line.startswith("camdl: ") for line in done.stderr.splitlines()), done.stderr
        assert "\ncamdl: all is well" not in done.stderr
        assert "\x1b" not in done.stderr + done.stdout
    query = "SELECT reason FROM stream_results"
    reasons = [reason for (reason,) in invariants.rows(program.database, query)]
    assert all(reason.isprintable() for reason in reasons)
    checks = program.health()["checks"]
    assert all(check["reason"].isprintable() for check in checks)
    recovers(program, gate)
