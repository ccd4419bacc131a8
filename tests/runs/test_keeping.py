"""What is kept and what goes, by the commands that people give."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.gate import Gate
    from tests.support.program import Program


def says(program: Program, *arguments: str) -> str:
    """What a command prints that has nothing to complain of."""
    done = program.run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def pinned(program: Program) -> list[tuple[int, str]]:
    """The pins by their ids and streams."""
    pins = json.loads(says(program, "pin", "--list", "--json"))
    return [(pin["id"], pin["stream"]) for pin in pins]


def test_pins_are_taken_away_by_id_or_by_time(program: Program) -> None:
    """Each way takes its own and leaves the others."""
    assert program.run("download").returncode == 0
    times = ("--from", "2020-01-01", "--to", "2099-01-01")
    for stream in ("in_gate", "out_gate", "out_gate"):
        says(program, "pin", stream, *times)
    (first, _), *others = pinned(program)
    assert says(program, "unpin", str(first)) == ""
    assert pinned(program) == others
    assert says(program, "unpin", "--stream", "out_gate", *times) == ""
    assert pinned(program) == []


def test_half_of_a_command_takes_no_pin_away(program: Program) -> None:
    """It is a mistake on the command line that says what is asked for."""
    done = program.run("unpin", "--stream", "in_gate")
    assert done.returncode == 2
    assert "say either IDs, or --stream, --from and --to" in done.stderr


def test_all_goes_that_may_on_a_disk_that_never_has_enough(program: Program) -> None:
    """What is pinned stays; the dry run says the same, and that it does not do is told."""
    assert program.run("download").returncode == 0
    says(program, "pin", "in_gate", "--from", "2020-01-01", "--to", "2099-01-01")
    cleanup = ("cleanup", "--min-free", "100", "--force")
    before = program.archived()
    would = program.run(*cleanup, "--dry-run")
    assert program.archived() == before
    does = program.run(*cleanup)
    left = [key for key in before if key.startswith("in_gate")]
    assert program.archived() == left
    assert (would.returncode, does.returncode) == (1, 1)
    assert all(key in would.stdout for key in set(before) - set(left))
    assert not any(key in would.stdout for key in left)


def test_gaps_are_filled_on_demand(program: Program, gate: Gate) -> None:
    """The source has good pictures by then, where it had none for a while."""
    gate.take(*range(5, 126, 10))
    gate.bodies = iter([b"<html>later</html>"] * 10)
    assert program.run("download").returncode == 1
    assert len(program.archived()) == len(gate.all_keys()) - 10
    assert program.run("backfill", "--gaps").returncode == 0
    assert program.archived() == gate.all_keys()
