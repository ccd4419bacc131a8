"""Why something could not be sent, in a line; and what holds every attempt to its deadline."""

from __future__ import annotations

import ssl
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from camdl.domain.notices import NotSent
from camdl.domain.text import one_line
from camdl.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from camdl.deadline import Deadline
    from camdl.watchdog import Attempt


@contextmanager
def watched(deadline: Deadline) -> Iterator[Attempt]:
    """An attempt whose connections are cut at `deadline`: no timeout of a socket would do it."""
    with closing(Watchdog()) as watchdog, watchdog.attempt(deadline) as attempt:
        yield attempt


def failure(host: str, error: Exception, attempt: Attempt) -> NotSent:
    """What to say of `error`, which ended an attempt to tell `host` something."""
    if attempt.cut or attempt.deadline.passed() or isinstance(error, TimeoutError):
        return NotSent(f"{host} did not answer in time")
    return NotSent(one_line(f"{host}: {_reason(error)}"))


def trust(more: Path | None) -> ssl.SSLContext:
    """A client's side of TLS, which verifies: by the system's certificates, and those of `more`.

    Raises:
        OSError: `more` cannot be read, or holds no certificate.
    """
    context = ssl.create_default_context()
    if more:
        context.load_verify_locations(more)
    return context


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, UnicodeError):
        return "this is no host name"
    said = error.strerror if isinstance(error, OSError) else str(error)
    return said or str(error) or type(error).__name__
