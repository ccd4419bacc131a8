"""What every fetcher does, the real one and the fake."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from camdl.deadline import Deadline
from camdl.domain.outcomes import Body, Failed, Rejected
from camdl.fetching.images import HttpFetcher
from camdl.fetching.retry import RetryPolicy, retrying
from tests.support.fake_fetcher import FakeFetcher
from tests.support.http import Conversation, RawServer, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from camdl.ports import Fetcher

BODIES = {f"/image/{n}.jpeg": bytes([n]) * 1000 for n in range(40)}


@dataclass(frozen=True)
class World:
    """A fetcher, the origin at which it finds `BODIES`, and how often that was asked."""

    fetcher: Fetcher
    origin: str
    asked: Callable[[], int]


def serve(conversation: Conversation) -> None:
    """Answer with `BODIES`."""
    while head := conversation.request():
        body = BODIES.get(head.split()[1].decode())
        conversation.send(answer("404 Not Found") if body is None else answer(body=body))


@pytest.fixture(params=["http", "fake"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Each fetcher in a world of the same images."""
    with ExitStack() as stack:
        if request.param == "fake":
            base = "http://cdn.example:80"
            fake = FakeFetcher({base + path: body for path, body in BODIES.items()})
            yield World(fake, base, lambda: len(fake.asked))
            return
        server = stack.enter_context(RawServer(serve))
        fetcher = HttpFetcher(
            retrying(RetryPolicy(1, 0.01, 2.0, 0.1), Deadline.after(60)),
            timeout_seconds=10,
            max_bytes=10_000,
            connections=4,
            clock=lambda: datetime.now(UTC),
        )
        stack.callback(fetcher.close)
        yield World(fetcher, server.origin, lambda: len(server.requests))


def test_a_body_comes_whole(world: World) -> None:
    """What the source has under a URL comes back, byte for byte."""
    for path, body in BODIES.items():
        got = world.fetcher.fetch(
            world.origin + path, frozenset({world.origin}), Deadline.after(30)
        )
        assert got == Body(body)


def test_what_is_not_there_is_rejected_in_one_line(world: World) -> None:
    """A URL that the source does not have is rejected, with a reason."""
    url = f"{world.origin}/none.jpeg"
    got = world.fetcher.fetch(url, frozenset({world.origin}), Deadline.after(30))
    assert isinstance(got, Rejected)
    assert got.reason
    assert got.reason.isprintable()


@pytest.mark.parametrize(
    "url",
    ["{origin}0/x", "http://elsewhere.example/x", "file:///etc/passwd", "//x", "", "http://[", "x"],
)
def test_other_origins_are_never_asked(world: World, url: str) -> None:
    """A URL outside the origins fails without a request."""
    got = world.fetcher.fetch(
        url.format(origin=world.origin.rsplit(":", 1)[0] + ":1"),
        frozenset({world.origin}),
        Deadline.after(30),
    )
    assert isinstance(got, Failed)
    assert world.asked() == 0


def test_nothing_is_asked_past_the_deadline(world: World) -> None:
    """With no time left the image fails without a request."""
    url = f"{world.origin}/image/1.jpeg"
    got = world.fetcher.fetch(url, frozenset({world.origin}), Deadline.after(0))
    assert isinstance(got, Failed)
    assert world.asked() == 0


def test_threads_get_their_own_answers(world: World) -> None:
    """Many threads may ask at once, and each gets the body of its URL."""

    def fetch(path: str) -> Body | Rejected | Failed:
        url = world.origin + path
        return world.fetcher.fetch(url, frozenset({world.origin}), Deadline.after(30))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(fetch, BODIES)) == [Body(body) for body in BODIES.values()]
