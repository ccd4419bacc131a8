"""The whole program on a machine without locks, network, memory or processes to spare."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from camdl.demo.run import site_config
from camdl.errors import ExitCode
from tests.support import invariants
from tests.support.calls import on
from tests.support.groups import lacking, limited
from tests.support.processes import await_that
from tests.support.root import needs_root

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.support.gate import Gate
    from tests.support.program import Program

MEGABYTE = 1024 * 1024


@pytest.fixture
def groups(needs: Callable[[str, str], None]) -> None:
    """Control groups, which limit what a run and its browser use together."""
    for controller in ("pids", "memory"):
        needs(f"control groups of {controller}", lacking(controller))


# Locks


@pytest.mark.fault(14)
@pytest.mark.parametrize("error", ["ENOSYS", "ENOLCK"])
def test_a_file_system_without_locks(program: Program, gate: Gate, error: str) -> None:
    """There is no run without a lock: 78, with what to do, and nothing is made but its file."""
    fault = ("-e", "trace=flock", "-e", f"inject=flock:error={error}")
    strace = ("strace", "-f", "-qq", "-o", "/dev/null", *fault, *on([program.lock_file]))
    done = program.behind(strace, "download")
    assert (done.returncode, done.stdout) == (ExitCode.CONFIG, "")
    assert f"the file system of {program.lock_file} has no locks" in done.stderr
    assert "Set lock_file to a path on a local disk." in done.stderr
    assert (gate.asked, program.images.exists(), program.database.exists()) == ([], False, False)
    program.goes_on(gate)


@pytest.mark.fault(13)
def test_a_lock_file_that_is_a_link(program: Program, gate: Gate) -> None:
    """78: who could make the link could have the program write anywhere; its target stays."""
    target = program.home / "precious"
    target.write_text("precious")
    program.lock_file.symlink_to(target)
    done = program.run("download")
    assert (done.returncode, done.stdout) == (ExitCode.CONFIG, "")
    assert f"the lock file {program.lock_file} is a symbolic link" in done.stderr
    assert target.read_text() == "precious"
    assert not program.images.exists()
    program.lock_file.unlink()
    program.goes_on(gate)


@pytest.mark.fault(13)
def test_a_lock_file_that_is_deleted_while_it_is_held(program: Program, gate: Gate) -> None:
    """Two runs are at work at once then, and still nothing is recorded twice or torn."""
    may_go = threading.Event()
    gate.meanwhile = lambda: len(gate.asked) <= len(gate.all_keys()) and may_go.wait(60)
    with program.start("download") as first:
        assert await_that(lambda: bool(gate.asked), 60)
        program.lock_file.unlink()
        with program.start("download") as second:
            assert await_that(lambda: len(gate.asked) > len(gate.all_keys()), 60)
            may_go.set()
            said = [run.communicate(timeout=60) for run in (first, second)]
    assert [run.returncode for run in (first, second)] == [0, 0], said
    assert program.archived() == gate.all_keys()
    gate.meanwhile = lambda: None
    program.goes_on(gate)


# Processes and memory


def tells(done: subprocess.CompletedProcess[str], *codes: int) -> None:
    """Make sure that a run ended with one of `codes`, and with nothing but lines of its own."""
    assert done.returncode in codes, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines
    assert all(line.startswith(("camdl: ", "       ")) for line in lines), done.stderr


def cleans_up(program: Program, gate: Gate) -> None:
    """Make sure that the next run needs nothing to be repaired by hand."""
    if program.health_file.exists():
        assert program.health()["status"] != "healthy"
    assert invariants.files(program.images) == []
    program.goes_on(gate)


UNREACHED = (ExitCode.PARTLY, ExitCode.UNREACHABLE, ExitCode.CONFIG)


@pytest.mark.fault(17)
@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize("processes", [1, 2, 4, 14, 30])
def test_too_many_processes(program: Program, gate: Gate, processes: int) -> None:
    """A limit that keeps the driver, the browser or a page from starting is told as such."""
    program.configure(gate, run_deadline_seconds=20)
    with limited("pids", processes) as prefix:
        tells(program.behind(prefix, "download"), *UNREACHED)
    cleans_up(program, gate)


@pytest.mark.fault(17)
@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize("megabytes", [100, 150])
def test_out_of_memory(program: Program, gate: Gate, megabytes: int) -> None:
    """The kernel kills the driver or the browser: the streams failed, nothing else did."""
    with limited("memory", megabytes * MEGABYTE) as prefix:
        tells(program.behind(prefix, "download"), *UNREACHED)
    cleans_up(program, gate)


@pytest.mark.fault(17)
@pytest.mark.usefixtures("groups")
def test_out_of_memory_itself(program: Program, gate: Gate) -> None:
    """When the kernel kills camdl, nothing of it is left that the next run would stumble over."""
    with limited("memory", 50 * MEGABYTE) as prefix:
        assert program.behind(prefix, "download").returncode == -9
    cleans_up(program, gate)


# Network and time


@pytest.mark.fault(22)
@needs_root
def test_no_network_at_all(program: Program, gate: Gate) -> None:
    """69, a line for each stream, and a health that says so; the next run has everything."""
    done = program.behind(("unshare", "-n"), "download")
    tells(done, ExitCode.UNREACHABLE)
    assert [line.split(":")[1] for line in done.stderr.splitlines()] == [
        f" {stream} failed" for stream in gate.streams
    ]
    assert gate.asked == []
    assert program.runs() == [("failed", ExitCode.UNREACHABLE)]
    assert program.health()["status"] != "healthy"
    program.goes_on(gate)


@pytest.mark.fault(35)
@pytest.mark.parametrize("zone", ["America/New_York", "UTC"])
def test_a_repeated_hour(program: Program, gate: Gate, zone: str) -> None:
    """Where clocks go back an hour, captures of both passes have names of their own, in UTC."""
    # In New York this is 1:40, twice.
    for hour in (5, 6):
        gate.begin(datetime(2025, 11, 2, hour, 40, tzinfo=UTC))
        minutes = range(10, 10 + 60 * (hour - 4), 60)
        gate.take(*minutes)
        done = program.run("download", at=gate.now, TZ=zone)
        assert (done.returncode, done.stderr) == (0, "")
        assert len(gate.asked) == len(gate.streams)
    names = [key.rpartition("/")[2] for key in program.archived() if key.startswith("in_gate")]
    assert names == ["20251102T053000Z_in_gate.jpg", "20251102T063000Z_in_gate.jpg"]
    assert program.archived() == gate.all_keys()
    query = "SELECT captured_at FROM captures WHERE stream = 'in_gate' ORDER BY captured_at"
    first, second = (datetime.fromisoformat(row[0]) for row in rows(program, query))
    assert second - first == timedelta(hours=1)


def rows(program: Program, query: str) -> list[tuple[str, ...]]:
    """What `query` finds in the catalogue."""
    return invariants.rows(program.database, query)


# Network


@needs_root
def test_a_proxy_in_the_environment(program: Program, gate: Gate) -> None:
    """Neither pages nor images are asked for through it: it could reach what no run may.

    The site has a name here, as browsers use no proxy for an address of this machine anyway.
    """
    hosts = program.home / "hosts"
    hosts.write_text("127.0.0.1 localhost gate.example\n")
    program.configure(site_config(gate).replace("http://127.0.0.1", "http://gate.example"))
    script = f'mount --bind {hosts} /etc/hosts && exec "$@"'
    apart = ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh")
    proxy = "http://127.0.0.1:9"
    names = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    through = ("env", *(f"{name}={proxy}" for name in names))
    done = program.behind([*apart, *through], "download")
    assert (done.returncode, done.stderr) == (0, "")
    assert program.archived() == gate.all_keys()
