"""Pings of a dead man's switch: it calls when no ping comes, whatever the reason.

The URL and its `/start` and `/fail` are those of Healthchecks, and so is `rid`, which ties the end
of a run to its start.
"""

from __future__ import annotations

import threading
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from camdl.deadline import Deadline
from camdl.domain.notices import NotSent
from camdl.notifying.posting import post

if TYPE_CHECKING:
    import ssl

    from camdl.domain.notices import Sent

_START_SECONDS = 10.0
_LONGEST = 10_000


class Pings:
    """The pings of one run to `url`."""

    def __init__(self, url: str, tls: ssl.SSLContext) -> None:
        self._url = url
        self._tls = tls
        self._run = uuid.uuid4()
        self._starting: threading.Thread | None = None

    def start(self) -> None:
        """Tell that the run has begun: beside it, so that it waits for nothing.

        Raises:
            RuntimeError: there is no thread to be had.
        """
        starting = threading.Thread(target=self._post_start, name="camdl-ping", daemon=True)
        starting.start()
        self._starting = starting

    def end(self, text: str, deadline: Deadline, *, is_good: bool) -> Sent | NotSent:
        """Tell how it ended, with `text` for those who want to know more, before `deadline`.

        Raises:
            RuntimeError: there is no thread to be had.
        """
        if self._starting:
            # Else it might come after its own end.
            self._starting.join(deadline.remaining() / 2)
        if deadline.passed():
            return NotSent("there was no time left")
        return self._post("" if is_good else "/fail", text[-_LONGEST:], deadline)

    def _post_start(self) -> None:
        with suppress(RuntimeError):  # no further thread; the end of the run is told all the same
            self._post("/start", "", Deadline.after(_START_SECONDS))

    def _post(self, suffix: str, text: str, deadline: Deadline) -> Sent | NotSent:
        parts = urlsplit(self._url)
        query = "&".join(filter(None, [parts.query, f"rid={self._run}"]))
        url = urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}{suffix}", query=query))
        return post(url, text.encode(), "text/plain; charset=utf-8", self._tls, deadline)


def url_for(job: str, template: str) -> str:
    """The URL that `job` pings, empty for none: without `{job}` in it only download has one."""
    if "{job}" in template:
        return template.replace("{job}", job)
    return template if job == "download" else ""
