"""Images of hosts that ask to be left alone, by real HTTP, across runs."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from camdl.domain.outcomes import Counts
from camdl.fetching.images import HttpFetcher
from camdl.fetching.retry import RetryPolicy, retrying
from camdl.ports import Listing
from camdl.rests import Rests
from tests.support import invariants
from tests.support.http import RawServer, always, answer
from tests.support.world import NOW, PICTURE, World, gate_stream, listed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from camdl.deadline import Deadline
    from tests.support.http import Conversation

BUSY = answer("429 Too Many Requests", b"", "Retry-After: 900")


class Served(World):
    """Runs that fetch by HTTP from `origin`; each run has a new fetcher."""

    def __init__(self, home: Path, origin: str) -> None:
        super().__init__(home, "in_gate")
        stream = gate_stream("in_gate")
        image = replace(stream.image, text=stream.image.text.replace("http://cdn.example", origin))
        self.streams = (replace(stream, image=image),)

    def show(self, *minutes_ago: float) -> None:
        """The page lists these captures."""
        captures = [listed("in_gate", minutes).capture for minutes in minutes_ago]
        image = self.streams[0].image
        found = tuple(replace(listed("in_gate", 0), capture=c, url=image.url(c)) for c in captures)
        self.source.answers["in_gate"] = Listing("in_gate", found)

    @contextmanager
    def open(self, order: Any, deadline: Deadline) -> Iterator[Any]:
        """As the world's, with a real fetcher."""
        rests = Rests()
        retry = retrying(RetryPolicy(1, 0.01, 2.0, 0.1), deadline)
        fetcher = HttpFetcher(
            retry,
            timeout_seconds=5,
            max_bytes=10**6,
            connections=2,
            clock=lambda: self.clock,
            rests=rests,
        )
        with super().open(order, deadline) as ports:
            yield replace(ports, fetcher=fetcher, rests=rests)
        fetcher.close()


@pytest.fixture
def server() -> Iterator[RawServer]:
    """A server that asks to be left alone for a quarter of an hour."""
    with RawServer(always(BUSY)) as busy:
        yield busy


def test_the_next_run_leaves_it_alone(tmp_path: Path, server: RawServer) -> None:
    """Images that are new then are not asked for; they stay pending with the reason."""
    world = Served(tmp_path, server.origin)
    world.show(5)
    world.download()
    assert len(server.requests) == 1
    world.clock += timedelta(minutes=10)
    world.show(-5, 5)
    run = world.download(deadline_seconds=60).run
    assert len(server.requests) == 1
    assert run.counts == Counts(listed=2, new=2, failed=2)
    (new, _) = world.pending("in_gate")
    assert "127.0.0.1 asks to be left alone for 300 s" in new.reason
    assert new.not_before is not None
    assert timedelta(minutes=14) < new.not_before - NOW <= timedelta(minutes=15)


def test_after_its_rest_it_is_asked_again(tmp_path: Path) -> None:
    """Then everything comes, and the rest is forgotten."""
    answers = [BUSY]

    def recover(conversation: Conversation) -> None:
        while conversation.request():
            conversation.send(answers.pop() if answers else answer("200 OK", PICTURE))

    with RawServer(recover) as server:
        world = Served(tmp_path, server.origin)
        world.show(5)
        world.download()
        world.clock += timedelta(minutes=16)
        run = world.download().run
        assert (run.exit_code, run.counts.saved) == (0, 1)
        world.clock += timedelta(minutes=1)
        world.download()
    assert invariants.rows(world.database, "SELECT origin FROM rests") == []
