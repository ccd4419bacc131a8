"""Checks that are done, fail, break and hang."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from camdl.domain.examination import Examined, Finding, Grade, bad, fine, note
from camdl.errors import ExitCode, StorageError
from camdl.verbs.doctor import Check, doctor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def giving(*findings: Finding) -> Callable[[], tuple[Finding, ...]]:
    """A check that finds these."""
    return lambda: findings


def raising(error: Exception) -> Callable[[], tuple[Finding, ...]]:
    """A check that fails."""

    def look() -> tuple[Finding, ...]:
        raise error

    return look


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """Something to wait for that comes only after the test."""
    event = threading.Event()
    yield event
    event.set()


def test_all_is_fine() -> None:
    """Each check is told in its place, and the code is 0; what is worth knowing is no failure."""
    told: list[Examined] = []
    found = doctor([Check("a", giving(fine("1"))), Check("b", giving(note("2")))], told.append)
    assert [one.name for one in told] == ["a", "b"]
    assert found.examined == tuple(told)
    assert [one.findings for one in told] == [(fine("1"),), (note("2"),)]
    assert found.exit_code is ExitCode.OK


def test_something_needs_attention() -> None:
    """Then it is 1."""
    found = doctor([Check("a", giving(fine("1"), bad("2")))])
    assert found.exit_code is ExitCode.PARTLY


@pytest.mark.parametrize(
    ("error", "finding"),
    [
        (StorageError("no space\nleft", advice="Make some."), bad("no space left", "Make some.")),
        (OSError(5, "I/O error"), bad("the system refused something: [Errno 5] I/O error")),
        (KeyError("x"), bad("a bug of this check: KeyError: 'x'", "Please report it.")),
    ],
)
def test_a_check_that_fails_keeps_no_other_from_being_told(
    error: Exception, finding: Finding
) -> None:
    """What it raises is what it found."""
    found = doctor([Check("a", raising(error)), Check("b", giving(fine("1")))])
    assert [one.findings for one in found.examined] == [(finding,), (fine("1"),)]


def test_findings_before_a_failure_are_lost_with_it() -> None:
    """A generator that breaks off is judged by why it did."""

    def look() -> Iterator[Finding]:
        yield fine("1")
        raise StorageError("broken", advice="Mend it.")

    (one,) = doctor([Check("a", look)]).examined
    assert one.findings == (bad("broken", "Mend it."),)


def test_a_check_that_hangs_is_left_behind(never: threading.Event) -> None:
    """It has had its time, and what to do about it is said; the others are told all the same."""

    def hang() -> tuple[Finding, ...]:
        never.wait()
        return ()

    waited: list[tuple[str, ...]] = []
    found = doctor(
        [Check("a", hang, 0.05, "Mount it."), Check("b", giving(fine("1")))],
        waiting_for=lambda names: waited.append(tuple(names)),
    )
    assert found.examined[0].findings == (bad("no answer within 0.05 s", "Mount it."),)
    assert found.examined[0].seconds == 0.05
    assert found.examined[1].grade is Grade.FINE
    assert {"a"} <= {name for names in waited for name in names}


def test_all_of_them_begin_at_once() -> None:
    """Two that wait for each other are done both."""
    both = threading.Barrier(2, timeout=30)

    def meet() -> tuple[Finding, ...]:
        both.wait()
        return (fine("met"),)

    found = doctor([Check("a", meet, 60), Check("b", meet, 60)])
    assert [one.grade for one in found.examined] == [Grade.FINE] * 2


def test_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is what is found."""

    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    (one,) = doctor([Check("a", giving(fine("1")))]).examined
    assert one.findings[0].said == "it could not be looked at: can't start new thread"
