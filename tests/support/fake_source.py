"""A source that answers from a table, for tests of what comes after the listing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from camdl.ports import Listing, NoListing, Sighting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from camdl.deadline import Deadline
    from camdl.domain.captures import ListedCapture
    from camdl.ports import Wanted

    Answer = Listing | NoListing | BaseException


class FakeSource:
    """Implements `camdl.ports.Source`: `answers` by stream, which come in the table's order.

    What is an exception is raised. What is in `sightings` is told before, to those who want it
    early. `meanwhile` is called with each stream's name before its
    answer, and may take its time. `asked` is what was wanted, question by question, and `seconds`
    how long each answer could have taken.
    """

    def __init__(self, answers: Mapping[str, Answer] | None = None) -> None:
        self.answers = dict(answers or {})
        self.sightings: dict[str, tuple[ListedCapture, ...]] = {}
        self.meanwhile: Callable[[str], object] = lambda _: None
        self.asked: list[tuple[Wanted, ...]] = []
        self.seconds: list[float] = []

    def listings(
        self, wanted: Sequence[Wanted], now: datetime, deadline: Deadline
    ) -> Iterator[Sighting | Listing | NoListing]:
        """The answers of the table, and that a stream outside it could not be reached."""
        self._note(wanted, deadline)
        names = [one.stream.name for one in wanted]
        for one in wanted:
            if one.early and one.stream.name in self.sightings:
                yield Sighting(one.stream.name, self.sightings[one.stream.name])
        unknown = [name for name in names if name not in self.answers]
        for name in [*(one for one in self.answers if one in names), *unknown]:
            self.meanwhile(name)
            answer = self.answers.get(name, NoListing(name, "no such host", unreachable=True))
            if isinstance(answer, BaseException):
                raise answer
            yield answer

    def _note(self, wanted: Sequence[Wanted], deadline: Deadline) -> None:
        self.asked.append(tuple(wanted))
        self.seconds.append(deadline.remaining())


class DaySource(FakeSource):
    """A site with a date picker: it lists the shown day and each day that is asked for.

    It has the `captures` of all streams, and tells a day that it has forgotten as an empty one.
    """

    def __init__(self, captures: Iterable[ListedCapture] = ()) -> None:
        super().__init__()
        self.captures = list(captures)

    def listings(
        self, wanted: Sequence[Wanted], now: datetime, deadline: Deadline
    ) -> Iterator[Listing | NoListing]:
        """What it has by now, newest first."""
        self._note(wanted, deadline)
        for one in wanted:
            zone = one.stream.timezone
            days = (now.astimezone(zone).date(), *one.days)
            listed = [
                capture
                for capture in sorted(self.captures, reverse=True)
                if capture.capture.stream == one.stream.name
                and capture.capture.captured_at <= now
                and capture.capture.captured_at.astimezone(zone).date() in days
            ]
            yield Listing(one.stream.name, tuple(listed), "", days)
