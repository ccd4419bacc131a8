"""When a gate is closed."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from camdl.domain.closing import CalendarError, ClosedHours
from camdl.domain.windows import Window, merged

LOS_ANGELES, BERLIN = ZoneInfo("America/Los_Angeles"), ZoneInfo("Europe/Berlin")
ZONES = [ZoneInfo("UTC"), LOS_ANGELES, BERLIN, ZoneInfo("Asia/Kathmandu")]
DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
HOUR = timedelta(hours=1)
MONDAY = date(2025, 9, 1)
WEEK = Window(
    datetime.combine(MONDAY, time(), UTC),
    datetime.combine(MONDAY + timedelta(days=7), time(), UTC),
)
# Each has a day of both zones on which clocks change, and a few around it.
CHANGES = [date(2025, 3, 9), date(2025, 3, 30), date(2025, 10, 26), date(2025, 11, 2)]
MOMENTS = st.builds(
    lambda day, minute: datetime.combine(day, time(), UTC) + timedelta(minutes=minute),
    st.sampled_from(CHANGES),
    st.integers(-3 * 1440, 3 * 1440),
)
WINDOWS = st.builds(
    lambda start, minutes: Window(start, start + timedelta(minutes=minutes)),
    MOMENTS,
    st.integers(1, 4 * 1440),
)
CLOCK_TIMES = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.sampled_from([0, 10, 30]))
HOURS = st.builds("{}-{}".format, CLOCK_TIMES, CLOCK_TIMES | st.just("24:00"))
DAY_WORDS = st.one_of(
    st.sampled_from([*DAYS, "daily"]),
    st.builds("{}-{}".format, st.sampled_from(DAYS), st.sampled_from(DAYS)),
    st.sampled_from(CHANGES).map(date.isoformat),
)
ENTRIES = st.builds(
    lambda days, hours: " ".join([",".join(days), *hours]),
    st.lists(DAY_WORDS, min_size=1, max_size=2),
    st.lists(HOURS, max_size=2),
)
CALENDARS = st.builds(
    ClosedHours, st.lists(ENTRIES, max_size=3).map("; ".join), st.sampled_from(ZONES)
)


def hours_of_week(text: str) -> list[str]:
    """When a gate is closed in a week from Monday to Sunday, as `Mon 00:00 to Tue 00:00`."""
    return [f"{one.start:%a %H:%M} to {one.end:%a %H:%M}" for one in ClosedHours(text).within(WEEK)]


def elapsed(text: str, day: date, zone: ZoneInfo) -> list[tuple[float, float]]:
    """When a gate is closed on a day of `zone`, in hours since its midnight."""
    midnight, next_one = (
        datetime.combine(day + timedelta(days=n), time(), zone).astimezone(UTC) for n in (0, 1)
    )
    return [
        ((one.start - midnight) / HOUR, (one.end - midnight) / HOUR)
        for one in ClosedHours(text, zone).within(Window(midnight, next_one))
    ]


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        ("", []),
        (" ; ", []),
        ("Sun", ["Sun 00:00 to Mon 00:00"]),
        ("Sun; Sat 18:00-24:00", ["Sat 18:00 to Mon 00:00"]),
        ("Mon-Fri 12:00-13:00", [f"{day} 12:00 to {day} 13:00" for day in DAYS[:5]]),
        ("Sat,Sun 7:00-9:30", ["Sat 07:00 to Sat 09:30", "Sun 07:00 to Sun 09:30"]),
        ("Mon, Wed", ["Mon 00:00 to Tue 00:00", "Wed 00:00 to Thu 00:00"]),
        ("Wed Thu,", ["Wed 00:00 to Fri 00:00"]),
        ("daily", ["Mon 00:00 to Mon 00:00"]),
        ("2025-09-03", ["Wed 00:00 to Thu 00:00"]),
        ("2025-09-03,Fri 06:00-07:00", ["Wed 06:00 to Wed 07:00", "Fri 06:00 to Fri 07:00"]),
        ("2025-12-25", []),
        ("Tue 06:00-07:00 20:00-21:00", ["Tue 06:00 to Tue 07:00", "Tue 20:00 to Tue 21:00"]),
        ("Tue 06:00-07:00, 06:30-08:00", ["Tue 06:00 to Tue 08:00"]),
        ("06:00-07:00 Tue", ["Tue 06:00 to Tue 07:00"]),
    ],
)
def test_an_entry_is_some_days_and_some_hours_of_them(text: str, closed: list[str]) -> None:
    """All day without hours; days, dates and hours in any number."""
    assert hours_of_week(text) == closed


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        ("Tue 22:00-05:00", ["Tue 22:00 to Wed 05:00"]),
        ("Tue 22:00-24:00", ["Tue 22:00 to Wed 00:00"]),
        ("Tue 22:00-00:00", ["Tue 22:00 to Wed 00:00"]),
        ("Tue 00:00-00:00", ["Tue 00:00 to Wed 00:00"]),
        ("Tue 00:00-24:00", ["Tue 00:00 to Wed 00:00"]),
        ("Tue 05:00-05:00", ["Tue 05:00 to Wed 05:00"]),
        ("Mon-Tue 22:00-05:00", ["Mon 22:00 to Tue 05:00", "Tue 22:00 to Wed 05:00"]),
        ("2025-09-03 22:00-05:00", ["Wed 22:00 to Thu 05:00"]),
        ("2025-08-31 22:00-05:00", ["Mon 00:00 to Mon 05:00"]),
        ("Sun 22:00-05:00", ["Mon 00:00 to Mon 05:00", "Sun 22:00 to Mon 00:00"]),
    ],
)
def test_hours_that_end_before_they_begin_end_on_the_next_day(text: str, closed: list[str]) -> None:
    """The night belongs to the day on which it begins, even to one before the window."""
    assert hours_of_week(text) == closed


@pytest.mark.parametrize("first", range(7))
@pytest.mark.parametrize("last", range(7))
def test_days_go_round_the_week(first: int, last: int) -> None:
    """`Fri-Mon` is Friday to Monday, over the week's end, and `Mon-Mon` is one day."""
    begins = datetime.combine(MONDAY + timedelta(days=first), time(), UTC)
    ends = begins + timedelta(days=(last - first) % 7 + 1)
    closed = ClosedHours(f"{DAYS[first]}-{DAYS[last]} 06:00-07:00")
    hours = closed.within(Window(begins, begins + timedelta(days=7)))
    assert [one.start.date() for one in hours] == [
        begins.date() + timedelta(days=n) for n in range((ends - begins).days)
    ]


