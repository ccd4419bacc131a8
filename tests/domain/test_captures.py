"""One image of a stream, and its name in the archive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import PurePosixPath

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from camdl.domain.captures import STREAM_NAME, Capture, utc

NAMES = st.from_regex(STREAM_NAME, fullmatch=True)
SECONDS = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=0))
CAPTURES = st.builds(Capture, SECONDS, NAMES)
OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(CAPTURES)
def test_a_key_tells_its_capture(capture: Capture) -> None:
    """The catalogue can be rebuilt from the names of the files alone."""
    assert Capture.from_key(capture.key) == capture
    assert Capture.from_key(PurePosixPath(capture.key)) == capture


@given(st.lists(SECONDS, min_size=2), NAMES)
def test_keys_of_a_stream_sort_by_time(moments: list[datetime], stream: str) -> None:
    """A directory listing is in the order in which the images were taken."""
    captures = sorted(Capture(moment, stream) for moment in moments)
    assert [one.key for one in captures] == sorted(one.key for one in captures)


@given(CAPTURES)
def test_a_key_stays_below_the_archive(capture: Capture) -> None:
    """No part of a key is empty, hidden by a dot or foreign to any file system."""
    parts = PurePosixPath(capture.key).parts
    assert len(parts) == 3
    assert all(part.strip(".") and set(part).isdisjoint(':\\*?"<>|\0') for part in parts)


def test_a_key_looks_as_documented() -> None:
    """Other programs rely on the form of the name."""
    capture = Capture(datetime(2025, 9, 8, 20, 22, 30, tzinfo=UTC), "in_gate")
    assert capture.key == "in_gate/2025-09-08/20250908T202230Z_in_gate.jpg"


@pytest.mark.parametrize(
    "key",
    [
        "",
        "in_gate/2025-09-08/20250908T202230Z_in_gate.jpeg",
        "in_gate/2025-09-08/20250908T202230Z_in_gate.jpg.tmp",
        "in_gate/2025-09-08/20250908T202230Z_out_gate.jpg",
        "in_gate/2025-09-09/20250908T202230Z_in_gate.jpg",
        "in_gate/2025-02-30/20250230T202230Z_in_gate.jpg",
        "in_gate/2025-09-08/20250908T252230Z_in_gate.jpg",
        "In_Gate/2025-09-08/20250908T202230Z_In_Gate.jpg",
        "/in_gate/2025-09-08/20250908T202230Z_in_gate.jpg",
        "../in_gate/2025-09-08/20250908T202230Z_in_gate.jpg",
        "in_gate/2025-09-08/20250908T202230Z_in_gate.jpg\n",
        "in_gate/\u0662025-09-08/\u06620250908T202230Z_in_gate.jpg",
    ],
)
def test_a_foreign_name_is_no_capture(key: str) -> None:
    """What is not exactly a name of the archive's own is left alone."""
    assert Capture.from_key(key) is None


@given(st.text())
def test_any_text_is_a_key_or_none(text: str) -> None:
    """Whatever lies in the archive, looking at its name raises nothing."""
    capture = Capture.from_key(text)
    assert capture is None or capture.key == text


@given(SECONDS, OFFSETS)
def test_the_same_instant_is_the_same_capture(moment: datetime, offset: timezone) -> None:
    """The time zone in which an instant is told does not matter."""
    assume(2 <= moment.year <= 9998)
    capture = Capture(moment.astimezone(offset), "in_gate")
    assert capture == Capture(moment, "in_gate")
    assert capture.captured_at.utcoffset() == timedelta(0)


def test_an_instant_needs_a_time_zone() -> None:
    """A naive time is refused: nobody knows which instant it means."""
    naive = datetime(2025, 9, 8)  # noqa: DTZ001  # that is what is tested
    with pytest.raises(TypeError, match="no time zone"):
        utc(naive)
    with pytest.raises(TypeError, match="no time zone"):
        Capture(naive, "in_gate")


def test_a_capture_is_of_a_whole_second() -> None:
    """A fraction would be lost in the archive's names."""
    with pytest.raises(ValueError, match="whole second"):
        Capture(datetime(2025, 9, 8, 1, 2, 3, 4, tzinfo=UTC), "in_gate")


@pytest.mark.parametrize("name", ["", "../x", "In", "a b", "a/b", "a\n", "x" * 65, "é", "a."])
def test_a_stream_name_is_of_the_allow_list(name: str) -> None:
    """Names with traversal, control characters or anything else are refused."""
    with pytest.raises(ValueError, match="no stream name"):
        Capture(datetime(2025, 9, 8, tzinfo=UTC), name)
