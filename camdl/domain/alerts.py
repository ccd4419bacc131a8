"""When somebody is told of what: subjects, what is known of each, and what a new verdict changes.

A verdict on the archive is made of checks. People are told of *subjects*: a check's name is its
subject, or its subject and an aspect of that (`stream.in_gate.newest`). A subject is *open* from
its alert to its recovery. Every run is a process of its own, so all that decides is in the book of
standings, one for each subject that was bad lately; all that is well is not in it.

- An alert comes when a subject was bad `Rules.after` times in a row. What follows from one that is
  open is *covered*: no alert of its own, and counted anew once the cover is gone. So an outage of
  a whole site is one incident, whatever else turns bad because of it.
- A recovery comes with the first good verdict, at the latest after `Rules.after` of them where
  others that were told in the same alert are still bad. After a relapse it takes `Rules.after` in
  a row, and after each further one twice as many, so that a flapping camera is told of a few times
  and then stays open.
- A reminder comes each `Rules.repeat` as long as an open one is bad.
- What is unknown changes nothing: it is neither bad nor well.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from camdl.domain.captures import utc
from camdl.domain.health import Status, worst

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from camdl.domain.health import Check, Health

# A subject that no verdict speaks of any more, such as a stream that was taken out of the
# configuration, is forgotten after so long.
_FORGET = timedelta(days=7)
# Two looks without a run in between are two only if they are so far apart, as a share of the time
# between runs: timers are not exact.
_APART = 0.8
# Without these no run gets anything, and with these aspects of `download` no stream does.
_NEEDED = frozenset({"database", "archive", "browser", "lock"})
_STOPS_ALL = frozenset({"schedule", "outcome"})
_DISK = frozenset({"disk", "inodes"})
# Whose runs are subjects, by their verbs.
JOBS = frozenset({"download", "backfill", "cleanup", "verify"})
_NAMED = frozenset({"stream", "site"})


@dataclass(frozen=True, slots=True)
class Rules:
    """How patient, how persistent.

    `lowest` is the mildest status that is bad. Runs come `every` so long. `sites` tells the site
    of each stream.
    """

    after: int = 3
    repeat: timedelta = timedelta(hours=24)
    lowest: Status = Status.WARNING
    every: timedelta = timedelta(minutes=10)
    sites: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sight:
    """What one verdict says of a subject. `is_bad` is None where nothing is known.

    `checks` are those that make it so, the others left out.
    """

    is_bad: bool | None
    status: Status
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is remembered of a subject. Times are UTC.

    It was `bad` or `good` so many times in a row, bad since `since`; `counted_at` is when that
    counted last, and `seen_at` when anything was known of it. It is open since `alerted_at`, if
    it is, and was told at `told_at`. `relapses` counts the alerts that came soon after a recovery.
    """

    seen_at: datetime
    counted_at: datetime
    bad: int = 0
    good: int = 0
    since: datetime | None = None
    alerted_at: datetime | None = None
    told_at: datetime | None = None
    recovered_at: datetime | None = None
    relapses: int = 0

    @property
    def is_open(self) -> bool:
        """Whether an alert was told, and no recovery since."""
        return self.alerted_at is not None


# The standing of each subject that is not simply well.
Book: TypeAlias = "Mapping[str, Standing]"


@dataclass(frozen=True, slots=True)
class Turn:
    """What a verdict has changed: the new book, and the subjects to be told of, sorted.

    `before` holds the standings of those that recovered, as they were. `affected` are bad because
    of others, and `still_bad` are open and not told of this time.
    """

    book: Book
    alerts: tuple[str, ...] = ()
    reminders: tuple[str, ...] = ()
    recoveries: tuple[str, ...] = ()
    affected: tuple[str, ...] = ()
    still_bad: tuple[str, ...] = ()
    before: Book = field(default_factory=dict)

    @property
    def tells(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.alerts or self.reminders or self.recoveries)


def subject_of(check: str) -> str:
    """The subject of the check with this name."""
    parts = check.split(".")
    return ".".join(parts[: 2 if parts[0] in _NAMED else 1])


def sights(health: Health, rules: Rules) -> dict[str, Sight]:
    """What `health` says of each subject."""
    checks: dict[str, list[Check]] = {}
    for check in health.checks:
        checks.setdefault(subject_of(check.name), []).append(check)
    return {subject: _sight(some, rules) for subject, some in checks.items()}


