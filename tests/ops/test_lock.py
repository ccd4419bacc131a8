"""The lock: one run at a time, on real files and between real processes."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from camdl.domain.health import LockHolder
from camdl.errors import ConfigError, ExitCode, InterruptedRunError, LockHeldError, StorageError
from camdl.ops.lock import FileLock
from camdl.ops.lock import holder as lock_holder
from tests.support.strace import straced, unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterator

# Holds the lock named by its argument, says so, and lets go when its input ends.
HOLDER = """
import sys
from pathlib import Path
from camdl.ops.lock import FileLock
with FileLock(Path(sys.argv[1]), "download").hold(30):
    print("held", flush=True)
    sys.stdin.read()
"""
# Takes the lock for a moment, and says how that went.
TRIES = """
import sys
from pathlib import Path
from camdl.errors import CamdlError
from camdl.ops.lock import FileLock
try:
    with FileLock(Path(sys.argv[1])).hold(0):
        print("held")
except CamdlError as error:
    print(error, error.advice)
    sys.exit(error.exit_code)
"""


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock inside the `with`."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=unmeasured(),
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def injected(
    tmp_path: Path, what: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """An attempt to take a lock, with a fault injected into its system calls."""
    log = tmp_path / "strace.log"
    options = ("-e", f"trace={what.partition(':')[0]}", "-e", f"inject={what}")
    run = straced(TRIES, tmp_path / "camdl.lock", log, *options, env=env)
    assert "INJECTED" in log.read_text()
    return run


def test_a_second_run_is_refused_at_once(tmp_path: Path) -> None:
    """While another process holds the lock, none can be had, and the error names the holder."""
    path = tmp_path / "camdl.lock"
    with holder(path) as process:
        with pytest.raises(LockHeldError, match=f"camdl download, pid {process.pid}, started 2"):
            FileLock(path).hold(0).__enter__()
        # The same from within one process: two descriptions of one file exclude each other.
        process.kill()
    with FileLock(path).hold(0), pytest.raises(LockHeldError), FileLock(path).hold(0):
        pass


def test_leaving_frees_it(tmp_path: Path) -> None:
    """After the `with` the lock can be had again, after an error too, and the file stays."""
    lock = FileLock(tmp_path / "deep" / "down" / "camdl.lock")
    with pytest.raises(ZeroDivisionError), lock.hold(0):
        raise ZeroDivisionError
    with lock.hold(0):
        pass
    assert (tmp_path / "deep" / "down" / "camdl.lock").is_file()


def test_waiting_gets_it_as_soon_as_it_is_free(tmp_path: Path) -> None:
    """One who may wait gets the lock when the other run is done, not when the time is over."""
    path = tmp_path / "camdl.lock"
    with holder(path) as process:
        assert process.stdin
        done = threading.Timer(0.3, process.stdin.close)
        done.start()
        began = time.monotonic()
        with FileLock(path).hold(30):
            assert 0.25 < time.monotonic() - began < 20
        done.join()


def test_waiting_ends(tmp_path: Path) -> None:
    """The wait is as long as it may be, and no longer."""
    path = tmp_path / "camdl.lock"
    with FileLock(path).hold(0):
        began = time.monotonic()
        with pytest.raises(LockHeldError), FileLock(path).hold(0.3):
            pass
        assert 0.3 <= time.monotonic() - began < 10


def test_a_signal_ends_the_waiting(tmp_path: Path) -> None:
    """An error that a signal's handler raises comes through while the lock is waited for."""
    path = tmp_path / "camdl.lock"

    def interrupt(number: int, frame: object) -> None:
        raise InterruptedRunError("SIGALRM", ExitCode.SIGTERM)

    earlier = signal.signal(signal.SIGALRM, interrupt)
    try:
        with FileLock(path).hold(0):
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            with pytest.raises(InterruptedRunError):
                FileLock(path).hold(60).__enter__()
    finally:
        signal.signal(signal.SIGALRM, earlier)


def test_a_killed_holder_leaves_nothing(tmp_path: Path) -> None:
    """SIGKILL frees the lock, and the note of the dead is not believed."""
    path = tmp_path / "camdl.lock"
    with holder(path) as process:
        process.kill()
        process.wait()
        with FileLock(path).hold(0):
            pass
        assert f"pid {os.getpid()}," in path.read_text()


