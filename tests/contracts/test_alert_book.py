"""What is remembered of alerts between two processes, in the catalogue and in the spare book."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from camdl.catalogue.alerts import SqlAlertBook
from camdl.catalogue.database import Database
from camdl.domain.alerts import Standing
from camdl.domain.notices import Item, Kind, Notice, NotSent, Sent
from camdl.domain.outbox import KEEP, LEASE, MOST
from camdl.ops.alert_file import AlertFile
from camdl.ports import Parcel
from tests.support.catalogues import empty_catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from camdl.domain.alerts import Book

    Decide = Callable[[Book], tuple[Book, Sequence[Parcel]]]

NOW = datetime(2026, 11, 24, 20, 40, 12, 345_678, tzinfo=UTC)
CHANNELS = ("mail", "webhook")
ITEM = Item(Kind.ALERT, "stream.in_gate", "critical", NOW.replace(microsecond=0), "é", "look")


def notice(number: int = 1, at: datetime = NOW) -> Notice:
    """One of several."""
    return Notice(f"n{number:02}", Kind.ALERT, at, f"title {number}", "„text“\n", (ITEM,))


@dataclass(frozen=True)
class World:
    """A kind of book: each call is one of a new process."""

    turn: Callable[..., tuple[Parcel, ...]]
    settle: Callable[..., None]

    def add(self, *parcels: Parcel, now: datetime = NOW) -> tuple[Parcel, ...]:
        """Have these sent too, and see what is to be sent now."""
        return self.turn(lambda book: (book, parcels), CHANNELS, now)

    def due(self, now: datetime = NOW, channels: Sequence[str] = CHANNELS) -> list[tuple[str, str]]:
        """What is to be sent now."""
        parcels = self.turn(lambda book: (book, ()), channels, now)
        return [(parcel.notice.id, parcel.channel) for parcel in parcels]

    def book(self) -> Book:
        """What is remembered."""
        found: list[Book] = []

        def look(book: Book) -> tuple[Book, Sequence[Parcel]]:
            found.append(book)
            return book, ()

        self.turn(look, (), NOW)
        return found[0]


def sql_world(url: str) -> World:
    """The catalogue."""

    def turn(decide: Decide, channels: Sequence[str], now: datetime) -> tuple[Parcel, ...]:
        with closing(Database(url)) as database:
            return SqlAlertBook(database).turn(decide, channels, now)

    def settle(tried: Sequence[tuple[Parcel, Sent | NotSent | None]], now: datetime = NOW) -> None:
        with closing(Database(url)) as database:
            SqlAlertBook(database).settle(tried, now)

    return World(turn, settle)


def file_world(path: Path) -> World:
    """The spare book."""

    def turn(decide: Decide, channels: Sequence[str], now: datetime) -> tuple[Parcel, ...]:
        spare = AlertFile(path)
        with spare.held():
            return spare.turn(decide, channels, now)

    def settle(tried: Sequence[tuple[Parcel, Sent | NotSent | None]], now: datetime = NOW) -> None:
        spare = AlertFile(path)
        with spare.held():
            spare.settle(tried, now)

    return World(turn, settle)


@pytest.fixture(params=["sqlite", "postgres", "file"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Each kind of book. Only this knows how to come by one."""
    if request.param == "sqlite":
        yield sql_world(f"sqlite:///{empty_catalogue(tmp_path / 'camdl.db')}")
    elif request.param == "postgres":
        with request.getfixturevalue("postgres").catalogue() as store:
            yield sql_world(store.url)
    else:
        yield file_world(tmp_path / ".health.alerts")


instants = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis adds the zone
maybe = st.none() | instants
standings = st.builds(
    Standing,
    seen_at=instants,
    counted_at=instants,
    bad=st.integers(0, 10**6),
    good=st.integers(0, 10**6),
    since=maybe,
    alerted_at=maybe,
    told_at=maybe,
    recovered_at=maybe,
    relapses=st.integers(0, 99),
)
books = st.dictionaries(st.sampled_from(["stream.in_gate", "site.apm", "disk", "x"]), standings)


