"""Pages that fail, and pages that try to get away."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, TypeVar

import pytest

from camdl.deadline import Deadline
from camdl.ports import Listing, NoListing, Wanted
from camdl.sources.browser import find
from camdl.sources.diagnostics import Diagnostics
from camdl.sources.page import PageSource
from tests.support.http import self_signed, tls_context
from tests.support.pages import plain
from tests.support.pages.listing import found, read, source, whole
from tests.support.pages.server import PageServer, page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.pages.server import Asked

    F = TypeVar("F", bound=Callable[..., object])

RETRIES = 2


@pytest.fixture
def server() -> Iterator[PageServer]:
    """A server of plain pages."""
    with PageServer() as server:
        yield server


def answer_to(
    server: PageServer, html: str = "", *, timeout: float = 30.0, kept_in: Path | None = None
) -> Listing | NoListing:
    """What is answered of a page with that in its body, or of the route that is there."""
    if html:
        server.routes["/"] = page(f"<!doctype html><title>Gate</title><body>{html}")
    stream = plain.stream(server.origin)
    return read(stream, plain.NOW, timeout=timeout, retries=RETRIES, kept_in=kept_in)


def test_page_that_is_not_there_is_asked_for_once(server: PageServer) -> None:
    """A 404 is no listing, and asking again would not help."""
    server.routes["/"] = page("gone", status="404 Not Found")
    assert answer_to(server) == NoListing(
        plain.STREAM, f"{server.origin}/ answered 404 Not Found", unreachable=False
    )
    assert server.asked("/") == 1


def test_page_whose_certificate_nobody_vouches_for(tmp_path: Path) -> None:
    """It is not read, however often it is asked for, and the reason says what is wrong."""
    with PageServer(tls=tls_context(self_signed(tmp_path))) as server:
        answer = answer_to(server, plain.images(server.origin))
        assert isinstance(answer, NoListing)
        assert "ERR_CERT_AUTHORITY_INVALID" in answer.reason
        assert server.requests == []


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_page_that_is_busy_is_asked_for_again(server: PageServer, status: str) -> None:
    """Twice it has no time, and then it is listed as if nothing had been."""

    def busy(asked: Asked) -> None:
        if server.asked("/") <= RETRIES:
            asked.html("later", status=status)
        else:
            asked.html(plain.images(server.origin))

    server.routes["/"] = busy
    assert whole(answer_to(server)) == plain.urls(server.origin)
    assert server.asked("/") == 1 + RETRIES


def test_page_that_stays_busy_is_unreachable(server: PageServer) -> None:
    """After the last retry the last answer is the reason."""
    server.routes["/"] = page("later", status="503 Service Unavailable")
    assert answer_to(server) == NoListing(
        plain.STREAM, f"{server.origin}/ answered 503 Service Unavailable", unreachable=True
    )
    assert server.asked("/") == 1 + RETRIES


def test_host_that_refuses_connections_is_unreachable() -> None:
    """Nobody there is told as such."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        origin = f"http://127.0.0.1:{unused.getsockname()[1]}"
    assert read(plain.stream(origin), plain.NOW, retries=RETRIES) == NoListing(
        plain.STREAM, f"{origin}/ could not be opened: ERR_CONNECTION_REFUSED", unreachable=True
    )


def test_page_that_never_answers_is_unreachable(server: PageServer) -> None:
    """It is given the timeout each time, and no more."""
    server.routes["/"] = lambda asked: asked.conversation.hold()
    assert answer_to(server, timeout=2) == NoListing(
        plain.STREAM, f"{server.origin}/ did not answer within 2 s", unreachable=True
    )
    assert server.asked("/") == 1 + RETRIES


def test_page_that_answers_the_next_time(server: PageServer) -> None:
    """An attempt that got no answer leaves nothing that the next one would wait for."""

    def hang_once(asked: Asked) -> None:
        if server.asked("/") == 1:
            asked.conversation.hold()
        asked.html(plain.images(server.origin))

    server.routes["/"] = hang_once
    assert whole(answer_to(server, timeout=4)) == plain.urls(server.origin)


