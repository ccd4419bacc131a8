"""What is done to have systemd start the jobs; tests/deployment does it with a real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from camdl.domain.schedule import jobs
from camdl.errors import ConfigError
from camdl.scheduling.by_systemd import BySystemd, ByUsersSystemd, is_running
from camdl.scheduling.hands import Hands
from camdl.scheduling.place import Place
from tests.support.commands import Commands
from tests.support.root import as_nobody, needs_root

JOBS = jobs(10)
TIMERS = " ".join(f"camdl-{job.id}.timer" for job in JOBS)


# It is root that asks, and nobody else that there has to be.
_RUNUSER = 'shift 3; if [ "$1" = stat ]; then exec "$@"; fi'


class Setup:
    """A machine's `/etc` and `/run`, and its commands."""

    def __init__(self, place: Path, commands: Commands) -> None:
        self.etc, self.run, self.told = place / "etc", place / "run", list[str]()
        self.commands = commands
        (self.run / "systemd/system").mkdir(parents=True)
        self.verdict = place / ".health"
        for name in ("systemd-sysusers", "systemd-tmpfiles"):
            commands.add(name)
        commands.add("runuser", _RUNUSER)
        self.has_it_work()

    def has_it_work(self) -> None:
        """A service that is started writes its verdict."""
        self.commands.add("systemctl", f'case "$*" in *start*) date +%N >>"{self.verdict}";; esac')

    def place(self, **options: Any) -> Place:
        """As it is meant, but for where its verdict is."""
        return Place(health_file=self.verdict, **options)

    def starter(self, place: Place | None = None, **options: bool) -> BySystemd:
        """What puts units in place."""
        hands = Hands(self.told.append, **options)
        return BySystemd(JOBS, place or self.place(), hands, etc=self.etc, run=self.run)

    def files(self) -> set[str]:
        """What is in `/etc`."""
        return {str(path.relative_to(self.etc)) for path in self.etc.rglob("*") if path.is_file()}


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    """A machine that systemd runs."""
    return Setup(tmp_path, Commands(tmp_path, monkeypatch))


ALL = {
    *(f"systemd/system/camdl-{job.id}.{kind}" for job in JOBS for kind in ("service", "timer")),
    "systemd/system/camdl-failed@.service",
    "sysusers.d/camdl.conf",
    "tmpfiles.d/camdl.conf",
}


@needs_root
def test_all_is_put_in_place_and_taken_away(setup: Setup) -> None:
    """In an order in which each step has what it needs; at the end one service is tried."""
    starter = setup.starter()
    assert not starter.is_in_place()
    starter.put_in_place()
    assert starter.is_in_place()
    assert setup.files() == ALL
    sysusers, tmpfiles, check, *others = setup.commands.called()
    assert sysusers == f"systemd-sysusers {setup.etc / 'sysusers.d/camdl.conf'}"
    assert tmpfiles == f"systemd-tmpfiles --create {setup.etc / 'tmpfiles.d/camdl.conf'}"
    assert check.startswith("runuser -u camdl -- env -i --chdir=/var/lib/camdl")
    assert check.endswith("/opt/camdl/bin/camdl config check")
    assert others == [
        "systemctl daemon-reload",
        f"systemctl enable --now {TIMERS}",
        f"runuser -u camdl -- stat --format=%i %y -- {setup.verdict}",
        "systemctl start camdl-health.service",
        f"runuser -u camdl -- stat --format=%i %y -- {setup.verdict}",
    ]

    starter.put_in_place()
    assert setup.files() == ALL
    assert setup.commands.called()[-5:] == others

    assert starter.take_away()
    assert setup.files() == set()
    assert setup.commands.called() == [
        f"systemctl disable --now {TIMERS}",
        "systemctl daemon-reload",
    ]
    assert setup.told[-1].startswith("left       /var/lib/camdl and the user camdl")
    assert not starter.take_away()


@needs_root
def test_a_dry_run_changes_nothing(setup: Setup) -> None:
    """It tells what would be done, each step of it."""
    setup.starter(dry_run=True).put_in_place()
    assert setup.files() == set()
    assert not any(line.startswith("systemctl") for line in setup.commands.called())
    assert len(setup.told) == len(ALL) + 6
    assert all(line.startswith("would ") for line in setup.told)


@needs_root
@pytest.mark.parametrize("program", ["systemd-sysusers", "runuser"])
def test_a_step_that_fails_undoes_the_others(setup: Setup, program: str) -> None:
    """Nothing is left of a machine's units if the user cannot be made, or cannot run camdl."""
    setup.commands.add(program, "echo not today >&2; exit 1")
    with pytest.raises(ConfigError, match="not today"):
        setup.starter().put_in_place()
    assert setup.files() == set()


