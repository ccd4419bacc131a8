"""When a call is made again, after which wait, and when it is given up."""

from __future__ import annotations

import asyncio
import itertools
import logging
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdl.deadline import Deadline
from camdl.errors import PassingFaultError
from camdl.fetching.retry import RetryPolicy, _waits, retrying

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICK = RetryPolicy(3, 0.001, 2.0, 0.01)
AMPLE = 600.0


class Flaky:
    """A function that raises a passing fault the first `faults` times, and counts its calls."""

    def __init__(self, faults: int, wait_seconds: float | None = None) -> None:
        self.faults = faults
        self.wait_seconds = wait_seconds
        self.calls = 0

    def call(self) -> str:
        """`done`, if there is no fault left."""
        self.calls += 1
        if self.calls <= self.faults:
            raise PassingFaultError(f"fault {self.calls}", wait_seconds=self.wait_seconds)
        return "done"

    async def acall(self) -> str:
        """The same as a coroutine function."""
        return self.call()


def waits(
    policy: RetryPolicy, faults: Iterator[PassingFaultError], deadline: Deadline
) -> Iterator[float]:
    """What the decorator would wait after each of `faults`."""
    generator = _waits(policy, deadline)
    next(generator)
    for fault in faults:
        try:
            yield generator.send(fault)
        except StopIteration:
            return


@pytest.mark.parametrize("faults", [0, 1, 3])
def test_a_fault_that_passes_is_not_seen(faults: int) -> None:
    """Up to `max_retries` faults end in the function's own result, after one call more."""
    flaky = Flaky(faults)
    assert retrying(QUICK, Deadline.after(AMPLE))(flaky.call)() == "done"
    assert flaky.calls == faults + 1


def test_the_last_fault_is_raised_when_retries_are_used_up() -> None:
    """After exactly `max_retries` retries the newest fault comes out."""
    flaky = Flaky(100)
    with pytest.raises(PassingFaultError, match="fault 4"):
        retrying(QUICK, Deadline.after(AMPLE))(flaky.call)()
    assert flaky.calls == 4


def test_coroutine_functions_are_retried_too() -> None:
    """A coroutine function gets the same retries, and stays one."""
    passing, lasting = Flaky(3), Flaky(100)
    decorate = retrying(QUICK, Deadline.after(AMPLE))
    assert asyncio.run(decorate(passing.acall)()) == "done"
    with pytest.raises(PassingFaultError, match="fault 4"):
        asyncio.run(decorate(lasting.acall)())
    assert (passing.calls, lasting.calls) == (4, 4)


def test_one_decorator_serves_many_functions() -> None:
    """Every decorated call counts its own retries."""
    decorate = retrying(QUICK, Deadline.after(AMPLE))
    for _ in range(3):
        assert decorate(Flaky(3).call)() == "done"


def test_other_exceptions_are_not_retried() -> None:
    """Only a passing fault is worth another call."""
    calls = []

    def broken() -> None:
        calls.append(1)
        raise KeyError("bug")

    with pytest.raises(KeyError):
        retrying(QUICK, Deadline.after(AMPLE))(broken)()
    assert len(calls) == 1


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    """The fault is raised at once when the server asks for more time than there is."""
    flaky = Flaky(100, wait_seconds=AMPLE)
    began = time.monotonic()
    with pytest.raises(PassingFaultError, match="fault 1"):
        retrying(QUICK, Deadline.after(5))(flaky.call)()
    assert time.monotonic() - began < 4
    assert flaky.calls == 1


def test_nothing_is_retried_past_the_deadline() -> None:
    """With no time left there is one call and no other, even when no wait is asked for."""
    flaky = Flaky(100, wait_seconds=0.0)
    with pytest.raises(PassingFaultError, match="fault 1"):
        retrying(QUICK, Deadline.after(0))(flaky.call)()


def test_what_the_fault_asks_for_is_waited() -> None:
    """The server's own wait is honoured in full, however short the policy's would be."""
    flaky = Flaky(1, wait_seconds=0.3)
    began = time.monotonic()
    retrying(QUICK, Deadline.after(AMPLE))(flaky.call)()
    assert time.monotonic() - began >= 0.3


@given(st.floats(0, 100), st.floats(1.01, 10), st.floats(0, 300))
def test_waits_grow_to_their_cap_with_full_jitter(
    delay: float, multiplier: float, most: float
) -> None:
    """The nth wait lies between zero and `delay * multiplier ** n`, never above the cap."""
    policy = RetryPolicy(3, delay, multiplier, most)
    faults = itertools.repeat(PassingFaultError("x"), 12)
    drawn = list(waits(policy, faults, Deadline.after(1e6)))
    assert len(drawn) == 12
    for retry, wait in enumerate(drawn):
        assert 0 <= wait <= min(delay * multiplier**retry, most) * (1 + 1e-9)


def test_waits_really_are_spread() -> None:
    """Growing waits use the room they have, constant ones stay within theirs."""
    faults = list(itertools.repeat(PassingFaultError("x"), 50))
    deadline = Deadline.after(1e6)
    growing = list(waits(RetryPolicy(3, 1, 2, 64), iter(faults), deadline))
    constant = list(waits(RetryPolicy(3, 1, 2, 64, exponential=False), iter(faults), deadline))
    assert max(growing) > 8
    assert max(constant) <= 1 < max(growing) - min(growing)
    assert len(set(constant)) == len(constant)


def test_each_retry_is_logged_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """A retry leaves one line at INFO in camdl's log, and backoff's own log stays silent."""

    def broken() -> None:
        raise PassingFaultError("two\nlines")

    with caplog.at_level(logging.DEBUG), pytest.raises(PassingFaultError):
        retrying(QUICK, Deadline.after(AMPLE))(broken)()
    assert [record.name for record in caplog.records] == ["camdl"] * 3
    assert [record.levelname for record in caplog.records] == ["INFO"] * 3
    assert caplog.messages[0].startswith("two lines: retry 1 of 3 in 0.0 s")


def test_a_signal_ends_the_wait() -> None:
    """An exception from a signal handler comes out of the main thread's wait at once."""

    def interrupt(*_: object) -> None:
        raise InterruptedError("signal")

    before = signal.signal(signal.SIGUSR1, interrupt)
    main = threading.main_thread().ident
    assert main is not None
    flaky = Flaky(100, wait_seconds=60)
    timer = threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGUSR1))
    timer.start()
    try:
        with pytest.raises(InterruptedError):
            retrying(QUICK, Deadline.after(AMPLE))(flaky.call)()
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)
    assert flaky.calls == 1
