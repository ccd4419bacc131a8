"""`camdl verify --repair` gets lost captures again, where they came from."""

from __future__ import annotations

import json
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from tests.support import invariants
from tests.support.catalogues import sql
from tests.support.processes import await_that

if TYPE_CHECKING:
    from tests.support.gate import Gate
    from tests.support.program import Program


def test_what_is_lost_comes_back_at_once(program: Program, gate: Gate) -> None:
    """A file that is gone and a torn one are fetched again; nothing is wrong any more."""
    program.run("download")
    gone, torn, *_ = gate.all_keys()
    (program.images / gone).unlink()
    (program.images / torn).write_bytes((program.images / torn).read_bytes()[:1000])
    gate.asked.clear()
    planned = program.run("verify", "--repair", "--dry-run")
    assert f"missing\t{gone}\tthere is no such file; would be fetched again\n" in planned.stdout
    assert gate.asked == []
    done = program.run("verify", "--repair", "-v")
    assert done.returncode == 0
    size = (program.images / torn).stat().st_size
    why = f"it has 1000 bytes, not {size}; moved aside to {torn}.bad; fetched again"
    assert done.stdout.splitlines() == [
        f"missing\t{gone}\tthere is no such file; fetched again",
        f"torn\t{torn}\t{why}",
    ]
    assert "2 fetched again, 1 missing, 1 torn (2 repaired)" in done.stderr
    assert len(gate.asked) == 2
    assert program.archived() == gate.all_keys()
    assert invariants.rows(program.database, "SELECT * FROM pending") == []
    assert program.run("verify", "--full").returncode == 0


def test_it_comes_from_where_it_came(program: Program, gate: Gate) -> None:
    """The URL that is recorded is asked for, with what signed it: the template knows less."""
    program.run("download", "--stream", "in_gate")
    key = gate.all_keys()[0]
    sql(program.database, "UPDATE captures SET source_url = source_url || '?signed=yes'")
    (program.images / key).unlink()
    done = program.run("verify", "--repair")
    assert done.returncode == 0, done.stdout
    ((url,),) = invariants.rows(
        program.database, "SELECT source_url FROM captures WHERE key = ?", key
    )
    assert url.endswith("?signed=yes")


def test_what_the_source_has_no_more_stays_pending(program: Program, gate: Gate) -> None:
    """1, with the reason; a limit on what may be asked leaves the rest to the next download."""
    program.run("download", "--stream", "in_gate")
    old, new = (key for key in gate.all_keys() if key.startswith("in_gate"))
    taken = dict(gate.taken)
    gate.taken = {}
    for key in (old, new):
        (program.images / key).unlink()
    program.configure(gate, max_requests_per_run=1)
    done = program.run("verify", "--repair", "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["refetched"], told["repaired"]) == (0, {})
    assert [(one["key"], one["repair"], one["remedy"]) for one in told["findings"]] == [
        (old, "failed", "pending again: the next download asks for it"),
        (
            new,
            "failed",
            "pending again: the answer is HTTP 404 Not Found; the next download asks again",
        ),
    ]
    gate.taken = taken
    program.configure(gate)
    assert program.run("download").returncode == 0
    assert program.archived() == gate.all_keys()


def test_a_download_waits_for_it(program: Program, gate: Gate) -> None:
    """The lock is held while pictures come, and let go of before long: nobody gives up for that."""
    program.run("download")
    lost = gate.all_keys()[0]
    (program.images / lost).unlink()
    gate.asked.clear()
    may_go = threading.Event()
    gate.meanwhile = lambda: may_go.wait(60)
    with program.start("verify", "--repair") as repair:
        assert await_that(lambda: bool(gate.asked), 60)
        with program.start("download", "-v") as download:
            with pytest.raises(subprocess.TimeoutExpired):
                download.wait(2)
            may_go.set()
            download.communicate(timeout=60)
        repair.communicate(timeout=60)
    assert (repair.returncode, download.returncode) == (0, 0)
    assert program.archived() == gate.all_keys()
