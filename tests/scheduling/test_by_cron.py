"""What is done to have cron start the jobs; tests/deployment does it with a real one."""

from __future__ import annotations

import pwd
from typing import TYPE_CHECKING

import pytest

from camdl.domain.schedule import jobs
from camdl.errors import ConfigError
from camdl.scheduling import by_cron
from camdl.scheduling.by_cron import ByCronFile, ByCrontab
from camdl.scheduling.crontab import crontab
from camdl.scheduling.hands import Hands, sealed
from camdl.scheduling.place import Place
from tests.support.commands import Commands
from tests.support.root import as_nobody, needs_root

if TYPE_CHECKING:
    from pathlib import Path

JOBS = jobs(10)
# Enough of crontab(1): there is none at first, and then what was last read.
CRONTAB = """\
cd {place}
if [ "$1" = - ]; then cat >crontab; elif [ -e crontab ]; then cat crontab
else echo "no crontab for person" >&2; exit 1; fi"""


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Cron's commands, and those that make users."""
    found = Commands(tmp_path, monkeypatch)
    found.add("crontab", CRONTAB.format(place=tmp_path))
    for name in ("useradd", "install", "runuser"):
        found.add(name)
    return found


@needs_root
def test_a_file_of_the_machine(
    tmp_path: Path, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user is made for it where there is none, and the file goes as it came."""
    (tmp_path / "etc/cron.d").mkdir(parents=True)
    file = tmp_path / "etc/cron.d/camdl"
    told: list[str] = []
    monkeypatch.setattr(by_cron, "HOME", tmp_path / "home")
    monkeypatch.setattr(by_cron, "USER", "camdl-of-no-machine")
    starter = ByCronFile(JOBS, Place(), Hands(told.append), etc=tmp_path / "etc")
    assert not starter.is_in_place()
    starter.put_in_place()
    assert starter.is_in_place()
    assert file.read_text() == sealed(crontab(JOBS, Place()))
    names = [line.split()[0] for line in commands.called()]
    assert names == ["useradd", "install", "runuser"]

    assert starter.take_away()
    assert not file.exists()
    assert told[-1].startswith("left       ")
    assert not starter.take_away()


@needs_root
def test_a_user_that_is_there_is_taken(
    tmp_path: Path, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is made twice."""
    (tmp_path / "etc/cron.d").mkdir(parents=True)
    monkeypatch.setattr(by_cron, "HOME", tmp_path)
    monkeypatch.setattr(by_cron, "USER", pwd.getpwuid(0).pw_name)
    ByCronFile(JOBS, Place(), Hands(print), etc=tmp_path / "etc").put_in_place()
    assert [line.split()[0] for line in commands.called()] == ["runuser"]


@needs_root
def test_a_machine_without_cron(tmp_path: Path) -> None:
    """It is told what to install."""
    starter = ByCronFile(JOBS, Place(), Hands(print), etc=tmp_path)
    with pytest.raises(ConfigError, match="there is no cron here") as caught:
        starter.put_in_place()
    assert "apt-get install -y cron" in caught.value.advice


def test_another_user_is_told_so(tmp_path: Path) -> None:
    """Nothing is tried that only root may do."""
    starter = ByCronFile(JOBS, Place(), Hands(print), etc=tmp_path)
    with as_nobody(), pytest.raises(ConfigError, match="only root"):
        starter.put_in_place()


def mine(directory: Path, *, force: bool = False) -> ByCrontab:
    """A person's own crontab."""
    place = Place(directory=directory, user=None)
    return ByCrontab(JOBS, place, Hands(print, force=force), force=force)


def test_a_persons_crontab(tmp_path: Path, commands: Commands) -> None:
    """Our part comes and goes, whether there was a crontab before or not."""
    assert not mine(tmp_path).is_in_place()
    assert not mine(tmp_path).take_away()
    mine(tmp_path).put_in_place()
    assert mine(tmp_path).is_in_place()
    assert mine(tmp_path).take_away()
    assert (tmp_path / "crontab").read_text() == ""


def test_what_changes_of_a_persons_crontab_is_told(tmp_path: Path, commands: Commands) -> None:
    """Line by line, those that come and those that go; beforehand too, if that is asked for."""
    file, told = tmp_path / "crontab", list[str]()
    file.write_text("0 0 1 1 * echo happy new year\n")

    def starter(*, interval: int = 10, dry_run: bool = False) -> ByCrontab:
        told.clear()
        place = Place(directory=tmp_path, user=None)
        return ByCrontab(jobs(interval), place, Hands(told.append, dry_run=dry_run))

    def lines(sign: str) -> list[str]:
        return [line.removeprefix(f"           {sign} ") for line in told if f" {sign} " in line]

    starter(dry_run=True).put_in_place()
    assert told[0] == "would run        crontab -"
    coming = lines("+")
    assert file.read_text() == "0 0 1 1 * echo happy new year\n"
    starter().put_in_place()
    assert (told[0], lines("+"), lines("-")) == ("run        crontab -", coming, [])
    # All but the lines that are empty.
    assert coming == [line for line in file.read_text().splitlines()[1:] if line]
    starter().put_in_place()
    assert told == ["unchanged  your crontab"]

    starter(interval=20).put_in_place()
    assert [line.split()[0] for line in lines("+") if "camdl download" in line] == ["2-59/20"]
    assert [line.split()[0] for line in lines("-") if "camdl download" in line] == ["2-59/10"]
    starter(dry_run=True).take_away()
    gone = lines("-")
    assert (told[0], lines("+")) == ("would run        crontab -", [])
    assert gone == [line for line in file.read_text().splitlines()[1:] if line]


def test_a_changed_part_is_left_alone(tmp_path: Path, commands: Commands) -> None:
    """A person's own lines in it are not lost, unless that is asked for."""
    mine(tmp_path).put_in_place()
    file = tmp_path / "crontab"
    file.write_text(file.read_text().replace("camdl download", "camdl download -v"))
    changed = file.read_text()
    for act in (mine(tmp_path).put_in_place, mine(tmp_path).take_away):
        with pytest.raises(ConfigError, match="were changed since"):
            act()
    assert file.read_text() == changed
    mine(tmp_path, force=True).put_in_place()
    assert "camdl download -v" not in file.read_text()


def test_a_person_without_cron(commands: Commands, tmp_path: Path) -> None:
    """It is told what to install, and that nothing is in place."""
    commands.add("crontab", "echo cannot >&2; exit 1")
    assert not mine(tmp_path).is_in_place()
    with pytest.raises(ConfigError, match="cannot") as caught:
        mine(tmp_path).put_in_place()
    assert "apt-get install -y cron" in caught.value.advice
