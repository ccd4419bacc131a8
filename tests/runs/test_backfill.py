"""The whole program reads several days of a real page, and shares the lock with downloads."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.support import invariants
from tests.support.processes import await_that, survivors

if TYPE_CHECKING:
    from tests.support.gate import Gate
    from tests.support.program import Program


def fill(gate: Gate, days: int) -> datetime:
    """The site's cameras took two pictures on each of the last days; the first of those days."""
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    gate.begin(datetime.now(UTC))
    minutes = [5.0]
    for number in range(1, days + 1):
        ago = (gate.now - (noon - timedelta(days=number))).total_seconds() // 60
        minutes += [ago, ago + 10]
    gate.take(*minutes)
    return noon - timedelta(days=days)


def test_several_days_by_the_date_picker(program: Program, gate: Gate) -> None:
    """All of four days is archived without a word, and a second time nothing is fetched."""
    first = fill(gate, 4)
    arguments = ("backfill", "--from", f"{first:%Y-%m-%d}")
    done = program.run(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert program.archived() == gate.all_keys()
    assert len(gate.asked) == len(set(gate.asked)) == 18
    gate.asked.clear()
    assert program.run(*arguments).returncode == 0
    assert gate.asked == []
    assert program.runs() == [("ok", 0), ("ok", 0)]
    assert program.health()["database"] == "connected"


def test_a_download_in_the_middle_of_a_backfill(program: Program, gate: Gate) -> None:
    """It waits for the lock and succeeds; SIGTERM then ends the backfill, and it can go on."""
    first = fill(gate, 12)
    gate.meanwhile = lambda: time.sleep(0.2)
    arguments = ("backfill", "--from", f"{first:%Y-%m-%d}", "--stream", "in_gate")
    with program.start(*arguments) as backfill:
        assert await_that(lambda: len(gate.asked) > 2, 30)
        download = program.run("download", "--stream", "out_gate")
        assert (download.returncode, download.stderr) == (0, "")
        assert backfill.poll() is None
        began = time.monotonic()
        backfill.send_signal(signal.SIGTERM)
        _, said = backfill.communicate(timeout=30)
        assert time.monotonic() - began < 10
        assert (backfill.returncode, "interrupted by SIGTERM" in said) == (143, True)
    verbs = invariants.rows(program.database, "SELECT verb, outcome FROM runs ORDER BY started_at")
    assert verbs == [("backfill", "interrupted"), ("download", "ok")]
    gate.meanwhile = lambda: None
    assert program.run(*arguments).returncode == 0
    of_in_gate = [key for key in gate.all_keys() if key.startswith("in_gate")]
    assert [key for key in program.archived() if key.startswith("in_gate")] == of_in_gate
    asked = [path for path in gate.asked if "in_gate" in path]
    assert len(asked) - len(set(asked)) <= 8  # those that were under way


def test_a_backfill_that_was_killed_goes_on(program: Program, gate: Gate) -> None:
    """What is stored is not fetched again, whether it was recorded or not."""
    first = fill(gate, 4)
    at_once = 2
    program.configure(gate, concurrent_downloads=at_once)
    arguments = ("backfill", "--from", f"{first:%Y-%m-%d}")
    gate.meanwhile = lambda: time.sleep(0.1)
    with program.start(*arguments) as backfill:
        assert await_that(lambda: len(gate.asked) > 6, 60)
        backfill.kill()
        backfill.communicate(timeout=30)
    assert survivors(program.mark) == []
    gate.meanwhile = lambda: None
    done = program.run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert program.archived() == gate.all_keys()
    assert len(gate.asked) - len(set(gate.asked)) <= at_once


def test_a_date_that_is_none(program: Program) -> None:
    """It is refused as usage before anything is done, with the form that it should have."""
    done = program.run("backfill", "--from", "last week")
    assert (done.returncode, "%Y-%m-%d" in done.stderr) == (2, True)
    assert program.run("backfill").returncode == 2
    assert not program.database.exists()
