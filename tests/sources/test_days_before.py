"""The days before the one that a page shows, by its date picker."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from camdl.ports import Listing
from tests.support.pages import plain
from tests.support.pages.gate import Look, VueSite
from tests.support.pages.listing import found, read, told, whole
from tests.support.pages.server import PageServer, page

if TYPE_CHECKING:
    from tests.support.pages.server import Asked

# The day before is in another month.
NOW = datetime(2025, 9, 1, 0, 5, tzinfo=UTC)
YESTERDAY = date(2025, 8, 31)


def today(site: VueSite) -> date:
    """The day that the site shows."""
    return site.now.astimezone(site.zone).date()


def days_before(site: VueSite, days: int) -> tuple[date, ...]:
    """So many days before the site's today, newest first."""
    return tuple(today(site) - timedelta(days=number) for number in range(1, days + 1))


def expected(site: VueSite, *days: date) -> dict[datetime, str]:
    """The captures of the shown day and of `days`."""
    return site.urls([moment for day in (today(site), *days) for moment in site.of_day(day)])


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(Look("element-ui", answer_seconds=1.5), id="Element UI"),
        pytest.param(Look("element-plus", answer_seconds=1.5), id="Element Plus"),
        pytest.param(Look(picker="native", answer_seconds=1.5), id="native"),
        pytest.param(Look("element-ui", picker="empty"), id="Element UI without a day"),
        pytest.param(Look("element-plus", picker="empty"), id="Element Plus without a day"),
        pytest.param(
            Look("element-ui", lazy=True, scrolls="box", delivery="packed"), id="lazy Element UI"
        ),
        pytest.param(
            Look("element-plus", lazy=True, scrolls="box", delivery="packed", page_size=50),
            id="lazy Element Plus by pages",
        ),
        pytest.param(Look("element-ui", poll_ms=500, clock_ms=1000), id="restless Element UI"),
    ],
)
def test_day_before_is_listed_across_the_month(look: Look) -> None:
    """The picker is driven back over the turn of the month, and the whole day is listed."""
    with VueSite(look, NOW) as site:
        answer = read(site.stream, NOW, days=(YESTERDAY,))
        assert len(site.of_day(YESTERDAY)) == 144
        assert whole(answer) == expected(site, YESTERDAY)
        assert told(answer) == (today(site), YESTERDAY)


def test_a_page_is_not_hurried_from_day_to_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before each day but the shown one there is a wait, drawn anew up to the longest."""
    drawn: list[tuple[float, float]] = []

    def draw(least: float, most: float) -> float:
        drawn.append((least, most))
        return most

    monkeypatch.setattr("random.uniform", draw)
    with VueSite(Look("element-plus"), NOW) as site:
        days = days_before(site, 3)
        began = time.monotonic()
        answer = read(site.stream, NOW, days=days, jitter=0.4)
        assert time.monotonic() - began > 3 * 0.4
        assert told(answer) == (today(site), *days)
    assert drawn.count((0, 0.4)) == 3


@pytest.mark.parametrize("widgets", ["element-ui", "element-plus"])
def test_shown_day_that_has_only_begun(widgets: str) -> None:
    """At midnight nothing of the shown day exists yet, and the day before is listed."""
    midnight = datetime(2026, 1, 1, tzinfo=UTC)
    look = Look("element-ui" if widgets == "element-ui" else "element-plus")
    with VueSite(look, midnight) as site:
        site.site.routes["/api/live"] = lambda asked: asked.json(site.listing([]))
        assert site.of_day(midnight.date()) == []
        listed = whole(read(site.stream, midnight, days=days_before(site, 1)))
        assert listed == site.urls(site.of_day(date(2025, 12, 31)))
        assert len(listed) == 144


@pytest.mark.parametrize(
    ("zone", "now"),
    [
        ("America/Los_Angeles", datetime(2025, 9, 1, 7, 5, tzinfo=UTC)),
        ("Australia/Sydney", datetime(2025, 8, 31, 14, 5, tzinfo=UTC)),
        ("Asia/Kolkata", datetime(2025, 8, 31, 18, 35, tzinfo=UTC)),
    ],
)
def test_days_are_those_of_the_streams_zone(zone: str, now: datetime) -> None:
    """The browser, the picker and the URLs' stamps all think in the stream's time zone."""
    with VueSite(Look("element-ui"), now, ZoneInfo(zone)) as site:
        answer = read(site.stream, now, days=days_before(site, 1))
        listed = whole(answer)
        assert listed == expected(site, *days_before(site, 1))
        assert len(listed) == 145
        assert told(answer) == (today(site), *days_before(site, 1))
        assert f"/{now.astimezone(ZoneInfo(zone)):%Y-%m-%d}/0/" in listed[max(listed)]


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(Look(picker="native"), id="native"),
        pytest.param(Look("element-ui", date_format="MM/dd/yyyy"), id="American Element UI"),
        pytest.param(Look("element-plus", date_format="MMM D, YYYY"), id="wordy Element Plus"),
    ],
)
def test_eight_days_back(look: Look) -> None:
    """A catch-up reads day after day, whatever the picker makes of a date."""
    now = NOW + timedelta(days=3)
    with VueSite(look, now) as site:
        answer = read(site.stream, now, days=days_before(site, 8))
        listed = whole(answer)
        assert listed == expected(site, *days_before(site, 8))
        assert told(answer) == (today(site), *days_before(site, 8))
        assert len(listed) == 8 * 144 + 1


def test_shown_day_is_enough_unless_more_is_wanted() -> None:
    """Without days to go back to, no other day is asked for, and the shown one is told."""
    days: list[str] = []

    def history(asked: Asked) -> None:
        days.append(asked.query["day"])
        site.history(asked)

    with VueSite(Look(), NOW) as site:
        site.site.routes["/api/history"] = history
        assert told(read(site.stream, NOW)) == (today(site),)
    assert days == ["2025-09-01"]


def test_only_the_days_that_are_wanted_are_read() -> None:
    """A hole of one day, five days ago, costs one other day, and not all in between."""
    days: list[str] = []

    def history(asked: Asked) -> None:
        days.append(asked.query["day"])
        site.history(asked)

    with VueSite(Look(), NOW) as site:
        site.site.routes["/api/history"] = history
        answer = read(site.stream, NOW, days=(date(2025, 8, 27),))
        assert whole(answer).items() >= expected(site, date(2025, 8, 27)).items()
        assert told(answer) == (today(site), date(2025, 8, 27))
    assert days == ["2025-09-01", "2025-08-27"]


def test_stray_older_capture_does_not_end_the_way_back() -> None:
    """A capture of long ago that a page also shows is no sign that everything since was seen."""
    with VueSite(Look(), NOW) as site:
        long_ago = datetime(2025, 1, 1, 12, tzinfo=UTC)
        site.site.routes["/api/live"] = lambda asked: asked.json(site.listing([long_ago]))
        listed = whole(read(site.stream, NOW, days=days_before(site, 1)))
        assert listed == {**expected(site, YESTERDAY), **site.urls([long_ago])}


def test_day_that_the_picker_does_not_offer_is_told() -> None:
    """What a site does not let anyone pick is a shortfall with the day's name."""
    with VueSite(Look("element-ui", first_day="2025-08-31"), NOW) as site:
        answer = read(site.stream, NOW, days=days_before(site, 2))
        assert isinstance(answer, Listing)
        assert answer.shortfall == "the date picker does not offer 2025-08-30"
        assert found(answer) == expected(site, YESTERDAY)
        assert told(answer) == (today(site), YESTERDAY)


