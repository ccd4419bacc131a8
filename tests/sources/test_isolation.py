"""Which hosts a page can reach: those of its stream, and nobody else on the network."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from camdl.ports import NoListing
from tests.support.http import RawServer, always, answer
from tests.support.pages import plain
from tests.support.pages.listing import read, whole
from tests.support.pages.server import PageServer, page

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[PageServer]:
    """A server of plain pages."""
    with PageServer() as server:
        yield server


@pytest.fixture
def internal() -> Iterator[RawServer]:
    """A service on another port of this machine, that no page has any business with."""
    with RawServer(always(answer(body=b"secret"))) as internal:
        yield internal


def addresses(internal: RawServer) -> str:
    """A script's list of the names under which `internal` can be reached from this machine."""
    port = internal.origin.rpartition(":")[2]
    hosts = ("127.0.0.1", "localhost", "127.0.0.2", "2130706433", "0.0.0.0", "[::ffff:127.0.0.1]")  # noqa: S104
    return str([f"{host}:{port}" for host in hosts])


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(
            "fetch(`http://${host}/fetch`, { mode: 'no-cors' }).catch(() => 0);"
            "navigator.sendBeacon(`http://${host}/beacon`, 'x');",
            id="fetch",
        ),
        pytest.param(
            "new WebSocket(`ws://${host}/socket`); new EventSource(`http://${host}/events`);",
            id="streams",
        ),
        pytest.param(
            "for (const tag of ['img', 'script', 'iframe', 'embed', 'video', 'audio']) {"
            "  const element = document.createElement(tag);"
            "  element.src = `http://${host}/${tag}`; document.body.append(element);"
            "}"
            "for (const rel of ['stylesheet', 'prefetch', 'preconnect', 'dns-prefetch', 'icon',"
            "                   'manifest', 'preload', 'modulepreload', 'prerender']) {"
            "  const link = document.createElement('link'); link.rel = rel; link.as = 'font';"
            "  link.href = `http://${host}/${rel}`; document.head.append(link);"
            "}",
            id="elements",
        ),
        pytest.param(
            "new Worker(URL.createObjectURL(new Blob([`"
            "  fetch('http://${host}/worker', { mode: 'no-cors' }).catch(() => 0);"
            "  new WebSocket('ws://${host}/worker');"
            "  importScripts('http://${host}/import')`])));",
            id="worker",
        ),
        pytest.param(
            "window.open(`http://${host}/popup`);"
            "window.open(`/popup?${host}`, '_blank', 'noopener');",
            id="popups",
        ),
        pytest.param(
            "f = document.createElement('form'); f.method = 'post'; f.target = '_blank';"
            "f.action = `http://${host}/form`; document.body.append(f); f.submit();",
            id="form",
        ),
    ],
)
def test_nobody_else_is_reached(server: PageServer, internal: RawServer, script: str) -> None:
    """Whatever a page asks with, no connection is made to another port of this machine."""
    server.routes["/popup"] = page("<script>new WebSocket(`ws://${location.search.slice(1)}`)")
    loop = f"for (const host of {addresses(internal)}) {{ {script} }}"
    server.routes["/"] = page(f"<body>{plain.images(server.origin)}<script>{loop}</script>")
    assert whole(read(plain.stream(server.origin), plain.NOW)) == plain.urls(server.origin)
    assert internal.requests == []
    assert internal.connections == 0


@pytest.mark.parametrize("how", ["fetch('/away').catch(() => 0)", "new Image().src = '/away'"])
def test_redirects_lead_to_nobody_else(server: PageServer, internal: RawServer, how: str) -> None:
    """What a page asks of its own host may not be answered by another one."""
    server.routes["/away"] = lambda asked: asked.redirect(f"{internal.origin}/redirect")
    server.routes["/"] = page(f"{plain.images(server.origin)}<script>{how}</script>")
    assert whole(read(plain.stream(server.origin), plain.NOW)) == plain.urls(server.origin)
    assert internal.connections == 0


def test_page_that_redirects_elsewhere_is_no_listing(
    server: PageServer, internal: RawServer
) -> None:
    """A page that has moved to another host names that host, and does not go there."""
    server.routes["/"] = lambda asked: asked.redirect("http://gate.example/")
    assert read(plain.stream(server.origin), plain.NOW) == NoListing(
        plain.STREAM,
        f"{server.origin}/ could not be opened: ERR_NAME_NOT_RESOLVED for gate.example",
        unreachable=True,
    )
    server.routes["/"] = lambda asked: asked.redirect(internal.origin)
    assert isinstance(read(plain.stream(server.origin), plain.NOW), NoListing)
    assert internal.connections == 0


@pytest.mark.parametrize(
    "html",
    [
        "<script>onload = () => { location = 'ORIGIN' }</script>",
        "<meta http-equiv='refresh' content='0; url=ORIGIN'>",
    ],
)
def test_page_that_goes_elsewhere_does_not_get_there(
    server: PageServer, internal: RawServer, html: str
) -> None:
    """A page that leaves for another host shows an error page, and what it had is listed."""
    server.routes["/"] = page(plain.images(server.origin) + html.replace("ORIGIN", internal.origin))
    assert whole(read(plain.stream(server.origin), plain.NOW)) == plain.urls(server.origin)
    assert internal.connections == 0


def test_calls_between_browsers_reach_nobody(server: PageServer) -> None:
    """WebRTC sends nothing, neither to servers nor to peers that a page makes up."""
    script = """
      const pc = new RTCPeerConnection({ iceServers: [{ urls: 'stun:127.0.0.1:PORT' },
        { urls: 'turn:127.0.0.1:PORT', username: 'a', credential: 'b' }] });
      const peer = new RTCPeerConnection();
      pc.createDataChannel('gate');
      (async () => {
        await pc.setLocalDescription(await pc.createOffer());
        await peer.setRemoteDescription(pc.localDescription);
        await peer.setLocalDescription(await peer.createAnswer());
        await pc.setRemoteDescription(peer.localDescription);
        const candidate = 'candidate:1 1 udp 2122260223 127.0.0.1 PORT typ host';
        await pc.addIceCandidate({ candidate, sdpMid: '0' });
      })();
      setTimeout(() => 0, 2000);
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as victim:
        victim.bind(("127.0.0.1", 0))
        victim.setblocking(False)
        script = script.replace("PORT", str(victim.getsockname()[1]))
        server.routes["/"] = page(f"{plain.images(server.origin)}<script>{script}</script>")
        assert whole(read(plain.stream(server.origin), plain.NOW)) == plain.urls(server.origin)
        with pytest.raises(BlockingIOError):
            victim.recv(2048)


def test_hosts_of_the_configuration_are_reached(server: PageServer) -> None:
    """A page may talk to its `page_hosts`, on any port, and what they answer is read."""
    with PageServer() as api:
        api.routes["/list"] = lambda asked: asked.send(
            str(list(plain.urls(server.origin).values())),
            "text/plain",
            "Access-Control-Allow-Origin: *",
        )
        server.routes["/"] = page(f"<script>fetch('{api.origin}/list')</script>")
        stream = plain.stream(server.origin, page_hosts=("127.0.0.1",))
        assert whole(read(stream, plain.NOW)) == plain.urls(server.origin)
        assert api.asked("/list") == 1