def test_a_forked_process_does_not_keep_it(tmp_path: Path) -> None:
    """Leaving the `with` lets go, although a process that was forked inside it lives on."""
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from camdl.ops.lock import FileLock\n"
        "lock = FileLock(Path(sys.argv[1]))\n"
        "with lock.hold(0):\n"
        "    child = os.fork() or signal.pause()\n"
        "try:\n"
        "    with lock.hold(0):\n"
        "        print(os.waitpid(child, os.WNOHANG))\n"
        "finally:\n"
        "    os.kill(child, signal.SIGKILL)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "camdl.lock"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.stdout, run.stderr) == ("(0, 0)\n", "")


def test_a_program_of_a_killed_holder_does_not_keep_it(tmp_path: Path) -> None:
    """A browser that outlives its killed run does not hold the run's lock on."""
    program = (
        "import os, signal, subprocess, sys\n"
        "from pathlib import Path\n"
        "from camdl.ops.lock import FileLock\n"
        "with FileLock(Path(sys.argv[1])).hold(0):\n"
        "    sleep = [sys.executable, '-c', 'print(flush=True); input()']\n"
        "    child = subprocess.Popen(sleep, close_fds=False, stdout=subprocess.PIPE)\n"
        "    child.stdout.readline()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "camdl.lock"
    # The child reads the pipe that ends with the `with`: it lives as long as that.
    with subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, env=unmeasured()
    ) as process:
        assert process.wait(60) == -signal.SIGKILL
        with FileLock(path).hold(0):
            pass


def test_a_file_that_was_replaced_meanwhile_is_not_taken(tmp_path: Path) -> None:
    """A lock on a file that no longer has the name is no lock: the one in place is taken."""
    path = tmp_path / "camdl.lock"

    class ReplacedOnce(FileLock):
        """Has its file deleted between opening it and locking it."""

        done = False

        def _open(self) -> int:
            descriptor = super()._open()
            if not self.done:
                self.done = True
                path.unlink()
            return descriptor

    with (
        ReplacedOnce(path).hold(0),
        pytest.raises(LockHeldError),
        FileLock(path).hold(0),
    ):
        pass


def test_a_file_that_is_replaced_for_ever_is_refused(tmp_path: Path) -> None:
    """Looking again is bounded."""
    path = tmp_path / "camdl.lock"

    class Replaced(FileLock):
        """Has its file deleted each time."""

        def _open(self) -> int:
            descriptor = super()._open()
            path.unlink()
            return descriptor

    with pytest.raises(ConfigError, match="replaced again and again"), Replaced(path).hold(0):
        pass


def test_deleted_while_held(tmp_path: Path) -> None:
    """Whoever holds a deleted lock file ends in peace, and the next makes a new one."""
    path = tmp_path / "camdl.lock"
    with FileLock(path).hold(0):
        path.unlink()
    with FileLock(path).hold(0):
        assert path.is_file()


@pytest.mark.parametrize("target", ["there", "missing"])
def test_a_symbolic_link_is_refused(tmp_path: Path, target: str) -> None:
    """A link is not followed, wherever it leads, and what it leads to stays as it is."""
    (tmp_path / "there").write_text("precious")
    (tmp_path / "camdl.lock").symlink_to(tmp_path / target)
    with (
        pytest.raises(ConfigError, match="symbolic link"),
        FileLock(tmp_path / "camdl.lock").hold(0),
    ):
        pass
    assert (tmp_path / "there").read_text() == "precious"
    assert not (tmp_path / "missing").exists()


