"""A stream's last day as a strip of slots."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdl.domain import gaps as gaps_of
from camdl.domain.closing import ClosedHours
from camdl.domain.coverage import Cell, Coverage, coverage, rows
from camdl.domain.gaps import Cause, Gap, missing_in
from camdl.domain.ledger import LATEST_PUBLICATION
from camdl.domain.sites import Stream
from camdl.domain.templates import UrlTemplate
from camdl.domain.windows import Window

BEGIN = datetime(2025, 9, 8, tzinfo=UTC)
NOON = BEGIN + timedelta(hours=12)
MINUTE = timedelta(minutes=1)
LETTERS = {
    Cell.ARCHIVED: "#",
    Cell.MISSING: "x",
    Cell.CLOSED: "-",
    Cell.TO_COME: ".",
    Cell.BEFORE: " ",
}


def stream(minutes: float = 60, zone: str = "UTC", closed: str = "") -> Stream:
    """A camera that takes a picture so often."""
    image = UrlTemplate("http://127.0.0.1/{time:%Y-%m-%dT%H:%M:%S}-{stream}.jpeg")
    where = ZoneInfo(zone)
    hours = ClosedHours(closed, where)
    every = timedelta(minutes=minutes)
    return Stream("a", "http://127.0.0.1/", image, None, where, "", (), 1, 1, every, hours)


def known(
    of: Stream, instants: list[datetime], begins: datetime | None, now: datetime
) -> list[Gap]:
    """The gaps that the ledger would have."""
    if begins is None or begins >= now - LATEST_PUBLICATION:
        return []
    window = Window(begins, now - LATEST_PUBLICATION)
    found = gaps_of.gaps(instants, window, of.interval, of.closed)
    return [Gap("a", one, missing_in(one, of.interval), Cause.NOT_RUN) for one in found]


def covered(of: Stream, instants: list[datetime], now: datetime) -> Coverage:
    """The last day of `of` at `now`, whose archive begins with its first capture."""
    begins = min(instants, default=None)
    return coverage(of, instants, known(of, instants, begins, now), begins, now)


def strip(found: Coverage) -> str:
    """Its cells as letters, from `BEGIN` on."""
    before = (BEGIN - found.window.start) // found.slot
    return "".join(LETTERS[one] for one in found.cells[before:])


def hours(*numbers: float) -> list[datetime]:
    """Instants so many hours after the day has begun."""
    return [BEGIN + timedelta(hours=number) for number in numbers]


def test_a_day_with_everything() -> None:
    """What is archived, before it the archive's beginning, and after it what is still to come."""
    found = covered(stream(), hours(*(n + 0.1 for n in range(2, 12))), NOON)
    assert strip(found) == "  ##########."
    assert (found.archived, found.missing, len(found.cells)) == (10, 0, 24)


def test_what_is_missing() -> None:
    """Each capture that should be there has a slot that says so."""
    found = covered(stream(), hours(0.1, 1.1, 2.1, 5.1, 6.1, 8.1, 9.1, 10.1, 11.1), NOON)
    assert strip(found) == "###xx##x####."
    assert (found.archived, found.missing) == (9, 3)


def test_a_slot_between_near_neighbours_lacks_nothing() -> None:
    """Cameras keep no exact time."""
    found = covered(stream(), hours(0.9, 2.05, 3.1, 4.0), BEGIN + timedelta(hours=5))
    assert strip(found) == "#####."
    assert found.archived == 4


def test_what_is_missing_is_shown_where_neighbours_have_captures() -> None:
    """Two captures in neighbouring slots may have room for a third between them."""
    found = covered(stream(), hours(0.1, 1.9, 2.9, 3.9), BEGIN + timedelta(hours=5))
    assert strip(found)[:4] == "#x##"


def test_what_is_not_judged_yet() -> None:
    """The site may still publish what is half an hour old, and the next may be late."""
    camera = stream(10)
    for minutes, shown in ((20, "#....."), (50, "#....."), (55, "#x...."), (65, "#xx...")):
        found = covered(camera, hours(0.1), BEGIN + timedelta(minutes=minutes))
        assert strip(found)[:6] == shown, minutes


def test_closed_hours() -> None:
    """Nobody expects captures then, those to come neither."""
    gate = stream(closed="daily 02:00-04:30; Mon 08:00-09:00")
    found = covered(gate, hours(0.5, 1.5, 5.5, 6.5), BEGIN + timedelta(hours=8))
    assert strip(found) == "##--###.-"


def test_a_stream_without_a_capture() -> None:
    """Nothing is missing: nothing is known to be expected."""
    found = covered(stream(), [], NOON)
    assert strip(found) == "           .."
    assert (found.archived, found.missing) == (0, 0)


def test_a_gap_that_reaches_further_back() -> None:
    """The part of it that is of the time counts."""
    found = covered(stream(), hours(-22.5, 3.5, 4.5), BEGIN + timedelta(hours=6))
    assert "".join(LETTERS[one] for one in found.cells) == "x" * 20 + "##.."
    assert found.missing == 20


