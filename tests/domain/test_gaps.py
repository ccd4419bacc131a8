"""Where a stream should have a capture and has none."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from camdl.domain.closing import ClosedHours
from camdl.domain.gaps import CAUSES_IN_WORDS, Cause, Kind, Segment, gaps, missing_in, partition
from camdl.domain.windows import Window

START = datetime(2025, 9, 6, tzinfo=UTC)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
INTERVAL = 10 * MINUTE
ALWAYS_OPEN = ClosedHours()

# Seconds between 20 consecutive captures of a real ten-minute camera; four are missing in one.
REAL_FIRST = datetime(2025, 9, 6, 20, 8, 39, tzinfo=UTC)
REAL_LAST = datetime(2025, 9, 6, 23, 57, 34, tzinfo=UTC)
REAL_STEPS = [627, 2914, 571, 712, 491, 713, 522, 718, 596, 497, 716, 507, 668, 483, 600, 622, 698]
REAL_STEPS += [622, 458]

STEPS = st.integers(min(REAL_STEPS), 718)


def run_of(steps: list[int]) -> list[datetime]:
    """A capture at START, and one after each of `steps` seconds."""
    return [START + seconds * SECOND for seconds in accumulate(steps, initial=0)]


def around(captures: list[datetime], before: int = 0, after: int = 0) -> Window:
    """From so many seconds before the first capture to so many after the last one."""
    return Window(captures[0] - before * SECOND, captures[-1] + (after + 1) * SECOND)


def real_captures() -> list[datetime]:
    """The captures of the real run: as `$CAMDL_REAL_FRAMES` names them, or as written above."""
    folder = os.environ.get("CAMDL_REAL_FRAMES")
    if not folder:
        return [REAL_FIRST + seconds * SECOND for seconds in accumulate(REAL_STEPS, initial=0)]
    named = sorted(
        datetime.strptime(f"{path.name[:15]}Z", "%Y%m%dT%H%M%S%z")
        for path in Path(folder).glob("????????T??????_in_gate.jpg")
    )
    return [at for at in named if REAL_FIRST <= at <= REAL_LAST]


RUNS = st.lists(STEPS, min_size=1, max_size=40).map(run_of)
# Captures at any distance, and a window and a calendar that need not fit them.
ANY_CAPTURES = st.lists(st.integers(0, 3 * 86_400), max_size=60).map(
    lambda seconds: [START + second * SECOND for second in sorted(seconds)]
)
ANY_WINDOWS = st.builds(
    lambda first, length: Window(START + first * SECOND, START + (first + length) * SECOND),
    st.integers(-86_400, 3 * 86_400),
    st.integers(1, 2 * 86_400),
)
INTERVALS = st.integers(5, 120).map(lambda minutes: minutes * MINUTE)
CALENDARS = st.builds(
    ClosedHours,
    st.sampled_from(
        [
            "",
            "daily",
            "Sun",
            "daily 22:00-05:00",
            "Sat-Sun 00:10-00:20 12:00-13:07; Mon 18:00-24:00",
        ]
    ),
    st.sampled_from([UTC, ZoneInfo("America/Los_Angeles")]),
)


@given(ANY_CAPTURES, ANY_WINDOWS, INTERVALS, CALENDARS)
def test_a_partition_is_the_whole_window_once_and_in_order(
    captures: list[datetime], window: Window, interval: timedelta, closed: ClosedHours
) -> None:
    """Each segment begins where the one before it ends, from the window's start to its end."""
    windows = [part.window for part in partition(captures, window, interval, closed)]
    assert windows[0].start == window.start
    assert windows[-1].end == window.end
    assert all(one.end == other.start for one, other in pairwise(windows))


@given(ANY_CAPTURES, ANY_WINDOWS, INTERVALS, CALENDARS)
def test_neighbouring_segments_differ(
    captures: list[datetime], window: Window, interval: timedelta, closed: ClosedHours
) -> None:
    """A stretch of one kind is one segment, and only what was covered can begin to be missing."""
    kinds = [part.kind for part in partition(captures, window, interval, closed)]
    assert all(one is not other for one, other in pairwise(kinds))
    assert all(one is Kind.COVERED for one, other in pairwise(kinds) if other is Kind.GAP)
    assert kinds[0] is not Kind.GAP


@given(ANY_CAPTURES, ANY_WINDOWS, INTERVALS, CALENDARS)
def test_no_capture_lies_within_a_gap(
    captures: list[datetime], window: Window, interval: timedelta, closed: ClosedHours
) -> None:
    """A gap begins an interval after a capture, or after the gate's opening, and has none in it."""
    begins = {one.start for one in closed.open_within(window)} | set(captures)
    for gap in gaps(captures, window, interval, closed):
        assert gap.start - interval in begins
        assert not any(gap.start <= at < gap.end for at in captures)


