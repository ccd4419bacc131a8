"""What an examination of a set-up finds, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Grade(StrEnum):
    """From the best to the worst."""

    FINE = "fine"
    NOTE = "note"  # it works, but is worth knowing
    BAD = "bad"  # it needs attention: runs fail, or an archive does not get what it should


@dataclass(frozen=True, slots=True)
class Finding:
    """One line about one thing. `remedy` is what to do, with the command to run; one line too."""

    grade: Grade
    said: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Examined:
    """What came of the check called `name`, which took so many `seconds`."""

    name: str
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def grade(self) -> Grade:
        """That of the worst finding."""
        return worst(finding.grade for finding in self.findings)


def fine(said: str) -> Finding:
    """Something is as it should be."""
    return Finding(Grade.FINE, said)


def note(said: str, remedy: str = "") -> Finding:
    """Something is worth knowing."""
    return Finding(Grade.NOTE, said, remedy)


def bad(said: str, remedy: str = "") -> Finding:
    """Something needs attention."""
    return Finding(Grade.BAD, said, remedy)


def worst(grades: Iterable[Grade]) -> Grade:
    """The worst of `grades`; nothing is fine."""
    order = list(Grade)
    return max(grades, key=order.index, default=Grade.FINE)
