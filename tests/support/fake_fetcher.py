"""A fetcher that answers from a table, for tests of what comes after the fetch."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from camdl.domain.outcomes import Body, Failed, Rejected
from camdl.domain.sites import origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from camdl.deadline import Deadline


class FakeFetcher:
    """Implements `camdl.ports.Fetcher`: `answers` by URL; any other URL is not found.

    `asked` are the URLs that were asked for, in order.
    """

    def __init__(self, answers: Mapping[str, bytes | Rejected | Failed] | None = None) -> None:
        self.answers = dict(answers or {})
        self.asked: list[str] = []
        self._lock = threading.Lock()

    def fetch(
        self, url: str, origins: frozenset[str], deadline: Deadline
    ) -> Body | Rejected | Failed:
        """The answer of the table."""
        try:
            allowed = origin(url) in origins
        except ValueError:
            allowed = False
        if not allowed or deadline.passed():
            return Failed("not asked for")
        with self._lock:
            self.asked.append(url)
            answer = self.answers.get(url, Rejected("the answer is HTTP 404 Not Found"))
        return Body(answer) if isinstance(answer, bytes) else answer
