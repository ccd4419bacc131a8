"""What texts tell of a stream's captures."""

from __future__ import annotations

from dataclasses import replace

from camdl.domain.captures import Capture, ListedCapture
from camdl.sources.evidence import Evidence
from tests.support.pages import plain

ORIGIN = "https://cdn.gate.example"
STREAM = plain.stream(ORIGIN)
URLS = plain.urls(ORIGIN)
MOMENT = plain.MOMENTS[0]
NAME = f"{MOMENT:%Y-%m-%dT%H:%M:%S}-in_gate"


def listed(*texts: str) -> list[ListedCapture]:
    """What is listed after those texts."""
    evidence = Evidence(STREAM)
    for text in texts:
        evidence.tell(text)
    assert len(evidence) == len(evidence.captures())
    return list(evidence.captures())


def test_each_capture_is_listed_once_newest_first() -> None:
    """It does not matter in which order, how often and in how many texts they were told."""
    urls = list(URLS.values())
    assert listed(" ".join(urls[3:]), " ".join(urls), urls[5]) == [
        ListedCapture(Capture(moment, "in_gate"), url) for moment, url in URLS.items()
    ]


def test_thumbnail_tells_of_the_whole_image() -> None:
    """Its own URL is never listed."""
    thumbnail = URLS[MOMENT].replace(".jpeg", "-thumbnail.jpeg")
    assert listed(thumbnail) == [ListedCapture(Capture(MOMENT, "in_gate"), URLS[MOMENT])]


def test_url_that_was_found_beats_one_that_was_made() -> None:
    """A whole URL, with the query that signs it, is kept although a thumbnail came first."""
    signed = f"{URLS[MOMENT]}?signature=abc"
    thumbnail = URLS[MOMENT].replace(".jpeg", "-thumbnail.jpeg")
    assert [one.url for one in listed(thumbnail, signed)] == [signed]


def test_other_streams_and_other_texts_tell_nothing() -> None:
    """Neither another camera nor a text about times is a capture of this stream."""
    other = plain.images(ORIGIN, name="out_gate")
    assert listed(other, NAME.replace("in_gate", "in_gate_2"), "20:20:00", "") == []


def test_site_without_thumbnails() -> None:
    """Where there are none, the images alone tell."""
    evidence = Evidence(replace(STREAM, thumbnail=None))
    evidence.tell(URLS[MOMENT].replace(".jpeg", "-thumbnail.jpeg"))
    assert not evidence
    evidence.tell(URLS[MOMENT])
    assert len(evidence) == 1
