"""The demo's gate site, asked over HTTP as a browser or camdl would."""

from __future__ import annotations

import http.client
import json
import socket
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from camdl.demo.frames import frame
from camdl.demo.schedule import captures
from camdl.demo.site import LIVE, GateSite
from camdl.domain.captures import Capture
from camdl.domain.templates import UrlTemplate
from camdl.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = date(2025, 9, 8)
NOW = datetime(2025, 9, 8, 20, 30, tzinfo=UTC)
STREAMS = ("in_gate", "out_gate")


@pytest.fixture
def site() -> Iterator[GateSite]:
    """The site at `NOW`, with its list at once."""
    with GateSite(STREAMS, frame, lambda: NOW, list_delay_seconds=0) as up:
        yield up


def get(site: GateSite, path: str) -> tuple[int, str, bytes]:
    """Status, content type and body of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read()
    finally:
        connection.close()


def listing(site: GateSite, query: str) -> dict[str, Any]:
    """The list that the page would get."""
    status, kind, body = get(site, f"/api/captures?{query}")
    assert (status, kind) == (200, "application/json")
    answer: dict[str, Any] = json.loads(body)
    return answer


def instants(answer: dict[str, Any]) -> list[datetime]:
    """The listed instants, in the list's order."""
    return [datetime.fromisoformat(one["captured_at"]) for one in answer["captures"]]


@pytest.mark.parametrize("path", ["/", "/gate", "/gate?stream=in_gate"])
def test_page_is_html_without_a_single_image(site: GateSite, path: str) -> None:
    """What the page shows comes by its script only."""
    status, kind, body = get(site, path)
    assert (status, kind) == (200, "text/html; charset=utf-8")
    assert b'<input type="date"' in body
    assert b".jpeg" not in body


def test_day_lists_every_capture_until_now_newest_first(site: GateSite) -> None:
    """Nothing of the future is listed, everything before it is."""
    listed = instants(listing(site, f"stream=in_gate&day={DAY}"))
    assert listed == sorted((m for m in captures("in_gate", DAY) if m <= NOW), reverse=True)
    assert 120 < len(listed) < 144


def test_a_past_day_is_whole_and_a_coming_one_is_empty(site: GateSite) -> None:
    """Yesterday lists 144 captures, tomorrow none."""
    before, after = DAY - timedelta(days=1), DAY + timedelta(days=1)
    assert len(instants(listing(site, f"stream=out_gate&day={before}"))) == 144
    assert instants(listing(site, f"stream=out_gate&day={after}")) == []


def test_live_strip_reaches_over_midnight() -> None:
    """Just after midnight the last captures are those of the day before."""
    midnight = datetime(2025, 9, 8, tzinfo=UTC)
    with GateSite(STREAMS, frame, lambda: midnight) as site:
        answer = listing(site, "stream=in_gate")
    assert len(instants(answer)) == LIVE
    assert all(moment < midnight for moment in instants(answer)[1:])
    assert answer["streams"] == list(STREAMS)


def test_time_moves_on(site: GateSite) -> None:
    """With another clock the captures of the meantime are there."""
    before = instants(listing(site, f"stream=in_gate&day={DAY}"))
    site.clock = lambda: NOW + timedelta(minutes=25)
    after = instants(listing(site, f"stream=in_gate&day={DAY}"))
    assert len(after) - len(before) in (2, 3)
    assert after[-len(before) :] == before


def test_templates_name_the_published_images(site: GateSite) -> None:
    """The site's URL templates lead to the very image and thumbnail of a capture."""
    newest = instants(listing(site, "stream=in_gate"))[0]
    capture = Capture(newest, "in_gate")
    image = UrlTemplate(site.image).url(capture).removeprefix(site.origin)
    small = UrlTemplate(site.thumbnail).url(capture).removeprefix(site.origin)
    assert get(site, image) == (200, "image/jpeg", frame("in_gate", newest))
    status, kind, body = get(site, small)
    assert (status, kind) == (200, "image/jpeg")
    assert 0 < len(body) < 30_000


