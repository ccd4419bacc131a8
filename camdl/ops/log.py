"""Messages go to stderr, each in one line."""

from __future__ import annotations

import logging
import sys

from camdl.domain.text import one_line

_LONGEST = 2000


def to_stderr(level: int) -> None:
    """Show messages of at least `level`, once and for the rest of the process."""
    logger = logging.getLogger("camdl")
    logger.setLevel(level)
    if not logger.handlers:
        logger.addHandler(_Stderr())


class _Stderr(logging.Handler):
    """Asks for `sys.stderr` each time: a live display puts itself in its place for a while."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            sys.stderr.write(f"camdl: {one_line(record.getMessage(), _LONGEST)}\n")
            sys.stderr.flush()
        except (OSError, ValueError):  # nobody is there any more to read it
            return
