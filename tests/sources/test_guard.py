"""The guard as the program that it is, around real commands that try to get away."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import pytest

from camdl.sources import guard
from tests.support.processes import await_that, carriers, children, marking, survivors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Beside its own process: an orphan, a daemon in a session of its own, and a stopped one.
FUGITIVES = """
(sleep 1000 &)
(setsid setsid sleep 1000 &)
sh -c 'kill -STOP $$' &
echo ready
"""
STARTER = """
import socket, subprocess, sys, time
leash, far_end = socket.socketpair()
fd = far_end.fileno()
subprocess.Popen([sys.executable, sys.argv[1], str(fd), "sh", "-c", sys.argv[2]], pass_fds=(fd,))
far_end.close()
time.sleep(1000)
"""


@pytest.fixture
def mark() -> Iterator[int]:
    """The mark of all that the test starts."""
    with marking() as mark:
        yield mark


@contextmanager
def guarded(
    *command: str,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    env: dict[str, str] | None = None,
) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    """A guard around `command`, and the leash that it is on."""
    leash, far_end = socket.socketpair()
    leash.settimeout(20)
    with leash, far_end:
        fd = far_end.fileno()
        arguments = [sys.executable, guard.__file__, str(fd), *command]
        with subprocess.Popen(
            arguments,
            pass_fds=(fd,),
            stdin=stdin,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            far_end.close()
            try:
                yield process, leash
            finally:
                leash.close()
                end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Wait for a guard that was told to end, but not for ever."""
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def line(process: subprocess.Popen[bytes]) -> bytes:
    """The next line of its output."""
    assert process.stdout is not None
    return process.stdout.readline()


def fugitives(mark: int) -> bool:
    """Whether everything of `FUGITIVES` and what waits beside it is there."""
    lines = list(carriers(mark).values())
    return lines.count("sleep 1000") == 3 and lines.count("sh -c kill -STOP $$") == 1


@contextmanager
def with_fugitives(mark: int) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    """A guard around a command that lives on beside its fugitives."""
    with guarded("sh", "-c", f"{FUGITIVES} exec sleep 1000") as (process, leash):
        assert line(process) == b"ready\n"
        assert await_that(lambda: fugitives(mark))
        yield process, leash


@pytest.mark.parametrize(
    ("script", "exit_code"), [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143)]
)
def test_exit_code_is_the_commands(script: str, exit_code: int) -> None:
    """The guard exits as the command did, with 128 + the signal that killed it."""
    with guarded("sh", "-c", script) as (process, _):
        assert process.wait(20) == exit_code


def test_output_and_input_are_the_commands() -> None:
    """What is written to the guard reaches the command, and what that writes comes back."""
    with guarded("sh", "-c", "cat; echo told >&2", stdin=subprocess.PIPE) as (process, _):
        assert process.communicate(b"hello", timeout=20) == (b"hello", b"told\n")


def test_end_of_output_is_seen_while_the_command_lives(mark: int) -> None:
    """A command that closes its output is seen to have done so at once."""
    with guarded("sh", "-c", "echo a; exec >&-; exec sleep 1000") as (process, _):
        assert line(process) == b"a\n"
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 20)[0]
        assert line(process) == b""
        assert process.poll() is None


def test_end_of_input_is_seen_while_the_command_lives(mark: int) -> None:
    """A command that closes its input breaks the pipe of whoever writes to it."""
    script = "exec <&-; echo closed; exec sleep 1000"
    with guarded("sh", "-c", script, stdin=subprocess.PIPE) as (process, _):
        assert line(process) == b"closed\n"
        assert process.stdin is not None

        def is_broken() -> bool:
            try:
                os.write(stdin.fileno(), b"x")
            except BrokenPipeError:
                return True
            return False

        stdin = process.stdin
        assert await_that(is_broken)


def test_command_inherits_nothing_else() -> None:
    """The command has stdin, stdout and stderr, and not the leash."""
    script = "import os; print(sorted(os.listdir('/proc/self/fd')))"
    with guarded(sys.executable, "-I", "-S", "-c", script) as (process, _):
        assert line(process) == b"['0', '1', '2', '3']\n"  # 3 is the listing's own


def test_signals_of_python_are_not_handed_on() -> None:
    """A broken pipe kills the command, as it would without a guard in Python."""
    with guarded("sh", "-c", "kill -PIPE $$; exit 0") as (process, _):
        assert process.wait(20) == 128 + signal.SIGPIPE


@pytest.mark.parametrize(("executable", "exit_code"), [(False, 127), (True, 126)])
def test_command_that_cannot_be_run(tmp_path: Path, executable: bool, exit_code: int) -> None:
    """A command that is missing or no program is told of, with the exit code of shells."""
    program = tmp_path / "program"
    if executable:
        program.touch()
        program.write_bytes(b"\x7fELF no more")
        program.chmod(0o755)
    with guarded(str(program)) as (process, _):
        _, told = process.communicate(timeout=20)
        assert process.returncode == exit_code
        assert told.startswith(f"{program} cannot be run: ".encode())
        assert b"Traceback" not in told