@given(CALENDARS, WINDOWS)
def test_case_does_not_matter(closed: ClosedHours, window: Window) -> None:
    """`SUN`, `sun` and `Sun` are the same day."""
    expected = closed.within(window)
    assert ClosedHours(closed.text.upper(), closed.zone).within(window) == expected
    assert ClosedHours(closed.text.lower(), closed.zone).within(window) == expected


@pytest.mark.parametrize(
    ("text", "what", "allowed"),
    [
        ("Sunday", "'Sunday' is no day", "Mon to Sun, Mon-Fri, daily, or YYYY-MM-DD"),
        ("Mon-", "'Mon-' is no day", "Mon to Sun"),
        ("-Mon", "'-Mon' is no day", "Mon to Sun"),
        ("Mon - Fri", "'-' is no day", "Mon-Fri"),
        ("Mon-Wed-Fri", "'Mon-Wed-Fri' is no day", "Mon-Fri"),
        ("Mon-daily", "'Mon-daily' is no day", "daily"),
        ("Sat; holidays", "'holidays' is no day", "daily"),
        ("18:00-24:00", "'18:00-24:00' names no day", "Mon to Sun, daily, or YYYY-MM-DD"),
        (",", "',' names no day", "Mon to Sun"),
        ("2025-02-30", "'2025-02-30' is no day", "YYYY-MM-DD"),
        ("25-12-2025", "'25-12-2025' is no date", "YYYY-MM-DD"),
        ("2025-12-5", "'2025-12-5' is no date", "YYYY-MM-DD"),
        ("20251225", "'20251225' is no date", "YYYY-MM-DD"),
        ("2025-W52-4", "'2025-W52-4' is no date", "YYYY-MM-DD"),
        ("Sun 18-24", "'18-24' is no date and no hours", "HH:MM-HH:MM"),
        ("Sun 6pm-8pm", "'6pm-8pm' is no date and no hours", "HH:MM-HH:MM"),
        ("Sun 18:00", "'18:00' are no hours", "HH:MM-HH:MM"),
        ("Sun 18:00-24", "'18:00-24' are no hours", "HH:MM-HH:MM"),
        ("Sun 18:00-20:00-22:00", "'18:00-20:00-22:00' are no hours", "HH:MM-HH:MM"),
        ("Sun 18:00-24:01", "'18:00-24:01' are no hours", "from 00:00 to 24:00"),
        ("Sun 18:60-20:00", "'18:60-20:00' are no hours", "from 00:00 to 24:00"),
        ("Sun 24:00-00:00", "'24:00-00:00' are no hours", "from 00:00 to 23:59"),
        ("Sun 24:00-06:00", "'24:00-06:00' are no hours", "from 00:00 to 23:59"),
    ],
)
def test_what_cannot_be_read_is_refused_at_once(text: str, what: str, allowed: str) -> None:
    """The message names the part that is wrong, and what is allowed there."""
    with pytest.raises(CalendarError) as caught:
        ClosedHours(text)
    assert what in str(caught.value)
    assert allowed in str(caught.value)


@given(st.text() | st.text("MonSuday-:;, 0123456789"))
def test_any_text_is_a_calendar_or_refused_in_words(text: str) -> None:
    """Whatever a configuration holds raises no other error."""
    with suppress(CalendarError):
        ClosedHours(text).within(WEEK)


