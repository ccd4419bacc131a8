"""Why gaps are there, which of them the source confirms, and which days to ask for again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdl.domain.captures import Capture, ListedCapture
from camdl.domain.gaps import Cause, Gap
from camdl.domain.ledger import (
    Attempt,
    Evidence,
    days_to_ask,
    explain,
    kept,
    reconciled,
    settled_until,
)
from camdl.domain.outcomes import PendingCapture
from camdl.domain.windows import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = datetime(2025, 9, 10, 12, 0, tzinfo=UTC)
TODAY = NOW.date()
TEN = timedelta(minutes=10)
DAY = timedelta(days=1)
HALF_AN_HOUR = timedelta(minutes=30)
CATCH_UP = timedelta(days=7)
UTC_ZONE = ZoneInfo("UTC")
LOS_ANGELES = ZoneInfo("America/Los_Angeles")
# 08:00 to 09:00: six runs should have been.
HOUR = Window(NOW - timedelta(hours=4), NOW - timedelta(hours=3))


def evidence(
    *attempts: Attempt,
    pending: Sequence[PendingCapture] = (),
    readings: dict[date, datetime] | None = None,
    zone: ZoneInfo = UTC_ZONE,
) -> Evidence:
    """What is known, with a run every ten minutes."""
    return Evidence(attempts, pending, readings or {}, TEN, zone)


def attempts(*causes: Cause, reason: str = "") -> list[Attempt]:
    """A run every ten minutes from the beginning of `HOUR` on."""
    return [
        Attempt(HOUR.start + number * TEN, cause, reason and f"{reason} {cause}")
        for number, cause in enumerate(causes)
    ]


def pending(minutes: float, reason: str = "", *, rejected: bool = False) -> PendingCapture:
    """A capture so many minutes into `HOUR` that the source listed."""
    capture = Capture(HOUR.start + timedelta(minutes=minutes), "in_gate")
    return PendingCapture(ListedCapture(capture, "u"), reason, rejected=rejected)


def explained(known: Evidence, window: Window = HOUR) -> Gap:
    """The gap of `window`."""
    return explain("in_gate", window, TEN, known)


def gap(
    window: Window, *, confirmed_at: datetime | None = None, resolved_at: datetime | None = None
) -> Gap:
    """A gap that camdl missed, with these of its times."""
    return Gap("in_gate", window, 1, Cause.NOT_RUN, "", confirmed_at, resolved_at)


def of_days(first: int, last: int) -> Window:
    """From noon so many days ago to noon so many days ago."""
    return Window(NOW - first * DAY, NOW - last * DAY)


# Causes


def test_no_run_at_all_is_why() -> None:
    """Nothing ran in the hour: camdl itself is the cause, and six captures are missing."""
    found = explained(evidence())
    assert (found.cause, found.detail, found.missing) == (Cause.NOT_RUN, "", 6)


@pytest.mark.parametrize(
    "cause", [Cause.UNREACHABLE, Cause.UNREADABLE, Cause.FAULT, Cause.NOTHING_LISTED]
)
def test_what_every_run_met_is_why(cause: Cause) -> None:
    """Each kind of end that runs met in the hour is told as it is, with their reason."""
    found = explained(evidence(*attempts(*[cause] * 6, reason="saw")))
    assert (found.cause, found.detail) == (cause, f"saw {cause}")


def test_the_majority_is_why() -> None:
    """Of runs with different ends those that were most, and the commonest of their reasons."""
    met = attempts(*[Cause.UNREACHABLE] * 2, *[Cause.UNREADABLE] * 4, reason="saw")
    met[-1] = replace(met[-1], reason="another")
    found = explained(evidence(*met))
    assert (found.cause, found.detail) == (Cause.UNREADABLE, "saw unreadable")


def test_runs_that_were_not_count_too() -> None:
    """Two runs that met a fault do not outweigh four that never were."""
    assert explained(evidence(*attempts(*[Cause.FAULT] * 2))).cause is Cause.NOT_RUN
    assert explained(evidence(*attempts(*[Cause.FAULT] * 4))).cause is Cause.FAULT


def test_runs_outside_a_gap_do_not_explain_it() -> None:
    """What went well before and after an hour without runs says nothing of it."""
    around = [
        Attempt(HOUR.start - TEN, Cause.NOTHING_LISTED),
        Attempt(HOUR.end, Cause.NOTHING_LISTED),
    ]
    assert explained(evidence(*around)).cause is Cause.NOT_RUN


def test_a_gap_between_two_runs_is_what_the_next_one_saw() -> None:
    """A gap shorter than runs are apart is explained by the run after it."""
    window = Window(HOUR.start + timedelta(minutes=1), HOUR.start + timedelta(minutes=5))
    after = attempts(Cause.NOTHING_LISTED, Cause.UNREACHABLE, Cause.FAULT, reason="saw")
    found = explained(evidence(*after), window)
    assert (found.cause, found.detail) == (Cause.UNREACHABLE, "saw unreachable")
    assert explained(evidence(), window).cause is Cause.NOT_RUN


def test_a_run_explains_all_since_the_one_before_it() -> None:
    """Where runs come every four hours, one that fails leaves them without captures."""
    every = timedelta(hours=4)
    runs = [
        Attempt(NOW - every, Cause.NOTHING_LISTED),
        Attempt(NOW, Cause.UNREACHABLE, "refused"),
    ]
    window = Window(NOW - every + TEN, NOW - HALF_AN_HOUR)
    found = explained(replace(evidence(*runs), run_every=every), window)
    assert (found.cause, found.detail) == (Cause.UNREACHABLE, "refused")


def test_a_run_explains_nothing_that_came_after_it() -> None:
    """One that went well just after a gap began saw next to nothing of it."""
    every = timedelta(hours=4)
    runs = [Attempt(HOUR.start + timedelta(minutes=2), Cause.NOTHING_LISTED)]
    assert explained(replace(evidence(*runs), run_every=every)).cause is Cause.NOT_RUN


def test_a_run_after_many_that_were_not_explains_its_own_interval_alone() -> None:
    """The site is down when camdl is started again: until then it was camdl that was not there."""
    runs = [
        Attempt(HOUR.start, Cause.NOTHING_LISTED),
        Attempt(HOUR.end, Cause.UNREACHABLE, "refused"),
        Attempt(HOUR.end + TEN, Cause.UNREACHABLE, "refused"),
    ]
    assert explained(evidence(*runs)).cause is Cause.NOT_RUN
    last = Window(HOUR.end - TEN, HOUR.end)
    assert explained(evidence(*runs), last).cause is Cause.UNREACHABLE


@given(
    st.lists(st.tuples(st.integers(-200, 400), st.sampled_from(list(Cause)[:4])), max_size=12),
    st.integers(0, 200),
    st.integers(1, 200),
)
def test_only_a_run_that_was_about_is_why(
    met: list[tuple[int, Cause]], starts: int, length: int
) -> None:
    """Unless camdl did not run, a run in the gap or the next one after it met the cause."""
    runs = [
        Attempt(HOUR.start + timedelta(minutes=minutes), cause, f"saw {cause} at {minutes}")
        for minutes, cause in sorted(met)
    ]
    begins = HOUR.start + timedelta(minutes=starts)
    window = Window(begins, begins + timedelta(minutes=length))
    found = explained(evidence(*runs), window)
    about = [one for one in runs if window.start < one.started_at < window.end]
    about += [one for one in runs if one.started_at >= window.end][:1]
    assert (found.cause, found.detail) in [
        (Cause.NOT_RUN, ""),
        *((one.cause, one.reason) for one in about),
    ]


@pytest.mark.parametrize(
    ("lacking", "cause", "detail"),
    [
        (pending(5), Cause.WAITING, ""),
        (pending(5, "HTTP 503"), Cause.FAILED, "HTTP 503"),
        (pending(5, "the body is HTML", rejected=True), Cause.REJECTED, "the body is HTML"),
    ],
)
def test_what_was_listed_and_did_not_come_is_why(
    lacking: PendingCapture, cause: Cause, detail: str
) -> None:
    """A capture that the source has explains the gap, whatever the runs met."""
    found = explained(evidence(*attempts(*[Cause.UNREACHABLE] * 6), pending=[lacking]))
    assert (found.cause, found.detail) == (cause, detail)


def test_runs_that_end_before_they_ask_are_why() -> None:
    """What is listed waits for nothing but the disk that is full."""
    full = attempts(*[Cause.FAULT] * 6, reason="no space:")
    found = explained(evidence(*full, pending=[pending(5)]))
    assert (found.cause, found.detail) == (Cause.FAULT, "no space: fault")
    went_on = [*full, Attempt(HOUR.end, Cause.NOTHING_LISTED)]
    assert explained(evidence(*went_on, pending=[pending(5)])).cause is Cause.WAITING


def test_the_newest_that_was_asked_for_is_why() -> None:
    """Of several listed captures in a gap the newest one's reason is told."""
    lacking = [
        pending(50),
        pending(30, "HTTP 503"),
        pending(10, "no JPEG", rejected=True),
    ]
    found = explained(evidence(pending=lacking))
    assert (found.cause, found.detail) == (Cause.FAILED, "HTTP 503")


