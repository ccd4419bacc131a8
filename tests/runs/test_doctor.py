"""What the whole program says of set-ups, good and bad."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.runs.test_failures import no_site

if TYPE_CHECKING:
    from tests.support.gate import Gate
    from tests.support.program import Program


def test_a_set_up_that_works(program: Program, gate: Gate) -> None:
    """After a run nothing needs attention: the browser draws, the site answers, all is there."""
    assert program.run("download").returncode == 0
    before = sorted(program.home.rglob("*"))
    done = program.run("doctor")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "✘" not in done.stdout
    for line in (
        f"✔ archive       {program.images} is the archive",
        f"✔ page          http://127.0.0.1:{gate.port} answers HTTP 200 OK",
        " drew a page ",
        "✔               it can be written",
        "✔               its file is whole",
    ):
        assert line in done.stdout, done.stdout
    assert sorted(program.home.rglob("*")) == before


def test_a_set_up_with_many_faults(program: Program) -> None:
    """Each is told with what to do about it, and none hides another."""
    program.configure(no_site(), browser_executable="no-browser", log_file="/proc/no/camdl.log")
    program.database.write_bytes(b"this is no database " * 100)
    program.lock_file.symlink_to("elsewhere")
    done = program.run("doctor", "--json")
    assert done.returncode == 1
    told = {one["check"]: one for one in json.loads(done.stdout)}
    bad = {name: one["findings"][-1] for name, one in told.items() if one["grade"] == "bad"}
    assert bad.keys() == {"browser", "catalogue", "directories", "lock", "schedule", "page"}
    assert "'no-browser' is not an executable file" in bad["browser"]["said"]
    assert "not a database" in bad["catalogue"]["said"]
    assert "/proc/no (log_file) is not there, and cannot be made in" in bad["directories"]["said"]
    assert "is not a regular file" in bad["lock"]["said"]
    assert "Connection refused" in bad["page"]["said"]
    assert all(one["remedy"] for one in bad.values())
    assert told["archive"]["grade"] == told["configuration"]["grade"] == "fine"
    for broken in (program.database, program.lock_file):
        broken.unlink()
