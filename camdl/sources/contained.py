"""An event loop that leaves no process behind, of whatever its commands have started."""

from __future__ import annotations

import asyncio
import errno
import os
import select
import shutil
import socket
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from camdl.deadline import Deadline
from camdl.sources import guard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    ProtocolT = TypeVar("ProtocolT", bound=asyncio.BaseProtocol)

_GUARD = Path(guard.__file__)
_NOTICE_SECONDS = 1.0


@dataclass(slots=True)
class _Command:
    """A command under its guard, from just before its start on."""

    leash: socket.socket
    transport: asyncio.SubprocessTransport | None = None

    def has_ended(self, deadline: Deadline) -> bool:
        """Whether nothing of it is left by `deadline`."""
        events = select.poll()
        events.register(self.leash, select.POLLIN)
        return bool(events.poll(deadline.remaining() * 1000))

    def kill(self) -> None:
        """End it without its guard."""
        if self.transport is not None:
            guard.kill_tree(self.transport.get_pid())


class ContainedLoop(asyncio.SelectorEventLoop):
    """An event loop whose commands end, with all that they started, when it does.

    That is when it is closed, at `end_all`, and when this process ends, however that comes about.
    It holds for `asyncio.create_subprocess_exec`, in any library. The commands are in a session
    of their own, so that Ctrl-C at the terminal reaches this process alone. `environment` is
    added to theirs. `has_begun` is set once a command was started, or the loop is closed.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.has_begun = threading.Event()
        self._environment = dict(environment or {})
        self._commands: list[_Command] = []
        self._takes_no_more = False
        self._ending = threading.RLock()

    async def subprocess_exec(
        self,
        protocol_factory: Callable[[], ProtocolT],
        program: Any,
        *args: Any,
        env: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> tuple[asyncio.SubprocessTransport, ProtocolT]:
        """As in any event loop, with `program` under a guard, whose process is the one returned.

        Raises:
            OSError: `program` is not there or not executable.
            RuntimeError: `end_all` was called.
        """
        environment = {**(os.environ if env is None else env), **self._environment}
        _check(os.fspath(program), environment)
        leash, far_end = socket.socketpair()
        with far_end:
            command = _Command(leash)
            # Known before it is started, since `end_all` may come at any time.
            self._commands.append(command)
            if self._takes_no_more:
                raise RuntimeError("the commands of this event loop have been ended")
            command.transport, protocol = await super().subprocess_exec(
                protocol_factory,
                *(sys.executable, "-I", "-S", _GUARD, str(far_end.fileno()), program, *args),
                env=environment,
                pass_fds=(far_end.fileno(),),
                start_new_session=True,
                **kwargs,
            )
        self.has_begun.set()
        return command.transport, protocol

    def end_all(self, grace_seconds: float = 3.0) -> None:
        """End every command and all that it started, and wait until they are gone.

        May be called from any thread, also while the loop hangs, and more than once; no command
        can be started after it. Guards that need longer than `grace_seconds` are done without.
        """
        with self._ending:
            self._takes_no_more = True
            for command in self._commands:
                command.leash.shutdown(socket.SHUT_WR)
            deadline = Deadline.after(grace_seconds)
            for command in self._commands:
                if not command.has_ended(deadline):
                    command.kill()

    def close(self) -> None:
        """Close the loop after ending its commands."""
        self.has_begun.set()
        if not self.is_closed() and not self.is_running():
            self.end_all()
            self.run_until_complete(self._forget_commands())
        super().close()

    async def _forget_commands(self) -> None:
        deadline = Deadline.after(_NOTICE_SECONDS)
        with self._ending:
            while self._commands:
                command = self._commands.pop()
                command.leash.close()
                if command.transport is not None:
                    await _notice_end(command.transport, deadline)


async def _notice_end(transport: asyncio.SubprocessTransport, deadline: Deadline) -> None:
    """Let asyncio see that the process has ended and close what it has of it.

    Without that it warns of open pipes and of processes it has lost.
    """
    # asyncio has no event for it that could be awaited from here.
    while transport.get_returncode() is None and not deadline.passed():  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    transport.close()
    await asyncio.sleep(0)


def _check(program: str, environment: Mapping[str, str]) -> None:
    """Raise what would be raised if `program` were started without a guard."""
    if shutil.which(program, path=environment.get("PATH")) is None:
        code = errno.EACCES if Path(program).exists() else errno.ENOENT
        raise OSError(code, os.strerror(code), program)