def test_nothing_outlives_the_command(mark: int) -> None:
    """When the command ends, what it left running is killed and the guard exits as it did."""
    script = f"{FUGITIVES} sleep 1000 & read word; exit 4"
    with guarded("sh", "-c", script, stdin=subprocess.PIPE) as (process, leash):
        assert line(process) == b"ready\n"
        assert await_that(lambda: fugitives(mark))
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 4
        assert leash.recv(1) == b""
        assert survivors(mark) == []


def test_nothing_outlives_the_leash(mark: int) -> None:
    """When the other end of the leash is shut, everything is killed before it is let go."""
    with with_fugitives(mark) as (process, leash):
        leash.shutdown(socket.SHUT_WR)
        assert leash.recv(1) == b""
        assert set(carriers(mark)) <= {process.pid}
        assert process.wait(20) == 128 + signal.SIGKILL
        assert survivors(mark) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("which", ["outer", "inner"])
def test_nothing_outlives_a_guard(mark: int, number: signal.Signals, which: str) -> None:
    """When either guard is asked to end, or killed, everything else ends too."""
    with with_fugitives(mark) as (process, leash):
        (inner,) = children(process.pid)
        os.kill(process.pid if which == "outer" else inner, number)
        assert leash.recv(1) == b""
        assert survivors(mark) == []


def test_nothing_outlives_the_starter(mark: int) -> None:
    """When the process that started the guard is killed, everything ends."""
    command = [sys.executable, "-c", STARTER, guard.__file__, f"{FUGITIVES} exec sleep 1000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as starter:
        assert line(starter) == b"ready\n"
        assert await_that(lambda: fugitives(mark))
        starter.kill()
        assert survivors(mark) == []


def test_starter_that_is_gone_before_the_command_starts(mark: int) -> None:
    """A guard whose leash is shut already lets nothing live."""
    with guarded("sleep", "1000") as (process, leash):
        leash.shutdown(socket.SHUT_WR)
        assert process.wait(20) == 128 + signal.SIGKILL
        assert survivors(mark) == []


def test_signals_that_were_blocked_by_the_starter(mark: int) -> None:
    """A guard that inherits blocked signals still notices the command's end and its own."""
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGTERM})
    try:
        with guarded("sh", "-c", f"{FUGITIVES} exit 5") as (process, _):
            assert process.wait(20) == 5
        with guarded("sleep", "1000") as (process, leash):
            assert await_that(lambda: "sleep 1000" in carriers(mark).values())
            process.terminate()
            assert leash.recv(1) == b""
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
    assert survivors(mark) == []


def test_orphans_are_reaped_while_the_command_lives(mark: int) -> None:
    """Orphans that end by themselves do not stay as zombies below the guard."""
    script = "for i in 1 2 3; do (sh -c 'exec sleep 0.1' &); done; echo ready; exec sleep 1000"
    with guarded("sh", "-c", script) as (process, _):
        assert line(process) == b"ready\n"
        (inner,) = children(process.pid)
        assert await_that(lambda: len(children(inner)) == 1)


def test_guard_without_the_kernels_help(mark: int, tmp_path: Path) -> None:
    """Where the kernel cannot be asked for orphans, the command at least ends with the leash."""
    (tmp_path / "ctypes.py").write_text("raise ImportError('not built')")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with guarded("sleep", "1000", env=env) as (process, leash):
        assert await_that(lambda: "sleep 1000" in carriers(mark).values())
        leash.shutdown(socket.SHUT_WR)
        assert process.wait(20) == 128 + signal.SIGKILL
        assert survivors(mark) == []


def test_kill_tree_reaches_a_guard_whose_processes_are_all_stopped(mark: int) -> None:
    """Two guards that cannot run any more are killed, after what is below them."""
    with with_fugitives(mark) as (process, _):
        for stopped in (process.pid, *children(process.pid)):
            os.kill(stopped, signal.SIGSTOP)
        guard.kill_tree(process.pid)
        assert process.wait(20) == -signal.SIGKILL
        assert survivors(mark) == []


def test_kill_tree_leaves_alone_what_is_no_child(mark: int) -> None:
    """A number that belongs to no living child of this process is not touched."""
    with guarded("sleep", "1000") as (process, _):
        assert await_that(lambda: "sleep 1000" in carriers(mark).values())
        for pid in carriers(mark).keys() - {process.pid}:
            guard.kill_tree(pid)
        assert "sleep 1000" in carriers(mark).values()
