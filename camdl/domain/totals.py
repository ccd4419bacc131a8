"""Sums over all that ever was: what is archived, what came and went, what failed, which runs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Name(StrEnum):
    """What is summed up."""

    CAPTURES = "captures"  # archived now
    BYTES = "bytes"
    ADDED = "added"  # ever archived
    ADDED_BYTES = "added-bytes"
    DELETED = "deleted"  # by clean-up
    DELETED_BYTES = "deleted-bytes"
    LOST = "lost"  # found to be gone or broken by a verification
    FAILURES = "failures"  # by kind
    RUNS = "runs"  # by outcome


@dataclass(frozen=True, slots=True)
class Total:
    """One sum. `subject` is a stream, or the verb of runs; `kind` tells apart what goes wrong."""

    name: Name
    subject: str
    kind: str = ""
