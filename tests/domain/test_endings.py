"""How runs ended that did not say it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from camdl.domain.endings import Ending, ending
from camdl.domain.health import LockHolder
from camdl.domain.outcomes import Outcome, RunRecord

NOON = datetime(2025, 9, 8, 12, tzinfo=UTC)
RUN = RunRecord("1", "download", NOON)
HOLDER = LockHolder("download", 12, NOON)


@pytest.mark.parametrize("outcome", Outcome)
def test_what_it_said_is_how_it_ended(outcome: Outcome) -> None:
    """Whatever else goes on."""
    assert ending(replace(RUN, outcome=outcome), RUN, HOLDER) == str(outcome)


@pytest.mark.parametrize(
    ("newest", "holder", "expected"),
    [
        (RUN, HOLDER, Ending.RUNNING),
        (None, HOLDER, Ending.RUNNING),
        (RUN, None, Ending.UNKNOWN),
        (RUN, replace(HOLDER, verb="cleanup"), Ending.UNKNOWN),
        (replace(RUN, id="2"), HOLDER, Ending.KILLED),
        (replace(RUN, id="2"), None, Ending.KILLED),
    ],
)
def test_without_an_end(
    newest: RunRecord | None, holder: LockHolder | None, expected: Ending
) -> None:
    """Another one came after it, or its verb has the lock, or nobody knows."""
    assert ending(RUN, newest, holder) is expected
