"""cron starts the jobs: a file in `/etc/cron.d`, or a part of a user's own crontab."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

from camdl.errors import ConfigError
from camdl.scheduling.checks import LEFT, check_as, must_be_root
from camdl.scheduling.crontab import Block, crontab
from camdl.scheduling.hands import ask
from camdl.scheduling.place import HOME, USER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from camdl.domain.schedule import Job
    from camdl.scheduling.hands import Hands
    from camdl.scheduling.place import Place

_NO_CRON = "Install one: apt-get install -y cron"


class ByCronFile:
    """A file in `/etc/cron.d`, which names the user that each line runs as.

    Implements `camdl.verbs.schedule.Starter`. `etc` is the machine's own.
    """

    name = "cron"

    def __init__(
        self,
        jobs: Sequence[Job],
        place: Place,
        hands: Hands,
        *,
        etc: Path = Path("/etc"),
    ) -> None:
        self._place = place
        self._hands = hands
        # Without a dot: cron passes over files that have one.
        self._files = {etc / "cron.d/camdl": crontab(jobs, place)}

    def is_in_place(self) -> bool:
        """Whether the file is there."""
        return any(os.path.lexists(path) for path in self._files)

    def put_in_place(self) -> None:
        """Write the file, once there is a user to run as.

        Raises:
            ConfigError: there is no cron, no right to, or something of a person's is in the way.
            StorageError: the file cannot be written.
        """
        must_be_root()
        for path in self._files:
            if not path.parent.is_dir():
                raise ConfigError(f"there is no cron here: no {path.parent}", advice=_NO_CRON)
        self._hands.may_write(self._files)
        with self._hands as hands:
            if not _exists(USER):
                home = ("--home-dir", str(HOME), "--shell", "/usr/sbin/nologin")
                hands.run("useradd", "--system", "--user-group", *home, USER)
            if not HOME.is_dir():
                hands.run("install", "-d", "-o", USER, "-g", USER, "-m", "750", str(HOME))
            check_as(USER, self._place, hands)
            hands.write(self._files)

    def take_away(self) -> bool:
        """Remove the file; False if there is none.

        Raises:
            ConfigError: there is no right to.
            StorageError: it cannot be removed.
        """
        if not self.is_in_place():
            return False
        must_be_root()
        with self._hands as hands:
            hands.remove(self._files)
        self._hands.tell(LEFT)
        return True


class ByCrontab:
    """A part of the crontab of whoever this is; the other lines stay as they are.

    Implements `camdl.verbs.schedule.Starter`.
    """

    name = "your crontab"

    def __init__(
        self, jobs: Sequence[Job], place: Place, hands: Hands, *, force: bool = False
    ) -> None:
        self._hands = hands
        self._force = force
        self._lines = crontab(jobs, place)

    def is_in_place(self) -> bool:
        """Whether a part of it is ours."""
        try:
            return Block.of(_crontab()) is not None
        except ConfigError:  # no cron, no crontab
            return False

    def put_in_place(self) -> None:
        """Add our part, or bring it up to date.

        Raises:
            ConfigError: there is no cron, or a person has changed our part.
        """
        before = _crontab()
        self._replace(before, Block.put(before, self._lines))

    def take_away(self) -> bool:
        """Remove our part; False if there is none.

        Raises:
            ConfigError: a person has changed it.
        """
        if not self.is_in_place():
            return False
        before = _crontab()
        self._replace(before, Block.take(before))
        return True

    def _replace(self, before: str, after: str) -> None:
        block = Block.of(before)
        if block and not block.is_sealed and not self._force:
            raise ConfigError(
                "the lines of camdl in your crontab were changed since they were put there",
                advice="Move your own lines out of that part (crontab -e), then use --force.",
            )
        if after == before:
            self._hands.tell("unchanged  your crontab")
            return
        with self._hands as hands:
            hands.undo_with("crontab", "-", stdin=before)
            hands.run("crontab", "-", stdin=after)
            for line in _changes(before, after):
                hands.tell(f"           {line}")


def _crontab() -> str:
    """The crontab of this user.

    Raises:
        ConfigError: there is no cron, or it cannot be read.
    """
    try:
        return ask("crontab", "-l")
    except ConfigError as error:
        if "no crontab for" in str(error):
            return ""
        raise ConfigError(str(error), advice=_NO_CRON) from error


def _changes(before: str, after: str) -> Iterator[str]:
    """The lines that go and those that come, with a sign in front of each."""
    from difflib import ndiff

    for line in ndiff(before.splitlines(), after.splitlines()):
        if line.startswith(("+", "-")):
            yield line.rstrip()


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
