"""One image by HTTP against servers that behave, and against those that do not."""

from __future__ import annotations

import gc
import gzip
import resource
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from werkzeug import Response

from camdl import __version__
from camdl.deadline import Deadline
from camdl.domain.failures import FailureKind
from camdl.domain.outcomes import Body, Failed, Rejected
from camdl.domain.sites import origin
from camdl.fetching.images import HttpFetcher
from camdl.fetching.retry import RetryPolicy, retrying
from camdl.source_clock import SourceClock
from tests.support.http import (
    Conversation,
    RawServer,
    always,
    answer,
    once,
    self_signed,
    tls_context,
)
from tests.support.images import gate_jpeg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_httpserver import HTTPServer

    from tests.support.http import Handler

    Make = Callable[..., HttpFetcher]

NOW = datetime(2025, 9, 8, 20, 22, 30, tzinfo=UTC)
RETRIES = 2
TIMEOUT = 0.5
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
NO_LENGTH = b"HTTP/1.1 200 OK\r\n\r\n"
CUT = Failed("no whole answer from 127.0.0.1 within 0.5 s", kind=FailureKind.TIMEOUT)


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes fetchers with few, quick retries, and closes them."""
    made: list[HttpFetcher] = []

    def new(
        timeout_seconds: float = TIMEOUT,
        max_bytes: int = 1_000_000,
        source_clock: SourceClock | None = None,
    ) -> HttpFetcher:
        policy = RetryPolicy(RETRIES, 0.01, 2.0, 0.02)
        fetcher = HttpFetcher(
            retrying(policy, Deadline.after(60)),
            timeout_seconds=timeout_seconds,
            max_bytes=max_bytes,
            connections=4,
            clock=lambda: NOW,
            source_clock=source_clock,
        )
        made.append(fetcher)
        return fetcher

    yield new
    for fetcher in made:
        fetcher.close()


def get(
    fetcher: HttpFetcher, url: str, *origins: str, seconds: float = 30
) -> Body | Rejected | Failed:
    """The answer to `url`, its own origin allowed beside `origins`; its reason is one line."""
    got = fetcher.fetch(url, frozenset({origin(url), *origins}), Deadline.after(seconds))
    assert isinstance(got, Body) or got.reason.isprintable()
    return got


# Ordinary answers


def test_an_image_comes_whole(make: Make, httpserver: HTTPServer) -> None:
    """The body of a 200 is returned, path and query as they were given."""
    httpserver.expect_request("/a b/ü.jpeg", query_string="t=1&s=%2F").respond_with_data(
        gate_jpeg()
    )
    url = httpserver.url_for("/a%20b/%C3%BC.jpeg?t=1&s=%2F#history")
    assert get(make(), url) == Body(gate_jpeg())


def test_the_request_says_who_asks_and_wants_plain_bytes(make: Make) -> None:
    """`Accept-Encoding: identity` and camdl's name and version are sent, a password is not."""
    with RawServer(always(answer())) as server:
        url = server.origin.replace("://", "://user:secret@")
        assert get(make(), url) == Body(b"")
    head = server.requests[0].decode()
    assert head.startswith("GET / HTTP/1.1\r\n")
    assert "Accept-Encoding: identity\r\n" in head
    assert f"User-Agent: camdl/{__version__}\r\n" in head
    assert "secret" not in head


def test_connections_are_kept_alive(make: Make) -> None:
    """One after the other, images come through one connection."""
    with RawServer(always(answer(body=b"image"))) as server:
        fetcher = make()
        for n in range(5):
            assert get(fetcher, f"{server.origin}/{n}") == Body(b"image")
        assert len(server.requests) == 5
        assert server.connections == 1


def test_a_connection_that_died_meanwhile_is_replaced(make: Make) -> None:
    """A server that hangs up between requests costs no failure."""
    with RawServer(once(answer(body=b"image"))) as server:
        fetcher = make()
        for _ in range(3):
            assert get(fetcher, server.origin) == Body(b"image")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451, 201, 204, 206, 300, 304, 305])
