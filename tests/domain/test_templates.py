"""A site's URL template, read both ways."""

from __future__ import annotations

import html
import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from camdl.domain.captures import STREAM_NAME, Capture
from camdl.domain.templates import TemplateError, UrlTemplate, plain

if TYPE_CHECKING:
    from collections.abc import Callable

DRAYDOG = (
    "https://cdn.draydog.com/apm/{time:%Y-%m-%d}/{time:%-H}/{time:%Y-%m-%dT%H:%M:%S}-{stream}.jpeg"
)
TEXTS = [
    DRAYDOG,
    "https://cdn.example/{stream}/{time:%Y/%m/%d/%H%M%S}.jpg",
    "http://127.0.0.1:8765/{time:%Y/%j}/{stream}-{time:%-H-%-M-%-S}.jpg",
    "https://cdn.example/image?camera={stream}&t={time:%s}",
    "https://cdn.example/{time:%-d.%-m.%Y}/{time:%H.%M.%S}/{stream}",
    "http://[::1]/{stream}_{time:%y%m%d%H%M%S}.jpg",
]
ZONES = [ZoneInfo(name) for name in ("UTC", "America/Los_Angeles", "Asia/Kathmandu")]
TEMPLATES = st.builds(UrlTemplate, st.sampled_from(TEXTS), st.sampled_from(ZONES))
NAMES = st.from_regex(STREAM_NAME, fullmatch=True)
# Two digits tell the years of one century, and nine those from 1973 on.
MOMENTS = st.integers(0, 97 * 365 * 86_400).map(
    lambda second: datetime(2001, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
)
CAPTURES = st.builds(Capture, MOMENTS, NAMES)
CAPTURE = Capture(datetime(2025, 9, 8, 20, 22, 30, tzinfo=UTC), "in_gate")
URL = "https://cdn.draydog.com/apm/2025-09-08/20/2025-09-08T20:22:30-in_gate.jpeg"

ESCAPES: dict[str, Callable[[str], str]] = {
    "plain": lambda url: url,
    "JSON": json.dumps,
    "JSON with escaped slashes": lambda url: json.dumps([url]).replace("/", "\\/"),
    "JSON in JSON": lambda url: json.dumps(json.dumps({"url": url})),
    "JSON with code points": lambda url: (
        json.dumps(url).replace("/", "\\u002F").replace(":", "\\u003a").replace("&", "\\u0026")
    ),
    "HTML": lambda url: f'<img src="{html.escape(url)}">',
    "HTML with numbers": lambda url: (
        f"<img src='{url.replace('&', '&#38;').replace('/', '&#x2F;')}'>"
    ),
    "JSON in HTML": lambda url: f'<div data-list="{html.escape(json.dumps([url]))}">',
    "CSS": lambda url: f"background:url({url})",
    "percent": lambda url: f"/proxy?url={quote(url, safe='')}",
    "white space": lambda url: f"\n\t{url} 2x, ",
}


def is_told(template: UrlTemplate, capture: Capture) -> bool:
    """Whether local time tells the instant: that of a repeated hour tells the first one only."""
    local = capture.captured_at.astimezone(template.zone)
    return local.fold == 0 or "%s" in template.text


def found(template: UrlTemplate, text: str, stream: str = "in_gate") -> list[Capture]:
    """The captures of `stream` in `text`."""
    return [listed.capture for listed in template.find(text, stream)]


@pytest.mark.parametrize("escape", ESCAPES)
@given(template=TEMPLATES, capture=CAPTURES)
def test_what_a_template_writes_it_reads(
    escape: str, template: UrlTemplate, capture: Capture
) -> None:
    """The URL of a capture tells that capture, once, in whatever the page wrapped it."""
    assume(is_told(template, capture))
    url = template.url(capture)
    listed = list(template.find(ESCAPES[escape](url), capture.stream))
    assert [(one.capture, one.url) for one in listed] == [(capture, url)]


@given(TEMPLATES, CAPTURES)
def test_a_path_is_as_good_as_a_url(template: UrlTemplate, capture: Capture) -> None:
    """A list may leave scheme and host to the page; the URL is made whole again."""
    assume(is_told(template, capture))
    url = template.url(capture)
    scheme_less, path = url.partition(":")[2], url.removeprefix(template.origin)
    for text in (scheme_less, path, path.removeprefix("/")):
        listed = list(template.find(json.dumps(text), capture.stream))
        assert [(one.capture, one.url) for one in listed] == [(capture, url)]


def test_a_file_name_that_tells_everything_is_enough() -> None:
    """The directories of the built-in site repeat what the name says."""
    assert found(UrlTemplate(DRAYDOG), '["2025-09-08T20:22:30-in_gate.jpeg"]') == [CAPTURE]


def test_a_file_name_that_does_not_tell_the_day_is_not_enough() -> None:
    """Nothing is guessed."""
    template = UrlTemplate("https://cdn.example/{time:%Y-%m-%d}/{time:%H%M}-{stream}.jpg")
    assert found(template, "2025-09-08/2022-in_gate.jpg 2022-in_gate.jpg") == [
        Capture(datetime(2025, 9, 8, 20, 22, tzinfo=UTC), "in_gate")
    ]


@given(TEMPLATES, CAPTURES, NAMES)
def test_other_streams_are_not_found(template: UrlTemplate, capture: Capture, other: str) -> None:
    """The URL of one stream's image is none of another's."""
    assume(other != capture.stream)
    assert found(template, json.dumps(template.url(capture)), other) == []


@pytest.mark.parametrize(
    "other", ["gate", "in", "in_gate2", "n_gate", "in_gate-thumbnail", "out-in_gate"]
)
def test_similar_names_are_told_apart(other: str) -> None:
    """A name that begins, ends or contains another is not that other."""
    assert found(UrlTemplate(DRAYDOG), URL, other) == []


@given(CAPTURES, st.integers(0, 23), st.integers(1, 28))
def test_parts_that_disagree_tell_nothing(capture: Capture, hour: int, day: int) -> None:
    """A directory of another hour or day means that the URL is not the site's."""
    moment = capture.captured_at
    assume(hour != moment.hour and day != moment.day)
    template = UrlTemplate(DRAYDOG)
    url = template.url(capture)
    assert url.count(f"/{moment.hour}/") == 1
    assert found(template, url.replace(f"/{moment.hour}/", f"/{hour}/"), capture.stream) == []
    wrong_day = f"{moment:%Y-%m}-{day:02d}/"
    assert found(template, url.replace(f"{moment:%Y-%m-%d}/", wrong_day), capture.stream) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://cdn.draydog.com/apm/2025-02-30/20/2025-02-30T20:22:30-in_gate.jpeg",
        "https://cdn.draydog.com/apm/2025-09-08/24/2025-09-08T24:22:30-in_gate.jpeg",
        "https://cdn.draydog.com/apm/2025-09-08/20/2025-09-08T20:22:30-in_gate-thumbnail.jpeg",
        "https://cdn.draydog.com/apm/2025-09-08/20/2025-09-08T20:22:30-in_gate.jpeg.bak",
        "https://evil.example/apm/2025-09-08/20/2025-09-08T20:22:30-in_gate.jpeg",
        "https://cdn.draydog.com.evil.example/apm/2025-09-08/20/2025-09-08T20:22:30-in_gate.jpeg",
        "https://cdn.draydog.com/old/2025-09-08T20:22:30-in_gate.jpeg",
    ],
)
def test_what_only_looks_like_a_url_of_the_site_is_none(text: str) -> None:
    """No such instant, a thumbnail, another host or another directory."""
    assert found(UrlTemplate(DRAYDOG), text) == []


