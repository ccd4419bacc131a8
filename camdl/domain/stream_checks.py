"""The rules for streams: how old the newest capture may be, how often a listing may fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from camdl.domain.durations import in_words
from camdl.domain.health import (
    CRITICAL_INTERVALS,
    WARNING_INTERVALS,
    Check,
    Database,
    Status,
    StreamHealth,
    by_age,
    clock,
    in_the_future,
    worst,
)
from camdl.domain.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta

    from camdl.domain.facts import StreamFacts
    from camdl.domain.outcomes import StreamHistory

_CRITICAL_FAILURES = 3
_SILENT = frozenset({Status.WARNING, Status.CRITICAL})


def stream_checks(
    stream: StreamFacts, database: Database, now: datetime, *, has_ended: bool
) -> tuple[Check, ...]:
    """What is to be said of `stream` at `now`; `has_ended` says that a download ever has."""
    newest = f"stream.{stream.name}.newest"
    if stream.history is None:
        reason = f"{stream.name}: nothing is known of it, since the catalogue could not be read"
        if database is Database.ABSENT:
            reason = f"{stream.name}: no run has read it yet"
        return (Check(newest, Status.UNKNOWN, reason),)
    failures = _failures_check(stream.name, stream.history)
    if stream.history.newest is None:
        nothing = _nothing_yet_check(newest, stream, stream.history, now, has_ended=has_ended)
        return nothing, failures
    return _age_check(newest, stream, stream.history.newest, now), failures


def stream_health(stream: StreamFacts, checks: Sequence[Check], now: datetime) -> StreamHealth:
    """The verdict on `stream`, of which those are the checks."""
    history = stream.history
    newest = history.newest if history else None
    return StreamHealth(
        name=stream.name,
        status=worst(check.status for check in checks),
        interval=stream.interval,
        newest=newest,
        age=now - newest if newest else None,
        consecutive_failures=history.consecutive_failures if history else None,
        site=stream.site,
        open_age=_open_for(stream, newest, now) if newest else None,
    )


def site_checks(streams: Sequence[StreamHealth], *, has_run: bool) -> Iterator[Check]:
    """Of each site: is a camera silent, or all of it?

    `has_run` says that runs have asked for its streams: else their silence says nothing of it.
    """
    sites = sorted({stream.site for stream in streams if stream.site})
    silent = [stream for stream in streams if stream.status in _SILENT]
    everywhere = len(sites) > 1 and len(silent) == len(streams)
    for site in sites:
        of_site = [stream for stream in streams if stream.site == site]
        if all(stream.status is Status.UNKNOWN for stream in of_site):
            continue  # the check of the database says why
        name = f"site.{site}"
        silent = [stream for stream in of_site if stream.status in _SILENT]
        if not silent:
            yield Check(name, Status.HEALTHY, f"site {site}: no stream is silent")
        elif not has_run:
            told = f"site {site}: nothing is known of it, since camdl download did not run"
            yield Check(name, Status.UNKNOWN, told, "See download.schedule.")
        elif len(silent) == len(of_site):
            yield _silent_site_check(name, site, of_site, everywhere=everywhere)
        else:
            yield _silent_camera_check(name, site, silent)


def _open_for(stream: StreamFacts, since: datetime, now: datetime) -> timedelta:
    """How long the gate was open since then; what is yet to come counts as it is."""
    return stream.closed.open_time(since, now) if now > since else now - since


def _by_stream_age(age: timedelta, interval: timedelta) -> Status:
    return by_age(age, WARNING_INTERVALS * interval, CRITICAL_INTERVALS * interval)


def _age_check(name: str, stream: StreamFacts, newest: datetime, now: datetime) -> Check:
    age, open_for = now - newest, _open_for(stream, newest, now)
    if age < -stream.interval:
        return in_the_future(name, f"{stream.name}: the newest capture is {in_words(age)}")
    status = _by_stream_age(open_for, stream.interval)
    reason = f"{stream.name}: the newest capture is {in_words(age)} old, of {clock(newest)}"
    if open_for != age:
        reason += f"; the gate has been open for {in_words(open_for)} since"
    advice = "" if status is Status.HEALTHY else "Look whether the camera's page shows newer ones."
    return Check(name, status, reason, advice)


def _nothing_yet_check(
    name: str, stream: StreamFacts, history: StreamHistory, now: datetime, *, has_ended: bool
) -> Check:
    """Judge a stream without a capture by how long runs have asked for it."""
    if history.asked_since is None:
        status = Status.WARNING if has_ended else Status.UNKNOWN
        advice = "Run camdl download for it, or take it out of stream_names."
        return Check(name, status, f"{stream.name}: no run has read it yet", advice)
    open_for = _open_for(stream, history.asked_since, now)
    status = _by_stream_age(open_for, stream.interval)
    age = in_words(now - history.asked_since)
    reason = f"{stream.name}: no capture yet, though runs ask for it since {age}"
    advice = "Check the stream's name, and its site's page and image templates."
    return Check(name, worst([Status.WARNING, status]), reason, advice)


def _failures_check(stream: str, history: StreamHistory) -> Check:
    name, times = f"stream.{stream}.failures", history.consecutive_failures
    if times < 1:
        return Check(name, Status.HEALTHY, f"{stream}: its last listing came")
    often = f"failed {times} times in a row" if times > 1 else "failed in the last run"
    why = history.last_reason or "no reason is recorded"
    return Check(
        name,
        Status.CRITICAL if times >= _CRITICAL_FAILURES else Status.WARNING,
        one_line(f"{stream}: {often}: {why}"),
        "Look at the camera's page, and at what the run kept of it in the diagnostics directory.",
    )


def _silent_site_check(
    name: str, site: str, silent: Sequence[StreamHealth], *, everywhere: bool
) -> Check:
    status = worst(stream.status for stream in silent)
    if everywhere:
        told = f"site {site}: it is silent, as all other sites are: the network of this machine"
        return Check(name, status, told, "Check that this machine reaches the network.")
    if len(silent) == 1:
        told = f"site {site}: its one stream {silent[0].name} is silent: camera, site or network"
    else:
        told = f"all streams of site {site} are silent: the site or the network"
    return Check(name, status, told, "Open the site's page in a browser, from here if you can.")


def _silent_camera_check(name: str, site: str, silent: Sequence[StreamHealth]) -> Check:
    critical = any(stream.status is Status.CRITICAL for stream in silent)
    names = ", ".join(stream.name for stream in silent)
    one = len(silent) == 1
    told = (
        f"{names} {'is' if one else 'are'} silent, the others of site {site} are fine: "
        f"{'its camera' if one else 'their cameras'}"
    )
    advice = "Look at the camera's page; what its operator can mend is to be told there."
    return Check(name, Status.DEGRADED if critical else Status.WARNING, told, advice)
