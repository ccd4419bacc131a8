"""Where messages go: to people on stderr, to systemd's journal, and to a file; each in one line.

Whoever has something to say calls one of three loggers. `camdl` has messages, for all of them.
`camdl.events` has what those want who keep a log, in the journal or in a file: which run, and what
became of it, as fields; they always get it. `camdl.screen` has what a person is shown of the same,
in as many lines as it takes: it goes to stderr as it is, unless that is the journal.

A record may have more: `run` is the run that it and what follows is about, `fields` are texts by
name, and `closes` says that with it a run has ended.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from camdl.domain.text import one_line
from camdl.ops import journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from camdl.domain.events import Fields
    from camdl.ops.log_file import LogFile

# By these entries of the journal the ends of runs are found: journalctl MESSAGE_ID=…
ENDED = "6f89b2be53a7499eb0fd4407ae0027bd"

_LONGEST = 2000
_EVENTS, _SCREEN = "camdl.events", "camdl.screen"
# syslog's numbers, which the journal has too.
_PRIORITIES = {logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}


def begin(
    level: int = logging.WARNING,
    file: LogFile | None = None,
    environ: Mapping[str, str] = os.environ,
    censor: Callable[[str], str] | None = None,
) -> None:
    """Have our messages of at least `level` told, and other libraries' that are worth a warning.

    On stderr, or in the journal if that is what stderr leads to; and in `file`, if there is one.
    `censor` takes secrets out; else those go that any URL may have. Holds until the end of the
    process, or the next call.
    """
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, _Handler)]:
        root.removeHandler(handler)
        handler.close()
    logging.getLogger("camdl").setLevel(level)
    logging.getLogger(_EVENTS).setLevel(logging.DEBUG)
    logging.getLogger(_SCREEN).setLevel(logging.DEBUG)
    # Without one of the root's, Python would print what asyncio has to say with its traceback.
    handlers = [*_handlers(level, environ), *([_File(level, file)] if file else [])]
    for handler in handlers:
        handler.censor = censor or handler.censor
        root.addHandler(handler)


def _handlers(level: int, environ: Mapping[str, str]) -> Iterator[_Handler]:
    if journal.is_behind(2, environ):
        try:
            yield _Journal(level, journal.Journal())
        except OSError:
            # Its own stream takes lines with their priority in front of them.
            yield _Stderr(level, to_journal=True)
        return
    yield _Stderr(level)
    if journal.is_behind(1, environ):
        try:
            yield _Journal(level, journal.Journal())
        except OSError:
            return


class _Handler(logging.Handler):
    """Takes what is meant for it, and knows which run it is about.

    `censor` takes the secrets out of what it says.
    """

    def __init__(self, level: int, *, keeps_log: bool) -> None:
        super().__init__()
        self._least = level
        self._keeps_log = keeps_log
        self._run: Fields = {}
        self.censor: Callable[[str], str] = _without_secrets

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is meant for this one."""
        if run := getattr(record, "run", None):
            from camdl.domain.events import run_fields

            self._run = run_fields(run)
        if record.name == _SCREEN:
            return not self._keeps_log
        if record.name == _EVENTS:
            return self._keeps_log and record.levelno >= min(self._least, logging.INFO)
        return record.levelno >= self._least

    def _line(self, record: logging.LogRecord) -> str:
        """What it says, in one line without a secret; after which run it is about, in a log."""
        ours = record.name.partition(".")[0] == "camdl"
        said = record.getMessage() if ours else f"{record.name}: {record.getMessage()}"
        if self._keeps_log and self._run:
            said = f"{self._run['verb']} {self._run['run_id']}: {said}"
        return one_line(self.censor(said), _LONGEST)


class _Stderr(_Handler):
    """Asks for `sys.stderr` each time: a live display puts itself in its place for a while."""

    def __init__(self, level: int, *, to_journal: bool = False) -> None:
        super().__init__(level, keeps_log=to_journal)
        self._to_journal = to_journal

    def emit(self, record: logging.LogRecord) -> None:
        """Write it."""
        is_as_it_is = record.name == _SCREEN
        said = self.censor(record.getMessage()) if is_as_it_is else self._line(record)
        mark = f"<{_priority(record)}>" if self._to_journal else ""
        try:
            sys.stderr.write(f"{mark}camdl: {said}\n")
            sys.stderr.flush()
        except (OSError, ValueError):  # nobody is there any more to read it
            atexit.register(_let_go_of_stderr)


def _let_go_of_stderr() -> None:
    """Have Python not try again to write what nobody took: from 3.13 on it would exit with 120."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


class _Journal(_Handler):
    """Sends entries with their fields."""

    def __init__(self, level: int, connection: journal.Journal) -> None:
        super().__init__(level, keeps_log=True)
        self._connection = connection

    def emit(self, record: logging.LogRecord) -> None:
        """Send it; a journal that takes nothing is no fault of the run."""
        try:
            self._connection.send(self._fields(record))
        except OSError:
            return

    def close(self) -> None:
        """Let go of the journal."""
        self._connection.close()
        super().close()

    def _fields(self, record: logging.LogRecord) -> Iterator[tuple[str, str]]:
        yield "MESSAGE", self._line(record)
        yield "PRIORITY", str(_priority(record))
        yield "SYSLOG_IDENTIFIER", "camdl"
        if getattr(record, "closes", False):
            yield "MESSAGE_ID", ENDED
        fields: Fields = {**self._run, **getattr(record, "fields", {})}
        for name, values in fields.items():
            for value in (values,) if isinstance(values, str) else values:
                if value:
                    yield f"CAMDL_{name.upper()}", one_line(self.censor(value), _LONGEST)


class _File(_Handler):
    """Writes lines with the time (UTC), the level and the process."""

    def __init__(self, level: int, file: LogFile) -> None:
        super().__init__(level, keeps_log=True)
        self._file = file
        self._has_failed = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write it; a file that cannot be written is told once, and is no fault of the run."""
        if self._has_failed:
            return
        at = datetime.fromtimestamp(record.created, UTC).replace(tzinfo=None)
        level, process = record.levelname.lower(), record.process
        line = (
            f"{at.isoformat('T', 'milliseconds')}Z {level} camdl[{process}]: {self._line(record)}"
        )
        try:
            self._file.append(line)
        except OSError as error:
            self._has_failed = True
            logging.getLogger("camdl").warning(
                "the log file %s cannot be written: %s", self._file.path, error.strerror or error
            )


def _priority(record: logging.LogRecord) -> int:
    level = max((one for one in _PRIORITIES if one <= record.levelno), default=logging.DEBUG)
    return _PRIORITIES[level]


def _without_secrets(said: str) -> str:
    """What is said without the passwords and tokens that are in its URLs."""
    if "://" not in said:
        return said
    from camdl.config.secrets import Censor

    return Censor(())(said)
