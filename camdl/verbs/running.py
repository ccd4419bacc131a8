"""What every verb does with a run: name it, and tell how it ended."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from camdl.domain.outcomes import Outcome
from camdl.domain.text import one_line
from camdl.errors import END_OF_RUN, ExitCode, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from camdl.domain.outcomes import RunRecord

# A configuration with many faults has a long error.
_LONGEST = 2000


def run_id(started_at: datetime) -> str:
    """A name for a run that began at `started_at` (UTC): sorted by time, and no other's."""
    return f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


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
