"""Pings, in the way of Healthchecks."""

from __future__ import annotations

import threading
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from camdl.deadline import Deadline
from camdl.domain.notices import NotSent, Sent
from camdl.notifying.failing import trust
from camdl.notifying.pings import Pings, url_for
from tests.support.hook import Hook
from tests.support.http import RawServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def hook() -> Iterator[Hook]:
    """The switch."""
    with Hook() as switch:
        yield switch


@pytest.mark.parametrize(("is_good", "end"), [(True, "/key/job"), (False, "/key/job/fail")])
def test_a_run_is_a_start_and_an_end(hook: Hook, is_good: bool, end: str) -> None:
    """Tied together by an id, with a text at the end."""
    pings = Pings(f"{hook.origin}/key/job/", trust(None))
    pings.start()
    outcome = pings.end("the last words\n", Deadline.after(30), is_good=is_good)
    assert isinstance(outcome, Sent)
    assert hook.paths() == ["/key/job/start", end]
    assert [post.body for post in hook.posts] == ["", "the last words\n"]
    first, second = (post.query["rid"] for post in hook.posts)
    assert first == second
    assert str(uuid.UUID(first[0])) == first[0]


def test_a_query_of_the_url_stays_in_it(hook: Hook) -> None:
    """The suffix goes into the path."""
    pings = Pings(f"{hook.origin}/key?create=1", trust(None))
    pings.end("", Deadline.after(30), is_good=False)
    assert hook.paths() == ["/key/fail"]
    assert hook.posts[0].query["create"] == ["1"]


def test_a_long_text_is_cut_at_its_beginning(hook: Hook) -> None:
    """The last words say why."""
    Pings(hook.origin, trust(None)).end("x" * 20_000 + "why", Deadline.after(30), is_good=False)
    assert len(hook.posts[0].body) == 10_000
    assert hook.posts[0].body.endswith("xwhy")


def test_the_start_delays_nothing() -> None:
    """It goes out beside the run, and an end does not wait for it for ever."""
    with RawServer(lambda conversation: conversation.hold()) as server:
        pings = Pings(f"{server.origin}/key", trust(None))
        began = time.monotonic()
        pings.start()
        assert time.monotonic() - began < 1
        outcome = pings.end("", Deadline.after(1), is_good=True)
        assert time.monotonic() - began < 10
    assert isinstance(outcome, NotSent)


def test_an_end_does_not_overtake_its_start(hook: Hook) -> None:
    """A short run whose start is slow to arrive is not taken for one that goes on."""
    may_go = threading.Event()
    hook.meanwhile = lambda: may_go.wait(0.3)
    pings = Pings(f"{hook.origin}/key", trust(None))
    pings.start()
    pings.end("", Deadline.after(60), is_good=True)
    assert hook.paths() == ["/key/start", "/key"]


def test_a_start_that_finds_no_thread_says_nothing(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is said beside a run, on its terminal, helps nobody."""
    said: list[object] = []
    start = threading.Thread.start

    def refuse_others(thread: threading.Thread) -> None:
        if thread.name != "camdl-ping":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading, "excepthook", said.append)
    monkeypatch.setattr(threading.Thread, "start", refuse_others)
    pings = Pings(hook.origin, trust(None))
    pings.start()
    with pytest.raises(RuntimeError):
        pings.end("", Deadline.after(30), is_good=True)
    assert (said, hook.posts) == ([], [])


def test_no_time_left_is_no_ping(hook: Hook) -> None:
    """Nothing is begun any more."""
    pings = Pings(hook.origin, trust(None))
    assert isinstance(pings.end("", Deadline.after(0), is_good=True), NotSent)
    assert hook.posts == []


@pytest.mark.parametrize(
    ("template", "job", "url"),
    [
        ("https://hc/{job}", "cleanup", "https://hc/cleanup"),
        ("https://hc/uuid", "download", "https://hc/uuid"),
        ("https://hc/uuid", "cleanup", ""),
        ("", "download", ""),
    ],
)
def test_each_job_has_its_url(template: str, job: str, url: str) -> None:
    """A URL without a place for the job is that of the downloads."""
    assert url_for(job, template) == url
