"""A few threads that do the same thing to many jobs, and never keep the process from ending."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from camdl.deadline import Deadline

Job = TypeVar("Job")
Result = TypeVar("Result")


class Workers(Generic[Job, Result]):
    """At most `count` threads that call `do` on jobs in the order given.

    They are daemons, unlike those of `concurrent.futures`: an interrupted run must end although
    a request still waits for its answer.
    """

    def __init__(self, do: Callable[[Job], Result], count: int) -> None:
        self._do = do
        self._count = count
        self._threads: list[threading.Thread] = []
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._done: SimpleQueue[tuple[Job, Result | Exception]] = SimpleQueue()
        self._outstanding = 0

    def give(self, jobs: Iterable[Job]) -> None:
        """Queue `jobs`."""
        for job in jobs:
            self._jobs.put(job)
            self._outstanding += 1
            if len(self._threads) < min(self._count, self._outstanding):
                self._threads.append(threading.Thread(target=self._work, daemon=True))
                self._threads[-1].start()

    def done(self) -> Iterator[tuple[Job, Result]]:
        """What is done by now, without waiting.

        Raises:
            Exception: what `do` raised; the jobs after it can still be asked for.
        """
        while not self._done.empty():
            yield self._take(0)

    def finished(self, deadline: Deadline, grace_seconds: float) -> Iterator[tuple[Job, Result]]:
        """What gets done until `deadline`, and a little longer, waiting for it.

        Raises:
            Exception: what `do` raised; the jobs after it can still be asked for.
        """
        while self._outstanding:
            try:
                yield self._take(deadline.remaining() + grace_seconds)
            except Empty:
                return

    def stop(self) -> None:
        """Begin no more jobs; those begun go on without being waited for."""
        while not self._jobs.empty():
            try:
                self._jobs.get_nowait()
            except Empty:
                break
        for _ in self._threads:
            self._jobs.put(None)

    def _take(self, seconds: float) -> tuple[Job, Result]:
        job, result = self._done.get(timeout=seconds)
        self._outstanding -= 1
        if isinstance(result, Exception):
            raise result
        return job, result

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._done.put((job, self._do(job)))
            except Exception as error:  # noqa: BLE001  # raised again where results are taken
                self._done.put((job, error))
