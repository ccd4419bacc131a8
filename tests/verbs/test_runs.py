"""Which runs there were."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from camdl.domain.endings import Ending, PastRun
from camdl.domain.health import LockHolder
from camdl.domain.outcomes import Outcome, RunRecord
from camdl.verbs.runs import runs
from tests.support.fake_catalogue import FakeCatalogue

NOON = datetime(2025, 9, 8, 12, tzinfo=UTC)
HOLDER = LockHolder("download", 12, NOON)


@pytest.fixture
def catalogue() -> FakeCatalogue:
    """Five runs, an hour apart: two of them have no end."""
    made = FakeCatalogue()
    for number, (verb, outcome) in enumerate(
        [
            ("download", None),
            ("download", Outcome.OK),
            ("cleanup", Outcome.FAILED),
            ("download", Outcome.OK),
            ("download", None),
        ]
    ):
        run = RunRecord(str(number), verb, NOON + timedelta(hours=number), outcome=outcome)
        made.begin_run(run.id, run.verb, run.started_at)
        if outcome:
            made.finish_run(replace(run, ended_at=NOON + timedelta(hours=number, minutes=1)))
    return made


def told(found: tuple[PastRun, ...]) -> list[tuple[str, str]]:
    """Id and ending of each."""
    return [(one.run.id, one.ending) for one in found]


def test_newest_first(catalogue: FakeCatalogue) -> None:
    """Of every verb, each with how it ended."""
    assert told(runs(catalogue, HOLDER, limit=20)) == [
        ("4", Ending.RUNNING),
        ("3", Ending.OK),
        ("2", Ending.FAILED),
        ("1", Ending.OK),
        ("0", Ending.KILLED),
    ]
    assert told(runs(catalogue, None, limit=1)) == [("4", Ending.UNKNOWN)]
    assert told(runs(catalogue, HOLDER, limit=9, verb="cleanup")) == [("2", Ending.FAILED)]


def test_only_bad_ones(catalogue: FakeCatalogue) -> None:
    """One that goes on is none, and does not count."""
    bad = [("2", Ending.FAILED), ("0", Ending.KILLED)]
    assert told(runs(catalogue, HOLDER, limit=20, only_bad=True)) == bad
    assert told(runs(catalogue, HOLDER, limit=1, only_bad=True)) == bad[:1]
    assert told(runs(catalogue, None, limit=20, only_bad=True)) == [("4", Ending.UNKNOWN), *bad]


def test_no_catalogue_yet() -> None:
    """Before the first run there are none."""
    assert runs(None, None, limit=20) == ()