def test_a_permanent_answer_is_asked_for_once(
    make: Make, httpserver: HTTPServer, status: int
) -> None:
    """Any answer that is neither an image nor passing is rejected without a retry."""
    httpserver.expect_request("/x").respond_with_data(b"", status=status)
    got = get(make(), httpserver.url_for("/x"))
    assert isinstance(got, Rejected)
    assert f"HTTP {status}" in got.reason
    assert len(httpserver.log) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_a_passing_answer_is_retried(make: Make, httpserver: HTTPServer, status: int) -> None:
    """What may pass is asked for again exactly `max_retries` times, then it failed."""
    httpserver.expect_request("/x").respond_with_data(b"", status=status)
    got = get(make(), httpserver.url_for("/x"))
    assert isinstance(got, Failed)
    assert f"HTTP {status}" in got.reason
    assert got.kind is FailureKind.HTTP_STATUS
    assert got.not_before is None
    assert len(httpserver.log) == 1 + RETRIES


def test_a_fault_that_passes_leaves_no_trace(make: Make, httpserver: HTTPServer) -> None:
    """After an error and a retry the image is simply there."""
    httpserver.expect_ordered_request("/x").respond_with_data(b"", status=500)
    httpserver.expect_ordered_request("/x").respond_with_data(b"image")
    assert get(make(), httpserver.url_for("/x")) == Body(b"image")


def test_an_unknown_status_is_named_by_its_number(make: Make) -> None:
    """A status that nobody registered is told as it is."""
    with RawServer(always(answer("499 Gone\x1b[31m fishing"))) as server:
        assert get(make(), server.origin) == Rejected(
            "the answer is HTTP 499", FailureKind.HTTP_STATUS
        )


def test_what_time_a_server_says_it_is_is_heard(make: Make) -> None:
    """Ours is compared with it, whatever the answer is about."""
    header = f"Date: {format_datetime(NOW - timedelta(minutes=5), usegmt=True)}"
    for status in ("200 OK", "404 Not Found"):
        clock = SourceClock(lambda: NOW)
        with RawServer(always(answer(status, b"image", header))) as server:
            get(make(source_clock=clock), server.origin)
        assert clock.offset_seconds() == 300


# Limits of the body


def test_a_body_up_to_the_cap_is_taken(make: Make) -> None:
    """`max_bytes` itself is allowed, declared or not."""
    for data in (answer(body=b"x" * 1000), NO_LENGTH + b"x" * 1000):
        with RawServer(once(data)) as server:
            assert get(make(max_bytes=1000), server.origin) == Body(b"x" * 1000)


def test_a_declared_size_above_the_cap_is_not_read(make: Make) -> None:
    """A length above the cap is enough to reject, before any of the body has come."""
    with RawServer(always(answer(length=1001))) as server:
        got = get(make(timeout_seconds=20, max_bytes=1000), server.origin)
        assert got == Rejected("the body is larger than 1,000 bytes")
        assert len(server.requests) == 1