def test_a_listed_capture_may_be_due_before_the_gap() -> None:
    """A camera may come a little early; what lies an interval before belongs to the last one."""
    assert explained(evidence(pending=[pending(-9)])).cause is Cause.WAITING
    assert explained(evidence(pending=[pending(-10)])).cause is Cause.NOT_RUN
    assert explained(evidence(pending=[pending(60)])).cause is Cause.NOT_RUN


# Confirmation


def test_a_reading_long_enough_after_a_gap_confirms_it() -> None:
    """Half an hour after its end the source has published what it ever will."""
    late = HOUR.end + HALF_AN_HOUR
    early = late - timedelta(seconds=1)
    assert explained(evidence(readings={TODAY: early})).confirmed_at is None
    assert explained(evidence(readings={TODAY: late})).confirmed_at == late


def test_every_day_of_a_gap_has_to_be_told() -> None:
    """A gap of three days is confirmed by the last of their readings, and by no fewer."""
    window = of_days(2, 0)
    days = [TODAY - number * DAY for number in range(3)]
    read_at = {day: NOW + timedelta(hours=1, seconds=n) for n, day in enumerate(days)}
    assert explained(evidence(readings=read_at), window).confirmed_at == max(read_at.values())
    for day in days:
        two = {one: when for one, when in read_at.items() if one != day}
        assert explained(evidence(readings=two), window).confirmed_at is None


