"""What a listing waits for, however slow it is, and what it does not wait for."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from camdl.ports import Listing
from tests.support.pages import plain
from tests.support.pages.gate import Look, VueSite
from tests.support.pages.listing import found, read, whole
from tests.support.pages.server import PageServer, page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.pages.server import Asked

NOW = datetime(2025, 9, 8, 23, 59, 59, tzinfo=UTC)
# Another word than the stream's, so that it is no evidence of a capture.
NEVER_ENDING = [b"data: still here\n\n"] * 100_000


@pytest.fixture
def server() -> Iterator[PageServer]:
    """A server of plain pages."""
    with PageServer() as server:
        yield server


def listed(server: PageServer, html: str, *, timeout: float = 30.0) -> dict[datetime, str]:
    """What is listed, completely, of a page with that in its body."""
    server.routes["/"] = page(f"<!doctype html><title>Gate</title><body>{html}")
    return whole(read(plain.stream(server.origin), plain.NOW, timeout=timeout))


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(Look("element-ui", answer_seconds=6), id="6 s, Element UI"),
        pytest.param(Look("element-plus", answer_seconds=6), id="6 s, Element Plus"),
        pytest.param(
            Look("element-ui", page_size=50, answer_seconds=1, delivery="packed"), id="slow parts"
        ),
        pytest.param(Look("element-ui", page_size=10, pause_ms=200), id="pauses, Element UI"),
        pytest.param(
            Look("element-plus", page_size=10, pause_ms=200, delivery="packed"),
            id="pauses, Element Plus",
        ),
        pytest.param(Look(page_size=50, pause_ms=1500), id="long pauses"),
        pytest.param(Look(page_size=20, pages="scroll"), id="infinite scroll"),
        pytest.param(
            Look(
                "element-ui",
                page_size=20,
                pages="scroll",
                scrolls="box",
                lazy=True,
                delivery="packed",
                answer_seconds=0.3,
            ),
            id="infinite scroll of lazy images",
        ),
        pytest.param(Look(first_ms=2000), id="timer"),
    ],
)
def test_list_that_takes_its_time_is_listed_whole(look: Look) -> None:
    """Slow answers, lists in parts, pauses between them and timers are waited for."""
    with VueSite(look, NOW) as site:
        assert whole(read(site.stream, NOW)) == site.urls(site.of_day(NOW.date()))


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(Look(poll_ms=300), id="polls"),
        pytest.param(Look("element-ui", poll_ms=300, poll_seconds=0.7), id="overlapping polls"),
        pytest.param(
            Look("element-ui", clock_ms=1000, lazy=True, scrolls="box", delivery="packed"),
            id="clock on a lazy page, Element UI",
        ),
        pytest.param(
            Look(clock_ms=50, lazy=True, scrolls="box", delivery="packed"),
            id="fast clock on a lazy page, Element Plus",
        ),
    ],
)
def test_page_that_never_stands_still_is_listed_whole(look: Look) -> None:
    """A live strip that polls and a clock hide nothing and stop nothing."""
    with VueSite(look, NOW) as site:
        assert whole(read(site.stream, NOW)) == site.urls(site.of_day(NOW.date()))


def test_page_that_itself_takes_seconds(server: PageServer) -> None:
    """The page's own answer is waited for, too."""

    def slow(asked: Asked) -> None:
        asked.wait(3)
        asked.html(plain.images(server.origin))

    server.routes["/"] = slow
    answer = read(plain.stream(server.origin), plain.NOW)
    assert whole(answer) == plain.urls(server.origin)


def test_html_that_comes_in_pieces(server: PageServer) -> None:
    """A page that is written line by line is read to its end."""
    lines = [f"{line}\n".encode() for line in plain.images(server.origin).splitlines()]
    server.routes["/"] = lambda asked: asked.pieces(lines, "text/html", 0.2)
    answer = read(plain.stream(server.origin), plain.NOW)
    assert whole(answer) == plain.urls(server.origin)


def test_answer_that_comes_in_pieces(server: PageServer) -> None:
    """A list whose pieces end in the middle of URLs is read when it is whole."""
    body = json.dumps(list(plain.urls(server.origin).values())).encode()
    pieces = [body[start : start + 97] for start in range(0, len(body), 97)]
    server.routes["/list"] = lambda asked: asked.pieces(pieces, "application/json", 0.2)
    script = "<script>fetch('/list').then((answer) => answer.json())</script>"
    assert listed(server, script) == plain.urls(server.origin)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("new EventSource('/endless')", id="EventSource"),
        pytest.param(
            "fetch('/endless').then(async ({ body }) => { for await (const _ of body); })",
            id="fetch",
        ),
        pytest.param("r = new XMLHttpRequest(); r.open('GET', '/endless'); r.send()", id="XHR"),
        pytest.param("new WebSocket(`ws://${location.host}/socket`)", id="WebSocket"),
    ],
)
def test_streams_that_never_end_are_not_waited_for(server: PageServer, script: str) -> None:
    """Event streams and WebSockets keep no listing from being complete."""
    server.routes["/endless"] = lambda asked: asked.pieces(NEVER_ENDING, "text/event-stream", 0.1)
    server.routes["/socket"] = lambda asked: asked.web_socket("still here", 0.1)
    html = plain.images(server.origin) + f"<script>{script}</script>"
    assert listed(server, html) == plain.urls(server.origin)
    assert server.asked("/endless") + server.asked("/socket") == 1


