"""A gate site and the program for it, and a summary of how many points were walked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.runs.conftest import gate, program, site
from tests.support.nursery import Nursery
from tests.support.sweep import Ground

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.gate import Gate
    from tests.support.program import Program

__all__ = ["gate", "program", "site"]

# What the machines that run these tests for everybody may lack, and the reason. Nothing, so far.
EXPECTED_MISSING: dict[str, str] = {}

_WALKED = "points walked"


@pytest.fixture
def ground(
    tmp_path_factory: pytest.TempPathFactory, program: Program, gate: Gate
) -> Iterator[Callable[[str], Ground]]:
    """Makes the ground for a sweep, from one of `tests.support.sweep.STARTS`."""
    scratch = tmp_path_factory.mktemp("ground")
    with Nursery(program, scratch) as nursery:
        yield lambda start: Ground(program, gate, nursery, start, scratch)


@pytest.fixture
def needs() -> Callable[[str, str], None]:
    """Leaves a test out when `why` says that this machine lacks `what`.

    In CI that is a failure unless it is expected: a fault that is never tried is not survived.
    """

    def check(what: str, why: str) -> None:
        if why and os.environ.get("CI") and what not in EXPECTED_MISSING:
            pytest.fail(f"{what}: {why}, and EXPECTED_MISSING of {__file__} does not list it")
        if why:
            pytest.skip(f"{what}: {EXPECTED_MISSING.get(what) or why}")

    return check


@pytest.fixture
def walked(record_property: Callable[[str, object], None]) -> Callable[[int], None]:
    """Notes for the summary at how many points a fault was brought about."""
    return lambda points: record_property(_WALKED, points)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many points were walked, by each test and in all."""
    reports = [one for some in terminalreporter.stats.values() for one in some]
    found = {
        report.nodeid.partition("::")[2]: value
        for report in reports
        if isinstance(report, pytest.TestReport)
        for name, value in report.user_properties
        if name == _WALKED and isinstance(value, int)
    }
    if found:
        terminalreporter.section("faults brought about")
        for name, points in sorted(found.items()):
            terminalreporter.write_line(f"{points:5} {name}")
        terminalreporter.write_line(f"{sum(found.values()):5} in all")
