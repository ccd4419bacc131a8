"""Images by HTTP: one GET with its limits and retries, and an answer whatever happens."""

from __future__ import annotations

import http
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from urllib3 import Timeout

from camdl import __version__
from camdl.connecting import SHORTEST_SECONDS
from camdl.domain.failures import FailureKind
from camdl.domain.outcomes import Body, Failed, Rejected
from camdl.domain.retry_after import retry_after
from camdl.domain.sites import origin
from camdl.domain.text import one_line
from camdl.errors import PassingFaultError
from camdl.fetching.connections import pools, serving
from camdl.fetching.failures import (
    REQUEST_ERRORS,
    failure,
    host_of,
    in_words,
    resting,
    too_slow,
)
from camdl.rests import Rests
from camdl.source_clock import SourceClock
from camdl.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable

    from urllib3 import BaseHTTPResponse

    from camdl.deadline import Deadline
    from camdl.ports import Retrying
    from camdl.watchdog import Attempt

MAX_REDIRECTS = 5

_HEADERS = {
    "Accept": "image/jpeg, */*;q=0.1",
    "Accept-Encoding": "identity",
    "User-Agent": f"camdl/{__version__}",
}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 425, 429})
_ASKING_FOR_REST = frozenset({429, 503})
_PIECE = 256 * 1024


@dataclass(frozen=True, slots=True)
class _Redirect:
    url: str


