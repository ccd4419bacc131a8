"""What is told of a run at its end, to those who keep a log: one line each, and its fields.

A field's value is a text, or several of them; an empty one tells nothing. The line leaves
out which run it is about, since every line of a log says that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from camdl.domain.durations import to_the_tenth
from camdl.domain.outcomes import Outcome
from camdl.domain.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from camdl.domain.outcomes import Counts, RunRecord, StreamResult

    Fields = Mapping[str, str | tuple[str, ...]]

# A configuration with many faults has a long error.
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a log should have. `closes` is set for the one with which a run ends."""

    line: str
    outcome: Outcome
    fields: Fields = field(default_factory=dict)
    closes: bool = False


def events(run: RunRecord, advice: str = "") -> Iterator[Event]:
    """One for each stream of `run`, which has ended, that is not ok; then that with which it ends.

    `advice` is what to do about its error.
    """
    for result in run.streams:
        if result.outcome is not Outcome.OK:
            yield _of_stream(result)
    yield _closing(run, advice)


def run_fields(run: RunRecord) -> Fields:
    """Which run it is: what every line about it has."""
    return {"run_id": run.id, "verb": run.verb}


def done_in_words(counts: Counts) -> str:
    """What became of captures, in words; empty if there were none."""
    what = {
        "saved": counts.saved,
        "already there": counts.duplicate,
        "rejected": counts.rejected,
        "failed": counts.failed,
        "deleted": counts.deleted,
    }
    return " and ".join(f"{number} {word}" for word, number in what.items() if number)


def _of_stream(result: StreamResult) -> Event:
    line = f"{result.stream} {result.outcome}"
    if done := done_in_words(result.counts):
        line += f", {done}"
    fields: Fields = {
        "stream": result.stream,
        "outcome": str(result.outcome),
        "seconds": f"{result.seconds:.3f}",
        "error": result.reason,
        **_numbers(result.counts),
    }
    line = f"{line}: {result.reason}" if result.reason else line
    return Event(one_line(line, _LONGEST), result.outcome, fields)


def _closing(run: RunRecord, advice: str) -> Event:
    outcome = run.outcome or Outcome.INTERRUPTED
    took = run.ended_at - run.started_at if run.ended_at else None
    ending = f"{outcome} in {to_the_tenth(took)}" if took is not None else str(outcome)
    if run.exit_code:
        ending += f" (exit {run.exit_code})"
    line = ", ".join([*map(_part, run.streams), ending])
    fields: Fields = {
        "outcome": str(outcome),
        "exit_code": str(run.exit_code or 0),
        "stream": tuple(result.stream for result in run.streams),
        "seconds": f"{took.total_seconds():.3f}" if took is not None else "",
        "error": run.error,
        "advice": advice,
        **_numbers(run.counts),
    }
    line = f"{line}: {run.error}" if run.error else line
    return Event(one_line(line, _LONGEST), outcome, fields, closes=True)


def _part(result: StreamResult) -> str:
    nothing = "0 new" if result.outcome is Outcome.OK else str(result.outcome)
    return f"{result.stream} {done_in_words(result.counts) or nothing}"


def _numbers(counts: Counts) -> dict[str, str]:
    names = ("listed", "new", "saved", "rejected", "failed", "deleted")
    return {name: str(getattr(counts, name)) for name in names}