def test_days_and_hours_are_those_of_the_site() -> None:
    """Sunday in Los Angeles begins and ends at seven in the morning UTC."""
    assert ClosedHours("Sun", LOS_ANGELES).within(WEEK) == [
        Window(WEEK.start, WEEK.start + 7 * HOUR),
        Window(WEEK.end - 17 * HOUR, WEEK.end),
    ]


@pytest.mark.parametrize(
    ("zone", "day"), [(LOS_ANGELES, date(2025, 3, 9)), (BERLIN, date(2025, 3, 30))]
)
@pytest.mark.parametrize(
    ("text", "closed"),
    [
        ("Sun", [(0, 23)]),
        ("Sun 02:00-03:00", []),
        ("Sun 02:15-02:45", []),
        ("Sun 00:00-02:30", [(0, 2)]),
        ("Sun 02:30-05:00", [(2, 4)]),
        ("Sun 02:30-03:15", [(2, 2.25)]),
        ("Sun 01:30-03:30", [(1.5, 2.5)]),
        ("Sat 22:00-02:30", [(0, 2)]),
    ],
)
def test_nothing_is_closed_in_an_hour_that_the_clocks_skip(
    zone: ZoneInfo, day: date, text: str, closed: list[tuple[float, float]]
) -> None:
    """Clocks go from two to three: hours that begin or end between do so at that instant."""
    assert elapsed(text, day, zone) == closed


@pytest.mark.parametrize(
    ("zone", "day", "hour"),
    [(LOS_ANGELES, date(2025, 11, 2), 1), (BERLIN, date(2025, 10, 26), 2)],
)
@pytest.mark.parametrize(
    ("hours", "closed"),
    [
        ((0, 1), (0, 2)),
        ((-0.5, 0.5), (-0.5, 0.5)),
        ((0.5, 2.5), (0.5, 3.5)),
        ((0.25, 0.75), (0.25, 0.75)),
    ],
)
def test_in_a_repeated_hour_the_first_time_counts(
    zone: ZoneInfo,
    day: date,
    hour: int,
    hours: tuple[float, float],
    closed: tuple[float, float],
) -> None:
    """It closes and opens when the clocks first show so; the whole hour is closed both times."""
    begins, ends = (f"{WEEK.start + (hour + at) * HOUR:%H:%M}" for at in hours)
    expected = [(hour + closed[0], hour + closed[1])]
    assert elapsed(f"Sun {begins}-{ends}", day, zone) == expected


def test_a_midnight_that_the_clocks_skip_begins_the_day_all_the_same() -> None:
    """In Cairo clocks go from midnight to one: that Friday has 23 hours, and all are closed."""
    assert elapsed("Fri", date(2025, 4, 25), ZoneInfo("Africa/Cairo")) == [(0, 23)]


@given(CALENDARS, WINDOWS)
def test_closed_and_open_hours_are_the_whole_window(closed: ClosedHours, window: Window) -> None:
    """Each instant of the window is in one of the two, and none outside it is in any."""
    shut, opened = closed.within(window), closed.open_within(window)
    pieces = sorted(shut + opened)
    assert sum((one.length for one in pieces), timedelta()) == window.length
    assert merged(pieces) == [window]
    assert merged(shut) == shut
    assert merged(opened) == opened
    assert closed.open_time(window.start, window.end) == window.length - sum(
        (one.length for one in shut), timedelta()
    )


def test_nothing_is_open_until_an_instant_that_is_not_later() -> None:
    """A capture may be ahead of the clock."""
    moment = datetime(2025, 9, 8, tzinfo=UTC)
    assert ClosedHours().open_time(moment, moment) == timedelta()
    assert ClosedHours().open_time(moment, moment - timedelta(hours=1)) == timedelta()


@given(CALENDARS, WINDOWS, st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_a_window_may_be_asked_for_in_pieces(
    closed: ClosedHours, window: Window, part: float
) -> None:
    """What is closed does not depend on where the window begins or ends."""
    cut = window.start + part * window.length
    assume(window.start < cut < window.end)
    pieces = closed.within(Window(window.start, cut)) + closed.within(Window(cut, window.end))
    assert merged(pieces) == closed.within(window)


@given(
    st.sampled_from(DAYS),
    CLOCK_TIMES,
    CLOCK_TIMES | st.just("24:00"),
    st.sampled_from(ZONES),
    MOMENTS,
)
def test_a_gate_is_closed_while_the_clocks_show_its_hours(
    day: str, begins: str, ends: str, zone: ZoneInfo, moment: datetime
) -> None:
    """Whether it is closed at an instant is told by that instant's local day and time."""
    local = moment.astimezone(zone)
    assume(local.fold == 0)  # the second time round, the clocks tell less than the instant
    shown, today = f"{local:%H:%M}", f"{local:%a}"
    yesterday = f"{local.date() - timedelta(days=1):%a}"
    if begins < ends:
        expected = today == day and begins <= shown < ends
    else:
        expected = (today == day and begins <= shown) or (yesterday == day and shown < ends)
    instant = Window(moment, moment + timedelta(microseconds=1))
    assert bool(ClosedHours(f"{day} {begins}-{ends}", zone).within(instant)) is expected
