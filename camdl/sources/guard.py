# ruff: noqa: PTH123, PTH208  # pathlib would make every start slower
"""Runs a command so that nothing it starts outlives it, or the process that asked for it.

A program of its own, with the standard library alone: `python -I -S guard.py LEASH COMMAND…`.
`LEASH` is the number of an inherited socket. When its other end is shut, or signal 1, 2 or 15
comes, or the command ends, everything that is left is killed: processes in sessions of their own,
daemons and stopped ones too. The exit code is the command's, or 128 + the signal that ended it;
the leash is closed when nothing is left.

It is a guard within a guard: each is told when the other is killed and does the work alone, so
that killing a guard, which event loops do to the commands they know, lets nothing escape either.
Other systems than Linux hand no orphans to a guard: there it ends the command alone.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

TYPE_CHECKING = False  # `typing` would make every start slower
if TYPE_CHECKING:
    from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_ROUND_SECONDS = 0.005
# Only what the kernel itself cannot end lasts that long, and it has been told to.
_GIVE_UP_SECONDS = 10.0
# As `env` and others say that a command could not be run.
_NOTHING_STARTED = 126


def main(arguments: list[str]) -> int:
    """Run the command under two guards, and return its exit code."""
    leash, command = int(arguments[0]), arguments[1:]
    os.set_inheritable(leash, False)
    outer = _Guard(leash)
    return outer.run(lambda parent: _within(parent, leash, command))


def kill_tree(root: int, seconds: float = 1.0) -> None:
    """Kill `root`, a guard that does not do its work, after everything below it.

    Does nothing if `root` is no living child of this process, since its number may be another's.
    """
    give_up = time.monotonic() + seconds
    while (parents := _parents()).get(root) == os.getpid():
        below = _below(root, parents)
        for pid in below:
            _kill(pid)
        if not below or time.monotonic() > give_up:
            _kill(root)
            return
        time.sleep(_ROUND_SECONDS)


class _Guard:
    """One of the two: starts a child, and ends all that has come from it."""

    def __init__(self, leash: int) -> None:
        # Orphans become children of this process, whatever session they are in.
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        self._leash = leash
        self._signals = _signals()
        self._events = select.poll()
        self._events.register(leash, select.POLLIN)
        self._events.register(self._signals, select.POLLIN)
        self._child = 0
        self._exit_code: int | None = None

    def run(self, start: Callable[[int], int]) -> int:
        """The exit code of `start(pid of this guard)`, called in a child."""
        this = os.getpid()
        try:
            self._child = os.fork()
        except OSError:  # a limit on processes; who waits for the command sees that it ended
            return _NOTHING_STARTED
        if self._child == 0:
            os._exit(start(this))
        _let_go_of_pipes()
        while self._exit_code is None and not self._is_told_to_end():
            self._reap()
        self._kill_all()
        return 128 + signal.SIGKILL if self._exit_code is None else self._exit_code

    def _is_told_to_end(self) -> bool:
        """Wait for something to happen; whether it is a reason to end."""
        ready = {fd for fd, _ in self._events.poll()}
        if self._leash in ready:
            return True
        return any(number != signal.SIGCHLD for number in os.read(self._signals, 512))

    def _reap(self) -> bool:
        """Take leave of the children that have ended; whether there are others."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._child:
                code = os.waitstatus_to_exitcode(status)
                self._exit_code = code if code >= 0 else 128 - code

    def _kill_all(self) -> None:
        # Only children are killed, whose numbers cannot be anyone else's before they are reaped.
        # Those below them become children in their turn.
        give_up = time.monotonic() + _GIVE_UP_SECONDS
        while self._reap() and time.monotonic() < give_up:
            if self._exit_code is None:
                _kill(self._child)
            for pid, parent in _parents().items():
                if parent == os.getpid():
                    _kill(pid)
            time.sleep(_ROUND_SECONDS)


def _within(parent: int, leash: int, command: list[str]) -> int:
    inner = _Guard(leash)
    _end_with(parent, signal.SIGTERM)
    return inner.run(lambda guard: _become(guard, command))


def _become(guard: int, command: list[str]) -> int:
    _end_with(guard, signal.SIGKILL)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, its children must not
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606  # the very purpose
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be run: {error.strerror}\n")
        sys.stderr.flush()
        return 127 if isinstance(error, FileNotFoundError) else 126


def _end_with(parent: int, number: int) -> None:
    """Be sent the signal `number` when `parent` dies."""
    _prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it died before it could be asked for
        os._exit(128 + number)


def _signals() -> int:
    """A file descriptor from which the numbers of the signals that came can be read."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    return reading


def _let_go_of_pipes() -> None:
    """Leave stdin and stdout to the command, so that either end sees when the other hangs up."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)


def _prctl(option: int, value: int) -> None:
    try:
        import ctypes

        ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), 0, 0, 0)
    except (ImportError, AttributeError):  # no Linux: what is left of the guard still helps
        pass


def _kill(pid: int) -> None:
    try:  # noqa: SIM105  # contextlib would make every start slower
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # gone, or another user's by now
        pass


def _below(root: int, parents: dict[int, int]) -> set[int]:
    found: set[int] = set()
    while more := {pid for pid, parent in parents.items() if parent in {root, *found}} - found:
        found |= more
    return found


def _parents() -> dict[int, int]:
    """The parent of each process that lives; of none where there is no /proc."""
    parents: dict[int, int] = {}
    try:
        names = os.listdir("/proc")
    except OSError:
        return parents
    for name in names:
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    state, parent = file.read().rpartition(b")")[2].split()[:2]
            except OSError:  # it has just ended
                continue
            if state not in b"ZX":
                parents[int(name)] = int(parent)
    return parents


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
