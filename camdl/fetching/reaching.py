"""Whether sites answer, whether they can be trusted, and whether their clocks agree with ours."""

from __future__ import annotations

import ssl
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from camdl.config.secrets import mask_url
from camdl.domain.captures import utc
from camdl.domain.durations import in_words
from camdl.domain.examination import bad, fine, note
from camdl.errors import PassingFaultError
from camdl.fetching.failures import REQUEST_ERRORS, failure
from camdl.fetching.failures import in_words as status_in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime, timedelta

    from urllib3 import BaseHTTPResponse

    from camdl.domain.examination import Finding

# A header tells whole seconds, and may have been on its way for some.
_NOTEWORTHY_SECONDS = 30
_BAD_SECONDS = 600


def examine_page(url: str, seconds: float, clock: Callable[[], datetime]) -> Iterator[Finding]:
    """Ask for the page at `url`; `clock` tells the time (UTC) to compare the site's with."""
    began = time.monotonic()
    answer = _ask(url, seconds)
    if isinstance(answer, str):
        yield bad(answer, _remedy(url))
        return
    look = f"Look at it: curl --head '{mask_url(url)}'"
    took, said = time.monotonic() - began, status_in_words(answer.status)
    if answer.status >= 400:
        yield bad(f"{_place(url)} answers {said} to what should be a page", look)
    elif answer.status >= 300:
        yield note(f"{_place(url)} answers {said}: the page is elsewhere", look)
    else:
        yield fine(f"{_place(url)} answers {said} after {took:.1f} s")
    yield from _compared(answer.headers.get("Date", ""), clock())


def examine_images(origin: str, seconds: float) -> Iterator[Finding]:
    """See whether the host of images can be reached; it need not have anything at its root."""
    answer = _ask(f"{origin}/", seconds)
    if isinstance(answer, str):
        yield bad(answer, _remedy(origin))
    else:
        yield fine(f"{_place(origin)} can be reached")


def _ask(url: str, seconds: float) -> BaseHTTPResponse | str:
    """The head of the answer to a GET, or in words why there is none."""
    from urllib3 import PoolManager, Timeout

    manager = PoolManager(ssl_context=ssl.create_default_context())
    try:
        answer = manager.request(
            "GET",
            url,
            timeout=Timeout(total=seconds),
            retries=False,
            redirect=False,
            preload_content=False,
        )
        answer.close()
    except REQUEST_ERRORS as error:
        try:
            return failure(error, url, seconds).reason
        except PassingFaultError as passing:
            return str(passing)
    finally:
        manager.clear()
    return answer


def _compared(date: str, now: datetime) -> Iterator[Finding]:
    """How far the site's clock is from ours, if that is worth knowing."""
    try:
        apart: timedelta = utc(parsedate_to_datetime(date)) - now
    except (TypeError, ValueError):  # none is told, or nothing of sense
        return
    seconds = abs(apart.total_seconds())
    if seconds < _NOTEWORTHY_SECONDS:
        return
    where = "ahead of" if apart.total_seconds() > 0 else "behind"
    said = f"the site's clock is {in_words(apart)} {where} this machine's"
    remedy = "See which is wrong: timedatectl; as root: timedatectl set-ntp true"
    yield bad(said, remedy) if seconds >= _BAD_SECONDS else note(said, remedy)


def _place(url: str) -> str:
    """Scheme, host and port: what else a URL has may be secret."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}"


def _remedy(url: str) -> str:
    host = urlsplit(url).hostname or ""
    return f"Look where it fails: getent hosts {host}; curl --head {_place(url)}/"