@given(ANY_CAPTURES, ANY_WINDOWS, INTERVALS, CALENDARS)
def test_closed_hours_are_closed_whatever_was_captured(
    captures: list[datetime], window: Window, interval: timedelta, closed: ClosedHours
) -> None:
    """The calendar alone says what is closed, so that no gap reaches into it."""
    parts = list(partition(captures, window, interval, closed))
    shut = [part.window for part in parts if part.kind is Kind.CLOSED]
    assert shut == closed.within(window)
    assert gaps(captures, window, interval, closed) == [
        part.window for part in parts if part.kind is Kind.GAP
    ]


@given(ANY_CAPTURES, ANY_WINDOWS, INTERVALS, CALENDARS)
def test_captures_outside_the_window_change_nothing(
    captures: list[datetime], window: Window, interval: timedelta, closed: ClosedHours
) -> None:
    """The window's start counts like a capture, and so does its end."""
    inside = [at for at in captures if window.start <= at < window.end]
    assert list(partition(captures, window, interval, closed)) == list(
        partition(inside, window, interval, closed)
    )


@given(ANY_CAPTURES, ANY_WINDOWS, INTERVALS, CALENDARS, st.sampled_from(["Europe/Berlin", "UTC"]))
def test_captures_may_be_told_in_any_zone(
    captures: list[datetime], window: Window, interval: timedelta, closed: ClosedHours, zone: str
) -> None:
    """An instant is the same in each, and the answer is UTC."""
    local = [at.astimezone(ZoneInfo(zone)) for at in captures]
    parts = list(partition(local, window, interval, closed))
    assert parts == list(partition(captures, window, interval, closed))
    assert all(part.window.end.tzinfo is UTC for part in parts)


def test_a_repeated_hour_hides_no_gap() -> None:
    """Clocks that go back between two captures an hour apart show nothing; elapsed time does."""
    zone = ZoneInfo("America/Los_Angeles")
    captures = [datetime(2025, 11, 2, 1, 55, fold=fold, tzinfo=zone) for fold in (0, 1)]
    first = captures[0].astimezone(UTC)
    window = Window(first, first + timedelta(hours=1, minutes=5))
    (gap,) = gaps(captures, window, INTERVAL, ALWAYS_OPEN)
    assert gap == Window(first + INTERVAL, first + timedelta(hours=1))


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("after", [0, 1])
def test_naive_captures_are_refused(before: int, after: int) -> None:
    """A time without a zone is a type error, alone or between others."""
    naive = (START + 15 * MINUTE).replace(tzinfo=None)
    captures = [START] * before + [naive] + [START + 20 * MINUTE] * after
    with pytest.raises(TypeError):
        gaps(captures, Window(START, START + 30 * MINUTE), INTERVAL, ALWAYS_OPEN)


@given(RUNS, STEPS, STEPS)
@example(run_of([718] * 40), 718, 717)
def test_a_camera_that_keeps_time_as_badly_as_a_real_one_has_no_gap(
    captures: list[datetime], before: int, after: int
) -> None:
    """Steps from 7:38 to 11:58 are those of a ten-minute camera, wherever the window is cut."""
    window = around(captures, before, after - 1)
    assert list(partition(captures, window, INTERVAL, ALWAYS_OPEN)) == [
        Segment(Kind.COVERED, window)
    ]


@given(st.lists(STEPS, min_size=2, max_size=40), st.integers(0, 38))
@example([458, 458], 0)
@example([718, 718], 0)
def test_one_missing_capture_is_one_gap_of_one(steps: list[int], which: int) -> None:
    """It shows between its neighbours, from an interval after the one to the other."""
    captures = run_of(steps)
    lost = 1 + which % (len(steps) - 1)
    kept = captures[:lost] + captures[lost + 1 :]
    (gap,) = gaps(kept, around(captures), INTERVAL, ALWAYS_OPEN)
    assert gap == Window(captures[lost - 1] + INTERVAL, captures[lost + 1])
    assert missing_in(gap, INTERVAL) == 1


@given(st.lists(STEPS, min_size=2, max_size=40))
def test_several_missing_captures_are_one_gap(steps: list[int]) -> None:
    """How many can be off by what the steps in it add up to: a quarter of an interval each."""
    captures = run_of(steps)
    lost = len(steps) - 1
    (gap,) = gaps([captures[0], captures[-1]], around(captures), INTERVAL, ALWAYS_OPEN)
    assert gap == Window(captures[0] + INTERVAL, captures[-1])
    assert abs(missing_in(gap, INTERVAL) - lost) <= 0.5 + 0.25 * len(steps)


@pytest.mark.parametrize(
    ("steps", "missing"), [([458, 458], 1), ([718, 718], 1), ([458] * 3, 1), ([718] * 3, 3)]
)
def test_the_count_is_sure_for_one_missing_capture_only(steps: list[int], missing: int) -> None:
    """Two between three steps that are all short, or all long, pass for one, or for three."""
    captures = run_of(steps)
    assert missing_in(Window(captures[0] + INTERVAL, captures[-1]), INTERVAL) == missing