def test_a_gap_that_was_filled() -> None:
    """It is missing no more."""
    gap = Gap("a", Window(*hours(1, 3)), 2, Cause.FAILED, resolved_at=NOON)
    found = coverage(stream(), hours(0.1, 1.1, 2.1), [gap], BEGIN, NOON)
    assert Cell.MISSING not in found.cells


@pytest.mark.parametrize(
    ("now", "zone", "end", "label"),
    [
        ("2025-09-08T20:22:30", "UTC", "2025-09-08T21:00", "21:00"),
        ("2025-09-08T20:00:00", "UTC", "2025-09-08T21:00", "21:00"),
        ("2025-09-08T20:22:30", "Asia/Kolkata", "2025-09-08T20:30", "02:00"),
        ("2025-03-09T20:22:30", "America/Los_Angeles", "2025-03-09T21:00", "14:00"),
        ("2025-11-02T09:30:00", "America/Los_Angeles", "2025-11-02T10:00", "02:00"),
    ],
)
def test_it_ends_with_the_sites_hour(now: str, zone: str, end: str, label: str) -> None:
    """It is always of one length, and rows begin at full hours there but for a change of clocks."""
    found = covered(stream(zone=zone), [], datetime.fromisoformat(f"{now}Z"))
    assert found.window.end == datetime.fromisoformat(f"{end}Z")
    assert len(found.cells) == 24
    (row,) = rows(found, 72, 4)
    assert (row.start.minute, row.start) == (0, found.window.start)
    assert f"{found.window.end.astimezone(found.zone):%H:%M}" == label


@given(
    jitters=st.lists(st.integers(-110, 110), min_size=1, max_size=300),
    lost=st.sets(st.integers(0, 300)),
    every=st.sampled_from([5, 7, 10, 60]),
    hour=st.floats(0, 23.99),
    closed=st.sampled_from(["", "daily 22:00-05:00", "Mon 08:00-09:05"]),
)
def test_it_says_what_the_gaps_say(
    jitters: list[int], lost: set[int], every: int, hour: float, closed: str
) -> None:
    """As many slots are missing as captures in the gaps of the time, and each capture has a slot
    that is not empty.
    """
    camera = stream(every, closed=closed)
    now = BEGIN + timedelta(hours=hour)
    instants = [
        BEGIN + n * camera.interval + jitter * camera.interval / 400 - timedelta(hours=7)
        for n, jitter in enumerate(jitters)
        if n not in lost
    ]
    instants = [one for one in instants if one <= now]
    begins = min(instants, default=None)
    gaps = known(camera, instants, begins, now)
    found = coverage(camera, instants, gaps, begins, now)
    since = found.window.start
    due = [one.window.start + n * camera.interval for one in gaps for n in range(one.missing)]
    assert found.missing == sum(one >= since for one in due)
    assert found.cells.count(Cell.MISSING) == found.missing
    assert len(found.cells) == -(-timedelta(days=1) // camera.interval)
    for one in instants:
        if one >= since:
            assert found.cells[(one - since) // camera.interval] in (Cell.ARCHIVED, Cell.MISSING)


@given(
    cells=st.lists(st.sampled_from(Cell), min_size=1, max_size=1500).map(tuple),
    width=st.integers(1, 200),
    most=st.integers(1, 8),
)
def test_rows_have_all_cells_in_order(cells: tuple[Cell, ...], width: int, most: int) -> None:
    """None is too long, there are not too many, and what is missing is seen in any."""
    window = Window(BEGIN, BEGIN + len(cells) * MINUTE)
    found = Coverage("a", window, ZoneInfo("UTC"), MINUTE, cells, 0, 0)
    shown = rows(found, width, most)
    assert len(shown) <= most
    assert all(0 < len(row.cells) <= width for row in shown)
    assert len({len(row.cells) for row in shown[:-1]}) <= 1
    if len(cells) <= width * most:
        assert tuple(cell for row in shown for cell in row.cells) == cells
    assert any(Cell.MISSING in row.cells for row in shown) == (Cell.MISSING in cells)
    assert [row.start for row in shown] == sorted({row.start for row in shown})


def test_rows_of_a_ten_minute_camera() -> None:
    """Half a day each, of one hour in six cells, as a terminal of 80 columns has room for them."""
    found = covered(stream(10), hours(0.1), NOON)
    first, second = rows(found, 72, 4)
    assert (len(first.cells), len(second.cells)) == (72, 72)
    assert (first.start.hour, second.start.hour) == (13, 1)


def test_a_minute_camera_is_summed_up() -> None:
    """1440 slots have room where several are one cell, and start when the first of them does."""
    found = covered(stream(1), [BEGIN + n * MINUTE for n in range(700) if n != 300], NOON)
    found_rows = rows(found, 72, 4)
    assert [row.start.hour for row in found_rows] == [13, 19, 1, 7]
    assert "".join(LETTERS[one] for one in found_rows[2].cells) == "#" * 48 + "x" + "#" * 23
