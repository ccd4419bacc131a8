"""systemd starts the jobs: its units are put in place and taken away."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from camdl.errors import ConfigError
from camdl.scheduling import systemd
from camdl.scheduling.checks import LEFT, check_as, must_be_root
from camdl.scheduling.hands import ask
from camdl.scheduling.place import USER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from camdl.domain.schedule import Job
    from camdl.scheduling.hands import Hands
    from camdl.scheduling.place import Place

# What is started once, to see whether it comes up.
_TRIED = "camdl-health.service"
_NO_MANAGER = "Use --cron, or start the machine with systemd."
_NO_USER_MANAGER = "Log in as this user (su and sudo are not enough), or use --cron."


def is_running(run: Path = Path("/run")) -> bool:
    """Whether systemd is this machine's first process, as sd_booted(3) tells."""
    return (run / "systemd/system").is_dir()


class BySystemd:
    """The system's units, for the whole machine.

    Implements `camdl.verbs.schedule.Starter`. `etc` and `run` are the machine's own.
    """

    name = "systemd"
    _systemctl: tuple[str, ...] = ("systemctl",)
    _journal = "journalctl --unit=camdl-health"

    def __init__(
        self,
        jobs: Sequence[Job],
        place: Place,
        hands: Hands,
        *,
        etc: Path = Path("/etc"),
        run: Path = Path("/run"),
    ) -> None:
        self._place = place
        self._hands = hands
        self._run = run
        self._sysusers = etc / "sysusers.d/camdl.conf"
        self._tmpfiles = etc / "tmpfiles.d/camdl.conf"
        self._accounts = {self._sysusers: systemd.sysusers(), self._tmpfiles: systemd.tmpfiles()}
        self._set_units(etc / "systemd/system", jobs)

    def _set_units(self, directory: Path, jobs: Sequence[Job]) -> None:
        units = systemd.units(jobs, self._place)
        self._files = {directory / name: text for name, text in units.items()}

    def is_in_place(self) -> bool:
        """Whether there are timers of ours already."""
        return bool(self._timers_there())

    def put_in_place(self) -> None:
        """Write the units, have systemd know them, and start the timers.

        Raises:
            ConfigError: there is no systemd, no right to, or something of a person's is in the way.
            StorageError: a file cannot be written.
        """
        self._must_be_possible()
        self._hands.may_write({**self._accounts, **self._files})
        timers = [path.name for path in self._files if path.suffix == ".timer"]
        new = [name for name in timers if name not in self._timers_there()]
        with self._hands as hands:
            self._prepare()
            hands.undo_with(*self._systemctl, "daemon-reload")
            hands.write(self._files)
            hands.run(*self._systemctl, "daemon-reload")
            if new:
                hands.undo_with(*self._systemctl, "disable", "--now", *new)
            hands.run(*self._systemctl, "enable", "--now", *timers)
            self._try_one()

    def take_away(self) -> bool:
        """Stop the timers and remove what was put in place; False if there was nothing.

        Raises:
            ConfigError: there is no systemd, or no right to.
            StorageError: a file cannot be removed.
        """
        files = [path for path in {**self._files, **self._accounts} if os.path.lexists(path)]
        if not files:
            return False
        self._must_be_possible()
        timers = self._timers_there()
        with self._hands as hands:
            if timers:
                hands.undo_with(*self._systemctl, "enable", "--now", *timers)
                hands.run(*self._systemctl, "disable", "--now", *timers)
            hands.undo_with(*self._systemctl, "daemon-reload")
            hands.remove(files)
            hands.run(*self._systemctl, "daemon-reload")
        self._say_what_stays()
        return True

    def _try_one(self) -> None:
        """Show at once whether a service comes up inside its walls, and can do its work there.

        Any verdict will do; but what cannot read the configuration, or not even start, writes none.
        """
        before = self._verdict()
        advice = f"What it said: {self._journal}"
        try:
            # Twice: the first may be one that its timer has started, and that had told before.
            if any(self._tells_another(before) for _ in range(2)):
                return
            show = (*self._systemctl, "show", "--value", "--property=ExecMainStatus", _TRIED)
            code = ask(*show).strip()
        except ConfigError as error:
            raise ConfigError(str(error), advice=advice) from error
        told = f"{_TRIED} exited {code} and wrote no verdict into {self._place.health_file}"
        raise ConfigError(told, advice=advice)

    def _tells_another(self, before: str) -> bool:
        """Start it, and say whether there is another verdict then, or would be one."""
        is_done = self._hands.run(*self._systemctl, "start", _TRIED)
        return not is_done or self._verdict() != before

    def _verdict(self) -> str:
        """What changes when the verdict is written; empty if there is none."""
        # As its owner: on a network file system root may see less.
        who = ("runuser", "-u", self._place.user, "--") if self._place.user else ()
        try:
            return ask(*who, "stat", "--format=%i %y", "--", str(self._place.health_file))
        except ConfigError:
            return ""

    def _timers_there(self) -> list[str]:
        return [
            path.name for path in self._files if path.suffix == ".timer" and os.path.lexists(path)
        ]

    def _must_be_possible(self) -> None:
        must_be_root()
        if not is_running(self._run):
            raise ConfigError("systemd does not run this machine", advice=_NO_MANAGER)

    def _prepare(self) -> None:
        """Make the user, its directories, and sure that it can do what is asked of it."""
        self._hands.write(self._accounts)
        self._hands.run("systemd-sysusers", str(self._sysusers))
        self._hands.run("systemd-tmpfiles", "--create", str(self._tmpfiles))
        check_as(USER, self._place, self._hands)

    def _say_what_stays(self) -> None:
        self._hands.tell(LEFT)


class ByUsersSystemd(BySystemd):
    """The units of whoever this is, in their own systemd."""

    name = "your systemd"
    _systemctl = ("systemctl", "--user")
    _journal = "journalctl --user-unit=camdl-health"

    def __init__(self, jobs: Sequence[Job], place: Place, hands: Hands) -> None:
        super().__init__(jobs, place, hands)
        self._accounts = {}
        self._set_units(_config_home() / "systemd/user", jobs)

    def _must_be_possible(self) -> None:
        try:
            ask(*self._systemctl, "show-environment")
        except ConfigError as error:
            told = f"no systemd of this user is running: {error}"
            raise ConfigError(told, advice=_NO_USER_MANAGER) from error

    def _prepare(self) -> None:
        self._hands.tell("They run while you are logged in; for always: loginctl enable-linger")

    def _say_what_stays(self) -> None:
        pass


def _config_home() -> Path:
    base = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return base if base.is_absolute() else Path.home() / ".config"
