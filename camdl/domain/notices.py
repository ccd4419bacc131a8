"""What is told, in words: one notice of all that a verdict has changed, good on a telephone.

Plain text, short lines, the worst first: which stream, since when, what was tried, what to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from camdl.domain.alerts import JOBS
from camdl.domain.captures import utc
from camdl.domain.durations import in_words
from camdl.domain.health import iso, worst
from camdl.domain.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from camdl.domain.alerts import Rules, Sight, Standing, Turn

_TITLE = 150
_MOST_NAMES = 4


class Kind(StrEnum):
    """What a notice is, after the most urgent thing in it."""

    ALERT = "alert"
    REMINDER = "reminder"
    RECOVERY = "recovery"
    TRIAL = "trial"


@dataclass(frozen=True, slots=True)
class Item:
    """One subject of a notice. `since` (UTC) is when it turned bad, None where nobody knows."""

    kind: Kind
    subject: str
    status: str
    since: datetime | None
    reason: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell people. `at` is UTC, and `id` is no other notice's."""

    id: str
    kind: Kind
    at: datetime
    title: str
    body: str
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """It is on its way. `answer` is what was answered, in one line."""

    answer: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """It could not be sent, or nobody knows whether it was. `reason` is one line."""

    reason: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a notice comes from: the machine's name, and its configuration file, if it has one.

    `hide` takes secrets out of a text.
    """

    host: str
    config: str = ""
    hide: Callable[[str], str] = str

    @property
    def flag(self) -> str:
        """What names the configuration on a command line, with a blank before it."""
        return f" --config {self.config}" if self.config else ""


def name_of(subject: str) -> str:
    """What people call `subject`."""
    kind, _, name = subject.partition(".")
    if kind == "stream":
        return name
    if kind == "site":
        return f"site {name}"
    if subject in JOBS:
        return f"camdl {subject}"
    return "catalogue" if subject == "database" else subject


def compose(
    turn: Turn,
    seen: Mapping[str, Sight],
    rules: Rules,
    place: Place,
    *,
    now: datetime,
    notice_id: str,
) -> Notice | None:
    """What to tell of `turn`, which the verdict `seen` made at `now`; None if there is nothing.

    Raises:
        TypeError: `now` has no time zone.
    """
    if not turn.tells:
        return None
    telling = _Telling(turn, seen, rules, place, utc(now))
    title = one_line(f"[camdl {place.host}] {telling.title()}", _TITLE)
    return Notice(
        notice_id,
        telling.items[0].kind,
        telling.now,
        place.hide(title),
        place.hide("".join(f"{line}\n" for line in telling.lines())),
        telling.items,
    )


def trial(place: Place, now: datetime, notice_id: str) -> Notice:
    """A notice that tells nothing, to see whether it comes.

    Raises:
        TypeError: `now` has no time zone.
    """
    now = utc(now)
    body = (
        f"This is a trial: somebody ran camdl alert test on {place.host}, at {_clock(now)}.\n"
        "Nothing is wrong. Alerts of this archive come to where you are reading this.\n"
    )
    return Notice(notice_id, Kind.TRIAL, now, f"[camdl {place.host}] trial of the alerts", body)


def as_json(notice: Notice, host: str) -> dict[str, object]:
    """The form of the web hook, from the machine `host`; times are ISO 8601 with `Z`."""
    return {
        "id": notice.id,
        "event": str(notice.kind),
        "at": iso(notice.at),
        "host": host,
        "title": notice.title,
        # What chat programs show of such a message.
        "text": f"{notice.title}\n\n{notice.body}",
        "subjects": [item_as_json(item) for item in notice.items],
    }


def item_as_json(item: Item) -> dict[str, object]:
    """The form of one subject in it."""
    return {
        "event": str(item.kind),
        "subject": item.subject,
        "name": name_of(item.subject),
        "status": item.status,
        "since": iso(item.since),
        "reason": item.reason,
        "advice": item.advice,
    }


def item_of_json(told: Mapping[str, str]) -> Item:
    """What `item_as_json` has told.

    Raises:
        KeyError, TypeError, ValueError: it has not told that.
    """
    since = told["since"]
    return Item(
        Kind(told["event"]),
        told["subject"],
        told["status"],
        datetime.fromisoformat(since) if since else None,
        told["reason"],
        told["advice"],
    )


class _Telling:
    """A turn put into words. `items` are its subjects, the most urgent first."""

    def __init__(
        self, turn: Turn, seen: Mapping[str, Sight], rules: Rules, place: Place, now: datetime
    ) -> None:
        """Say what is to be told."""
        self.now = now
        self._turn = turn
        self._seen = seen
        self._rules = rules
        self._place = place
        self.items = tuple(self._items())

    def title(self) -> str:
        """The subject line."""
        turn, parts = self._turn, []
        if turn.alerts:
            also = "ALSO " if turn.still_bad or turn.reminders else ""
            parts.append(f"{also}{self._status(turn.alerts)}: {_names(turn.alerts)}")
        if turn.reminders:
            lasted = max(self.now - _begin(turn.book[one]) for one in turn.reminders)
            status = f"STILL {self._status(turn.reminders)} after {in_words(lasted)}"
            parts.append(f"{status}: {_names(turn.reminders)}")
        if turn.recoveries:
            parts.append(f"recovered: {_names(turn.recoveries)}")
        if turn.still_bad and not turn.alerts:
            parts.append(f"still bad: {_names(turn.still_bad)}")
        return "; ".join(parts)

    def lines(self) -> Iterator[str]:
        """The text."""
        for item in self.items:
            yield from self._about(item)
            yield ""
        yield from self._also("Bad because of that, or for the same reason:", self._turn.affected)
        yield from self._also("Told of before, and not well yet:", self._turn.still_bad)
        yield f"For all of it, on {self._place.host}:"
        yield f"camdl health -v{self._place.flag}"
        if any(item.kind is not Kind.RECOVERY for item in self.items):
            hours = self._rules.repeat / timedelta(hours=1)
            yield f"You will be told when it is well again, and each {hours:g} h until then."
        elif not self._turn.still_bad:
            yield "Nothing else that you were told of is bad."

    def _items(self) -> Iterator[Item]:
        turn = self._turn
        for kind, subjects, standings in (
            (Kind.ALERT, turn.alerts, turn.book),
            (Kind.REMINDER, turn.reminders, turn.book),
            (Kind.RECOVERY, turn.recoveries, turn.before),
        ):
            for subject in subjects:
                yield Item(
                    kind,
                    subject,
                    str(self._seen[subject].status),
                    standings[subject].since,
                    self._place.hide("; ".join(self._reasons(subject))),
                    self._place.hide(" ".join(self._advice(subject))),
                )

    def _about(self, item: Item) -> Iterator[str]:
        name = name_of(item.subject)
        if item.kind is Kind.RECOVERY:
            lasted = self._turn.before[item.subject]
            yield f"{name} is well again."
            yield f"It was bad for {in_words(self.now - _begin(lasted))}, {_since(lasted)}."
            yield f"Now: {item.reason}"
            return
        standing = self._turn.book[item.subject]
        lasts = in_words(self.now - _begin(standing))
        yield f"{name}: {item.status} {_since(standing)} ({lasts})"
        yield item.reason
        often = f"{_times(standing.bad)} in a row, the last at {_clock(standing.counted_at)}"
        yield f"{'Tried' if _is_tried(item.subject) else 'Found so'} {often}."
        if item.advice:
            yield f"What to do: {item.advice}"

    def _also(self, heading: str, subjects: Sequence[str]) -> Iterator[str]:
        if not subjects:
            return
        yield heading
        for subject in subjects:
            name = name_of(subject)
            said = "; ".join(self._reasons(subject)) if subject in self._seen else "not looked at"
            yield f"- {said if said.startswith(name) else f'{name}: {said}'}"
        yield ""

    def _reasons(self, subject: str) -> list[str]:
        prefix = f"{name_of(subject)}: "
        return [check.reason.removeprefix(prefix) for check in self._seen[subject].checks]

    def _advice(self, subject: str) -> list[str]:
        said = [check.advice for check in self._seen[subject].checks if check.advice]
        return list(dict.fromkeys(said))

    def _status(self, subjects: Sequence[str]) -> str:
        return worst(self._seen[subject].status for subject in subjects).upper()


def _names(subjects: Sequence[str]) -> str:
    shown = [name_of(subject) for subject in subjects[:_MOST_NAMES]]
    more = len(subjects) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _is_tried(subject: str) -> bool:
    """Whether something was to be had each time, and not only looked at."""
    return subject.startswith(("stream.", "site.")) or subject == "download"


def _begin(standing: Standing) -> datetime:
    return standing.since or standing.seen_at


def _since(standing: Standing) -> str:
    return f"since {_clock(_begin(standing))}"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _clock(moment: datetime) -> str:
    return f"{utc(moment):%Y-%m-%d %H:%M} UTC"