def test_days_that_never_come_are_not_waited_for_for_ever() -> None:
    """Two days in a row that do not come in time are told, and no more days are tried."""
    days: list[str] = []

    def history(asked: Asked) -> None:
        days.append(asked.query["day"])
        if asked.query["day"] < "2025-09-01":
            asked.conversation.hold()
        site.history(asked)

    with VueSite(Look(), NOW) as site:
        site.site.routes["/api/history"] = history
        answer = read(site.stream, NOW, days=days_before(site, 8), timeout=4)
        assert isinstance(answer, Listing)
        assert answer.shortfall == (
            "the page did not show 2025-08-31 within 4 s; the page did not show 2025-08-30 within"
            " 4 s; 2025-08-29 and the days before it were not looked at"
        )
        assert found(answer).keys() >= expected(site).keys()
        assert told(answer) == (today(site),)
    assert days == ["2025-09-01", "2025-08-31", "2025-08-30"]


def test_day_whose_list_fails_is_told() -> None:
    """A day that the site could not list is a shortfall, and the days before it are listed."""

    def history(asked: Asked) -> None:
        if asked.query["day"] == "2025-08-31":
            asked.html("", status="503 Service Unavailable")
        else:
            site.history(asked)

    with VueSite(Look(), NOW) as site:
        site.site.routes["/api/history"] = history
        answer = read(site.stream, NOW, days=days_before(site, 2))
        assert isinstance(answer, Listing)
        assert "/api/history?stream=in_gate&day=2025-08-31&page=1 answered 503" in answer.shortfall
        assert found(answer).keys() >= site.urls(site.of_day(date(2025, 8, 30))).keys()
        assert told(answer) == (today(site), date(2025, 8, 30))


def test_picker_that_jumps_to_another_day_is_told() -> None:
    """What the picker shows in the end is what counts."""
    html = """<input type="date" onchange="this.value = '2025-09-01'">"""
    with PageServer() as server:
        server.routes["/"] = page(html + plain.images(server.origin))
        stream = plain.stream(server.origin, date_picker="input")
        answer = read(stream, NOW, days=(YESTERDAY,))
    assert isinstance(answer, Listing)
    assert answer.shortfall == "the date picker shows '2025-09-01' instead of 2025-08-31"
    assert told(answer) == (NOW.date(),)


@pytest.mark.parametrize(
    ("picker", "told"),
    [
        (".none", "there was no date picker at '.none' within 2 s"),
        ("p", "the date picker would not show 2025-08-31: Error: "),
    ],
)
def test_picker_that_is_none_is_told(picker: str, told: str) -> None:
    """A selector that finds nothing, or no input, is named; what the page shows is listed."""
    with PageServer() as server:
        server.routes["/"] = page("<p>Gate</p>" + plain.images(server.origin))
        stream = plain.stream(server.origin, date_picker=picker)
        answer = read(stream, NOW, days=(YESTERDAY,), timeout=2)
        assert found(answer) == plain.urls(server.origin)
    assert isinstance(answer, Listing)
    assert told in answer.shortfall
    assert answer.shortfall.isprintable()