def test_a_day_that_was_over_needs_no_later_reading() -> None:
    """What was told of the day before after its end stands, though the gap goes on today."""
    window = of_days(1, 0)
    midnight = datetime(2025, 9, 10, tzinfo=UTC)
    readings = {TODAY: NOW + HALF_AN_HOUR, TODAY - DAY: midnight + HALF_AN_HOUR}
    assert explained(evidence(readings=readings), window).confirmed_at == NOW + HALF_AN_HOUR
    readings[TODAY - DAY] -= timedelta(seconds=1)
    assert explained(evidence(readings=readings), window).confirmed_at is None


def test_a_gap_that_ends_at_midnight_needs_the_day_before_alone() -> None:
    """The day that begins where a gap ends is none of its days."""
    midnight = datetime(2025, 9, 10, tzinfo=UTC)
    window = Window(midnight - timedelta(hours=1), midnight)
    readings = {TODAY - DAY: midnight + HALF_AN_HOUR}
    assert explained(evidence(readings=readings), window).confirmed_at


def test_days_of_readings_are_the_sites() -> None:
    """From 05:00 to 06:00 UTC it is still the day before in Los Angeles."""
    window = Window(datetime(2025, 9, 10, 5, tzinfo=UTC), datetime(2025, 9, 10, 6, tzinfo=UTC))
    for day, zone, confirmed in (
        (TODAY, UTC_ZONE, True),
        (TODAY, LOS_ANGELES, False),
        (TODAY - DAY, LOS_ANGELES, True),
    ):
        known = evidence(readings={day: NOW}, zone=zone)
        assert bool(explained(known, window).confirmed_at) == confirmed


def test_what_the_source_has_is_not_confirmed_as_missing() -> None:
    """A gap with a listed capture stays open, however often its day is read."""
    known = evidence(pending=[pending(5, "HTTP 503")], readings={TODAY: NOW})
    assert explained(known).confirmed_at is None