class HttpFetcher:
    """Implements `camdl.ports.Fetcher` over HTTP and HTTPS; certificates are always verified.

    `timeout_seconds` is for each attempt as a whole, from the first look-up to the last byte and
    across redirects. A body above `max_bytes` is never read further than that. `clock` tells the
    time (UTC) for servers that name an instant. `rests` are heeded and added to. `source_clock`
    hears what time each server says it is.

    `retrying` holds the run's deadline. The one given to `fetch` may be earlier: it then ends
    attempts and what servers ask to wait, but not a wait of `retrying` that has begun.
    """

    def __init__(
        self,
        retrying: Retrying,
        *,
        timeout_seconds: float,
        max_bytes: int,
        connections: int,
        clock: Callable[[], datetime],
        rests: Rests | None = None,
        source_clock: SourceClock | None = None,
    ) -> None:
        self._retrying = retrying
        self._timeout_seconds = timeout_seconds
        self._max_bytes = max_bytes
        self._clock = clock
        self._pools = pools(connections)
        self._watchdog = Watchdog()
        self._rests = Rests() if rests is None else rests
        self._source_clock = source_clock or SourceClock(clock)
        self._closed = False

    def fetch(
        self, url: str, origins: frozenset[str], deadline: Deadline
    ) -> Body | Rejected | Failed:
        """The body of `url`; only the `origins` are ever contacted. Callable from many threads.

        `Rejected` is an answer that asking again would not change, `Failed` what could not be
        had.

        Raises:
            OSError: this machine refused what every request needs, such as one more open file.
        """

        def attempt() -> Body | Rejected | Failed:
            try:
                return self._attempt(url, origins, deadline)
            except PassingFaultError as fault:
                # The deadline that `retrying` knows may be a later one.
                if self._closed or (fault.wait_seconds or 0) >= deadline.remaining():
                    return self._failed(fault)
                raise

        try:
            return self._retrying(attempt)()
        except PassingFaultError as fault:
            return self._failed(fault)

    def close(self) -> None:
        """Cut what is under way in other threads, and close every connection."""
        self._closed = True
        self._watchdog.close()
        self._pools.clear()

    def _attempt(
        self, url: str, origins: frozenset[str], deadline: Deadline
    ) -> Body | Rejected | Failed:
        """The answer to `url` and its redirects within the time of one attempt.

        Raises:
            PassingFaultError: another attempt may have more luck.
        """
        refusal = _refusal(url, origins)
        if refusal:
            return Failed(f"not asked for: {refusal}", kind=FailureKind.REFUSED)
        self._heed_rest(url, deadline)
        if self._closed or deadline.passed():
            return Failed("not asked for: the run is over", kind=FailureKind.DEADLINE)
        limit = deadline.within(self._timeout_seconds)
        seconds = limit.remaining()
        with self._watchdog.attempt(limit) as attempt, serving(attempt):
            try:
                answer = self._follow(url, origins, attempt)
            except REQUEST_ERRORS as error:
                if not attempt.cut:
                    return failure(error, url, seconds)
            else:
                # A cut ends a body without a length just as its sender would.
                if not attempt.cut:
                    return answer
        raise too_slow(url, seconds)

    def _heed_rest(self, url: str, deadline: Deadline) -> None:
        """Wait as long as the host, asked by any thread, asked for.

        Raises:
            PassingFaultError: that is beyond the deadline.
        """
        while (seconds := self._rests.remaining(origin(url))) > 0:
            if seconds >= deadline.remaining():
                raise resting(url, seconds)
            time.sleep(seconds)

    def _follow(
        self, url: str, origins: frozenset[str], attempt: Attempt
    ) -> Body | Rejected | Failed:
        for _ in range(MAX_REDIRECTS + 1):
            with closing(self._get(url, attempt)) as response:
                self._source_clock.heard(origin(url), response.headers)
                answer = self._read(response, url)
            if not isinstance(answer, _Redirect):
                return answer
            refusal = _refusal(answer.url, origins) or _downgrade(url, answer.url)
            if refusal:
                return _not_followed(refusal)
            url = answer.url
            seconds = self._rests.remaining(origin(url))
            if seconds:
                raise resting(url, seconds)
        return Rejected(f"more than {MAX_REDIRECTS} redirects", FailureKind.REFUSED)

    def _get(self, url: str, attempt: Attempt) -> BaseHTTPResponse:
        # The very parts that were checked are those connected to: two parsers may differ.
        checked = urlsplit(origin(url))
        host = (checked.hostname or "").encode("idna").decode()
        pool = self._pools.connection_from_host(host, checked.port, checked.scheme)
        parts = urlsplit(url)
        seconds = max(attempt.deadline.remaining(), SHORTEST_SECONDS)
        return pool.urlopen(
            "GET",
            (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            headers=_HEADERS,
            timeout=Timeout(connect=seconds, read=seconds),
            retries=False,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
        )

    def _read(self, response: BaseHTTPResponse, url: str) -> Body | Rejected | _Redirect:
        """What an answer says, by its status.

        Raises:
            PassingFaultError: it says that another attempt may have more luck.
        """
        status = response.status
        location = response.headers.get("Location")
        if status == http.HTTPStatus.OK:
            return self._body(response)
        if status in _REDIRECTS and location:
            return _redirect(url, location)
        if status in _PASSING or status >= 500:
            raise PassingFaultError(
                f"{host_of(url)} answered {in_words(status)}",
                wait_seconds=self._rest(response, url),
                kind=FailureKind.HTTP_STATUS,
            )
        return Rejected(f"the answer is {in_words(status)}", FailureKind.HTTP_STATUS)

    def _rest(self, response: BaseHTTPResponse, url: str) -> float | None:
        """The rest that an answer asks for, in seconds, made known to the other threads."""
        if response.status not in _ASKING_FOR_REST:
            return None
        seconds = retry_after(response.headers.get("Retry-After"), self._clock())
        if seconds is not None:
            self._rests.ask(origin(url), seconds)
        return seconds

    def _body(self, response: BaseHTTPResponse) -> Body | Rejected:
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in ("", "identity"):
            return Rejected(f"the body came as {one_line(encoding, 40)}, which was not asked for")
        too_large = Rejected(f"the body is larger than {self._max_bytes:,} bytes")
        declared = response.length_remaining
        if declared is not None and declared > self._max_bytes:
            return too_large
        data = bytearray()
        while piece := response.read(min(_PIECE, self._max_bytes + 1 - len(data))):
            data += piece
            if len(data) > self._max_bytes:
                return too_large
        return Body(bytes(data))

    def _failed(self, fault: PassingFaultError) -> Failed:
        if fault.wait_seconds is None:
            return Failed(str(fault), kind=fault.kind)
        not_before = self._clock() + timedelta(seconds=fault.wait_seconds)
        return Failed(str(fault), not_before, fault.kind)


def _refusal(url: str, origins: frozenset[str]) -> str:
    """Why `url` must not be contacted, empty if it may."""
    try:
        asked = origin(url)
    except ValueError:  # its text would show the URL, and with it a password
        return "it is no http:// or https:// URL"
    return "" if asked in origins else f"{one_line(asked, 100)} is none of the site's hosts"


def _downgrade(url: str, target: str) -> str:
    secure = urlsplit(url).scheme == "https"
    return "it leads from https to http" if secure and urlsplit(target).scheme == "http" else ""


def _redirect(url: str, location: str) -> _Redirect | Rejected:
    try:
        return _Redirect(urljoin(url, location))
    except ValueError:
        return _not_followed("it is no http:// or https:// URL")


def _not_followed(why: str) -> Rejected:
    return Rejected(f"a redirect was not followed: {why}", FailureKind.REFUSED)