def _sight(checks: list[Check], rules: Rules) -> Sight:
    bad = tuple(check for check in checks if worst([check.status, rules.lowest]) is check.status)
    unknown = tuple(check for check in checks if check.status is Status.UNKNOWN)
    decisive = bad or unknown or tuple(checks)
    is_bad = True if bad else None if unknown else False
    return Sight(is_bad, worst(check.status for check in decisive), decisive)


def consider(
    book: Book, seen: Mapping[str, Sight], rules: Rules, now: datetime, *, is_new: bool
) -> Turn:
    """What the verdict `seen` at `now` changes in `book`.

    `is_new` says that a run has just ended, so that a bad verdict is one more; others count once
    in the time between two runs.

    Raises:
        TypeError: `now` has no time zone.
    """
    now = utc(now)
    known = {subject: sight for subject, sight in seen.items() if sight.is_bad is not None}
    standings = dict(book)
    for subject, sight in known.items():
        before = book.get(subject) or Standing(now, now)
        standings[subject] = _step(before, sight, rules, now, is_new=is_new)
    bad = {subject: sight for subject, sight in known.items() if sight.is_bad}
    opening, covered = _opening(standings, seen, bad, rules)
    recovering = set(_recovering(standings, known, rules))
    reminding = {subject for subject in bad if _is_due(standings[subject], rules, now)}
    after = standings | {
        **{subject: _opened(standings[subject], rules, now) for subject in opening},
        **{subject: replace(standings[subject], bad=0, since=None) for subject in covered},
        **{subject: _recovered(standings[subject], now) for subject in recovering},
        **{subject: replace(standings[subject], told_at=now) for subject in reminding},
    }
    silent = after.keys() - opening - reminding
    return Turn(
        {
            subject: standing
            for subject, standing in after.items()
            if not _is_forgotten(standing, rules, now, is_seen=subject in seen)
        },
        alerts=tuple(sorted(opening)),
        reminders=tuple(sorted(reminding)),
        recoveries=tuple(sorted(recovering)),
        affected=tuple(sorted(covered)),
        still_bad=tuple(sorted(one for one in silent if after[one].is_open)),
        before={subject: standings[subject] for subject in recovering},
    )


def is_due_without_memory(since: datetime, rules: Rules, now: datetime) -> bool:
    """Whether to tell what is bad at `now` where nothing can be remembered, since `since`.

    It is so for one run of those that come `Rules.every`: when it has been bad for as long as
    `Rules.after` runs, and again after each `Rules.repeat`.

    Raises:
        TypeError: one of the times has no time zone.
    """
    lasted = utc(now) - utc(since)
    first = rules.after * rules.every
    return lasted >= first and (lasted - first) % rules.repeat < rules.every


def _step(before: Standing, sight: Sight, rules: Rules, now: datetime, *, is_new: bool) -> Standing:
    """`before`, after it was seen once more."""
    in_a_row = before.bad if sight.is_bad else before.good
    apart = abs(now - before.counted_at) >= _APART * rules.every
    counts = is_new or apart or in_a_row == 0
    after = replace(
        before,
        seen_at=now,
        counted_at=now if counts else before.counted_at,
        bad=before.bad + counts if sight.is_bad else 0,
        good=0 if sight.is_bad else before.good + counts,
    )
    if before.is_open:
        return after
    return replace(after, since=(before.since or now) if sight.is_bad else None)


def _opening(
    standings: Book, seen: Mapping[str, Sight], bad: Mapping[str, Sight], rules: Rules
) -> tuple[set[str], set[str]]:
    """The subjects of which an alert is due, and those that are bad because of an open one."""
    roots = {
        subject
        for subject, sight in seen.items()
        if sight.is_bad is not False and subject in standings and standings[subject].is_open
    }
    closed = [subject for subject in bad if not standings[subject].is_open]
    ripe = {subject for subject in closed if standings[subject].bad >= rules.after}
    # Cameras of one site that turn bad together seldom do so in the same minute.
    sites = {_site_of(subject, rules) for subject in ripe}
    at_once = {site for site in sites if _is_half_down(site, bad, rules)}
    ripe |= {one for one in closed if one.startswith("stream.") and _site_of(one, rules) in at_once}
    opening: set[str] = set()
    for subject in sorted(ripe, key=lambda one: (_rank(one, bad[one]), one)):
        if not _is_covered(subject, bad, roots | opening, rules):
            opening.add(subject)
    covered = {
        subject
        for subject in closed
        if subject not in opening and _is_covered(subject, bad, roots | opening, rules)
    }
    return opening, covered