# What is expected


@pytest.mark.parametrize(
    ("began", "settled"),
    [
        ([], 30),  # nothing is known of any run
        ([0], 30),
        ([9, 4], 34),
        ([14.9], 44.9),
        ([15], 35),
        ([25], 35),
        ([24.9], 44.9),
        ([-5, 12], 42),  # the clock was put back
    ],
)
def test_captures_are_expected_that_the_last_run_could_see(
    began: list[float], settled: float
) -> None:
    """A run ten minutes after each, and what was published half an hour before it began."""
    runs = [Attempt(NOW - timedelta(minutes=ago), Cause.FAULT) for ago in sorted(began)[::-1]]
    assert NOW - settled_until(runs, TEN, NOW) == timedelta(minutes=settled)


@given(st.lists(st.floats(0, 1000), max_size=5), st.integers(5, 1440))
def test_what_is_expected_is_never_long_ago(began: list[float], every: int) -> None:
    """Though nothing runs any more, it goes on with the runs that there should be."""
    runs = [Attempt(NOW - timedelta(hours=ago), Cause.FAULT) for ago in sorted(began)[::-1]]
    run_every = timedelta(minutes=every)
    ago = NOW - settled_until(runs, run_every, NOW)
    assert HALF_AN_HOUR <= ago <= HALF_AN_HOUR + 1.5 * run_every


# Days to ask


def asked(*gaps: Gap, begins: datetime | None = NOW - 300 * DAY, **known: object) -> list[int]:
    """How many days ago those are that are asked for; the day before was read unless told."""
    readings = {TODAY - DAY: NOW - timedelta(hours=1)}
    told = evidence(**{"readings": readings, **known})  # type: ignore[arg-type]
    return [(TODAY - day).days for day in days_to_ask(gaps, begins, NOW, told, CATCH_UP)]


def test_without_gaps_no_day_is_asked_for() -> None:
    """Once the day before was read after its end, the shown day is enough."""
    assert asked() == []


def test_yesterday_is_asked_for_until_it_was_read_half_an_hour_after_its_end() -> None:
    """Its last captures may be published after midnight."""
    midnight = datetime(2025, 9, 10, tzinfo=UTC)
    enough = midnight + HALF_AN_HOUR
    assert asked(readings={}) == [1]
    assert asked(readings={TODAY - DAY: enough - timedelta(seconds=1)}) == [1]
    assert asked(readings={TODAY - DAY: enough}) == []


def test_nothing_is_expected_of_yesterday_before_the_first_capture() -> None:
    """A stream whose archive begins today has no day before."""
    assert asked(readings={}, begins=NOW - timedelta(hours=1)) == []


def test_a_first_run_asks_for_yesterday_just_after_midnight_only() -> None:
    """At 00:59 the shown day has next to nothing yet; at noon it is enough."""
    midnight = datetime(2025, 9, 10, tzinfo=UTC)
    yesterday = (TODAY - DAY,)
    for minutes, days in ((0, yesterday), (59, yesterday), (60, ()), (720, ())):
        now = midnight + timedelta(minutes=minutes)
        assert days_to_ask([], None, now, evidence(), CATCH_UP) == days


def test_midnight_is_that_of_the_site() -> None:
    """At 07:20 UTC it is twenty past midnight in Los Angeles."""
    now = datetime(2025, 9, 10, 7, 20, tzinfo=UTC)
    assert days_to_ask([], None, now, evidence(zone=LOS_ANGELES), CATCH_UP) == (TODAY - DAY,)
    assert days_to_ask([], None, now, evidence(), CATCH_UP) == ()


def test_the_days_of_gaps_are_asked_for_newest_first() -> None:
    """Each day once, and the present one not at all: it is shown anyway."""
    assert asked(gap(of_days(5, 4)), gap(of_days(3, 2)), gap(of_days(4, 0))) == [2, 3, 4, 5]


def test_gaps_are_looked_into_no_further_than_the_catch_up() -> None:
    """Of a gap of a month the days of the last week are asked for."""
    assert asked(gap(of_days(30, 6))) == [6, 7]


