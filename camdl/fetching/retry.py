"""The retry decorator: the one place that knows `backoff`."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import backoff

from camdl.domain.text import one_line
from camdl.errors import PassingFaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from backoff.types import Details

    from camdl.deadline import Deadline
    from camdl.ports import Retrying

    F = TypeVar("F", bound="Callable[..., object]")

_LOG = logging.getLogger("camdl")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to call again, and how long to wait before it, in seconds.

    The waits grow from `delay_seconds` by `multiplier` up to `max_delay_seconds`, or all are
    `delay_seconds` if not `exponential`. Each is drawn between zero and that ("full jitter"), so
    that callers which failed together do not come back together.
    """

    max_retries: int
    delay_seconds: float
    multiplier: float
    max_delay_seconds: float
    exponential: bool = True


def retrying(policy: RetryPolicy, deadline: Deadline) -> Retrying:
    """A decorator that calls a plain or a coroutine function again when it raised a passing fault.

    A wait that the fault itself asks for is taken as it is. The fault is raised when the retries
    are used up, or at once when the wait before the next one would reach the `deadline`.
    """

    def decorate(function: F) -> F:
        decorator = backoff.on_exception(
            partial(_waits, policy, deadline),
            PassingFaultError,
            max_tries=policy.max_retries + 1,
            jitter=None,  # the waits are drawn already: the deadline judges what will be waited
            on_backoff=partial(_tell, policy.max_retries),
            logger=None,  # it would log arguments, which may be secret
        )
        return decorator(function)

    return decorate


def _waits(policy: RetryPolicy, deadline: Deadline) -> Generator[float, PassingFaultError, None]:
    """The wait after each fault that is sent in; ends when the next would reach the deadline."""
    fault = yield 0.0  # backoff only starts the generator with this
    delay = policy.delay_seconds
    while True:
        wait = fault.wait_seconds
        if wait is None:
            wait = backoff.full_jitter(min(delay, policy.max_delay_seconds))
        if wait >= deadline.remaining():
            return
        fault = yield wait
        if policy.exponential:
            delay = min(delay * policy.multiplier, policy.max_delay_seconds)


def _tell(max_retries: int, details: Details) -> None:
    fault = one_line(str(details["exception"]))
    _LOG.info("%s: retry %d of %d in %.1f s", fault, details["tries"], max_retries, details["wait"])