def test_a_query_stays_with_its_url() -> None:
    """It may be the signature without which the image cannot be had."""
    signed = f"{URL}?Expires=1757&Signature=a~b_c"
    (listed,) = UrlTemplate(DRAYDOG).find(json.dumps(signed), "in_gate")
    assert (listed.capture, listed.url) == (CAPTURE, signed)


@given(st.lists(CAPTURES, max_size=20))
def test_captures_come_in_the_order_of_the_text(captures: list[Capture]) -> None:
    """Each URL of a list is found, repeated ones too."""
    template = UrlTemplate(DRAYDOG)
    own = [Capture(one.captured_at, "in_gate") for one in captures]
    assert found(template, json.dumps([template.url(one) for one in own])) == own


@given(st.text())
def test_any_text_can_be_searched(text: str) -> None:
    """What a page received raises nothing."""
    for source in (text, f"{URL}{text}", f"{text}{URL}"):
        assert set(found(UrlTemplate(DRAYDOG), source)) <= {CAPTURE}
    plain(text)


def test_a_megabyte_is_searched_in_no_time() -> None:
    """A hostile page cannot keep the search busy: it is linear."""
    text = (f"{URL[:-5]} " + "2025-09-08/20/" * 7) * 6000
    began = time.perf_counter()
    assert found(UrlTemplate(DRAYDOG), text) == []
    assert time.perf_counter() - began < 10