# No deadline: disks are slow where many tests run at once.
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None
)
@given(st.lists(books, min_size=1, max_size=4))
def test_a_book_comes_back_as_it_was_left(world: World, written: list[Book]) -> None:
    """Whatever it was before: so nothing depends on what a process remembers."""
    for one in written:
        world.turn(lambda _, following=one: (following, ()), CHANNELS, NOW)
        assert world.book() == one


def test_a_new_book_is_empty(world: World) -> None:
    """There is nothing to send either."""
    assert world.book() == {}
    assert world.due() == []


def test_what_is_added_is_to_be_sent_whole(world: World) -> None:
    """Once for each channel."""
    parcels = [Parcel(notice(), channel) for channel in CHANNELS]
    assert list(world.add(*parcels)) == parcels


def test_what_one_has_taken_no_other_gets(world: World) -> None:
    """Until it is clear that its process is gone."""
    world.add(Parcel(notice(), "mail"))
    assert world.due() == []
    assert world.due(NOW + LEASE - timedelta(seconds=1)) == []
    assert world.due(NOW + LEASE) == [("n01", "mail")]


def test_a_clock_that_went_back_by_years_keeps_nothing(world: World) -> None:
    """What was taken by a process of the far future is free."""
    world.add(Parcel(notice(), "mail"), now=NOW + timedelta(days=5))
    assert world.due() == [("n01", "mail")]


def test_what_was_sent_is_not_sent_again(world: World) -> None:
    """What was not is, by its channel alone, and with the number of tries."""
    mail, hook = world.add(*(Parcel(notice(), channel) for channel in CHANNELS))
    world.settle([(mail, NotSent("refused")), (hook, Sent("200 OK"))])
    (again,) = world.turn(lambda book: (book, ()), CHANNELS, NOW)
    assert again == replace(mail, tries=1)
    world.settle([(again, Sent("250 OK"))])
    assert world.due(NOW + LEASE) == []


def test_what_nobody_tried_is_free_at_once(world: World) -> None:
    """It counts as no try."""
    parcels = world.add(Parcel(notice(), "mail"), Parcel(notice(2), "mail"))
    world.settle([(parcels[0], NotSent("refused")), (parcels[1], None)])
    assert [one.tries for one in world.turn(lambda book: (book, ()), CHANNELS, NOW)] == [1, 0]


def test_the_oldest_goes_first(world: World) -> None:
    """As they were told."""
    for number in (1, 2, 3):
        at = NOW + timedelta(minutes=number)
        world.settle([(one, None) for one in world.add(Parcel(notice(number, at), "mail"))])
    assert world.due() == [("n01", "mail"), ("n02", "mail"), ("n03", "mail")]


def test_a_channel_that_is_not_configured_any_more_waits(world: World) -> None:
    """It may come back, and then the notice goes out."""
    world.settle([(one, None) for one in world.add(Parcel(notice(), "mail"))])
    assert world.due(channels=["webhook"]) == []
    assert world.due() == [("n01", "mail")]


def test_old_news_is_not_sent(world: World) -> None:
    """After a week it is none."""
    world.settle([(one, None) for one in world.add(Parcel(notice(), "mail"))])
    assert world.due(NOW + KEEP) == []


def test_no_more_than_so_much_waits(world: World) -> None:
    """The newest of it."""
    many = [Parcel(notice(number, NOW + timedelta(minutes=number)), "mail") for number in range(30)]
    for one in many:
        world.settle([(parcel, None) for parcel in world.add(one)])
    due = world.due(NOW + timedelta(hours=1))
    assert len(due) <= MOST
    assert due == [(one.notice.id, "mail") for one in many][-len(due) :]


def test_what_comes_a_second_time_is_there_already(world: World) -> None:
    """As when a spare book was taken over, and its process died before it could say so."""
    for _ in range(2):
        world.settle([(one, None) for one in world.add(Parcel(notice(), "mail"))])
    assert world.due() == [("n01", "mail")]


def test_a_decision_that_fails_changes_nothing(world: World) -> None:
    """All of it is one step."""
    world.turn(lambda _: ({"disk": Standing(NOW, NOW, bad=1)}, ()), CHANNELS, NOW)

    def fail(_: Book) -> tuple[Book, Sequence[Parcel]]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        world.turn(fail, CHANNELS, NOW)
    assert world.book() == {"disk": Standing(NOW, NOW, bad=1)}