@pytest.mark.parametrize("start", [NO_LENGTH, CHUNKED], ids=["no length", "chunked"])
def test_an_endless_body_is_cut_at_the_cap(make: Make, start: bytes) -> None:
    """A body that never ends is given up right behind the cap, and not retried."""
    sent = []

    def pour(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(start)
        piece = b"x" * 65536
        while True:
            conversation.send(piece if start == NO_LENGTH else b"10000\r\n%b\r\n" % piece)
            sent.append(len(piece))

    with RawServer(pour) as server:
        got = get(make(timeout_seconds=20), server.origin)
        assert got == Rejected("the body is larger than 1,000,000 bytes")
        assert server.connections == 1
    assert sum(sent) < 50_000_000


def test_a_gzip_bomb_is_refused_unread(make: Make) -> None:
    """A body that comes compressed although plain bytes were asked for is rejected."""
    bomb = gzip.compress(bytes(10_000_000))
    with RawServer(always(answer("200 OK", bomb, "Content-Encoding: gzip"))) as server:
        got = get(make(), server.origin)
    assert got == Rejected("the body came as gzip, which was not asked for")


def test_an_encoding_that_changes_nothing_is_fine(make: Make) -> None:
    """`Content-Encoding: identity` means plain bytes."""
    with RawServer(always(answer("200 OK", b"image", "Content-Encoding: Identity"))) as server:
        assert get(make(), server.origin) == Body(b"image")


# Time


@pytest.mark.parametrize(
    "handler",
    [
        lambda c: c.hold(),
        lambda c: (c.request(), c.hold()),
        lambda c: c.drip(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 60_000),
        lambda c: c.drip(b"HTTP/1.1 100 Continue\r\n\r\n", 0.001),
        lambda c: (c.request(), c.send(NO_LENGTH), c.drip(b"x")),
        lambda c: (c.request(), c.send(answer(length=9999)), c.drip(b"x")),
        lambda c: (c.request(), c.send(CHUNKED), c.drip(b"1\r\nx\r\n")),
        lambda c: (c.request(), c.send(CHUNKED), c.drip(b"1")),
    ],
    ids=["silent", "deaf", "headers", "continue", "no length", "length", "chunks", "chunk size"],
)
def test_a_slow_answer_is_cut_at_the_total_deadline(make: Make, handler: Handler) -> None:
    """However a server dribbles, each attempt is over after `timeout_seconds`, and retried."""
    with RawServer(handler) as server:
        began = time.monotonic()
        assert get(make(), server.origin) == CUT
        assert TIMEOUT * (1 + RETRIES) <= time.monotonic() - began < 10
        assert server.connections == 1 + RETRIES


def test_a_kept_connection_is_cut_too(make: Make) -> None:
    """The deadline holds for later requests on the same connection."""

    def handle(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(answer(body=b"first"))
        conversation.request()
        conversation.drip(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 60_000)

    with RawServer(handle) as server:
        fetcher = make()
        assert get(fetcher, server.origin) == Body(b"first")
        assert get(fetcher, server.origin, seconds=0.4).__class__ is Failed
        assert server.connections == 1


def test_a_silent_handshake_is_cut(make: Make) -> None:
    """TLS that is never answered, or byte by byte, ends at the deadline too."""
    for handler in (lambda c: c.hold(), lambda c: c.drip(b"\x16\x03\x03\x40\x00" + b"\x02" * 60)):
        with RawServer(handler) as server:
            url = server.origin.replace("http:", "https:")
            began = time.monotonic()
            got = get(make(), url)
            assert isinstance(got, Failed)
            assert time.monotonic() - began < 10


def test_a_connect_that_hangs_is_cut(make: Make) -> None:
    """A host that takes no connection and refuses none ends at the deadline."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for waiting in (first, second):  # they fill the queue: the kernel drops the next
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        assert get(make(), f"http://127.0.0.1:{full.getsockname()[1]}/x") == CUT


def test_a_name_that_takes_for_ever_is_cut(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up has no timeout of its own, but the attempt has."""
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait(30))
    got = get(make(), "http://gate.example/x")
    released.set()
    told = "no whole answer from gate.example within 0.5 s"
    assert got == Failed(told, kind=FailureKind.TIMEOUT)


def test_the_second_address_is_tried(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose first address refuses is reached by its next."""
    with RawServer(always(answer(body=b"image"))) as server:
        port = int(server.origin.rsplit(":", 1)[1])
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port))
            for ip in ("127.0.0.2", "127.0.0.1")
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        assert get(make(), f"http://gate.example:{port}/x") == Body(b"image")


def test_the_deadline_bounds_everything(make: Make) -> None:
    """The caller's deadline cuts an attempt that would have had more time, and the retries."""
    with RawServer(lambda c: c.hold()) as server:
        began = time.monotonic()
        got = get(make(timeout_seconds=60), server.origin, seconds=0.3)
        assert isinstance(got, Failed)
        assert time.monotonic() - began < 10
        assert server.connections == 1


def test_a_slow_one_delays_no_other(make: Make) -> None:
    """While one thread waits for a silent server, others get their images."""
    with RawServer(lambda c: c.hold()) as silent, RawServer(always(answer())) as quick:
        fetcher = make(timeout_seconds=3)
        with ThreadPoolExecutor(2) as pool:
            slow = pool.submit(get, fetcher, silent.origin, seconds=2)
            for _ in range(20):
                assert get(fetcher, quick.origin) == Body(b"")
            assert not slow.done()
            assert isinstance(slow.result(), Failed)


# Broken connections


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        (once(answer(body=b"x" * 1000, length=5000)), "ended early"),
        (once(CHUNKED + b"5\r\nabc"), "ended early"),
        (once(b""), "broke"),
        (once(b"SSH-2.0-OpenSSH_9.2\r\n"), "broke"),
        (once(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"), "broke"),
        (lambda c: (c.request(), c.send(answer(length=99)), c.reset()), "broke"),
        (lambda c: (c.request(), c.reset()), "broke"),
    ],
    ids=["short", "short chunk", "nothing", "no HTTP", "two lengths", "reset in body", "reset"],
)
def test_a_broken_answer_is_retried(make: Make, handler: Handler, told: str) -> None:
    """An answer that breaks off is nothing to keep: it is asked for again, then it failed."""
    with RawServer(handler) as server:
        got = get(make(), server.origin)
        assert isinstance(got, Failed)
        assert told in got.reason
        assert got.kind is FailureKind.UNREACHABLE
        assert server.connections == 1 + RETRIES


def test_a_closed_port_fails(make: Make) -> None:
    """A host that refuses the connection is told so."""
    with RawServer(always(b"")) as server:
        pass
    assert get(make(), server.origin) == Failed("no connection to 127.0.0.1: Connection refused")


def test_what_this_machine_has_no_more_of_is_no_fault_of_the_host(make: Make) -> None:
    """Without a descriptor nothing can be asked of anybody: the run is told, once."""
    fetcher = make()
    with RawServer(always(answer(body=b"image"))) as server:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
        try:
            with pytest.raises(OSError, match="Too many open files"):
                get(fetcher, server.origin)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert server.connections == 0
        assert get(fetcher, server.origin) == Body(b"image")


def test_a_name_that_is_not_known_fails(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose name leads nowhere is told from one that cannot be reached."""
    asked = []

    def unknown(*args: object, **_: object) -> None:
        asked.append(args)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    got = get(make(), "http://bücher.example/x")
    assert got == Failed("the name bücher.example was not found: Name or service not known")
    assert asked == [("xn--bcher-kva.example", 80)] * (1 + RETRIES)


def test_a_name_that_can_be_none_fails(make: Make) -> None:
    """A host name with an impossible part is a failure like any other, not a crash."""
    for name in (f"{'x' * 70}.example", f"{'ü' * 70}.example", "a..example"):
        assert isinstance(get(make(), f"http://{name}/x"), Failed)


# Redirects


def test_a_redirect_within_the_origins_is_followed(make: Make) -> None:
    """Relative or absolute, to its own or another allowed host, with its own path."""
    with RawServer(always(answer(body=b"image"))) as target:
        moved = answer("302 Found", b"", f"Location: {target.origin}/there?x=1")
        with RawServer(always(moved)) as server:
            assert get(make(), server.origin, origin(target.origin)) == Body(b"image")
    assert target.requests[0].startswith(b"GET /there?x=1 HTTP/1.1\r\n")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_relative_redirects_are_followed(make: Make, httpserver: HTTPServer, status: int) -> None:
    """Each kind of redirect leads on, relative to where it came from."""
    here = Response(status=status, headers={"Location": "../b"})
    httpserver.expect_request("/a/x").respond_with_response(here)
    httpserver.expect_request("/b").respond_with_data(b"image")
    assert get(make(), httpserver.url_for("/a/x")) == Body(b"image")


def test_a_redirect_elsewhere_is_refused_before_connecting(make: Make) -> None:
    """A redirect to a host that is not the site's is rejected, and that host sees nothing."""
    with RawServer(always(answer(body=b"secret"))) as internal:
        target = internal.origin.replace("://", "://user:secret@")
        with RawServer(always(answer("302 Found", b"", f"Location: {target}/"))) as server:
            got = get(make(), server.origin)
    assert isinstance(got, Rejected)
    assert "none of the site's hosts" in got.reason
    assert got.kind is FailureKind.REFUSED
    assert "secret" not in got.reason
    assert internal.connections == 0
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "javascript:alert(1)",
        "http://169.254.169.254/latest/",
        "http://[::1]:1/",
        "//localhost:1/x",
        "http://[",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1\\@localhost:1/",
    ],
)
def test_odd_redirects_are_refused(make: Make, location: str) -> None:
    """Other schemes, internal addresses and malformed targets are rejected, and not retried."""
    with RawServer(always(answer("302 Found", b"", f"Location: {location}"))) as server:
        got = get(make(), server.origin)
        assert isinstance(got, Rejected)
        assert got.reason.startswith("a redirect was not followed: ")
        assert len(server.requests) == 1


def test_a_redirect_loop_ends(make: Make) -> None:
    """Five redirects are followed, the sixth is one too many."""
    with RawServer(always(answer("302 Found", b"", "Location: /again"))) as server:
        assert get(make(), server.origin) == Rejected("more than 5 redirects", FailureKind.REFUSED)
        assert len(server.requests) == 6


def test_a_redirect_without_a_target_is_rejected(make: Make) -> None:
    """A redirect that leads nowhere is an answer without an image."""
    with RawServer(always(answer("302 Found"))) as server:
        assert get(make(), server.origin) == Rejected(
            "the answer is HTTP 302 Found", FailureKind.HTTP_STATUS
        )


def test_redirects_share_one_attempt(make: Make) -> None:
    """A chain of redirects has the time of one attempt, not of one each."""

    def slowly(conversation: Conversation) -> None:
        while conversation.request():
            conversation.server.stopping.wait(0.2)
            conversation.send(answer("302 Found", b"", "Location: /again"))

    with RawServer(slowly) as server:
        assert get(make(), server.origin) == CUT


# Retry-After


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_a_small_retry_after_is_waited_for(make: Make, status: str) -> None:
    """The server's own wait is kept in full before the retry."""
    times: list[float] = []

    def handle(conversation: Conversation) -> None:
        while conversation.request():
            times.append(time.monotonic())
            first = answer(status, b"", "Retry-After: 1")
            conversation.send(first if len(times) == 1 else answer(body=b"image"))

    with RawServer(handle) as server:
        assert get(make(), server.origin) == Body(b"image")
    assert times[1] - times[0] >= 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3600", 3600), (format_datetime(NOW + timedelta(hours=2), usegmt=True), 7200)],
    ids=["seconds", "date"],
)
def test_a_long_retry_after_is_put_off(make: Make, header: str, seconds: int) -> None:
    """A wait beyond the deadline is not begun: the image failed until the time asked for."""
    with RawServer(always(answer("503 x", b"", f"Retry-After: {header}"))) as server:
        got = get(make(), server.origin)
        told = "127.0.0.1 answered HTTP 503 Service Unavailable"
        assert got == Failed(told, NOW + timedelta(seconds=seconds), FailureKind.HTTP_STATUS)
        assert len(server.requests) == 1


