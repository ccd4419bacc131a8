"""systemd's units as texts; a real systemd judges them in tests/deployment."""

from __future__ import annotations

from pathlib import Path

import pytest

from camdl.domain.schedule import jobs
from camdl.scheduling import systemd
from camdl.scheduling.place import Place

SHIPPED = Path(__file__).parents[2] / "deployment/systemd"
JOBS = jobs(10)
UNITS = systemd.units(JOBS, Place())
SERVICES = {name: text for name, text in UNITS.items() if name.endswith(".service")}


def settings(text: str) -> list[tuple[str, str]]:
    """The settings of a unit, in order."""
    lines = (line.partition("=") for line in text.splitlines() if not line.startswith(("#", "[")))
    return [(name, value) for name, sign, value in lines if sign]


def test_shipped_units_are_what_is_installed() -> None:
    """The files in deployment/ are those for an installation as it is meant."""
    rendered = {
        **UNITS,
        "camdl.sysusers": systemd.sysusers(),
        "camdl.tmpfiles": systemd.tmpfiles(),
    }
    shipped = {path.name: path.read_text() for path in SHIPPED.iterdir()}
    command = "camdl schedule --format systemd --program /opt/camdl/bin/camdl --output"
    assert shipped == rendered, f"write them anew: {command} {SHIPPED}"


def test_a_service_and_a_timer_a_job() -> None:
    """Each timer starts its service when the job is due, and what was missed afterwards."""
    for job in JOBS:
        timer = dict(settings(UNITS[f"camdl-{job.id}.timer"]))
        assert timer["OnCalendar"] == job.calendar
        assert (timer["Persistent"], timer["FixedRandomDelay"]) == ("yes", "yes")
        service = dict(settings(UNITS[f"camdl-{job.id}.service"]))
        assert service["ExecStart"] == f"/opt/camdl/bin/camdl {' '.join(job.arguments)}"
        assert service["OnFailure"] == "camdl-failed@%N.service"


def test_a_failure_ends_in_a_verdict() -> None:
    """And calls for nothing more, or it would go round in circles."""
    failed = dict(settings(UNITS["camdl-failed@.service"]))
    assert "health --write" in failed["ExecStart"]
    assert "OnFailure" not in failed


def test_what_is_no_failure() -> None:
    """A run that finds another at work, or is asked to end; a verdict, whatever it is."""
    codes = {name: dict(settings(text))["SuccessExitStatus"] for name, text in SERVICES.items()}
    verdicts = {"camdl-health.service", "camdl-failed@.service"}
    assert codes == {name: "1 2 3" if name in verdicts else "75 143" for name in SERVICES}


def test_only_the_browser_gets_what_it_needs() -> None:
    """Only a download may make namespaces, and memory that it executes."""
    for name, text in SERVICES.items():
        found = dict(settings(text))
        assert ("MemoryDenyWriteExecute" in found) == ("download" not in name)
        assert (found["RestrictNamespaces"] == "yes") == ("download" not in name)


def test_no_setting_is_said_twice_by_mistake() -> None:
    """But for lists, which are added up."""
    lists = {"BindReadOnlyPaths", "IPAddressAllow", "SystemCallFilter", "LoadCredential"}
    for text in UNITS.values():
        names = [name for name, _ in settings(text) if name not in lists]
        assert len(names) == len(set(names))


def test_a_remark_is_there_to_be_read() -> None:
    """Where an interval cannot be had, the timer says so."""
    assert "# Mind: no cron line" in systemd.units(jobs(7), Place())["camdl-download.timer"]


def test_a_persons_units_ask_for_what_a_person_may() -> None:
    """No user, no directories of the machine, no file system of their own."""
    mine = systemd.units(JOBS, Place(directory=Path("/home/x"), user=None))
    assert mine.keys() == UNITS.keys()
    for name in SERVICES:
        found = dict(settings(mine[name]))
        assert not found.keys() & {"User", "StateDirectory", "RootDirectory", "PrivateDevices"}
        assert found["NoNewPrivileges"] == "yes"
        assert found["WorkingDirectory"] == "/home/x"
        assert "After" not in found


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("/plain", "/plain"),
        ("/with blank", '"/with blank"'),
        ("/50%", "/50%%"),
        ("/a$b", "/a$$b"),
        ('/a"b\\c', '"/a\\"b\\\\c"'),
    ],
)
def test_any_path_can_be_said(word: str, written: str) -> None:
    """As systemd reads command lines."""
    units = systemd.units(JOBS, Place(program=Path(word)))
    line = dict(settings(units["camdl-download.service"]))["ExecStart"]
    assert line == f"{written} download"


def test_other_places_are_mounted() -> None:
    """What camdl writes to elsewhere, and where its Python is, are there for it."""
    place = Place(writes=(Path("/srv/a b"), Path("/mnt")), reads=(Path("/srv/python"),))
    found = settings(systemd.units(JOBS, place)["camdl-verify.service"])
    assert ("BindPaths", '"-/srv/a b" -/mnt') in found
    assert ("BindReadOnlyPaths", "-/srv/python") in found
    assert ("ProtectHome", "yes") in found


@pytest.mark.parametrize("kind", ["reads", "writes"])
@pytest.mark.parametrize("home", ["/home/x", "/root/y/z", "/run/user/1"])
def test_what_is_in_a_home_can_be_mounted(kind: str, home: str) -> None:
    """Where homes are out of reach, systemd mounts nothing below them, and says nothing."""
    there = (Path("/srv"), Path(home))
    place = Place(reads=there) if kind == "reads" else Place(writes=there)
    units = systemd.units(JOBS, place)
    for name in SERVICES:
        assert ("ProtectHome", "read-only") in settings(units[name])


def test_what_is_among_temporary_files_must_be_there() -> None:
    """Services have others under that name: in these, an archive would be lost."""
    theirs = "/var/tmp/gate"  # noqa: S108  # nothing is put there
    place = Place(writes=(Path(theirs), Path("/var/temporary")))
    found = settings(systemd.units(JOBS, place)["camdl-verify.service"])
    assert ("BindPaths", f"{theirs} -/var/temporary") in found
