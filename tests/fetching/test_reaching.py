"""Whether sites answer."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest

from camdl.domain.examination import Finding, Grade
from camdl.fetching.reaching import examine_images, examine_page
from tests.support.http import RawServer, always, answer, self_signed, tls_context

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.http import Conversation

NOW = datetime(2025, 9, 8, 20, 30, tzinfo=UTC)


def page(url: str, seconds: float = 10) -> list[Finding]:
    """What is found out about a page."""
    return list(examine_page(url, seconds, lambda: NOW))


def dated(apart: timedelta) -> str:
    """The header of a site whose clock is so far from ours."""
    return f"Date: {format_datetime(NOW + apart, usegmt=True)}"


def test_a_page_that_answers() -> None:
    """It is fine, and nothing of the address is told but where it is."""
    with RawServer(always(answer("200 OK", b"", dated(timedelta())))) as server:
        (one,) = page(f"{server.origin}/gate?token=secret")
    assert one.grade is Grade.FINE
    assert one.said.startswith(f"{server.origin} answers HTTP 200 OK after 0.")
    assert server.requests[0].startswith(b"GET /gate?token=secret ")


@pytest.mark.parametrize(
    ("status", "grade"),
    [("302 Found", Grade.NOTE), ("404 Not Found", Grade.BAD), ("503 x", Grade.BAD)],
)
def test_a_page_that_is_none(status: str, grade: Grade) -> None:
    """It was reached, but is not there; without secrets in the command that looks at it."""
    reply = answer(status, b"", "Location: http://elsewhere.example/")
    with RawServer(always(reply)) as server:
        (one,) = page(f"{server.origin}/gate?token=secret")
    assert one.grade is grade
    assert "curl --head" in one.remedy
    assert "secret" not in one.remedy
    assert len(server.requests) == 1  # it follows nowhere


@pytest.mark.parametrize(
    ("apart", "grade", "said"),
    [
        (timedelta(seconds=45), Grade.NOTE, "the site's clock is 45 s ahead of this machine's"),
        (-timedelta(minutes=3), Grade.NOTE, "the site's clock is 3 min behind this machine's"),
        (timedelta(days=400), Grade.BAD, "the site's clock is 400 d ahead of this machine's"),
    ],
)
def test_a_clock_that_differs(apart: timedelta, grade: Grade, said: str) -> None:
    """Half a minute is nothing, ten minutes make runs and gaps wrong."""
    with RawServer(always(answer("200 OK", b"", dated(apart)))) as server:
        _, clock = page(server.origin)
    assert (clock.grade, clock.said) == (grade, said)
    assert "timedatectl" in clock.remedy


@pytest.mark.parametrize("header", ["Date: soon", "Date: ", "X: y"])
def test_a_site_without_a_clock(header: str) -> None:
    """Nothing is compared."""
    with RawServer(always(answer("200 OK", b"", header))) as server:
        assert [one.grade for one in page(server.origin)] == [Grade.FINE]


def test_a_site_that_is_down() -> None:
    """Nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    for one in (
        *page(f"http://127.0.0.1:{port}/gate"),
        *examine_images(f"http://127.0.0.1:{port}", 5),
    ):
        assert one.grade is Grade.BAD
        assert one.said == "no connection to 127.0.0.1: Connection refused"
        assert f"curl --head http://127.0.0.1:{port}/" in one.remedy


def test_a_name_that_is_none() -> None:
    """Not even a look-up is tried of a name that no one can have."""
    (one,) = examine_images("http://gate..invalid:80", 5)
    assert one.grade is Grade.BAD
    assert "gate..invalid" in one.said


def test_a_silent_site() -> None:
    """It is given up, and said to be slow."""

    def hold(conversation: Conversation) -> None:
        conversation.request()
        conversation.hold()

    with RawServer(hold) as server:
        (one,) = page(server.origin, 0.2)
    assert one.said == "no whole answer from 127.0.0.1 within 0.2 s"


def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    """It is told as runs tell it."""
    with RawServer(always(answer()), tls_context(self_signed(tmp_path))) as server:
        for one in (*page(server.origin), *examine_images(server.origin, 5)):
            assert (
                one.said == "the certificate of 127.0.0.1 is not trusted: self-signed certificate"
            )


def test_a_host_of_images() -> None:
    """Whatever it says at its root, it can be reached."""
    with RawServer(always(answer("403 Forbidden"))) as server:
        (one,) = examine_images(server.origin, 5)
    assert (one.grade, one.said) == (Grade.FINE, f"{server.origin} can be reached")