def test_list_names_images_as_the_templates_do(site: GateSite) -> None:
    """Each entry has the URLs that the templates make of it, hours without a leading zero."""
    oldest = listing(site, f"stream=in_gate&day={DAY}")["captures"][-1]
    moment = datetime.fromisoformat(oldest["captured_at"])
    capture = Capture(moment, "in_gate")
    assert site.origin + oldest["image"] == UrlTemplate(site.image).url(capture)
    assert site.origin + oldest["thumbnail"] == UrlTemplate(site.thumbnail).url(capture)
    assert "/2025-09-08/0/2025-09-08T00:0" in oldest["image"]


def test_escaped_colons_lead_to_the_image(site: GateSite) -> None:
    """Some clients escape the colons of the time."""
    path = listing(site, "stream=in_gate")["captures"][0]["image"]
    assert get(site, path.replace(":", "%3A"))[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/favicon.ico",
        "/images/",
        "/images/2025-09-08/20/2025-09-08T20:00:00-other.jpeg",
        "/images/2025-09-08/25/2025-09-08T25:00:00-in_gate.jpeg",
        "/images/2025-09-08/20/../../../etc/passwd",
    ],
)
def test_unknown_paths_are_not_found(site: GateSite, path: str) -> None:
    """Everything else is answered with 404."""
    status, kind, _ = get(site, path)
    assert (status, kind) == (404, "application/json")


def test_only_taken_pictures_at_their_own_path_are_found(site: GateSite) -> None:
    """The image of the next capture, of no capture, and at another hour's path are 404."""
    coming = next(moment for moment in captures("in_gate", DAY) if moment > NOW)
    taken = [moment for moment in captures("in_gate", DAY) if moment <= NOW][-1]
    template = UrlTemplate(site.image)
    never = taken + timedelta(seconds=1)
    for moment in (coming, never):
        path = template.url(Capture(moment, "in_gate")).removeprefix(site.origin)
        assert get(site, path)[0] == 404
    path = template.url(Capture(taken, "in_gate")).removeprefix(site.origin)
    assert get(site, path)[0] == 200
    assert get(site, path.replace(f"/{taken.hour}/", "/1/"))[0] == 404


def test_unknown_stream_and_broken_day_are_told_as_json(site: GateSite) -> None:
    """The page can show why there is no list."""
    assert get(site, "/api/captures?stream=none")[0] == 404
    status, _, body = get(site, "/api/captures?stream=in_gate&day=today")
    assert (status, json.loads(body)) == (400, {"error": "day is not YYYY-MM-DD"})


def test_taken_port_is_an_error_that_names_it(site: GateSite) -> None:
    """A second site on the same port says so and what to do."""
    with pytest.raises(ConfigError, match=f"127.0.0.1:{site.port}") as refused:
        GateSite(STREAMS, frame, lambda: NOW, port=site.port).__enter__()
    assert "--port" in refused.value.advice


def test_site_is_gone_after_the_with() -> None:
    """Its port is closed, and leaving it once more does nothing."""
    with GateSite(STREAMS, frame, lambda: NOW) as site:
        assert get(site, "/gate")[0] == 200
    site.__exit__()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", site.port), timeout=5)


def test_faulty_picture_is_told_and_a_hung_up_browser_is_not(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A bug in drawing is seen on stderr; a client that goes away is everyday life."""

    def broken(stream: str, moment: datetime) -> bytes:
        raise ConnectionResetError if stream == "in_gate" else ValueError("no pencil")

    with GateSite(STREAMS, broken, lambda: NOW) as site:
        for stream, seen in (("in_gate", False), ("out_gate", True)):
            path = listing(site, f"stream={stream}")["captures"][0]["image"]
            with pytest.raises(http.client.RemoteDisconnected):
                get(site, path)
            assert ("no pencil" in capfd.readouterr().err) is seen