def test_web_socket_tells_of_captures(server: PageServer) -> None:
    """What a WebSocket says is read, though it never ends."""
    moment, url = next(iter(plain.urls(server.origin).items()))
    server.routes["/socket"] = lambda asked: asked.web_socket(url, 0.1)
    script = "<script>new WebSocket(`ws://${location.host}/socket`)</script>"
    assert listed(server, script) == {moment: url}


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(
            "(function draw() { d.textContent = Math.random(); requestAnimationFrame(draw); })()",
            id="animation",
        ),
        pytest.param("setInterval(() => { d.textContent = Date.now(); }, 1000)", id="interval"),
        pytest.param("setInterval(() => { d.append(Date.now()); }, 10)", id="growing text"),
        pytest.param("setTimeout(() => 0, 600000)", id="timer far ahead"),
        pytest.param("clearInterval(setTimeout(() => 0, 4000))", id="timer that was cleared"),
        pytest.param("fetch('/none')", id="answer that nobody reads"),
        pytest.param(
            "s = document.createElement('script'); s.type = 'text/plain'; s.src = '/none';"
            "document.body.append(s)",
            id="script that is none",
        ),
        pytest.param("window.SharedWorker && new SharedWorker('/none')", id="shared worker"),
    ],
)
def test_what_goes_on_for_ever_is_not_waited_for(server: PageServer, script: str) -> None:
    """A page is at rest although something on it always moves, or never comes."""
    place = "<p id='d' style='height: 1em; overflow: hidden'></p>"
    html = f"{place}{plain.images(server.origin)}<script>{script}</script>"
    assert listed(server, html, timeout=15) == plain.urls(server.origin)


def test_frames_that_are_not_shown_are_not_waited_for(server: PageServer) -> None:
    """Hidden and far-away frames, which the browser may never draw, stop nothing."""
    server.routes["/frame"] = page("<p>nothing</p>")
    html = (
        f"{plain.images(server.origin)}<iframe src='/frame' style='display: none'></iframe>"
        "<div style='height: 20000px'></div><iframe src='/frame'></iframe>"
    )
    assert listed(server, html) == plain.urls(server.origin)


@pytest.mark.parametrize(
    "html",
    [
        pytest.param("<iframe src='/images'></iframe>", id="frame"),
        pytest.param(
            "<p id='d'></p><script>r = new XMLHttpRequest(); r.open('GET', '/list', false);"
            "r.send(); d.textContent = r.responseText</script>",
            id="synchronous XHR",
        ),
        pytest.param("<script>new Worker('/worker')</script>", id="worker"),
        pytest.param("<script type='module'>import '/module'</script>", id="module"),
        pytest.param(
            "<p id='d'></p><script>fetch('/images').then(async (answer) => {"
            "d.attachShadow({ mode: 'open' }).innerHTML = await answer.text() })</script>",
            id="shadow DOM",
        ),
        pytest.param("<script>onload = () => { location = '/images' }</script>", id="location"),
        pytest.param("<meta http-equiv='refresh' content='1; url=/images'>", id="refresh"),
    ],
)
def test_ways_by_which_a_list_may_come(server: PageServer, html: str) -> None:
    """Wherever in the browser a list comes to, it is found."""
    urls = plain.urls(server.origin)
    server.routes["/images"] = page(plain.images(server.origin))
    server.routes["/list"] = lambda asked: asked.json(list(urls.values()))
    server.routes["/module"] = lambda asked: asked.send("await fetch('/list')", "text/javascript")
    server.routes["/worker"] = lambda asked: asked.send(
        "fetch('/list').then((answer) => answer.json()).then(postMessage)", "text/javascript"
    )
    assert listed(server, html) == urls


def test_page_that_does_not_come_to_rest_in_time(server: PageServer) -> None:
    """What it shows by then is listed, and what may be lacking is told."""
    html = "<script>for (const url of URLS) { document.write(`<img src=${url}>`) }; fetch('/slow')"
    urls = plain.urls(server.origin)
    server.routes["/slow"] = lambda asked: asked.conversation.hold()
    server.routes["/"] = page(html.replace("URLS", json.dumps(list(urls.values()))) + "</script>")
    answer = read(plain.stream(server.origin), plain.NOW, timeout=3)
    assert found(answer) == urls
    assert isinstance(answer, Listing)
    assert answer.shortfall == "the page had not come to rest within 3 s"


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_answer_that_the_site_owes_its_page(server: PageServer, status: str) -> None:
    """A list that the site could not give may lack in the listing, which says so."""
    server.routes["/list"] = page("", status=status)
    server.routes["/"] = page(f"{plain.images(server.origin)}<script>fetch('/list')</script>")
    answer = read(plain.stream(server.origin), plain.NOW)
    assert found(answer) == plain.urls(server.origin)
    assert isinstance(answer, Listing)
    assert answer.shortfall == f"{server.origin}/list answered {status[:3]}"


def test_answer_that_comes_when_it_is_asked_for_again(server: PageServer) -> None:
    """A page that helps itself lacks nothing."""
    server.routes["/list"] = lambda asked: (
        asked.html("", status="503 Service Unavailable")
        if server.asked("/list") < 2
        else asked.json(list(plain.urls(server.origin).values()))
    )
    script = "const ask = () => fetch('/list').then((answer) => answer.ok || ask()); ask()"
    assert listed(server, f"<script>{script}</script>") == plain.urls(server.origin)