@needs_root
def test_a_service_that_does_not_come_up_undoes_all(setup: Setup) -> None:
    """New timers are stopped; those that were there before go on as they were."""
    setup.commands.add("systemctl", 'test "$1" != start')
    with pytest.raises(ConfigError, match="start camdl-health") as caught:
        setup.starter().put_in_place()
    assert "journalctl" in caught.value.advice
    assert setup.files() == set()
    assert setup.commands.called()[-2:] == [
        f"systemctl disable --now {TIMERS}",
        "systemctl daemon-reload",
    ]

    setup.has_it_work()
    setup.starter().put_in_place()
    setup.commands.add("systemctl", 'test "$1" != start')
    setup.commands.called()
    with pytest.raises(ConfigError):
        setup.starter(setup.place(program=Path("/opt/new"))).put_in_place()
    assert not any("disable" in line for line in setup.commands.called())
    service = setup.etc / "systemd/system/camdl-download.service"
    assert "ExecStart=/opt/camdl/bin/camdl download" in service.read_text()


@needs_root
def test_a_service_that_tells_no_verdict_undoes_all(setup: Setup) -> None:
    """Its exit codes are those of verdicts, and a program that cannot even start has such too."""
    setup.verdict.write_text("of long ago")
    setup.commands.add("systemctl", 'case "$*" in *show*) echo 3;; esac')
    with pytest.raises(ConfigError, match="exited 3 and wrote no verdict into /") as caught:
        setup.starter().put_in_place()
    assert "journalctl --unit" in caught.value.advice
    assert setup.files() == set()


@needs_root
def test_a_verdict_that_was_told_just_before_is_asked_for_again(setup: Setup) -> None:
    """Where its timer was faster, the service is started once more."""
    second = f'case "$*" in *start*) if [ -e "{setup.etc}/1" ]; then date >"{setup.verdict}"; fi'
    setup.commands.add("systemctl", f'{second}; touch "{setup.etc}/1";; esac')
    setup.starter().put_in_place()
    assert setup.commands.called().count("systemctl start camdl-health.service") == 2


@needs_root
def test_a_directory_that_is_not_there(setup: Setup, tmp_path: Path) -> None:
    """What is to be written to must be there first: the message says how to make it."""
    with pytest.raises(ConfigError, match="is not there") as caught:
        setup.starter(Place(writes=(tmp_path, tmp_path / "a b"))).put_in_place()
    assert caught.value.advice.endswith(f"install -d -o camdl -g camdl -m 750 '{tmp_path}/a b'")
    assert setup.files() == set()


@needs_root
def test_without_systemd(setup: Setup) -> None:
    """A machine that something else has started is told so."""
    (setup.run / "systemd/system").rmdir()
    assert not is_running(setup.run)
    with pytest.raises(ConfigError, match="systemd does not run this machine"):
        setup.starter().put_in_place()


def test_another_user_is_told_so(setup: Setup) -> None:
    """Nothing is tried that only root may do."""
    with as_nobody(), pytest.raises(ConfigError, match="only root"):
        setup.starter().put_in_place()


@pytest.fixture
def mine(setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ByUsersSystemd:
    """A person's own systemd."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "etc"))
    place = setup.place(directory=tmp_path, user=None)
    return ByUsersSystemd(JOBS, place, Hands(setup.told.append))


def test_a_persons_own(setup: Setup, mine: ByUsersSystemd) -> None:
    """No user is made, and nothing is left to tell at the end."""
    mine.put_in_place()
    assert setup.files() == {
        name.replace("/system/", "/user/") for name in ALL if "systemd/" in name
    }
    assert setup.commands.called() == [
        "systemctl --user show-environment",
        "systemctl --user daemon-reload",
        f"systemctl --user enable --now {TIMERS}",
        "systemctl --user start camdl-health.service",
    ]
    assert "enable-linger" in setup.told[0]
    assert mine.take_away()
    assert setup.files() == set()
    assert setup.told[-1] == "run        systemctl --user daemon-reload"


def test_a_person_without_one(setup: Setup, mine: ByUsersSystemd) -> None:
    """Who has not really logged in has no systemd of their own."""
    setup.commands.add("systemctl", "echo Failed to connect to bus >&2; exit 1")
    with pytest.raises(
        ConfigError, match=r"no systemd of this user is running: .* to bus"
    ) as caught:
        mine.put_in_place()
    assert "--cron" in caught.value.advice


def test_where_a_persons_units_are(
    setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below their home, unless they have put their configuration elsewhere."""
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    place = setup.place(directory=tmp_path, user=None)
    ByUsersSystemd(JOBS, place, Hands(print)).put_in_place()
    assert (tmp_path / ".config/systemd/user/camdl-download.timer").exists()
