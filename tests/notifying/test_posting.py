"""One POST: what goes out, and what its answer means."""

from __future__ import annotations

import base64
import ssl
from typing import TYPE_CHECKING

import pytest

from camdl.deadline import Deadline
from camdl.domain.notices import NotSent, Sent
from camdl.notifying.failing import trust
from camdl.notifying.posting import post
from tests.support.hook import Hook
from tests.support.http import RawServer, always, answer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.http import Conversation


@pytest.fixture(scope="module")
def tls() -> ssl.SSLContext:
    """Trust as it is without a setting."""
    return trust(None)


def posted(url: str, tls: ssl.SSLContext, body: bytes = b"text") -> Sent | NotSent:
    """What becomes of a text posted there."""
    return post(url, body, "text/plain; charset=utf-8", tls, Deadline.after(30))


def test_a_post_has_its_text_and_its_kind(tls: ssl.SSLContext) -> None:
    """The query of the URL goes with it."""
    with Hook() as hook:
        outcome = posted(f"{hook.origin}/a/b%20c?token=1&x=%2F", tls, "„é“".encode())
    (came,) = hook.posts
    assert (came.path, came.query, came.body) == (
        "/a/b%20c",
        {"token": ["1"], "x": ["/"]},
        "„é“",
    )
    assert came.headers["content-type"] == "text/plain; charset=utf-8"
    assert came.headers["user-agent"].startswith("camdl/")
    assert outcome == Sent("127.0.0.1: 200 OK thank you")


def test_a_url_without_a_path_is_asked_for_its_root(tls: ssl.SSLContext) -> None:
    """As everybody does."""
    with Hook() as hook:
        posted(hook.origin, tls)
    assert hook.paths() == ["/"]


def test_a_login_in_the_url_is_sent_as_one(tls: ssl.SSLContext) -> None:
    """Its escapes are undone, and the host is told without it."""
    with Hook() as hook:
        posted(hook.origin.replace("://", "://me:p%40ss@"), tls)
    (came,) = hook.posts
    login = base64.b64decode(came.headers["authorization"].removeprefix("Basic "))
    assert login == b"me:p@ss"
    assert came.headers["host"] == hook.origin.removeprefix("http://")


@pytest.mark.parametrize("status", ["301 Moved", "400 Bad Request", "500 Oops", "204 No Content"])
def test_only_a_2xx_is_a_success(tls: ssl.SSLContext, status: str) -> None:
    """A redirect is not followed: where it leads nobody has configured."""
    with RawServer(always(answer(status, b"", "Location: http://127.0.0.1:1/"))) as server:
        outcome = posted(f"{server.origin}/secret", tls)
        assert len(server.requests) == 1
    if status.startswith("2"):
        assert outcome == Sent(f"127.0.0.1: {status}")
    else:
        assert outcome == NotSent(f"127.0.0.1: {status}")


@pytest.mark.parametrize("said", [b"nonsense\r\n\r\n", b"HTTP/1.1 999999 x\r\n\r\n", b""])
def test_what_is_no_answer_is_told(tls: ssl.SSLContext, said: bytes) -> None:
    """In one line, without the path."""

    def say(conversation: Conversation) -> None:
        conversation.request()
        conversation.send(said)

    with RawServer(say) as server:
        outcome = posted(f"{server.origin}/secret", tls)
    assert isinstance(outcome, NotSent)
    assert outcome.reason.isprintable()
    assert "secret" not in outcome.reason


def test_a_long_answer_is_not_read_to_its_end(tls: ssl.SSLContext) -> None:
    """One line of it says enough."""
    with RawServer(always(answer(body=b"x" * 1_000_000))) as server:
        outcome = posted(server.origin, tls)
    assert isinstance(outcome, Sent)
    assert len(outcome.answer) <= 300


def test_certificates_of_ones_own_must_be_there(tmp_path: Path) -> None:
    """A file that is missing, or holds something else, is an error."""
    with pytest.raises(FileNotFoundError):
        trust(tmp_path / "none.pem")
    (tmp_path / "other.pem").write_text("hello")
    with pytest.raises(ssl.SSLError):
        trust(tmp_path / "other.pem")