def _rank(subject: str, sight: Sight) -> int:
    """Causes before what may follow from them."""
    if subject.startswith("stream."):
        return 2
    if subject.startswith("site."):
        return 3
    if subject in JOBS:
        return 1 if "schedule" in _aspects(sight) else 4
    return 0


def _is_covered(subject: str, bad: Mapping[str, Sight], roots: set[str], rules: Rules) -> bool:
    """Whether `subject`, which is bad, may well be so because one of the `roots` is."""
    if subject in JOBS:
        return _is_job_covered(subject, bad, roots)
    kind, _, name = subject.partition(".")
    if kind not in _NAMED:
        return False
    is_stopped = "download" in roots and bool(
        "download" not in bad or _STOPS_ALL & _aspects(bad["download"])
    )
    if is_stopped or roots & _NEEDED:
        return True
    if kind == "stream":
        return f"site.{rules.sites.get(name, '')}" in roots
    return any(f"stream.{one}" in roots for one, site in rules.sites.items() if site == name)


def _is_job_covered(job: str, bad: Mapping[str, Sight], roots: set[str]) -> bool:
    """Whether one of the `roots` explains what is bad about `job`."""
    if "schedule" in _aspects(bad[job]):
        return "lock" in roots
    is_full = any(bad[one].status is Status.CRITICAL for one in _DISK & roots & bad.keys())
    if is_full or roots & (_NEEDED - {"browser"}):
        return True
    # Only downloads ask for streams, in a browser.
    causes = (root == "browser" or root.partition(".")[0] in _NAMED for root in roots)
    return job == "download" and any(causes)


def _is_half_down(site: str, bad: Mapping[str, Sight], rules: Rules) -> bool:
    """Whether at least half of the streams of `site` are bad."""
    streams = [f"stream.{stream}" for stream, its_site in rules.sites.items() if its_site == site]
    return 0 < len(streams) <= 2 * sum(stream in bad for stream in streams)


def _aspects(sight: Sight) -> set[str]:
    return {check.name.rpartition(".")[2] for check in sight.checks}


def _site_of(subject: str, rules: Rules) -> str:
    """The site that `subject` is, or is a stream of; empty if it is neither."""
    kind, _, name = subject.partition(".")
    return {"site": name, "stream": rules.sites.get(name, "")}.get(kind, "")


def _opened(standing: Standing, rules: Rules, now: datetime) -> Standing:
    recovered = standing.recovered_at
    is_relapse = recovered is not None and abs(now - recovered) < rules.repeat
    return replace(
        standing,
        good=0,
        alerted_at=now,
        told_at=now,
        recovered_at=None,
        relapses=standing.relapses + 1 if is_relapse else 0,
    )


def _recovered(standing: Standing, now: datetime) -> Standing:
    return Standing(now, now, recovered_at=now, relapses=standing.relapses)


def _recovering(standings: Book, known: Mapping[str, Sight], rules: Rules) -> Iterator[str]:
    """The open subjects that are well again, for long enough."""
    good = {subject for subject, sight in known.items() if not sight.is_bad}
    for subject, standing in standings.items():
        if not standing.is_open or subject not in good:
            continue
        needed = _needed(standing, rules)
        with_it = (one for one in standings if standings[one].alerted_at == standing.alerted_at)
        if not good.issuperset(with_it):
            # Soon the others may be well too, and all of it one message.
            needed = max(needed, rules.after)
        if standing.good >= needed:
            yield subject


def _needed(standing: Standing, rules: Rules) -> int:
    """How many good verdicts in a row make a recovery."""
    if not standing.relapses:
        return 1
    most = max(rules.after, rules.repeat // rules.every)
    # Nobody relapses often enough for a larger power to matter.
    return min(rules.after << min(standing.relapses - 1, 20), most)


def _is_due(standing: Standing, rules: Rules, now: datetime) -> bool:
    """Whether it was told so long ago that it is to be told again."""
    told = standing.told_at
    # On both sides: a clock that was wrong by years, and was set, must not silence it for years.
    return told is not None and standing.is_open and abs(now - told) >= rules.repeat


def _is_forgotten(standing: Standing, rules: Rules, now: datetime, *, is_seen: bool) -> bool:
    if not is_seen and abs(now - standing.seen_at) >= _FORGET:
        return True
    if standing.is_open or standing.bad:
        return False
    return standing.recovered_at is None or abs(now - standing.recovered_at) >= rules.repeat