def test_only_a_regular_file_will_do(tmp_path: Path) -> None:
    """A directory, a pipe and a device are refused, and nothing hangs on them."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path, pipe, Path("/dev/null")):
        with pytest.raises(ConfigError, match="not a regular file"), FileLock(path).hold(0):
            pass


@pytest.mark.parametrize("content", ["SQLite format 3\0...", "camdl = 'x'\n"])
def test_somebody_elses_file_is_not_written_over(tmp_path: Path, content: str) -> None:
    """A path that names another file by mistake is refused, and the file is left alone."""
    path = tmp_path / "camdl.db"
    path.write_text(content)
    with pytest.raises(ConfigError, match="something else"), FileLock(path).hold(0):
        pass
    assert path.read_text() == content


@pytest.mark.parametrize("content", [b"", b"\0" * 128])
def test_an_empty_file_will_do(tmp_path: Path, content: bytes) -> None:
    """A file made by hand, or zeroed by a power failure, becomes a lock file."""
    path = tmp_path / "camdl.lock"
    path.write_bytes(content)
    with FileLock(path, "download").hold(0):
        note = path.read_text()
    assert re.fullmatch(
        rf"camdl download, pid {os.getpid()}, started \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ *\n", note
    )
    assert len(note) == 128


@pytest.mark.parametrize("note", ["camdl download, pid 4194305, started x", "no note", None])
def test_a_holder_that_cannot_be_told_is_not_named(tmp_path: Path, note: str | None) -> None:
    """A dead process's note, another text or no file at all name nobody."""
    path = tmp_path / "camdl.lock"
    lock = FileLock(path)
    with lock.hold(0):
        path.write_text(note or "")
        with pytest.raises(LockHeldError, match=r"camdl\.lock$"), lock.hold(0):
            pass
        if note is None:
            path.unlink()
            assert lock._holder() == ""  # between two tries, a file can go


def test_who_holds_it_is_told_without_touching_it(tmp_path: Path) -> None:
    """Since when, too. One that has let go, or was killed, holds nothing any more."""
    path = tmp_path / "camdl.lock"
    assert lock_holder(path) is None
    before = datetime.now(UTC).replace(microsecond=0)
    with holder(path) as process:
        content = path.read_bytes()
        found = lock_holder(path)
        assert found is not None
        assert (found.verb, found.pid) == ("download", process.pid)
        assert before <= found.since <= datetime.now(UTC)
        assert path.read_bytes() == content
        process.kill()
    assert lock_holder(path) is None
    with FileLock(path, "cleanup").hold(0):
        found = lock_holder(path)
        assert found is not None
        assert (found.verb, found.pid) == ("cleanup", os.getpid())
    assert lock_holder(path) is None


def test_looking_at_it_turns_nobody_away(tmp_path: Path) -> None:
    """However often it is looked at, a run that starts meanwhile gets it."""
    path = tmp_path / "camdl.lock"
    with FileLock(path).hold(0):
        pass  # so that there is something to look at
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            lock_holder(path)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(300):
            with FileLock(path).hold(0):
                pass
    finally:
        over.set()
        looking.join()


@pytest.mark.parametrize(
    "note",
    [
        "camdl download, pid 1, started 2025-09-08T20:00:00Z",  # alive, and holds no lock
        "camdl download, pid 4194305, started 2025-09-08T20:00:00Z",
        "camdl download, pid OURS, started 2025-99-08T20:00:00Z",
        "camdl download, pid OURS, started long ago",
        "something else",
        "",
    ],
)
def test_a_note_that_cannot_be_so_names_nobody(tmp_path: Path, note: str) -> None:
    """That of an earlier holder, above all: its number may be another process's by now."""
    path = tmp_path / "camdl.lock"
    with FileLock(path).hold(0):
        # Not in the parameter: tests on several cores have to have the same names in each process.
        path.write_text(note.replace("OURS", str(os.getpid())))
        assert lock_holder(path) is None


def test_where_the_kernel_does_not_tell_a_live_process_is_believed(tmp_path: Path) -> None:
    """There is no list of locks on every system."""
    path = tmp_path / "camdl.lock"
    note = f"camdl download, pid {os.getpid()}, started 2025-09-08T20:00:00Z"
    path.write_text(note)
    assert lock_holder(path) is None
    found = lock_holder(path, tmp_path / "nowhere")
    assert found == LockHolder("download", os.getpid(), datetime(2025, 9, 8, 20, tzinfo=UTC))


def test_one_that_waits_for_a_lock_does_not_hold_it(tmp_path: Path) -> None:
    """The kernel lists those too, and lines of other forms are passed over."""
    path, kernel = tmp_path / "camdl.lock", tmp_path / "locks"
    path.write_text(f"camdl download, pid {os.getpid()}, started 2025-09-08T20:00:00Z")
    place = f"{os.getpid()} 00:2a:{path.stat().st_ino} 0 EOF"
    kernel.write_text(f"1: OFDLCK\n1: -> FLOCK  ADVISORY  WRITE {place}\n")
    assert lock_holder(path, kernel) is None
    kernel.write_text(f"1: FLOCK  ADVISORY  WRITE {place}\n")
    assert lock_holder(path, kernel) is not None


