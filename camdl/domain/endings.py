"""How runs ended that did not say it themselves: they go on, or they were killed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from camdl.domain.health import LockHolder
    from camdl.domain.outcomes import RunRecord


class Ending(StrEnum):
    """How a run ended: its outcome, if there is one."""

    OK = "ok"
    PARTLY = "partly"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    RUNNING = "running"
    KILLED = "killed"
    UNKNOWN = "no end"


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run, and how it ended as far as that can be known."""

    run: RunRecord
    ending: Ending


def ending(run: RunRecord, newest: RunRecord | None, holder: LockHolder | None) -> Ending:
    """How `run` ended, where `newest` is the newest one of its verb.

    One that has no end was killed if another one of its verb came after it, and goes on if its
    verb has the lock. Else nobody knows: not all that runs do is done under the lock.
    """
    if run.outcome is not None:
        return Ending(str(run.outcome))
    if newest is not None and newest.id != run.id:
        return Ending.KILLED
    return Ending.RUNNING if holder and holder.verb == run.verb else Ending.UNKNOWN
