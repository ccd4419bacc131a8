"""When somebody is told: when something turns bad, when it is well, and seldom between."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camdl.domain.alerts import (
    Rules,
    Sight,
    Standing,
    Turn,
    consider,
    is_due_without_memory,
    sights,
    subject_of,
)
from camdl.domain.health import Check, Database, Health, Status, Thresholds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from camdl.domain.alerts import Book

NOW = datetime(2025, 9, 8, 20, 0, tzinfo=UTC)
EVERY = timedelta(minutes=10)
DAY = timedelta(hours=24)
RULES = Rules(sites={"in_gate": "apm", "out_gate": "apm", "lone": "pier"})
IN, OUT, LONE = "stream.in_gate", "stream.out_gate", "stream.lone"
JOB, SITE = "download", "site.apm"
SUBJECTS = (IN, OUT, LONE, JOB, SITE, "site.pier", "disk", "database")
ASPECTS = {JOB: "outcome", "site.apm": "", "site.pier": "", "disk": "", "database": ""}


def sight(subject: str, state: bool | None, aspect: str | None = None) -> Sight:
    """One check of `subject` that is bad (True), well (False) or unknown."""
    aspect = ASPECTS.get(subject, "newest") if aspect is None else aspect
    status = {True: Status.CRITICAL, False: Status.HEALTHY, None: Status.UNKNOWN}[state]
    name = f"{subject}.{aspect}" if aspect else subject
    return Sight(state, status, (Check(name, status, "as it is"),))


def seen(**bad: bool | None) -> dict[str, Sight]:
    """All subjects are well but those given, by their names without the dots."""
    plain = {subject: subject.rpartition(".")[2] for subject in SUBJECTS}
    plain["site.apm"], plain["site.pier"] = "site", "pier"
    assert bad.keys() <= set(plain.values())
    return {subject: sight(subject, bad.get(name, False)) for subject, name in plain.items()}


class Watch:
    """Verdicts, one after the other, and what was told of each."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.rules = rules
        self.now = NOW
        self.book: Book = {}
        self.told: list[Turn] = []

    def see(self, what: Mapping[str, Sight], minutes: float = 10, *, is_new: bool = True) -> Turn:
        """A verdict so long after the last one."""
        self.now += timedelta(minutes=minutes)
        turn = consider(self.book, what, self.rules, self.now, is_new=is_new)
        self.book = turn.book
        if turn.tells:
            self.told.append(turn)
        return turn

    def see_often(self, what: Mapping[str, Sight], times: int) -> list[Turn]:
        """The same verdict again and again."""
        return [self.see(what) for _ in range(times)]

    def see_often_hourly(self, what: Mapping[str, Sight], times: int) -> None:
        """The same verdict each hour."""
        for _ in range(times):
            self.see(what, 60)

    @property
    def alerts(self) -> list[tuple[str, ...]]:
        """The subjects of each alert."""
        return [turn.alerts for turn in self.told if turn.alerts]

    @property
    def recoveries(self) -> list[tuple[str, ...]]:
        """The subjects of each recovery."""
        return [turn.recoveries for turn in self.told if turn.recoveries]

    @property
    def reminders(self) -> list[tuple[str, ...]]:
        """The subjects of each reminder."""
        return [turn.reminders for turn in self.told if turn.reminders]


# What is told of.


@pytest.mark.parametrize(
    ("check", "subject"),
    [
        ("stream.in_gate.newest", "stream.in_gate"),
        ("stream.in_gate", "stream.in_gate"),
        ("site.apm", "site.apm"),
        ("site.apm.page", "site.apm"),
        ("download.outcome", "download"),
        ("disk", "disk"),
        ("disk.inodes.more", "disk"),
    ],
)
def test_a_checks_name_begins_with_its_subject(check: str, subject: str) -> None:
    """Streams and sites have names of their own, everything else is one word."""
    assert subject_of(check) == subject


def health(*checks: Check) -> Health:
    """A verdict made of these."""
    return Health(
        Status.WARNING, NOW, "1", Database.CONNECTED, None, Thresholds(), (), (), tuple(checks)
    )


