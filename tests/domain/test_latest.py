"""Which captures a run asks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from camdl.domain.captures import Capture, ListedCapture
from camdl.domain.latest import due
from camdl.domain.outcomes import PendingCapture

NOW = datetime(2025, 9, 10, 12, 0, tzinfo=UTC)
RETENTION = timedelta(days=30)


def listed(minutes_ago: int) -> ListedCapture:
    """A capture of `in_gate`, that long before NOW."""
    capture = Capture(NOW - timedelta(minutes=minutes_ago), "in_gate")
    return ListedCapture(capture, f"https://cdn.example/{minutes_ago}.jpeg")


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


def test_what_was_deleted_on_purpose_is_not_fetched_back() -> None:
    """Captures up to the last deleted one are left alone, listed or pending."""
    shown = [listed(5), listed(15), listed(25)]
    pending = [PendingCapture(listed(35), "")]
    deleted = shown[1].capture.captured_at
    assert due(shown, [], pending, NOW, RETENTION, deleted_up_to=deleted) == ([shown[0]], [])


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
