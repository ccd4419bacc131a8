"""Where a stream's captures are published, and which hosts that allows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from camdl.domain.sites import Stream, origin
from camdl.domain.templates import UrlTemplate

TIME = "{time:%Y-%m-%dT%H:%M:%S}"
STREAM = Stream(
    name="in_gate",
    page="https://app.example/cameras#in_gate",
    image=UrlTemplate(f"https://cdn.example/{TIME}-{{stream}}.jpeg"),
    thumbnail=UrlTemplate(f"http://small.example:8080/{TIME}-{{stream}}.jpeg"),
    timezone=ZoneInfo("UTC"),
    date_picker="",
    page_hosts=("*.widgets.example",),
    min_width=640,
    min_height=360,
    interval=timedelta(minutes=10),
)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://cdn.example/x", "https://cdn.example:443"),
        ("http://CDN.example", "http://cdn.example:80"),
        ("http://127.0.0.1:8765/a?b#c", "http://127.0.0.1:8765"),
        ("http://[::1]:8765/", "http://[::1]:8765"),
        ("https://user:secret@cdn.example/", "https://cdn.example:443"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, expected: str) -> None:
    """Two URLs have the same origin exactly if they go to the same port of the same host."""
    assert origin(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "cdn.example",
        "//cdn.example/x",
        "file:///etc/passwd",
        "ftp://h/",
        "http://",
        "http://h:x/",
        "http://h:70000/",
    ],
)
def test_what_is_no_web_address_has_no_origin(url: str) -> None:
    """Other schemes, no host and ports that cannot be are refused."""
    with pytest.raises(ValueError, match=r"."):
        origin(url)


def test_images_come_from_the_origins_of_the_sites_own_templates() -> None:
    """The page's, the images' and the thumbnails', and no other."""
    assert STREAM.image_origins == {
        "https://app.example:443",
        "https://cdn.example:443",
        "http://small.example:8080",
    }


def test_a_site_may_have_no_thumbnails() -> None:
    """Then two origins are left."""
    stream = replace(STREAM, thumbnail=None)
    assert stream.image_origins == {"https://app.example:443", "https://cdn.example:443"}


def test_a_page_may_talk_to_its_own_hosts_and_the_configured_ones() -> None:
    """Hosts come without ports, and patterns stay as they are."""
    assert STREAM.hosts == {"app.example", "cdn.example", "small.example", "*.widgets.example"}


def test_the_hosts_of_a_loopback_site_are_literal_addresses() -> None:
    """An address of version 6 keeps its brackets."""
    stream = replace(STREAM, page="http://[::1]:8765/", thumbnail=None)
    assert stream.hosts == {"[::1]", "cdn.example", "*.widgets.example"}