def test_the_second_pass_of_a_repeated_hour_reads_as_the_first() -> None:
    """Local time cannot tell them apart, and the site gives both the same name."""
    template = UrlTemplate(TEXTS[1], ZoneInfo("America/Los_Angeles"))
    first = Capture(datetime(2025, 11, 2, 8, 30, tzinfo=UTC), "in_gate")
    second = Capture(first.captured_at + timedelta(hours=1), "in_gate")
    assert template.url(first) == template.url(second)
    assert found(template, template.url(second)) == [first]


def test_a_skipped_hour_is_no_instant() -> None:
    """Half past two does not happen on the night on which clocks go forward."""
    template = UrlTemplate(TEXTS[1], ZoneInfo("America/Los_Angeles"))
    assert found(template, "https://cdn.example/in_gate/2025/03/09/023000.jpg") == []


def test_a_template_may_name_no_stream() -> None:
    """A site with a single camera needs no name in its URLs."""
    template = UrlTemplate("https://cdn.example/{time:%Y%m%dT%H%M%SZ}.jpg")
    assert not template.names_stream
    assert UrlTemplate(DRAYDOG).names_stream
    assert found(template, "https://cdn.example/20250908T202230Z.jpg", "any") == [
        Capture(CAPTURE.captured_at, "any")
    ]


def test_a_percent_sign_is_written_twice() -> None:
    """As in strftime."""
    template = UrlTemplate("https://cdn.example/{time:%Y%m%d%H%M%%}-{stream}.jpg")
    capture = Capture(datetime(2025, 9, 8, 20, 22, tzinfo=UTC), "in_gate")
    assert template.url(capture) == "https://cdn.example/202509082022%-in_gate.jpg"
    assert found(template, template.url(capture)) == [capture]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not an http"),
        ("cdn.example/{time:%s}", "not an http"),
        ("ftp://cdn.example/{time:%s}", "not an http"),
        ("file:///{time:%s}", "not an http"),
        ("https:///{time:%s}", "not an http"),
        ("https://{stream}.example/{time:%s}", "host may not depend"),
        ("https://cdn.example/{stream}.jpg", "must tell year"),
        ("https://cdn.example/{time:%Y-%m-%d}", "must tell year"),
        ("https://cdn.example/{time:%m-%dT%H:%M}", "must tell year"),
        ("https://cdn.example/{time:%Y-%mT%H:%M}", "must tell year"),
        ("https://cdn.example/{time:%Y-%m-%dT%H}", "must tell year"),
        ("https://cdn.example/{time:%s}/{camera}", "a lone"),
        ("https://cdn.example/{time:%s}/{", "a lone"),
        ("https://cdn.example/{time:%s}/}", "a lone"),
        ("https://cdn.example/{time:}", "a lone"),
        ("https://cdn.example/{time:%Y-%m-%dT%I:%M}", "%I is not one of"),
        ("https://cdn.example/{time:%s}{time:%-Y}", "%-Y is not one of"),
    ],
)
def test_what_could_not_be_read_both_ways_is_no_template(text: str, reason: str) -> None:
    """The message names the template and says why."""
    with pytest.raises(TemplateError, match=reason) as caught:
        UrlTemplate(text)
    assert repr(text) in str(caught.value)
