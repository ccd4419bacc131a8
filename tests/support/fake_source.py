"""A source that answers from a table, for tests of what comes after the listing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from camdl.ports import NoListing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from camdl.deadline import Deadline
    from camdl.ports import Listing, Wanted

    Answer = Listing | NoListing | BaseException


class FakeSource:
    """Implements `camdl.ports.Source`: `answers` by stream, which come in the table's order.

    What is an exception is raised. `meanwhile` is called with each stream's name before its
    answer, and may take its time. `asked` is what was wanted, question by question.
    """

    def __init__(self, answers: Mapping[str, Answer] | None = None) -> None:
        self.answers = dict(answers or {})
        self.meanwhile: Callable[[str], object] = lambda _: None
        self.asked: list[tuple[Wanted, ...]] = []

    def listings(
        self, wanted: Sequence[Wanted], now: datetime, deadline: Deadline
    ) -> Iterator[Listing | NoListing]:
        """The answers of the table, and that a stream outside it could not be reached."""
        self.asked.append(tuple(wanted))
        names = [one.stream.name for one in wanted]
        unknown = [name for name in names if name not in self.answers]
        for name in [*(one for one in self.answers if one in names), *unknown]:
            self.meanwhile(name)
            answer = self.answers.get(name, NoListing(name, "no such host", unreachable=True))
            if isinstance(answer, BaseException):
                raise answer
            yield answer