def test_a_subject_is_as_bad_as_the_worst_of_its_checks() -> None:
    """What is bad decides, and only that is told; then what is unknown; else all is well."""
    good = Check("stream.a.newest", Status.HEALTHY, "fresh")
    warning = Check("stream.a.failures", Status.WARNING, "failed")
    critical = Check("stream.a.size", Status.CRITICAL, "small")
    unknown = Check("stream.a.other", Status.UNKNOWN, "who knows")
    found = sights(health(good, warning, critical, unknown), RULES)["stream.a"]
    assert found == Sight(True, Status.CRITICAL, (warning, critical))
    assert sights(health(good, unknown), RULES)["stream.a"] == Sight(
        None, Status.UNKNOWN, (unknown,)
    )
    assert sights(health(good), RULES)["stream.a"] == Sight(False, Status.HEALTHY, (good,))


def test_warnings_may_be_none_of_anybodys_business() -> None:
    """With `alert_on = "critical"` a warning is as good as well."""
    warning = Check("disk", Status.WARNING, "80 %")
    rules = replace(RULES, lowest=Status.CRITICAL)
    assert sights(health(warning), RULES)["disk"].is_bad is True
    assert sights(health(warning), rules)["disk"].is_bad is False


# One alert, one recovery.


def test_six_failing_runs_and_a_recovery_are_two_messages() -> None:
    """One incident, although the job and the site turn bad after the streams."""
    watch = Watch()
    watch.see_often(seen(in_gate=True, out_gate=True, download=True), 3)
    watch.see_often(seen(in_gate=True, out_gate=True, download=True, site=True), 3)
    watch.see_often(seen(), 5)
    assert watch.alerts == [(IN, OUT)]
    assert watch.recoveries == [(IN, OUT)]
    assert len(watch.told) == 2
    assert watch.told[0].affected == (JOB,)


@pytest.mark.parametrize("after", [1, 2, 3, 5])
def test_it_takes_as_many_in_a_row_as_the_rules_say(after: int) -> None:
    """Not one less, and one that is well begins the count anew."""
    watch = Watch(replace(RULES, after=after))
    watch.see_often(seen(in_gate=True), after - 1)
    watch.see(seen())
    watch.see_often(seen(in_gate=True), after - 1)
    assert watch.alerts == []
    assert watch.see(seen(in_gate=True)).alerts == (IN,)
    assert watch.see(seen()).recoveries == (IN,)


def test_a_second_camera_is_a_new_alert() -> None:
    """Hours later, while the first is still down; that all of the site is bad then is no other."""
    watch = Watch()
    watch.see_often(seen(in_gate=True), 130)
    watch.see_often(seen(in_gate=True, out_gate=True, site=True), 10)
    assert watch.alerts == [(IN,), (OUT,)]
    assert watch.told[1].still_bad == (IN,)
    watch.see(seen(out_gate=True))
    # The other one may come back soon; then it is one message.
    assert watch.recoveries == [(IN,)]
    watch.see(seen())
    assert watch.recoveries == [(IN,), (OUT,)]


def test_cameras_of_a_site_that_turn_bad_one_after_the_other_are_one_alert() -> None:
    """Their captures are some minutes apart, and so are their last ones."""
    watch = Watch()
    watch.see(seen(in_gate=True))
    watch.see(seen(in_gate=True))
    watch.see_often(seen(in_gate=True, out_gate=True), 5)
    assert watch.alerts == [(IN, OUT)]
    watch.see(seen(out_gate=True))
    assert watch.see(seen()).recoveries == (IN, OUT)


def test_one_of_many_cameras_takes_no_others_with_it() -> None:
    """A camera that is bad for once has nothing to do with the one that is broken."""
    sites = {f"gate{number}": "apm" for number in range(10)}
    watch = Watch(replace(RULES, sites=sites))

    def verdict(*bad: str) -> dict[str, Sight]:
        return {f"stream.{name}": sight(f"stream.{name}", name in bad) for name in sites}

    watch.see_often(verdict("gate1"), 2)
    assert watch.see(verdict("gate1", "gate2")).alerts == ("stream.gate1",)