def test_deadline_ends_retries_and_reading(server: PageServer) -> None:
    """A page that never answers is given up when the run's deadline passes."""
    server.routes["/"] = lambda asked: asked.conversation.hold()
    stream = plain.stream(server.origin)
    answer = read(stream, plain.NOW, timeout=60, retries=RETRIES, deadline=Deadline.after(2))
    assert answer == NoListing(
        plain.STREAM, "the run's deadline passed while the page was read", unreachable=True
    )
    assert server.asked("/") <= 1


@pytest.mark.parametrize(
    "script", ["while (true);", "onload = () => { while (true); }", "location = '/?' + location"]
)
def test_endless_script_is_ended_by_the_timeout(server: PageServer, script: str) -> None:
    """What was seen of a page that never lets go is listed, with what may be lacking."""
    html = f"{plain.images(server.origin)}<script>{script}</script>"
    answer = answer_to(server, html, timeout=3)
    assert found(answer) == plain.urls(server.origin)
    assert isinstance(answer, Listing)
    assert answer.shortfall == "the page had not come to rest within 3 s"


def test_endless_script_before_anything_is_shown(server: PageServer, tmp_path: Path) -> None:
    """A page that shows nothing by the timeout is no listing, with both reasons."""
    answer = answer_to(server, "<script>while (true);</script>", timeout=2, kept_in=tmp_path)
    assert isinstance(answer, NoListing)
    assert answer.reason.startswith(f"no image on {server.origin}/ matches ")
    assert answer.reason.endswith("; the page had not come to rest within 2 s")
    assert answer.diagnostics is not None
    requests = (answer.diagnostics / "requests.txt").read_text()
    assert f"GET {server.origin}/ document: under way" in requests


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("alert(1); confirm(2); prompt(3); onload = () => alert(4)", id="dialogs"),
        pytest.param("onbeforeunload = () => 'stay'", id="beforeunload"),
        pytest.param("print(); onload = () => print()", id="print"),
        pytest.param("onload = () => { location = '/file' }", id="download"),
        pytest.param(
            "a = document.createElement('a'); a.href = '/file'; a.download = ''; "
            "document.body.append(a); a.click()",
            id="download link",
        ),
        pytest.param("for (let n = 0; n < 5; n++) window.open('/popup')", id="popups"),
        pytest.param("window.open('/popup', '_blank', 'noopener')", id="popup without opener"),
        pytest.param("onload = () => window.close()", id="close"),
        pytest.param("history.pushState(0, '', '/elsewhere')", id="history"),
        pytest.param("document.designMode = 'on'; throw new Error('a bug')", id="error"),
        pytest.param("delete window.__camdl; window.__camdl = null; fetch = null", id="tampering"),
        pytest.param(
            "Notification.requestPermission(); navigator.geolocation.getCurrentPosition(print)",
            id="permissions",
        ),
    ],
)
def test_whatever_a_page_does_it_is_listed(server: PageServer, script: str) -> None:
    """Dialogs, downloads, popups and the like neither stop a listing nor take from it."""
    server.routes["/popup"] = page("<script>window.open('/popup'); alert(1)</script>")
    server.routes["/file"] = lambda asked: asked.send(
        b"x" * 100_000, "application/octet-stream", "Content-Disposition: attachment"
    )
    html = f"{plain.images(server.origin)}<script>{script}</script>"
    assert whole(answer_to(server, html)) == plain.urls(server.origin)


def test_strict_content_security_policy(server: PageServer) -> None:
    """A page that forbids what it can forbid is listed like any other."""
    policy = "default-src 'none'; sandbox allow-scripts; require-trusted-types-for 'script'"
    header = f"Content-Security-Policy: {policy}"
    server.routes["/"] = page(plain.images(server.origin), header)
    assert whole(answer_to(server)) == plain.urls(server.origin)


