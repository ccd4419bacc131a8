"""The rules for jobs: that they still run, and how the last run of each ended."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from camdl.domain.durations import in_words
from camdl.domain.health import Check, JobHealth, Status, by_age, clock, in_the_future
from camdl.domain.outcomes import Outcome
from camdl.domain.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, tzinfo

    from camdl.domain.facts import JobFacts
    from camdl.domain.outcomes import RunRecord

# A daily job that is two hours late is late; one of every ten minutes when it was left out once.
_PATIENCE = timedelta(hours=2)
_LONGEST_RUN = timedelta(hours=6)
# What one of these could not do is still to be done. A download's next run does it.
_MUST_BE_WHOLE = frozenset({"cleanup", "verify"})


def lateness(job: JobFacts, since: datetime | None, now: datetime) -> Status:
    """How late `job` is; one that never ran is as late as if it had when the archive began."""
    last = job.history.last if job.history else None
    began = last.started_at if last else since
    if not job.scheduled or began is None:
        return Status.HEALTHY
    patience = min(job.every, _PATIENCE)
    return by_age(now - began, job.every + patience, 2 * job.every + patience)


def job_checks(job: JobFacts, since: datetime | None, now: datetime) -> Iterator[Check]:
    """What is to be said of `job` at `now`; `since` is when the first of all runs began."""
    if not job.scheduled or job.history is None:
        return
    yield _schedule_check(job, since, now)
    if job.history.last is not None:
        yield _outcome_check(job, job.history.last, now)


def job_health(job: JobFacts, now: datetime, zone: tzinfo) -> JobHealth:
    """The runs of `job`, and its next one by the schedule."""
    last = job.history.last if job.history else None
    ended = job.history.last_ended if job.history else None
    seconds = (ended.ended_at - ended.started_at).total_seconds() if ended and ended.ended_at else 0
    return JobHealth(
        id=job.job.id,
        name=job.job.name,
        last_run=last.started_at if last else None,
        outcome=last.outcome if last else None,
        next_run=job.job.next_after(now, zone) if job.scheduled else None,
        last_good_run=job.history.last_good if job.history else None,
        every=job.every if job.scheduled else None,
        last_seconds=seconds if ended else None,
    )


def _schedule_check(job: JobFacts, since: datetime | None, now: datetime) -> Check:
    name, verb = f"{job.job.verb}.schedule", job.job.verb
    last = job.history.last if job.history else None
    if last is None:
        return _never_ran_check(name, job, since, now)
    age = now - last.started_at
    if age < -job.every:
        return in_the_future(name, f"the last run of camdl {verb} started {in_words(age)}")
    status = lateness(job, since, now)
    if status is Status.HEALTHY:
        return Check(name, status, f"camdl {verb} ran {in_words(age)} ago")
    told = f"camdl {verb} has not run since {clock(last.started_at)}, {in_words(age)} ago"
    return Check(name, status, told, _how_to_start(verb))


def _never_ran_check(name: str, job: JobFacts, since: datetime | None, now: datetime) -> Check:
    verb = job.job.verb
    if since is None:
        told = f"no run of camdl {verb} is recorded yet"
        if verb == "download":
            return Check(name, Status.UNKNOWN, told, "Have cron or a timer start camdl download.")
        return Check(name, Status.HEALTHY, told)
    status = lateness(job, since, now)
    if status is Status.HEALTHY:
        return Check(name, status, f"camdl {verb} has not run yet")
    told = f"camdl {verb} has never run, though the archive began {in_words(now - since)} ago"
    return Check(name, status, told, _how_to_start(verb))


def _how_to_start(verb: str) -> str:
    return (
        f"Check that cron or a timer starts camdl {verb}; "
        "what nothing is to start is left out of the key jobs."
    )


def _outcome_check(job: JobFacts, last: RunRecord, now: datetime) -> Check:
    name, verb = f"{job.job.verb}.outcome", job.job.verb
    if last.ended_at is None and now - last.started_at > min(job.every, _LONGEST_RUN):
        return Check(
            name,
            Status.WARNING,
            f"camdl {verb} of {clock(last.started_at)} has not ended: it was killed, or it hangs",
            "The next run goes on where it stopped; if none can start, end the one that hangs.",
        )
    ended = job.history.last_ended if job.history else None
    if ended is None:
        return Check(name, Status.HEALTHY, f"the first run of camdl {verb} is going on")
    told = f"camdl {verb} of {clock(ended.started_at)} ended {ended.outcome}"
    bad = {Outcome.FAILED, Outcome.INTERRUPTED, *([Outcome.PARTLY] if _whole(verb) else [])}
    if ended.outcome not in bad:
        return Check(name, Status.HEALTHY, told)
    why = ended.error or "; ".join(one.reason for one in ended.streams if one.reason)
    reason = one_line(f"{told}: {why}" if why else told)
    return Check(name, Status.WARNING, reason, f"Run camdl {verb} -v to see what happens.")


def _whole(verb: str) -> bool:
    return verb in _MUST_BE_WHOLE
