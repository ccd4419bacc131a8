"""Threads that do the same thing to many jobs."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from camdl.deadline import Deadline
from camdl.workers import Workers

SOON = 10.0


def test_every_job_gets_done() -> None:
    """Each job comes back once, with its result."""
    workers: Workers[int, int] = Workers(lambda job: job * job, 4)
    workers.give(range(50))
    done = dict(workers.finished(Deadline.after(SOON), 0))
    workers.stop()
    assert done == {job: job * job for job in range(50)}


def test_no_more_threads_work_than_allowed() -> None:
    """With three workers, three jobs are under way at once and never four."""
    together = threading.Barrier(3, timeout=SOON)
    running, most, guard = 0, 0, threading.Lock()

    def do(_: int) -> None:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        together.wait()
        with guard:
            running -= 1

    workers: Workers[int, None] = Workers(do, 3)
    workers.give(range(9))
    assert len(list(workers.finished(Deadline.after(SOON), 0))) == 9
    workers.stop()
    assert most == 3


def test_done_does_not_wait() -> None:
    """What is still under way is not among what is done."""
    may_go = threading.Event()
    workers: Workers[str, bool] = Workers(lambda _: may_go.wait(SOON), 1)
    workers.give(["slow"])
    assert list(workers.done()) == []
    may_go.set()
    assert list(workers.finished(Deadline.after(SOON), 0)) == [("slow", True)]
    workers.stop()


def test_the_deadline_ends_the_waiting() -> None:
    """A job that never ends is not waited for beyond the deadline and its grace."""
    never = threading.Event()
    workers: Workers[str, bool] = Workers(lambda _: never.wait(SOON), 1)
    workers.give(["stuck"])
    assert list(workers.finished(Deadline.after(0), 0.05)) == []
    workers.stop()
    never.set()


def test_what_a_job_raises_is_raised_where_results_are_taken() -> None:
    """An error is not lost, and the jobs beside it still come back."""

    def do(job: int) -> int:
        if job == 1:
            raise OSError("disk full")
        return job

    workers: Workers[int, int] = Workers(do, 1)
    workers.give([0, 1, 2])
    results = workers.finished(Deadline.after(SOON), 0)
    assert next(results) == (0, 0)
    with pytest.raises(OSError, match="disk full"):
        next(results)
    assert list(workers.finished(Deadline.after(SOON), 0)) == [(2, 2)]
    workers.stop()


def test_no_job_is_begun_after_stop() -> None:
    """Jobs that nobody began by then are dropped."""
    begun, may_go = threading.Event(), threading.Event()
    seen: list[int] = []

    def do(job: int) -> None:
        seen.append(job)
        begun.set()
        may_go.wait(SOON)

    workers: Workers[int, None] = Workers(do, 1)
    workers.give(range(5))
    assert begun.wait(SOON)
    workers.stop()
    may_go.set()
    list(workers.finished(Deadline.after(0), 0.2))
    assert seen == [0]


def test_a_job_under_way_does_not_keep_the_process_alive() -> None:
    """The interpreter exits although a worker still waits for something that never comes."""
    program = (
        "import threading\n"
        "from camdl.workers import Workers\n"
        "begun = threading.Event()\n"
        "workers = Workers(lambda _: (begun.set(), threading.Event().wait()), 2)\n"
        "workers.give([1, 2])\n"
        "begun.wait(); print('gone')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert run.stdout == "gone\n"
