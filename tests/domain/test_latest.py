"""Which captures a run asks for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdl.domain.captures import Capture, ListedCapture
from camdl.domain.latest import back_to, due
from camdl.domain.outcomes import PendingCapture

NOW = datetime(2025, 9, 10, 12, 0, tzinfo=UTC)
RETENTION = timedelta(days=30)
ZONES = [ZoneInfo("UTC"), ZoneInfo("America/Los_Angeles"), ZoneInfo("Asia/Kathmandu")]


def listed(minutes_ago: int) -> ListedCapture:
    """A capture of `in_gate`, that long before NOW."""
    capture = Capture(NOW - timedelta(minutes=minutes_ago), "in_gate")
    return ListedCapture(capture, f"https://cdn.example/{minutes_ago}.jpeg")


def test_the_newest_archived_capture_is_how_far_back_a_listing_should_reach() -> None:
    """What was archived today already joins today's listing to the archive."""
    newest = NOW - timedelta(hours=2)
    assert back_to(newest, NOW, ZONES[0]) == newest


def test_a_listing_is_asked_for_no_more_than_the_day_before() -> None:
    """An archive that stopped weeks ago has the day before read, from its beginning."""
    assert back_to(NOW - timedelta(days=20), NOW, ZONES[0]) == datetime(2025, 9, 9, tzinfo=UTC)


def test_an_empty_archive_is_content_with_the_shown_day() -> None:
    """The first run at noon reads one day."""
    assert back_to(None, NOW, ZONES[0]) is None


def test_an_empty_archive_gets_the_day_before_just_after_midnight() -> None:
    """At 00:20 the shown day has almost nothing, and the day before is still there."""
    just_after = datetime(2025, 9, 10, 0, 20, tzinfo=UTC)
    assert back_to(None, just_after, ZONES[0]) == datetime(2025, 9, 9, tzinfo=UTC)


def test_midnight_is_that_of_the_site() -> None:
    """At 07:20 UTC it is twenty past midnight in Los Angeles."""
    just_after = datetime(2025, 9, 10, 7, 20, tzinfo=UTC)
    assert back_to(None, just_after, ZONES[1]) == datetime(2025, 9, 9, 7, 0, tzinfo=UTC)


@given(
    st.datetimes(
        datetime(2020, 1, 1),  # noqa: DTZ001  # hypothesis adds the zone
        datetime(2035, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
    st.timedeltas(timedelta(0), timedelta(days=90)),
    st.sampled_from(ZONES),
)
def test_back_to_lies_between_the_day_before_and_the_newest(
    now: datetime, age: timedelta, zone: ZoneInfo
) -> None:
    """Never before the day before, and never later than the newest capture unless it is older."""
    reach = back_to(now - age, now, zone)
    yesterday: date = now.astimezone(zone).date() - timedelta(days=1)
    assert reach is not None
    assert reach.astimezone(zone).date() >= yesterday
    assert reach == now - age or reach > now - age


def test_naive_times_are_refused() -> None:
    """A time without a zone is a type error."""
    with pytest.raises(TypeError):
        back_to(None, datetime(2025, 9, 10), ZONES[0])  # noqa: DTZ001  # the very point


def test_what_is_listed_and_not_archived_is_due_newest_first() -> None:
    """The archive's captures are left out, and the newest image comes first."""
    one, two, three = listed(30), listed(20), listed(10)
    assert due([one, two, three], {two.capture}, [], NOW, RETENTION) == ([three, one], [])


def test_what_an_earlier_run_could_not_get_is_due_although_it_is_not_listed() -> None:
    """A capture that the page shows no more is still asked for."""
    old = listed(60 * 24 * 2)
    ask, _ = due([], set(), [PendingCapture(old, "HTTP 404")], NOW, RETENTION)
    assert ask == [old]


def test_a_fresh_url_beats_a_remembered_one() -> None:
    """A listing may carry a new signature in its URLs."""
    fresh = listed(10)
    stale = PendingCapture(ListedCapture(fresh.capture, "https://cdn.example/stale"), "HTTP 403")
    assert due([fresh], set(), [stale], NOW, RETENTION) == ([fresh], [])


def test_the_source_is_left_alone_as_long_as_it_asked() -> None:
    """What is to be asked for only later is told apart."""
    one = listed(10)
    later = PendingCapture(one, "HTTP 503", NOW + timedelta(minutes=5))
    assert due([one], set(), [later], NOW, RETENTION) == ([], [later])
    assert due([one], set(), [later], NOW + timedelta(minutes=5), RETENTION) == ([one], [])


def test_what_was_asked_for_in_vain_is_given_up_after_the_retention() -> None:
    """A capture older than the retention that was tried is not tried for ever."""
    old = listed(60 * 24 * 31)
    tried, untried = PendingCapture(old, "not a JPEG"), PendingCapture(old, "")
    assert due([old], set(), [tried], NOW, RETENTION) == ([], [])
    assert due([old], set(), [untried], NOW, RETENTION) == ([old], [])


@given(
    st.lists(st.integers(0, 5000), unique=True),
    st.sets(st.integers(0, 5000)),
    st.dictionaries(st.integers(0, 5000), st.sampled_from(["", "HTTP 404"])),
)
def test_nothing_that_is_listed_and_lacking_is_lost(
    on_page: list[int], archived: set[int], pending: dict[int, str]
) -> None:
    """Every listed or pending capture that is not archived is due, once."""
    pending = {age: why for age, why in pending.items() if age not in archived}
    ask, leave = due(
        [listed(age) for age in on_page],
        {listed(age).capture for age in archived},
        [PendingCapture(listed(age), why) for age, why in pending.items()],
        NOW,
        RETENTION,
    )
    expected = sorted((set(on_page) - archived) | pending.keys())
    assert [one.capture for one in ask] == [listed(age).capture for age in expected]
    assert leave == []
