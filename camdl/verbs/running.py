"""What every verb does with a run: name it, and tell how it ended."""

from __future__ import annotations

import logging
import secrets
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from camdl.domain.events import events
from camdl.domain.failures import FailureKind
from camdl.domain.outcomes import Outcome
from camdl.domain.text import one_line
from camdl.errors import END_OF_RUN, CamdlError, ExitCode, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from dataclasses import Field
    from datetime import datetime
    from typing import Any, ClassVar

    from camdl.domain.outcomes import RunRecord
    from camdl.errors import EndOfRun

# What a person at a terminal is shown otherwise: only those who keep a log listen.
_EVENTS = logging.getLogger("camdl.events")
_LEVELS = {
    Outcome.OK: logging.INFO,
    Outcome.PARTLY: logging.WARNING,
    Outcome.FAILED: logging.ERROR,
    Outcome.INTERRUPTED: logging.WARNING,
}
_KINDS = {
    ExitCode.UNREACHABLE: FailureKind.UNREACHABLE,
    ExitCode.STORAGE: FailureKind.STORAGE,
    ExitCode.LOCKED: FailureKind.DEADLINE,
    ExitCode.CONFIG: FailureKind.CONFIGURATION,
    ExitCode.USAGE: FailureKind.CONFIGURATION,
    ExitCode.SIGINT: FailureKind.INTERRUPTED,
    ExitCode.SIGTERM: FailureKind.INTERRUPTED,
}
# A configuration with many faults has a long error.
_LONGEST = 2000


class Tools(Protocol):
    """What the beginning and the end of every run need."""

    def now(self) -> datetime:
        """The instant it is, in UTC."""
        ...

    def is_ending(self) -> None:
        """From now on no signal needs to end the run."""
        ...

    def write_health(self, run: RunRecord) -> None:
        """Write the verdict on the archive as it is now, after `run`."""
        ...


class Finished(Protocol):
    """How a run ended: a dataclass with its record, and the error that ended it."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def run(self) -> RunRecord:
        """The record of the run."""
        ...

    @property
    def error(self) -> EndOfRun | None:
        """What ended it before it was done."""
        ...


F = TypeVar("F", bound=Finished)


def concluded(
    run: RunRecord, work: Callable[[], F], tools: Tools, *, writes_health: bool = True
) -> F:
    """What `work` gives, once the verdict on the archive is written: on every way out of it.

    A verdict that cannot be written is the run's error, if it had none. How it ended is told to
    those who keep a log; without a verdict, of a dry run, only if it was not good.
    """

    def conclude(run: RunRecord) -> None:
        tools.is_ending()
        if writes_health:
            tools.write_health(run)

    begun(run)
    try:
        finished = work()
    except BaseException as bug:
        ended = failed(run, bug, tools.now())
        with suppress(CamdlError):  # a bug is told already
            conclude(ended)
        tell(ended)
        raise
    try:
        conclude(finished.run)
    except CamdlError as error:
        if finished.error is None:
            ended = failed(finished.run, error, tools.now())
            finished = replace(finished, run=ended, error=error)
    if writes_health or finished.run.outcome is not Outcome.OK:
        tell(finished.run, finished.error)
    return finished


def begun(run: RunRecord) -> None:
    """Have those who keep a log know that what is said from now on is about `run`."""
    _EVENTS.debug("begun", extra={"run": run})


def tell(run: RunRecord, error: EndOfRun | None = None) -> None:
    """Tell those who keep a log how `run` ended, and what to do about its `error`."""
    for event in events(run, error.advice if error else ""):
        _EVENTS.log(
            _LEVELS[event.outcome],
            "%s",
            event.line,
            extra={"run": run, "fields": event.fields, "closes": event.closes},
        )


def each_of(steps: Iterable[Callable[[], object]], error: BaseException | None) -> None:
    """Do `steps` at the end of a run that `error` has ended, if anything has.

    Then each is tried, whatever became of those before it: how the run ended may be recorded in a
    catalogue that takes no captures any more.

    Raises:
        CamdlError: a step failed, and no `error` has to be told first.
    """
    for step in steps:
        try:
            step()
        except CamdlError:
            if error is None:
                raise


def run_id(started_at: datetime) -> str:
    """A name for a run that began at `started_at` (UTC): sorted by time, and no other's.

    To the microsecond: what fails at once may be started again within the same second.
    """
    chance = secrets.randbelow(16**3)
    return f"{started_at:%Y%m%dT%H%M%SZ}-{started_at.microsecond:05x}{chance:03x}"


def failed(run: RunRecord, error: BaseException, now: datetime) -> RunRecord:
    """`run`, which `error` ended."""
    if isinstance(error, END_OF_RUN):
        code = error.exit_code
    else:
        code = ExitCode.BUG if isinstance(error, Exception) else ExitCode.SIGINT
    return replace(
        run, ended_at=now, outcome=outcome(error), exit_code=int(code), error=told(error)
    )


def outcome(error: BaseException) -> Outcome:
    """The verdict on what `error` ended."""
    return Outcome.FAILED if isinstance(error, Exception) else Outcome.INTERRUPTED


def kind(error: BaseException) -> FailureKind:
    """What kind of thing ended it."""
    if isinstance(error, END_OF_RUN):
        return _KINDS.get(error.exit_code, FailureKind.BUG)
    return FailureKind.BUG if isinstance(error, Exception) else FailureKind.INTERRUPTED


def told(error: BaseException) -> str:
    """`error` in words; that of a bug says little without its kind."""
    if isinstance(error, END_OF_RUN):
        return one_line(str(error), _LONGEST)
    return one_line(f"{type(error).__name__}: {error}").removesuffix(":")


@contextmanager
def refusals_told() -> Iterator[None]:
    """Make one error of what the system refuses anywhere: it is no bug.

    Raises:
        StorageError: there is no space, no descriptor, no permission, for whatever it was.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:  # raised by a library, not by the system
            raise
        raise StorageError(f"the system refused something: {error}") from error
