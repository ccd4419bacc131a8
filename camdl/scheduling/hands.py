"""Changes of a machine: told one by one, all of them or none, and nobody's own work overwritten.

A file that is put in place begins with a seal, a digest of what is below it: so a file that a
person has changed since is known from one that may be replaced.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import stat
import subprocess
from contextlib import contextmanager, suppress
from enum import Enum, auto
from typing import TYPE_CHECKING, Self

from camdl import durable
from camdl.domain.text import one_line
from camdl.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

_SECONDS = 120
# Debian's su leaves root the PATH of the person who became it, which lacks these.
_ROOTS_PROGRAMS = "/usr/sbin:/sbin"
_SEAL = "# Put here by camdl schedule install (seal {seal})"
_ORIGINAL = ".orig"


class State(Enum):
    """What is under the name of a file that is to be put in place."""

    ABSENT = auto()
    SAME = auto()
    OURS = auto()  # put there before, and as it was then
    FOREIGN = auto()  # changed by a person, or never ours


def sealed(text: str) -> str:
    """`text` below a line that tells later whether it was changed."""
    return f"{_SEAL.format(seal=_digest(text))}\n{text}"


def is_sealed(text: str) -> bool:
    """Whether `text` is as it was when it was sealed."""
    first, _, rest = text.partition("\n")
    return first == _SEAL.format(seal=_digest(rest))


def state(path: Path, text: str | None = None) -> State:
    """What is at `path`, where `text` is wanted, or nothing.

    Raises:
        StorageError: it cannot be read.
    """
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return State.FOREIGN
        found = path.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return State.ABSENT
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error
    # A person may have copied the file without its seal.
    if text is not None and found in (sealed(text), text):
        return State.SAME
    return State.OURS if is_sealed(found) else State.FOREIGN


class Hands:
    """Does things inside a `with`, and tells each; if one fails, undoes those before it.

    With `dry_run` they are only told. With `force`, what a person has changed is replaced, and kept
    under its name with `.orig` after it.
    """

    def __init__(
        self, tell: Callable[[str], None], *, dry_run: bool = False, force: bool = False
    ) -> None:
        self.tell = tell
        self._dry_run = dry_run
        self._force = force
        self._undo: list[Callable[[], object]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _: type[BaseException] | None,
        error: BaseException | None,
        __: TracebackType | None,
    ) -> None:
        if error is None or not self._undo:
            return
        for undo in reversed(self._undo):
            with suppress(OSError):
                undo()
        self.tell("undone     files, units and timers are as they were before")

    def may_write(self, files: Mapping[Path, str]) -> None:
        """Make sure that nothing of a person's is under these names, unless it is to be replaced.

        Raises:
            ConfigError: there is; all of it is told at once.
            StorageError: that cannot be told.
        """
        foreign = [str(path) for path, text in files.items() if state(path, text) is State.FOREIGN]
        if foreign and not self._force:
            raise ConfigError(
                f"not put there by camdl, or changed since: {', '.join(foreign)}",
                advice="Keep what you need of it elsewhere (a drop-in of systemctl edit, a cron "
                "line of your own), then use --force, which leaves it as FILE.orig.",
            )

    def write(self, files: Mapping[Path, str]) -> None:
        """Put each file in place, sealed; what is so already stays.

        Raises:
            ConfigError: something of a person's is there, and is not to be replaced.
            StorageError: one cannot be written.
        """
        self.may_write(files)
        for path, text in files.items():
            if state(path, text) is State.SAME:
                self.tell(f"unchanged  {path}")
            elif self._does(f"write      {path}"):
                self._put(path, sealed(text))

    def remove(self, paths: Iterable[Path]) -> bool:
        """Take away files that were put in place, and say whether there was any.

        What a person has changed stays, unless it is forced.

        Raises:
            StorageError: one cannot be removed.
        """
        found = {path: state(path) for path in paths}
        there = [path for path, what in found.items() if what is not State.ABSENT]
        for path in there:
            if found[path] is State.FOREIGN and not self._force:
                self.tell(f"kept       {path}, which a person has changed; --force removes it")
            elif self._does(f"remove     {path}"):
                self._take(path)
        return bool(there)

    def run(self, *command: str, stdin: str = "") -> bool:
        """Run a command that changes something; False if that was only told.

        Raises:
            ConfigError: it failed, with what it said.
        """
        does = self._does(f"run        {shlex.join(command)}")
        if does:
            ask(*command, stdin=stdin)
        return does

    def undo_with(self, *command: str, stdin: str = "") -> None:
        """Should something fail from now on, run `command` once what comes later is undone."""
        if not self._dry_run:
            self._undo.append(lambda: _try(command, stdin))

    def _does(self, what: str) -> bool:
        self.tell(f"would {what}" if self._dry_run else what)
        return not self._dry_run

    def _put(self, path: Path, text: str) -> None:
        with _told(path, "written"):
            durable.make_directory(path.parent)
            if not os.path.lexists(path):
                self._undo.append(lambda: path.unlink(missing_ok=True))
            else:
                self._keep(path)
            durable.replace(path, text.encode("utf-8", "surrogateescape"))
            path.chmod(0o644)

    def _take(self, path: Path) -> None:
        with _told(path, "removed"):
            before = path.read_bytes()
            self._undo.append(lambda: durable.replace(path, before))
            path.unlink()

    def _keep(self, path: Path) -> None:
        """Remember what is at `path`, and leave it beside it if it is a person's."""
        before = path.read_bytes()
        self._undo.append(lambda: durable.replace(path, before))
        if state(path) is State.FOREIGN:
            original = path.with_name(f"{path.name}{_ORIGINAL}")
            durable.replace(original, before)
            self.tell(f"kept       what was there as {original}")


def ask(*command: str, stdin: str = "") -> str:
    """What a command prints.

    Raises:
        ConfigError: it is not there, or failed; with what it said.
    """
    path = f"{os.environ.get('PATH', os.defpath)}:{_ROOTS_PROGRAMS}"
    try:
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            env={**os.environ, "PATH": path},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{shlex.join(command)}: {error}", advice="") from error
    if done.returncode:
        said = one_line(done.stderr or done.stdout, 1000)
        raise ConfigError(f"{shlex.join(command)} failed ({done.returncode}): {said}", advice="")
    return done.stdout


def _try(command: Sequence[str], stdin: str) -> None:
    with suppress(ConfigError):
        ask(*command, stdin=stdin)


@contextmanager
def _told(path: Path, done: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path} cannot be {done}: {error.strerror}") from error


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