def test_what_recovers_later_is_waited_for_only_so_long() -> None:
    """Of two that were told together, one that is well is told after `after` times."""
    watch = Watch()
    watch.see_often(seen(in_gate=True, out_gate=True), 3)
    assert [turn.recoveries for turn in watch.see_often(seen(out_gate=True), 3)] == [(), (), (IN,)]
    assert watch.see(seen()).recoveries == (OUT,)


def test_a_site_alone_is_told() -> None:
    """Its streams, when they turn bad, are bad because of it."""
    watch = Watch()
    watch.see_often(seen(site=True), 3)
    watch.see_often(seen(site=True, in_gate=True, out_gate=True), 5)
    watch.see(seen())
    assert (watch.alerts, watch.recoveries) == ([(SITE,)], [(SITE,)])


def test_a_site_takes_its_streams_with_it() -> None:
    """The streams are told then, as they may recover one by one."""
    watch = Watch()
    watch.see_often(seen(site=True), 2)
    watch.see(seen(site=True, in_gate=True, out_gate=True))
    assert watch.alerts == [(IN, OUT)]


def test_a_job_that_is_not_started_explains_everything() -> None:
    """One alert of the job; when it runs again, what is still bad counts from then on."""
    stopped = sight(JOB, True, "schedule")
    watch = Watch()
    for _ in range(3):
        watch.see(seen() | {JOB: stopped}, is_new=False)
    for _ in range(9):
        watch.see(seen(in_gate=True, out_gate=True, lone=True) | {JOB: stopped}, is_new=False)
    assert watch.alerts == [(JOB,)]
    assert watch.see(seen(in_gate=True)).recoveries == (JOB,)
    assert watch.see_often(seen(in_gate=True), 2)[-1].alerts == (IN,)


def test_a_job_that_stops_while_a_camera_is_down_is_told() -> None:
    """A camera that fails does not keep cron from starting anything."""
    watch = Watch()
    watch.see_often(seen(in_gate=True), 3)
    stopped = seen(in_gate=True) | {JOB: sight(JOB, True, "schedule")}
    for _ in range(3):
        watch.see(stopped, is_new=False)
    assert watch.alerts == [(IN,), (JOB,)]


def test_runs_that_fail_as_a_whole_explain_streams_that_age() -> None:
    """As when there is no browser: the job's reason says more than theirs."""
    watch = Watch()
    watch.see_often(seen(download=True), 3)
    everything = {"in_gate": True, "out_gate": True, "lone": True, "site": True, "pier": True}
    watch.see_often(seen(download=True, **everything), 20)
    watch.see(seen())
    assert (watch.alerts, watch.recoveries) == ([(JOB,)], [(JOB,)])


def test_a_complaint_about_the_job_hides_no_camera() -> None:
    """Only what stops all runs explains a stream."""
    watch = Watch()
    complaint = {JOB: sight(JOB, True, "duration")}
    for _ in range(3):
        watch.see(seen() | complaint)
    for _ in range(3):
        watch.see(seen(lone=True) | complaint)
    assert watch.alerts == [(JOB,), (LONE,)]


def test_a_disk_that_fills_up_explains_runs_only_once_it_is_full() -> None:
    """A warning stands for weeks, and must not hide that runs fail."""
    watch = Watch()
    warning = {"disk": Sight(True, Status.WARNING, sight("disk", True).checks)}
    for _ in range(3):
        watch.see(seen() | warning)
    for _ in range(3):
        watch.see(seen(download=True) | warning)
    assert watch.alerts == [("disk",), (JOB,)]
    full = Watch()
    full.see_often(seen(disk=True), 1)
    full.see_often(seen(disk=True, download=True), 9)
    assert full.alerts == [("disk",)]