def test_what_was_told_is_not_asked_for_again() -> None:
    """A day that the source told after the gap is settled; the rest of the gap's days is not."""
    readings = {TODAY - number * DAY: NOW - timedelta(hours=1) for number in (1, 3)}
    assert asked(gap(of_days(4, 2)), readings=readings) == [2, 4]


def test_a_gap_that_grows_asks_for_each_past_day_once() -> None:
    """A camera that is down for days does not make every run read all of these days."""
    window = Window(NOW - 4 * DAY, NOW - HALF_AN_HOUR)
    readings = {TODAY - number * DAY: NOW - timedelta(minutes=10) for number in range(5)}
    assert explained(evidence(readings=readings), window).confirmed_at is None
    assert asked(gap(window), readings=readings) == []


def test_resolved_gaps_are_not_asked_for() -> None:
    """What was filled needs no day."""
    assert asked(gap(of_days(3, 2), resolved_at=NOW)) == []


def test_gap_days_are_those_of_the_sites_zone() -> None:
    """A gap at 05:00 UTC is of the evening before in Los Angeles."""
    window = Window(datetime(2025, 9, 8, 5, tzinfo=UTC), datetime(2025, 9, 8, 6, tzinfo=UTC))
    known = evidence(zone=LOS_ANGELES, readings={TODAY - DAY: NOW})
    assert days_to_ask([gap(window)], NOW - 300 * DAY, NOW, known, CATCH_UP) == (date(2025, 9, 7),)


def test_times_without_a_zone_are_refused() -> None:
    """Nobody knows which instant they mean."""
    naive = datetime(2025, 9, 10)  # noqa: DTZ001  # the very point
    with pytest.raises(TypeError):
        days_to_ask([], None, naive, evidence(), CATCH_UP)
    with pytest.raises(TypeError):
        reconciled([gap(HOUR)], [], Window(HOUR.start, NOW), naive)


# Known and found

LOOKED_AT = Window(NOW - CATCH_UP, NOW - HALF_AN_HOUR)


def test_a_gap_that_is_there_no_more_is_resolved() -> None:
    """Nothing that is found now overlaps it: the archive has it."""
    known = gap(HOUR)
    assert reconciled([known], [], LOOKED_AT, NOW) == ([replace(known, resolved_at=NOW)], [])


def test_a_gap_that_was_cut_up_is_replaced() -> None:
    """One that begins elsewhere now takes its place; one with the same beginning is the same."""
    known = gap(HOUR)
    later = gap(Window(HOUR.start + 2 * TEN, HOUR.end))
    shorter = gap(Window(HOUR.start, HOUR.end - 2 * TEN))
    assert reconciled([known], [later], LOOKED_AT, NOW) == ([], [known])
    assert reconciled([known], [shorter], LOOKED_AT, NOW) == ([], [])


def test_what_is_resolved_stays_so() -> None:
    """When it was filled is not told anew."""
    known = gap(HOUR, resolved_at=HOUR.end)
    assert reconciled([known], [], LOOKED_AT, NOW) == ([], [])


def test_what_was_not_looked_at_is_left_as_it_is() -> None:
    """A clock that was put back makes nobody believe that gaps of the future were filled."""
    back = Window(NOW - 9 * DAY, NOW - 8 * DAY)
    assert reconciled([gap(HOUR)], [], back, NOW - 8 * DAY) == ([], [])


def test_what_is_not_expected_any_more_is_forgotten() -> None:
    """Where captures were deleted on purpose a gap is none, and was not filled either."""
    before = gap(of_days(9, 8))
    assert reconciled([before], [], LOOKED_AT, NOW) == ([], [before])


def test_the_first_confirmation_is_remembered() -> None:
    """Reading the day again does not make the ledger say something new of the same gap."""
    first, again = gap(HOUR, confirmed_at=HOUR.end), gap(HOUR, confirmed_at=NOW)
    assert kept([first], [again]) == [first]
    assert kept([gap(HOUR)], [again]) == [again]
    assert kept([first], [gap(HOUR)]) == [gap(HOUR)]
    longer = gap(Window(HOUR.start, NOW), confirmed_at=NOW)
    assert kept([first], [longer]) == [longer]
