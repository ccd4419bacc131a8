"""`camdl doctor`: whether everything is there that an archive needs, and what to do if not.

The checks are a list of names and functions: `camdl.wiring.examining` makes it. All of them begin
at once, each in a thread of its own, and each has its own time: one that fails or hangs keeps no
other from being told.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from camdl.deadline import Deadline
from camdl.domain.examination import Examined, Finding, Grade, bad, worst
from camdl.domain.text import one_line
from camdl.errors import CamdlError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Check:
    """A name, and how to look: it gives findings, or raises what is wrong.

    `seconds` is how long it may take, and `slow` what to do if that is not enough.
    """

    name: str
    look: Callable[[], Iterable[Finding]]
    seconds: float = 15.0
    slow: str = "Look what the machine is waiting for."


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found: check by check."""

    examined: tuple[Examined, ...]

    @property
    def exit_code(self) -> ExitCode:
        """1 when anything needs attention."""
        grade = worst(one.grade for one in self.examined)
        return ExitCode.PARTLY if grade is Grade.BAD else ExitCode.OK


def doctor(
    checks: Sequence[Check],
    tell: Callable[[Examined], None] = lambda _: None,
    waiting_for: Callable[[Sequence[str]], None] = lambda _: None,
) -> Diagnosis:
    """Examine all of it. Each result is told in the order of `checks`, as soon as it may be.

    `waiting_for` is told the names of those that go on, each time that it may have changed.
    """
    looks = [_Look(check) for check in checks]
    for look in looks:
        look.start()
    examined: list[Examined] = []
    for look in looks:
        while not look.is_over():
            waiting_for([one.check.name for one in looks if not one.has_answered])
        examined.append(look.examined())
        tell(examined[-1])
    return Diagnosis(tuple(examined))


@dataclass
class _Look:
    """A check that goes on in the background."""

    check: Check
    answers: SimpleQueue[tuple[Finding, ...]] = field(default_factory=SimpleQueue)
    answer: tuple[Finding, ...] | None = None
    has_answered: bool = False
    began: float = 0.0
    took: float = 0.0

    def start(self) -> None:
        """Begin to look. What hangs is left behind: it ends with the process."""
        self.began = time.monotonic()
        name = f"check of {self.check.name}"
        try:
            threading.Thread(target=self._run, name=name, daemon=True).start()
        except RuntimeError as error:  # a limit on threads
            self._answer(
                (bad(f"it could not be looked at: {error}", "Raise the limit: ulimit -u"),)
            )

    def is_over(self, within: float = 0.1) -> bool:
        """Whether there is an answer, or it is too late for one; waits a moment for that."""
        left = Deadline(self.began + self.check.seconds).remaining()
        try:
            self.answer = self.answers.get(timeout=min(within, left))
        except Empty:
            return left <= 0
        return True

    def examined(self) -> Examined:
        """What came of it."""
        if self.answer is None:
            self.took = self.check.seconds
            self.answer = (bad(f"no answer within {self.check.seconds:g} s", self.check.slow),)
        return Examined(self.check.name, self.answer, self.took)

    def _run(self) -> None:
        try:
            findings = tuple(self.check.look())
        except CamdlError as error:
            findings = (bad(one_line(str(error), _LONGEST), one_line(error.advice, _LONGEST)),)
        except OSError as error:
            findings = (bad(one_line(f"the system refused something: {error}", _LONGEST)),)
        except Exception as bug:  # noqa: BLE001  # one that is told keeps no other from being told
            told = one_line(f"a bug of this check: {type(bug).__name__}: {bug}", _LONGEST)
            findings = (bad(told, "Please report it."),)
        self._answer(findings)

    def _answer(self, findings: tuple[Finding, ...]) -> None:
        self.took = time.monotonic() - self.began
        self.has_answered = True
        self.answers.put(findings)
