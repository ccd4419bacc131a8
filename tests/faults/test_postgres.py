"""The whole program with a PostgreSQL server that is down, silent, locked, read-only or crashes.

Each run ends within seconds, with 74, its reason and a bad health; the next one, once all is well,
has everything.
"""

from __future__ import annotations

import re
import signal
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from camdl.errors import ExitCode
from camdl.ops.lock import FileLock
from tests.support import invariants
from tests.support.processes import await_that, marking, survivors
from tests.support.program import Program

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.support.gate import Gate
    from tests.support.postgres import Postgres, PostgresStore

    Fault = Callable[[PostgresStore], AbstractContextManager[object]]

# Without ends of its own a run would wait for ever, or for as long as TCP does.
SECONDS = 60.0


@pytest.fixture
def store(postgres: Postgres) -> Iterator[PostgresStore]:
    """A database with an empty catalogue, on a server that is well again at the end."""
    with postgres.catalogue() as made:
        yield made
        if postgres.pids():
            postgres.go_on()
        else:
            postgres.start()


@pytest.fixture
def program(tmp_path: Path, gate: Gate, store: PostgresStore) -> Iterator[Program]:
    """The program with that catalogue; no process of it survives."""
    with marking() as mark:
        yield Program(tmp_path, gate, store)
        assert survivors(mark) == []


@contextmanager
def down(store: PostgresStore) -> Iterator[None]:
    """The server does not run."""
    store.server.stop()
    yield
    store.server.start()


@contextmanager
def silent(store: PostgresStore) -> Iterator[None]:
    """The server lets everybody in and answers nobody."""
    store.server.stand_still()
    yield
    store.server.go_on()


@contextmanager
def crashed(store: PostgresStore) -> Iterator[None]:
    """The server has crashed."""
    store.server.stop("immediate")
    yield
    store.server.start()


def locked(table: str) -> Fault:
    """Somebody's maintenance has `table` for itself."""

    @contextmanager
    def fault(store: PostgresStore) -> Iterator[None]:
        with store.server.connected(store.database) as connection:
            connection.execute("BEGIN")
            connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield

    return fault


@contextmanager
def read_only(store: PostgresStore) -> Iterator[None]:
    """The server is a standby, or its owner allows no changes for a while."""
    setting = f"ALTER DATABASE {store.database} SET default_transaction_read_only"
    store.server.sql(f"{setting} = on")
    store.server.cut(store.database)  # it is so for new connections
    yield
    store.server.sql(f"{setting} = off")


def told(program: Program, done: subprocess.CompletedProcess[str], reason: str) -> None:
    """Make sure that a run ended with 74, and says why and what to do, and no secret."""
    assert (done.returncode, done.stdout) == (ExitCode.STORAGE, ""), done.stderr
    *streams, last, advice = done.stderr.splitlines()
    assert all(map(re.compile("camdl: (in|out)_gate ").match, streams)), done.stderr
    assert last.startswith("camdl: the catalogue postgresql://camdl:***@127.0.0.1:")
    assert reason in last
    assert advice.startswith("       Check that the database can be reached")
    for secret in ("Traceback", "hunter2"):
        assert secret not in done.stderr
    assert program.health()["status"] != "healthy"
    with FileLock(program.lock_file).hold(0):
        pass


def goes_on(program: Program, gate: Gate) -> None:
    """Make sure that the next run does what the last could not."""
    done = program.run("download")
    assert (done.returncode, done.stderr) == (0, "")
    assert program.archived() == gate.all_keys()
    assert program.health()["status"] == "healthy"