def test_a_holder_of_another_user_is_named() -> None:
    """A process that may not be signalled is alive all the same."""
    # Who is root can signal everybody, so the attempt is made as nobody; process 1 is root's.
    program = TRIES.replace("try:", "import os\nif os.getuid() == 0:\n    os.setuid(65534)\ntry:")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "camdl.lock"
        with FileLock(path).hold(0):
            path.write_text("camdl download, pid 1, started long ago")
            path.parent.chmod(0o777)
            path.chmod(0o666)
            run = subprocess.run(
                [sys.executable, "-c", program, path],
                capture_output=True,
                text=True,
                check=False,
            )
    assert "(camdl download, pid 1, started long ago)" in run.stdout, run.stderr
    assert run.returncode == ExitCode.LOCKED


@pytest.mark.parametrize("error", ["ENOSYS", "EOPNOTSUPP", "ENOLCK"])
def test_a_file_system_without_locks_is_refused(tmp_path: Path, error: str) -> None:
    """There is no running without a lock: the advice is another place for it."""
    run = injected(tmp_path, f"flock:error={error}")
    assert run.returncode == ExitCode.CONFIG
    assert "has no locks" in run.stdout
    assert "Set lock_file to a path on a local disk." in run.stdout
    assert run.stderr == ""


def test_a_broken_disk_is_told(tmp_path: Path) -> None:
    """Whatever else locking fails with is a fault of the storage."""
    run = injected(tmp_path, "flock:error=EIO")
    assert (run.returncode, run.stderr) == (ExitCode.STORAGE, "")


def test_a_lock_without_its_note_is_a_lock(tmp_path: Path) -> None:
    """On a full disk the lock can still be had: clean-up needs it most then."""
    run = injected(tmp_path, "pwrite64:error=ENOSPC", unmeasured())
    assert (run.returncode, run.stdout) == (0, "held\n")


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A path below a file is a fault of the storage that names the lock file."""
    (tmp_path / "file").touch()
    with (
        pytest.raises(StorageError, match=r"file/camdl\.lock cannot be used"),
        FileLock(tmp_path / "file" / "camdl.lock").hold(0),
    ):
        pass


def test_an_error_while_looking_again_is_told(tmp_path: Path) -> None:
    """What cannot be looked at after locking it is not held."""

    class Moved(FileLock):
        """Has its directory turned into a file once it is locked."""

        def _flock(self, descriptor: int) -> bool:
            held = super()._flock(descriptor)
            shutil.rmtree(tmp_path / "data")
            (tmp_path / "data").touch()
            return held

    path = tmp_path / "data" / "camdl.lock"
    with pytest.raises(StorageError, match="cannot be used"), Moved(path).hold(0):
        pass


def test_thirty_starts_at_once(tmp_path: Path) -> None:
    """Of thirty processes that try together, while one holds it, none gets the lock."""
    path = tmp_path / "camdl.lock"
    with FileLock(path).hold(0):
        processes = [
            subprocess.Popen([sys.executable, "-c", TRIES, path], stdout=subprocess.DEVNULL)
            for _ in range(30)
        ]
        codes = {process.wait(60) for process in processes}
    assert codes == {ExitCode.LOCKED}


def test_holders_of_some_verbs_are_waited_for(tmp_path: Path) -> None:
    """Whoever is patient with a verb gets the lock once its holder lets go, unasked."""
    path = tmp_path / "lock"
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with FileLock(path, "backfill").hold(0):
            held.set()
            let_go.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    threading.Timer(0.3, let_go.set).start()
    with FileLock(path, "download", {"backfill": 10.0}).hold(0):
        assert let_go.is_set()
    thread.join()


def test_patience_has_its_end_and_its_verbs(tmp_path: Path) -> None:
    """It ends after its seconds, and a holder of another verb is not waited for."""
    path = tmp_path / "lock"
    began = time.monotonic()
    with FileLock(path, "backfill").hold(0):
        with pytest.raises(LockHeldError, match="camdl backfill, pid"):
            FileLock(path, "download", {"backfill": 0.3}).hold(0).__enter__()
        assert 0.3 <= time.monotonic() - began < 5
    with FileLock(path, "cleanup").hold(0):
        began = time.monotonic()
        with pytest.raises(LockHeldError, match="camdl cleanup, pid"):
            FileLock(path, "download", {"backfill": 10.0}).hold(0).__enter__()
        assert time.monotonic() - began < 1