@given(
    st.lists(st.integers(0, 3 * 60 + 30), min_size=3, max_size=100).map(
        lambda late: [START + n * INTERVAL + seconds * SECOND for n, seconds in enumerate(late)]
    ),
    st.data(),
)
def test_the_count_is_exact_for_a_camera_that_is_late_but_does_not_drift(
    captures: list[datetime], data: st.DataObject
) -> None:
    """However many are missing, if each capture is up to 3:30 late on a grid of the interval."""
    assert gaps(captures, around(captures), INTERVAL, ALWAYS_OPEN) == []
    first = data.draw(st.integers(1, len(captures) - 2))
    last = data.draw(st.integers(first + 1, len(captures) - 1))
    kept = captures[:first] + captures[last:]
    (gap,) = gaps(kept, around(captures), INTERVAL, ALWAYS_OPEN)
    assert gap == Window(captures[first - 1] + INTERVAL, captures[last])
    assert missing_in(gap, INTERVAL) == last - first


@given(st.lists(st.integers(5, 60), min_size=1, max_size=5, unique=True))
def test_each_hole_is_its_own_gap(lost: list[int]) -> None:
    """Captures that are missing apart from each other are told apart."""
    lost = [n for n in lost if n - 1 not in lost]
    captures = [START + n * INTERVAL for n in range(66)]
    kept = [at for n, at in enumerate(captures) if n not in lost]
    found = gaps(kept, around(captures), INTERVAL, ALWAYS_OPEN)
    assert [one.start for one in found] == [captures[n] for n in sorted(lost)]


def test_a_stream_without_captures_misses_all_but_the_first_interval() -> None:
    """Before the window nothing is known, so that the first one is not due at once."""
    day = Window(START, START + timedelta(days=1))
    assert list(partition([], day, INTERVAL, ALWAYS_OPEN)) == [
        Segment(Kind.COVERED, Window(START, START + INTERVAL)),
        Segment(Kind.GAP, Window(START + INTERVAL, day.end)),
    ]


def test_a_gap_ends_where_the_gate_closes_and_one_begins_an_interval_after_it_opens() -> None:
    """A camera that is off from noon to the next noon is missed in open hours only."""
    closed = ClosedHours("daily 22:00-05:00")
    day = Window(START + timedelta(hours=12), START + timedelta(hours=36))
    night = Window(START + timedelta(hours=22), START + timedelta(hours=29))
    opened = night.end + INTERVAL
    assert list(partition([], day, INTERVAL, closed)) == [
        Segment(Kind.COVERED, Window(day.start, day.start + INTERVAL)),
        Segment(Kind.GAP, Window(day.start + INTERVAL, night.start)),
        Segment(Kind.CLOSED, night),
        Segment(Kind.COVERED, Window(night.end, opened)),
        Segment(Kind.GAP, Window(opened, day.end)),
    ]


@given(RUNS, st.integers(5, 120))
def test_a_slower_camera_has_fewer_captures_and_no_gap(
    captures: list[datetime], minutes: int
) -> None:
    """What is late is judged against the interval, of whatever length."""
    factor = minutes / 10
    stretched = [START + factor * (at - START) for at in captures]
    interval = minutes * MINUTE
    assert gaps(stretched, around(stretched), interval, ALWAYS_OPEN) == []


@pytest.mark.parametrize(("seconds", "count"), [(900, 0), (901, 1)])
def test_a_capture_is_missing_from_thirteen_and_a_half_minutes_on(seconds: int, count: int) -> None:
    """The limit lies between 11:58, the largest step of a real camera, and 15:16, two smallest."""
    captures = run_of([seconds])
    assert len(gaps(captures, around(captures), INTERVAL, ALWAYS_OPEN)) == count


@pytest.mark.parametrize(
    ("minutes", "missing"), [(1, 1), (4, 1), (10, 1), (14, 1), (16, 2), (24, 2), (26, 3), (600, 60)]
)
def test_a_gap_has_as_many_missing_captures_as_intervals(minutes: int, missing: int) -> None:
    """To the nearest whole number, and at least one: without any it would be no gap."""
    assert missing_in(Window(START, START + minutes * MINUTE), INTERVAL) == missing


def test_the_real_run_has_the_one_gap_that_it_has() -> None:
    """Of 20 consecutive real captures two are 48:34 apart, which is four captures too much."""
    captures = real_captures()
    assert len(captures) == 20
    (gap,) = gaps(captures, around(captures), INTERVAL, ALWAYS_OPEN)
    assert gap == Window(
        datetime(2025, 9, 6, 20, 29, 6, tzinfo=UTC), datetime(2025, 9, 6, 21, 7, 40, tzinfo=UTC)
    )
    assert missing_in(gap, INTERVAL) == 4


@pytest.mark.parametrize("count", range(1, 16))
def test_captures_missing_in_the_real_run_are_counted_exactly(count: int) -> None:
    """The real camera does not drift: any number of its captures can be lost and is known."""
    captures = real_captures()[2:]
    for first in range(1, len(captures) - count):
        kept = captures[:first] + captures[first + count :]
        (gap,) = gaps(kept, around(captures), INTERVAL, ALWAYS_OPEN)
        assert missing_in(gap, INTERVAL) == count


def test_each_cause_has_its_words() -> None:
    """A person reads why a capture is missing."""
    assert set(CAUSES_IN_WORDS) == set(Cause)
