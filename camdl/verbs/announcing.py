"""What every run does last: tell people what its verdict has changed, and what is still unsent.

Nothing here changes how a run ended, and all of it is over at a deadline. What is remembered is in
the catalogue. Where that fails, which is when it matters most, a spare book goes on from there; and
where nothing at all can be written, one run in each `Rules.repeat` tells what is bad.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from camdl.domain.alerts import Standing, consider, is_due_without_memory, sights
from camdl.domain.notices import NotSent, Sent, compose, trial
from camdl.domain.outcomes import Outcome
from camdl.domain.text import one_line
from camdl.errors import CamdlError, ExitCode
from camdl.ports import Parcel
from camdl.verbs.running import run_id
from camdl.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from camdl.deadline import Deadline
    from camdl.domain.alerts import Book, Rules
    from camdl.domain.health import Health
    from camdl.domain.notices import Notice, Place
    from camdl.domain.outcomes import RunRecord
    from camdl.errors import EndOfRun
    from camdl.ports import AlertBook, Notifier, SpareBook

    Tried = list[tuple[Parcel, Sent | NotSent | None]]

_LOG = logging.getLogger("camdl")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# For a notifier that has been cut to say so.
_GRACE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Order:
    """By which rules to tell, and from where. `is_new`: a run has just ended."""

    rules: Rules
    place: Place
    is_new: bool


class Tools(Protocol):
    """What telling needs of the world."""

    @property
    def notifiers(self) -> Sequence[Notifier]:
        """Every configured way to tell people."""
        ...

    @property
    def spare(self) -> SpareBook:
        """What remembers while the catalogue cannot."""
        ...

    def now(self) -> datetime:
        """The instant it is, in UTC."""
        ...

    def book(self) -> AbstractContextManager[AlertBook]:
        """What the catalogue remembers.

        Raises:
            CamdlError: it cannot be had.
        """
        ...

    def last_verdict(self) -> datetime | None:
        """When a verdict was last written, if that can be told, in UTC."""
        ...


def announce(order: Order, verdict: Health, tools: Tools, deadline: Deadline) -> None:
    """Tell what `verdict` changes, and try again what could not be sent, until `deadline`."""
    telling = _Telling(order, verdict, tools)
    parcels = telling.turn()
    tried = deliver(parcels, tools.notifiers, order.place, deadline)
    for parcel, outcome in tried:
        if isinstance(outcome, NotSent):
            # Once is enough under cron, which mails each line.
            level = logging.INFO if parcel.tries else logging.WARNING
            what = f"{parcel.notice.title!r} could not be sent by {parcel.channel}"
            _LOG.log(level, "%s: %s; the next run tries again", what, outcome.reason)
        elif outcome:
            _LOG.info("%r was sent by %s: %s", parcel.notice.title, parcel.channel, outcome.answer)
    telling.settle(tried)


def deliver(
    parcels: Sequence[Parcel], notifiers: Sequence[Notifier], place: Place, deadline: Deadline
) -> Tried:
    """Send `parcels`, by all ways at once, and say what became of each.

    Of one way they go out in order, up to the first that cannot be sent; None is of the rest.
    """
    done: Tried = []

    def send(notifier: Notifier) -> None:
        for parcel in parcels:
            if parcel.channel == notifier.name:
                outcome = _send(notifier, parcel.notice, place, deadline)
                done.append((parcel, outcome))
                if isinstance(outcome, NotSent):
                    return

    channels = {parcel.channel for parcel in parcels}
    used = [notifier for notifier in notifiers if notifier.name in channels]
    workers = Workers(send, len(used))
    workers.give(used)
    ended = {notifier.name for notifier, _ in workers.finished(deadline, _GRACE_SECONDS)}
    workers.stop()
    # A copy: what was left behind may yet end.
    so_far = list(done)
    return [*so_far, *_left_over(parcels, so_far, ended)]


@dataclass(frozen=True, slots=True)
class Trial:
    """What each way to tell people has answered, by its name."""

    outcomes: Sequence[tuple[str, Sent | NotSent]]

    @property
    def exit_code(self) -> ExitCode:
        """That of the command: partly, if one of them did not take it."""
        all_sent = all(isinstance(outcome, Sent) for _, outcome in self.outcomes)
        return ExitCode.OK if all_sent else ExitCode.PARTLY

    def lines(self) -> Iterator[str]:
        """One for each of them."""
        for name, outcome in self.outcomes:
            if isinstance(outcome, Sent):
                yield f"{name}: sent: {outcome.answer}"
            else:
                yield f"{name}: NOT sent: {outcome.reason}"


def try_out(
    notifiers: Sequence[Notifier], place: Place, now: datetime, deadline: Deadline
) -> Trial:
    """Send a trial by all ways at once."""
    notice = trial(place, now, run_id(now))
    parcels = [Parcel(notice, notifier.name) for notifier in notifiers]
    outcomes = {parcel.channel: one for parcel, one in deliver(parcels, notifiers, place, deadline)}
    return Trial([(one.name, outcomes[one.name] or NotSent("nobody tried")) for one in notifiers])


def is_good(run: RunRecord) -> bool:
    """Whether a dead man's switch may rest: the job ran, and did what could be done.

    A camera that fails is told of by alerts. It must not keep the switch open for weeks, which
    could then tell of nothing else.
    """
    return run.outcome in (Outcome.OK, Outcome.PARTLY)


def account(run: RunRecord, error: EndOfRun | None, logged: Sequence[str], place: Place) -> str:
    """How `run` ended, in lines, the last words of its log among them."""
    lines = [f"camdl {run.verb} on {place.host}: {run.outcome}, exit code {run.exit_code}"]
    lines += [one_line(f"{part.stream}: {part.reason}") for part in run.streams if part.reason]
    lines += logged
    if run.error:
        lines.append(run.error)
    if error and error.advice:
        lines.append(error.advice)
    return place.hide("".join(f"{line}\n" for line in lines))


class _Telling:
    """One verdict, on its way to people."""

    def __init__(self, order: Order, verdict: Health, tools: Tools) -> None:
        self._order = order
        self._tools = tools
        self._now = tools.now()
        self._seen = sights(verdict, order.rules)
        self._notice_id = run_id(self._now)
        self._channels = [notifier.name for notifier in tools.notifiers]
        self._settle: Callable[[Tried], None] = lambda _: None

    def turn(self) -> tuple[Parcel, ...]:
        """What is to be sent now, and is nobody else's."""
        with ExitStack() as stack:
            spare = self._hold_spare(stack)
            try:
                return self._in_catalogue(spare)
            except CamdlError as error:
                _LOG.info("alerts go on without the catalogue: %s", error)
            if spare:
                with suppress(CamdlError):
                    parcels = spare.turn(self._decide, self._channels, self._now)
                    self._settle = self._settle_in_spare
                    return parcels
        return self._without_memory()

    def settle(self, tried: Tried) -> None:
        """Remember what became of it; what is not remembered is sent once more."""
        try:
            self._settle(tried)
        except CamdlError as error:
            _LOG.info("what was sent could not be noted: %s", error)

    def _hold_spare(self, stack: ExitStack) -> SpareBook | None:
        spare = self._tools.spare
        try:
            stack.enter_context(spare.held())
        except CamdlError as error:
            _LOG.info("alerts have no spare book: %s", error)
            return None
        return spare

    def _in_catalogue(self, spare: SpareBook | None) -> tuple[Parcel, ...]:
        ahead = None
        if spare:
            with suppress(CamdlError):
                ahead = spare.ahead()
        after: Book = {}

        def decide(book: Book) -> tuple[Book, Sequence[Parcel]]:
            nonlocal after
            carried: Sequence[Parcel] = ahead.parcels if ahead else ()
            if ahead and all(standing.seen_at <= ahead.at for standing in book.values()):
                book = ahead.book
            after, added = self._decide(book)
            return after, [*carried, *added]

        with self._tools.book() as book:
            parcels = book.turn(decide, self._channels, self._now)
        self._settle = self._settle_in_catalogue
        if spare:
            with suppress(CamdlError):
                spare.mirror(after)
        return parcels

    def _decide(self, book: Book) -> tuple[Book, list[Parcel]]:
        rules, place = self._order.rules, self._order.place
        turn = consider(book, self._seen, rules, self._now, is_new=self._order.is_new)
        notice = compose(turn, self._seen, rules, place, now=self._now, notice_id=self._notice_id)
        if notice is None:
            return turn.book, []
        return turn.book, [Parcel(notice, channel) for channel in self._channels]

    def _settle_in_catalogue(self, tried: Tried) -> None:
        with self._tools.book() as book:
            book.settle(tried, self._tools.now())

    def _settle_in_spare(self, tried: Tried) -> None:
        spare = self._tools.spare
        with spare.held():
            spare.settle(tried, self._tools.now())

    def _without_memory(self) -> tuple[Parcel, ...]:
        """What is bad, if this is the run that tells it."""
        since, rules = self._tools.last_verdict() or _EPOCH, self._order.rules
        if not is_due_without_memory(since, rules, self._now):
            return ()
        bad = replace(Standing(since, since, since=since), bad=rules.after)
        book = {subject: bad for subject, sight in self._seen.items() if sight.is_bad}
        return tuple(self._decide(book)[1])


def _send(notifier: Notifier, notice: Notice, place: Place, deadline: Deadline) -> Sent | NotSent:
    try:
        outcome = notifier.send(notice, deadline)
    except Exception as error:  # noqa: BLE001  # one way must not stop the others, nor the run
        return NotSent(place.hide(one_line(f"{type(error).__name__}: {error}")))
    if isinstance(outcome, Sent):
        return Sent(place.hide(outcome.answer))
    return NotSent(place.hide(outcome.reason))


def _left_over(
    parcels: Sequence[Parcel], done: Tried, ended: set[str]
) -> Iterator[tuple[Parcel, NotSent | None]]:
    """The outcome of what is not `done`: the first of a way that has not `ended` took too long."""
    settled = {(parcel.notice.id, parcel.channel) for parcel, _ in done}
    late: set[str] = set()
    for parcel in parcels:
        if (parcel.notice.id, parcel.channel) not in settled:
            is_late = parcel.channel not in ended | late
            late.add(parcel.channel)
            yield parcel, NotSent("it did not end in time") if is_late else None