def test_a_catalogue_that_is_down_explains_the_rest() -> None:
    """Nothing is known of the streams then, and when it is back they have a few runs' time."""
    unknown = dict.fromkeys(("in_gate", "out_gate", "lone", "download"))
    watch = Watch()
    watch.see_often(seen(database=True, **unknown), 3)
    watch.see(seen(database=True, in_gate=True))
    watch.see(seen(in_gate=True, out_gate=True))
    watch.see(seen())
    assert (watch.alerts, watch.recoveries) == ([("database",)], [("database",)])


@pytest.mark.parametrize("cause", ["archive", "browser", "lock", "database"])
def test_what_no_run_can_do_without_explains_the_rest(cause: str) -> None:
    """Runs fail, then streams are silent, then their sites are: it is one incident."""
    watch = Watch()
    broken = {cause: sight(cause, True, "")}
    watch.see(seen(download=True) | broken)
    watch.see(seen(download=True) | broken)
    silent = {"in_gate": True, "out_gate": True, "lone": True, "site": True, "pier": True}
    for _ in range(9):
        watch.see(seen(download=True, **silent) | broken)
    watch.see(seen() | {cause: sight(cause, False, "")})
    assert (watch.alerts, watch.recoveries) == ([(cause,)], [(cause,)])


def test_a_run_that_hangs_is_why_no_other_starts() -> None:
    """It holds the lock."""
    watch = Watch()
    hangs = {"lock": sight("lock", True, ""), JOB: sight(JOB, True, "schedule")}
    for _ in range(6):
        watch.see(seen(in_gate=True) | hangs)
    assert watch.alerts == [("lock",)]


def test_a_clean_up_that_fails_is_told_whatever_cameras_do() -> None:
    """Only downloads ask for streams, in a browser; without an archive neither can do anything."""
    watch = Watch()
    failed = {"cleanup": sight("cleanup", True, "outcome")}
    watch.see_often(seen(in_gate=True), 3)
    for _ in range(3):
        watch.see(seen(in_gate=True) | failed | {"browser": sight("browser", True, "")})
    assert watch.alerts == [(IN,), ("browser", "cleanup")]
    unmounted = Watch()
    for _ in range(5):
        unmounted.see(seen() | failed | {"archive": sight("archive", True, "")})
    assert unmounted.alerts == [("archive",)]


# Looks between runs, and what is not known.


def test_looks_between_runs_count_once_in_their_time() -> None:
    """A verdict every minute does not make three failures of one."""
    watch = Watch()
    watch.see(seen(in_gate=True))
    for _ in range(7):
        watch.see(seen(in_gate=True), 1, is_new=False)
    assert watch.book[IN].bad == 1
    watch.see(seen(in_gate=True), 1, is_new=False)
    assert watch.book[IN].bad == 2
    watch.see(seen(in_gate=True), 1, is_new=False)
    assert watch.book[IN].bad == 2
    assert watch.see(seen(in_gate=True), 1).alerts == (IN,)
    assert watch.see(seen(), 1, is_new=False).recoveries == (IN,)


def test_what_is_unknown_changes_nothing() -> None:
    """It neither counts nor resets, and what is not known to be well has not recovered."""
    watch = Watch()
    watch.see_often(seen(in_gate=True), 2)
    before = watch.book
    watch.see_often(seen(in_gate=None), 5)
    assert watch.book == before
    assert watch.see(seen(in_gate=True)).alerts == (IN,)
    assert not any(turn.tells for turn in watch.see_often(seen(in_gate=None), 300))
    assert watch.see(seen()).recoveries == (IN,)


def test_what_is_gone_is_forgotten() -> None:
    """A stream that was taken out of the configuration is told of no more."""
    watch = Watch()
    watch.see_often(seen(in_gate=True), 3)
    rest = {subject: one for subject, one in seen().items() if subject != IN}
    for _ in range(8):
        watch.see(rest, 24 * 60)
    assert watch.book == {}
    assert len(watch.told) == 1


# Reminders and relapses.


def test_a_reminder_comes_each_time_so_long_after_the_last() -> None:
    """As long as it is bad, and no longer."""
    watch = Watch()
    watch.see_often(seen(in_gate=True), 3 + 3 * 144)
    watch.see_often(seen(), 300)
    assert [len(watch.alerts), len(watch.reminders), len(watch.recoveries)] == [1, 3, 1]


