"""Reads test pages as a run would: one browser, an answer a stream."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from camdl.deadline import Deadline
from camdl.fetching.retry import RetryPolicy, retrying
from camdl.ports import Listing, Sighting, Wanted
from camdl.sources.browser import find
from camdl.sources.diagnostics import Diagnostics
from camdl.sources.page import PageSource

if TYPE_CHECKING:
    from datetime import date, datetime

    from camdl.domain.sites import Stream
    from camdl.ports import NoListing


def source(
    *,
    timeout: float = 30.0,
    retries: int = 0,
    deadline: Deadline | None = None,
    jitter: float = 0.0,
    kept_in: Path,
) -> PageSource:
    """A source with quick retries, that keeps diagnoses in `kept_in`."""
    return PageSource(
        find(),
        retrying=retrying(RetryPolicy(retries, 0.01, 2.0, 0.1), deadline or Deadline.after(90)),
        timeout_seconds=timeout,
        diagnostics=Diagnostics(kept_in),
        jitter_seconds=jitter,
    )


def read(
    stream: Stream,
    now: datetime,
    *,
    days: tuple[date, ...] = (),
    timeout: float = 30.0,
    deadline: Deadline | None = None,
    retries: int = 0,
    jitter: float = 0.0,
    kept_in: Path | None = None,
) -> Listing | NoListing:
    """The source's answer for one stream."""
    deadline = deadline or Deadline.after(90)
    with tempfile.TemporaryDirectory() as scratch:
        pages = source(
            timeout=timeout,
            retries=retries,
            deadline=deadline,
            jitter=jitter,
            kept_in=kept_in or Path(scratch),
        )
        with pages:
            *early, answer = pages.listings([Wanted(stream, days, early=True)], now, deadline)
    assert not isinstance(answer, Sighting)
    for sighting in early:
        # What was told before the end was true.
        assert isinstance(sighting, Sighting)
        assert isinstance(answer, Listing)
        assert set(sighting.captures) <= set(answer.captures)
    return answer


def found(answer: Listing | NoListing) -> dict[datetime, str]:
    """The instants that were listed, each once, and the URL of each."""
    assert isinstance(answer, Listing), answer
    urls = {one.capture.captured_at: one.url for one in answer.captures}
    assert list(urls) == sorted(urls, reverse=True)
    assert len(urls) == len(answer.captures)
    return urls


def whole(answer: Sighting | Listing | NoListing) -> dict[datetime, str]:
    """What was `found` by a listing that is known to be complete."""
    assert isinstance(answer, Listing), answer
    assert answer.shortfall == ""
    return found(answer)


def told(answer: Listing | NoListing) -> tuple[date, ...]:
    """The days that were told completely."""
    assert isinstance(answer, Listing), answer
    return answer.days