def in_time(program: Program, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command that does not take long."""
    began = time.monotonic()
    done = program.run(*arguments)
    assert time.monotonic() - began < SECONDS
    return done


def at_the_last_image(gate: Gate, store: PostgresStore, do: Callable[[], object]) -> None:
    """Have this done when a run has recorded all listings, and waits for its last image."""
    last, lock, left = len(gate.all_keys()), threading.Lock(), [do]
    listed = "SELECT count(DISTINCT stream) FROM readings"

    def meanwhile() -> None:
        with lock:
            if left and len(gate.asked) >= last:
                assert await_that(lambda: store.sql(listed) == [(len(gate.streams),)], 60)
                left.pop()()

    gate.meanwhile = meanwhile


@pytest.mark.fault(11)
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (down, "refused"),
        (silent, "no answer for 4 s"),
        (locked("captures"), "lock timeout"),
        (locked("runs"), "lock timeout"),
        (locked("pending"), "lock timeout"),
        (locked("alembic_version"), "lock timeout"),
        (read_only, "read-only transaction"),
    ],
    ids=["down", "silent", "captures", "runs", "pending", "schema", "read-only"],
)
def test_a_fault_that_is_there_before(
    program: Program, gate: Gate, store: PostgresStore, fault: Fault, reason: str
) -> None:
    """No image is asked for, and none is lost."""
    gate.take(15)
    assert program.run("download").returncode == 0
    gate.take(5, 15)
    gate.asked.clear()
    with fault(store):
        told(program, in_time(program, "download"), reason)
        assert gate.asked == []
    assert len(program.archived()) == 2
    goes_on(program, gate)


@pytest.mark.fault(11)
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (down, "refused"),
        (silent, "no answer for 4 s"),
        (crashed, "refused"),
        (locked("captures"), "lock timeout"),
        (locked("runs"), "lock timeout"),
        (read_only, "read-only transaction"),
    ],
    ids=["down", "silent", "crashed", "captures", "runs", "read-only"],
)
def test_a_fault_in_the_middle_of_a_run(
    program: Program, gate: Gate, store: PostgresStore, fault: Fault, reason: str
) -> None:
    """What was stored by then and could not be recorded is, by the next; nothing comes twice."""
    with ExitStack() as stack:
        at_the_last_image(gate, store, lambda: stack.enter_context(fault(store)))
        told(program, in_time(program, "download"), reason)
        gate.meanwhile = lambda: None
        assert invariants.files(program.images)
        assert len(gate.asked) == len(set(gate.asked))
    goes_on(program, gate)
    assert len(gate.asked) == len(set(gate.asked))


@pytest.mark.fault(11)
def test_a_crash_and_a_restart_in_the_middle_of_a_run(
    program: Program, gate: Gate, store: PostgresStore
) -> None:
    """Who asks nothing meanwhile does not notice."""

    def crash() -> None:
        with crashed(store):
            pass

    at_the_last_image(gate, store, crash)
    done = in_time(program, "download")
    assert (done.returncode, done.stderr) == (0, "")
    assert program.archived() == gate.all_keys()
    assert program.runs() == [("ok", 0)]


def test_connections_that_fall_silent_while_the_server_is_well(
    program: Program, gate: Gate, store: PostgresStore
) -> None:
    """As behind a firewall that forgets: others take their place."""
    stopped: list[int] = []

    def stop() -> None:
        stopped.extend(store.server.stand_still_of(store.database))

    at_the_last_image(gate, store, stop)
    done = in_time(program, "download")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(stopped) == 1
    assert program.archived() == gate.all_keys()
    assert program.runs() == [("ok", 0)]


def test_asked_to_end_while_the_server_is_silent(
    program: Program, gate: Gate, store: PostgresStore
) -> None:
    """143 within ten seconds all the same, and the health is written."""
    silenced, may_go = threading.Event(), threading.Event()

    def silence() -> None:
        store.server.stand_still()
        silenced.set()
        may_go.wait(60)

    at_the_last_image(gate, store, silence)
    with program.start("download") as run:
        assert silenced.wait(60)
        began = time.monotonic()
        run.send_signal(signal.SIGTERM)
        out, err = run.communicate(timeout=60)
        took = time.monotonic() - began
    may_go.set()
    assert (run.returncode, out) == (ExitCode.SIGTERM, ""), err
    assert "interrupted by SIGTERM" in err
    assert took < 10
    assert program.health()["database"] == "disconnected"
    store.server.go_on()
    gate.meanwhile = lambda: None
    goes_on(program, gate)


@pytest.mark.parametrize(
    "fault", [down, silent, locked("captures")], ids=["down", "silent", "lock"]
)
def test_health_says_so(program: Program, gate: Gate, store: PostgresStore, fault: Fault) -> None:
    """2, with the reason, in a line that monitoring reads."""
    assert program.run("download").returncode == 0
    with fault(store):
        done = in_time(program, "health")
        assert (done.returncode, done.stderr) == (2, "")
        assert done.stdout.startswith("camdl CRITICAL - the catalogue postgresql://camdl:***@")
        assert done.stdout.count("\n") == 1
    assert program.run("health").returncode == 0


@pytest.mark.parametrize(
    "command",
    [
        ("backfill", "--from", "2025-09-08"),
        ("cleanup",),
        ("verify",),
        ("verify", "--repair"),
        ("gaps",),
        ("pin", "--list"),
        ("db", "current"),
        ("db", "upgrade"),
        ("db", "backup", "copy.dump"),
    ],
    ids=" ".join,
)
def test_every_command_is_in_time(
    program: Program, store: PostgresStore, command: tuple[str, ...]
) -> None:
    """74 and the reason, whatever is asked of a silent server."""
    with silent(store):
        done = in_time(program, *command)
    assert (done.returncode, done.stdout) == (ExitCode.STORAGE, ""), done.stderr
    assert "no answer for 4 s" in done.stderr
    assert "hunter2" not in done.stderr
