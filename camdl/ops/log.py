"""Messages go to stderr, each in one line."""

from __future__ import annotations

import logging
import sys

from camdl.domain.text import one_line

_LONGEST = 2000


def to_stderr(level: int) -> None:
    """Show our messages of at least `level`, and other libraries' if they are worth a warning.

    Holds until the end of the process, or the next call.
    """
    logging.getLogger("camdl").setLevel(level)
    root = logging.getLogger()
    # Without one of the root's, Python would print what asyncio has to say with its traceback.
    handler = next((one for one in root.handlers if isinstance(one, _Stderr)), None)
    if handler is None:
        handler = _Stderr()
        root.addHandler(handler)
    handler.setLevel(level)


class _Stderr(logging.Handler):
    """Asks for `sys.stderr` each time: a live display puts itself in its place for a while."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        ours = record.name.partition(".")[0] == "camdl"
        said = record.getMessage() if ours else f"{record.name}: {record.getMessage()}"
        try:
            sys.stderr.write(f"camdl: {one_line(said, _LONGEST)}\n")
            sys.stderr.flush()
        except (OSError, ValueError):  # nobody is there any more to read it
            return