def test_only_the_callers_deadline_may_forbid_a_wait(make: Make) -> None:
    """A wait that the retries would allow, but the caller's deadline does not, is put off too."""
    with RawServer(always(answer("429 x", b"", "Retry-After: 20"))) as server:
        got = get(make(), server.origin, seconds=5)
        assert isinstance(got, Failed)
        assert got.not_before == NOW + timedelta(seconds=20)
        assert len(server.requests) == 1


@pytest.mark.parametrize("header", ["soon", "0", "-3", ""])
def test_a_retry_after_of_nothing_delays_nothing(make: Make, header: str) -> None:
    """Garbage is ignored, and the past is now."""
    with RawServer(always(answer("429 x", b"", f"Retry-After: {header}"))) as server:
        assert isinstance(get(make(), server.origin), Failed)
        assert len(server.requests) == 1 + RETRIES


def test_a_retry_after_of_another_status_is_ignored(make: Make) -> None:
    """Only 429 and 503 ask for rest."""
    with RawServer(always(answer("500 x", b"", "Retry-After: 3600"))) as server:
        got = get(make(), server.origin)
        assert isinstance(got, Failed)
        assert got.not_before is None


def test_a_long_rest_holds_for_the_whole_host(make: Make) -> None:
    """Once a host has asked for rest, its other images are put off without asking."""
    with RawServer(always(answer("429 x", b"", "Retry-After: 3600"))) as server:
        fetcher = make()
        get(fetcher, f"{server.origin}/1")
        got = get(fetcher, f"{server.origin}/2")
        assert isinstance(got, Failed)
        assert got.reason == "127.0.0.1 asks to be left alone for 3600 s"
        assert got.kind is FailureKind.DEFERRED
        assert got.not_before is not None
        assert timedelta(seconds=3590) < got.not_before - NOW <= timedelta(seconds=3600)
        assert len(server.requests) == 1