def test_a_clock_that_was_years_ahead_silences_nothing() -> None:
    """When it is set right, the next reminder does not wait for those years."""
    watch = Watch()
    watch.see_often(seen(in_gate=True), 3)
    watch.now -= timedelta(days=3000)
    assert watch.see(seen(in_gate=True)).reminders == (IN,)


def test_a_camera_that_is_bad_every_other_time_is_no_alert() -> None:
    """The runs in between get what was missed."""
    watch = Watch()
    for _ in range(100):
        watch.see(seen(in_gate=True))
        watch.see(seen())
    assert watch.told == []


def test_a_flapping_camera_is_told_of_a_few_times() -> None:
    """Bad for three runs, well for one, for two days: it stays open after its first relapse."""
    watch = Watch()
    for _ in range(72):
        watch.see_often(seen(in_gate=True), 3)
        watch.see(seen())
    assert len(watch.alerts) == 2
    assert len(watch.recoveries) == 1
    assert len(watch.reminders) == 1
    assert watch.see_often(seen(), 2)[-1].recoveries == (IN,)


def test_relapses_are_forgotten_after_a_quiet_day() -> None:
    """The next failure is as new as the first."""
    watch = Watch()
    for _ in range(2):
        watch.see_often(seen(in_gate=True), 3)
        watch.see_often(seen(), 3)
    assert len(watch.told) == 4
    watch.see_often(seen(), 144)
    assert watch.book == {}
    watch.see_often(seen(in_gate=True), 3)
    assert watch.see(seen()).recoveries == (IN,)


# Whatever happens.

STATES = st.sampled_from([True, True, True, False, False, None])
VERDICTS = st.fixed_dictionaries(dict.fromkeys(SUBJECTS, STATES)).map(
    lambda states: {subject: sight(subject, state) for subject, state in states.items()}
)
STEPS = st.lists(
    st.tuples(VERDICTS, st.sampled_from([6, 30, 60, 60, 60, 360, 1500]), st.booleans(),
              st.integers(1, 5)),
    max_size=12,
)  # fmt: skip
RULESETS = st.builds(
    Rules,
    after=st.integers(1, 4),
    repeat=st.sampled_from([timedelta(hours=6), DAY]),
    every=st.just(timedelta(hours=1)),
    sites=st.just(RULES.sites),
)


def walked(
    rules: Rules, steps: Iterable[tuple[dict[str, Sight], int, bool, int]]
) -> list[tuple[datetime, dict[str, Sight], Turn]]:
    """Every verdict of `steps`, each seen so often, and what came of it."""
    watch, found = Watch(rules), []
    for verdict, minutes, is_new, times in steps:
        for _ in range(times):
            turn = watch.see(verdict, minutes, is_new=is_new)
            found.append((watch.now, verdict, turn))
    return found


@settings(deadline=None)
@given(RULESETS, STEPS)
def test_alerts_and_recoveries_take_turns(
    rules: Rules, steps: list[tuple[dict[str, Sight], int, bool, int]]
) -> None:
    """No recovery without an alert, no second alert without a recovery, whatever is seen."""
    is_open: Counter[str] = Counter()
    for _, verdict, turn in walked(rules, steps):
        for subject in turn.alerts:
            assert not is_open[subject]
            assert verdict[subject].is_bad is True
            is_open[subject] = 1
        for subject in turn.reminders:
            assert is_open[subject]
            assert verdict[subject].is_bad is True
        for subject in turn.recoveries:
            assert is_open[subject]
            assert verdict[subject].is_bad is False
            is_open[subject] = 0
        assert set(turn.still_bad) <= {subject for subject in is_open if is_open[subject]}
        parts = [turn.alerts, turn.reminders, turn.recoveries, turn.still_bad, turn.affected]
        every = [subject for part in parts for subject in part]
        assert len(every) == len(set(every))