def test_page_that_is_a_file_to_download(server: PageServer) -> None:
    """What the browser would save instead of show is no page, and is asked for once."""
    server.routes["/"] = lambda asked: asked.send(b"x" * 1000, "application/octet-stream")
    answer = answer_to(server)
    assert isinstance(answer, NoListing)
    assert answer.reason == f"{server.origin}/ could not be opened: Download is starting"
    assert server.asked("/") == 1


@pytest.mark.parametrize(
    "html",
    [
        "<title>Gate\r\n\x1b[31mclosed\x07</title><p>nothing",
        "<script>document.title = '\\ud800'; document.body.append('\\n\\udfff\\u0085')</script>",
    ],
)
def test_reasons_are_one_line(server: PageServer, html: str) -> None:
    """Nothing that a page says breaks a reason, or the run, in two."""
    answer = answer_to(server, html, timeout=2)
    assert isinstance(answer, NoListing)
    assert answer.reason.isprintable()
    assert answer.diagnostics is not None


def test_page_without_a_match_is_told_and_kept(server: PageServer, tmp_path: Path) -> None:
    """A page that works but matches nothing has a reason of its own, and can be looked at."""
    other = plain.images(server.origin, name="out_gate")
    answer = answer_to(server, f"<h1>Gate</h1>{other}", timeout=2, kept_in=tmp_path)
    assert answer == NoListing(
        plain.STREAM,
        f"no image on {server.origin}/ matches {plain.stream(server.origin).image.text}",
        diagnostics=tmp_path / "20250908T203000Z_in_gate",
    )
    kept = tmp_path / "20250908T203000Z_in_gate"
    assert "<h1>Gate</h1>" in (kept / "page.html").read_text()
    assert (kept / "screenshot.png").read_bytes().startswith(b"\x89PNG")
    assert f"GET {server.origin}/ document: 200" in (kept / "requests.txt").read_text()


def test_hosts_that_a_page_lacks_are_named(server: PageServer) -> None:
    """Who set up a site is told which hosts to allow."""
    html = "<script>fetch('http://api.gate.example/list').catch(() => 0)</script>"
    answer = answer_to(server, html, timeout=2)
    assert isinstance(answer, NoListing)
    assert answer.reason.endswith("; the page asked for hosts outside page_hosts: api.gate.example")


def test_bug_in_one_stream_does_not_cost_the_others(server: PageServer, tmp_path: Path) -> None:
    """The others are answered first, and then the bug is raised, not hidden."""
    calls = iter(["a bug", ""])

    def decorate(function: F) -> F:
        if bug := next(calls):
            raise LookupError(bug)
        return function

    server.routes["/"] = page(plain.images(server.origin))
    wanted = [Wanted(plain.stream(server.origin))] * 2
    pages = PageSource(
        find(), retrying=decorate, timeout_seconds=30, diagnostics=Diagnostics(tmp_path)
    )
    with pages:
        answers = pages.listings(wanted, plain.NOW, Deadline.after(60))
        assert whole(next(answers)) == plain.urls(server.origin)
        with pytest.raises(LookupError, match="a bug"):
            next(answers)


def test_streams_are_answered_as_they_get_done(server: PageServer, tmp_path: Path) -> None:
    """A slow stream holds up no other, and one that fails stops none."""
    urls = plain.urls(server.origin)

    def slow(asked: Asked) -> None:
        asked.wait(3)
        asked.html(plain.images(server.origin, name="slow"))

    server.routes["/fast"] = page(plain.images(server.origin, name="fast"))
    server.routes["/slow"] = slow
    names = ("slow", "gone", "fast")
    wanted = [Wanted(plain.stream(server.origin, f"/{name}", name=name)) for name in names]
    with source(kept_in=tmp_path) as pages:
        answers = list(pages.listings(wanted, plain.NOW, Deadline.after(60)))
    assert [one.stream for one in answers][-1] == "slow"
    by_name = {one.stream: one for one in answers}
    assert isinstance(by_name["gone"], NoListing)
    assert whole(by_name["fast"]).keys() == whole(by_name["slow"]).keys() == urls.keys()