def test_a_redirect_to_a_resting_host_is_put_off(make: Make) -> None:
    """A host that asked for rest is not asked by way of another either."""
    with RawServer(always(answer("429 x", b"", "Retry-After: 3600"))) as resting:
        moved = answer("302 Found", b"", f"Location: {resting.origin}/")
        with RawServer(always(moved)) as server:
            fetcher = make()
            get(fetcher, resting.origin)
            got = get(fetcher, server.origin, origin(resting.origin))
    assert isinstance(got, Failed)
    assert got.not_before is not None
    assert len(resting.requests) == 1


def test_a_small_rest_is_waited_for_by_other_threads(make: Make) -> None:
    """Requests of other threads begin when the host's rest is over."""
    times: list[float] = []
    told = threading.Event()

    def handle(conversation: Conversation) -> None:
        while conversation.request():
            times.append(time.monotonic())
            first = answer("429 x", b"", "Retry-After: 1")
            conversation.send(first if len(times) == 1 else answer(body=b"image"))
            told.set()

    with RawServer(handle) as server, ThreadPoolExecutor(4) as pool:
        fetcher = make()
        first = pool.submit(get, fetcher, server.origin)
        assert told.wait(10)
        time.sleep(0.1)  # for the answer to be read: there is nothing of it to be seen
        others = [pool.submit(get, fetcher, server.origin) for _ in range(3)]
        assert [one.result() for one in [first, *others]] == [Body(b"image")] * 4
    assert min(times[1:]) - times[0] >= 1