@settings(deadline=None)
@given(RULESETS, STEPS)
def test_the_same_is_told_again_only_after_its_time(
    rules: Rules, steps: list[tuple[dict[str, Sight], int, bool, int]]
) -> None:
    """Between two messages that a subject is bad lies a recovery, or the time of a reminder."""
    told: dict[str, datetime] = {}
    for now, _, turn in walked(rules, steps):
        for subject in (*turn.alerts, *turn.reminders):
            assert subject not in told or now - told[subject] >= rules.repeat
            told[subject] = now
        for subject in turn.recoveries:
            told.pop(subject, None)


@settings(deadline=None)
@given(RULESETS, STEPS)
def test_what_stays_bad_is_told_or_has_a_cause_that_was(
    rules: Rules, steps: list[tuple[dict[str, Sight], int, bool, int]]
) -> None:
    """Nothing that is bad long enough is kept from everybody."""
    watch = Watch(rules)
    for verdict, minutes, is_new, times in steps:
        for _ in range(times):
            watch.see(verdict, minutes, is_new=is_new)
    last = {subject: sight(subject, subject == LONE) for subject in SUBJECTS}
    if steps:
        last = {s: sight(s, one.is_bad is True) for s, one in steps[-1][0].items()}
    turns = watch.see_often(last, 8 * rules.after)
    is_open = {subject for subject, standing in watch.book.items() if standing.is_open}
    for subject, one in last.items():
        if one.is_bad:
            assert subject in is_open or (subject in turns[-1].affected and is_open)


@settings(deadline=None)
@given(RULESETS, STEPS)
def test_what_is_well_is_told_in_the_end(
    rules: Rules, steps: list[tuple[dict[str, Sight], int, bool, int]]
) -> None:
    """Once all stays well, every alert has its recovery, and the book is empty a while later."""
    watch = Watch(rules)
    for verdict, minutes, is_new, times in steps:
        for _ in range(times):
            watch.see(verdict, minutes, is_new=is_new)
    watch.see_often_hourly(seen(), 25)
    alerts = Counter(subject for turn in watch.told for subject in turn.alerts)
    assert alerts == Counter(subject for turn in watch.told for subject in turn.recoveries)
    watch.see_often_hourly(seen(), 25)
    assert watch.book == {}


@settings(deadline=None)
@given(st.integers(0, 2**300 - 1).map(lambda bits: [bool(bits >> n & 1) for n in range(300)]))
def test_no_pattern_makes_many_messages_a_day(pattern: list[bool]) -> None:
    """However a camera comes and goes: two days of it are not more than a few messages."""
    watch = Watch()
    for is_bad in pattern:
        watch.see({IN: sight(IN, is_bad)})
    assert len(watch.told) <= 16


def test_the_worst_pattern_makes_few_messages_a_day() -> None:
    """Always well just long enough to recover, then bad just long enough for an alert."""
    watch = Watch()
    for _ in range(288):
        standing = watch.book.get(IN, Standing(NOW, NOW))
        watch.see(seen(in_gate=not standing.is_open))
    assert 8 <= len(watch.told) <= 16


# Without a memory.


@given(
    st.integers(1, 5),
    st.sampled_from([2, 24]),
    st.integers(0, 600),
)
def test_without_memory_one_run_tells(after: int, hours: int, offset_seconds: int) -> None:
    """Of those that come in time, one in each repetition, and the first when it is due."""
    rules = replace(RULES, after=after, repeat=timedelta(hours=hours))
    since = NOW + timedelta(seconds=offset_seconds)
    runs = [NOW + number * EVERY for number in range(1, 6 * 50)]
    told = [run for run in runs if is_due_without_memory(since, rules, run)]
    assert after * EVERY <= told[0] - since < (after + 1) * EVERY
    gaps = {later - earlier for earlier, later in itertools.pairwise(told)}
    assert gaps == {rules.repeat}


def test_a_time_without_a_zone_is_refused() -> None:
    """Nobody knows which instant it means."""
    naive = NOW.replace(tzinfo=None)
    with pytest.raises(TypeError, match="no time zone"):
        consider({}, {}, RULES, naive, is_new=True)
    with pytest.raises(TypeError, match="no time zone"):
        is_due_without_memory(naive, RULES, NOW)