# TLS


def test_an_untrusted_certificate_fails_at_once(make: Make, tmp_path: Path) -> None:
    """A certificate that nobody vouches for is refused, without a request and without a retry."""
    with RawServer(always(answer()), tls_context(self_signed(tmp_path))) as server:
        got = get(make(), server.origin)
        assert isinstance(got, Failed)
        assert got.reason.startswith("the certificate of 127.0.0.1 is not trusted: self")
        assert got.kind is FailureKind.CERTIFICATE
        assert server.requests == []
        assert server.connections == 1


def test_a_trusted_certificate_is_for_its_host_only(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the system's trust an image comes over TLS; under another name it does not."""
    certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with RawServer(always(answer(body=b"image")), tls_context(certificate)) as server:
        fetcher = make()
        assert get(fetcher, f"{server.origin}/1") == Body(b"image")
        assert get(fetcher, f"{server.origin}/2") == Body(b"image")
        assert server.connections == 1
        got = get(fetcher, server.origin.replace("127.0.0.1", "localhost"))
        assert isinstance(got, Failed)
        assert "certificate of localhost is not trusted" in got.reason


def test_https_never_leads_to_http(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A redirect from https to http is refused although the target is one of the site's hosts."""
    certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with RawServer(always(answer())) as plain:
        moved = answer("302 Found", b"", f"Location: {plain.origin}/")
        with RawServer(always(moved), tls_context(certificate)) as server:
            got = get(make(), server.origin, origin(plain.origin))
    told = "a redirect was not followed: it leads from https to http"
    assert got == Rejected(told, FailureKind.REFUSED)
    assert plain.connections == 0


def test_a_dripping_body_over_tls_is_cut(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline reaches through TLS."""
    certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    def drip(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(NO_LENGTH)
        conversation.drip(b"x")

    with RawServer(drip, tls_context(certificate)) as server:
        assert get(make(), server.origin) == CUT


def test_what_does_not_speak_tls_is_retried(make: Make) -> None:
    """A port that answers TLS with plain text may be a passing fault of a proxy."""
    with RawServer(lambda c: c.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        got = get(make(), server.origin.replace("http:", "https:"))
        assert isinstance(got, Failed)
        assert got.reason.startswith("TLS with 127.0.0.1 failed: ")
        assert server.connections == 1 + RETRIES


# The end


def test_close_cuts_what_is_under_way(make: Make) -> None:
    """A request that waits for its answer ends when the fetcher is closed, as do later ones."""
    arrived = threading.Event()

    def silent(conversation: Conversation) -> None:
        conversation.request()
        arrived.set()
        conversation.hold()

    with RawServer(silent) as server, ThreadPoolExecutor(1) as pool:
        fetcher = make(timeout_seconds=60)
        began = time.monotonic()
        waiting = pool.submit(get, fetcher, server.origin)
        assert arrived.wait(10)
        fetcher.close()
        assert isinstance(waiting.result(), Failed)
        assert time.monotonic() - began < 20
        assert get(fetcher, server.origin) == Failed(
            "not asked for: the run is over", kind=FailureKind.DEADLINE
        )
        assert server.connections == 1


def test_nothing_stays_open(make: Make) -> None:
    """After many good and bad requests a closed fetcher leaves no descriptor behind."""

    def bad(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(NO_LENGTH)
        conversation.drip(b"x")

    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    with RawServer(always(answer(body=b"x" * 1000))) as good, RawServer(bad) as slow:
        fetcher = make(timeout_seconds=0.05)
        for n in range(10):
            get(fetcher, f"{good.origin}/{n}")
            get(fetcher, f"{slow.origin}/{n}", seconds=0.05)
        fetcher.close()
    gc.collect()
    assert len(list(descriptors.iterdir())) <= before
