"""The whole program under a real systemd, installed as README says."""

from __future__ import annotations

import os
import re
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from camdl.domain.schedule import jobs
from camdl.sources import browser
from tests.support import invariants
from tests.support.installation import Installation
from tests.support.machine import PROGRAM, PYTHON
from tests.support.processes import await_that
from tests.support.program import AT_ANOTHER_TIME
from tests.support.root import needs_root
from tests.support.systemd import UNITS, Systemd

if TYPE_CHECKING:
    from tests.support.gate import Gate
    from tests.support.machine import Machine

pytestmark = needs_root

JOBS = [job.id for job in jobs(10)]
STAMPS = Path("/var/lib/systemd/timers")
AT_ONCE = "[Timer]\nRandomizedDelaySec=0\n"
EVERY_FEW_SECONDS = f"{AT_ONCE}OnCalendar=\nOnCalendar=*:*:0/10\n"


@pytest.fixture
def systemd(machine: Machine) -> Systemd:
    """systemd, which has just started."""
    found = Systemd(machine)
    found.boot()
    return found


@pytest.fixture
def camdl(machine: Machine, systemd: Systemd) -> Installation:
    """camdl, which systemd starts."""
    installation = Installation(machine)
    installation.schedule("install", "--systemd")
    return installation


def test_timers_start_everything(camdl: Installation, systemd: Systemd, gate: Gate) -> None:
    """Nobody does anything: captures come in, of a user without rights, and each job has run."""
    for job in JOBS:
        systemd.drop_in(f"camdl-{job}.timer", EVERY_FEW_SECONDS)
    systemd.control("restart", *(f"camdl-{job}.timer" for job in JOBS))
    camdl.await_everything_of(gate)
    for job in JOBS:
        assert await_that(partial(systemd.has_run, f"camdl-{job}.service"), 60), job
    systemd.control("stop", *(f"camdl-{job}.timer" for job in JOBS))
    for job in JOBS:
        assert systemd.start(f"camdl-{job}.service")  # waits for one that goes on
        assert systemd.show(f"camdl-{job}.service", "User") == "camdl"
    assert camdl.archived() == gate.all_keys()
    assert camdl.owners() == {"camdl"}


def test_the_sandbox_of_the_browser_is_on(
    camdl: Installation, systemd: Systemd, machine: Machine, gate: Gate
) -> None:
    """What draws the page is in namespaces of its own, and nobody asked for less."""
    systemd.control("start", "--no-block", "camdl-download.service")
    seen: dict[str, str] = {}

    def has_been_seen() -> bool:
        for process in machine.processes("--type=renderer"):
            try:
                names = {
                    name: (process / f"ns/{name}").readlink() for name in ("user", "pid", "net")
                }
                line = (process / "cmdline").read_text().replace("\0", " ")
                mode = (process / "status").read_text().partition("Seccomp:\t")[2][0]
            except OSError:
                continue
            if "net" in names and mode == "2":
                seen.update({name: str(link) for name, link in names.items()} | {"line": line})
        return bool(seen)

    assert await_that(has_been_seen, 60)
    (download,) = machine.processes(f"{PROGRAM}\0download")[:1]
    for name in ("user", "pid", "net"):
        assert seen[name] != str((download / f"ns/{name}").readlink()), name
    assert "--no-sandbox" not in seen["line"]
    camdl.await_everything_of(gate)
    checks = machine.run(str(PROGRAM), "health", "--json", user="camdl", check=False).stdout
    assert "sandbox" not in checks


def test_a_failure_calls_for_a_verdict(
    camdl: Installation, systemd: Systemd, machine: Machine
) -> None:
    """A run that fails is a failed unit, and the health is looked at on the spot."""
    systemd.control("stop", "camdl-health.timer")
    config = machine.file("/etc/camdl/config.toml")
    config.write_text(config.read_text() + "\nno_such_key = 1\n")
    assert not systemd.start("camdl-download.service")
    assert systemd.show("camdl-download.service", "ExecMainStatus") == "78"
    called = "camdl-failed@camdl-download.service"
    assert await_that(lambda: systemd.has_run(called), 30)
    assert "camdl: " in systemd.journal("-u", "camdl-download")


def test_a_second_run_at_once_is_no_failure(
    camdl: Installation, systemd: Systemd, machine: Machine, gate: Gate
) -> None:
    """While a person's run goes on, the timer's is refused, and all is well with its unit."""
    is_asked, may_go = threading.Event(), threading.Event()

    def hold() -> None:
        is_asked.set()
        may_go.wait(60)

    gate.meanwhile = hold
    ran: list[int] = []
    by_hand = threading.Thread(
        target=lambda: ran.append(
            machine.run(
                "env", "-C", "/var/lib/camdl", str(PROGRAM), "download", user="camdl"
            ).returncode
        )
    )
    by_hand.start()
    try:
        assert is_asked.wait(60)
        assert systemd.start("camdl-download.service")
        assert systemd.show("camdl-download.service", "ExecMainStatus") == "75"
        assert systemd.show("camdl-download.service", "Result") == "success"
    finally:
        may_go.set()
        by_hand.join(60)
    assert ran == [0]
    assert camdl.archived() == gate.all_keys()


def test_a_missed_time_is_caught_up_once(
    camdl: Installation, systemd: Systemd, machine: Machine, gate: Gate
) -> None:
    """A machine that was off for three hours makes one run, which fetches all of them."""
    # Each hour, half an hour away from now: nothing but what was missed is due meanwhile.
    minute = (datetime.now(UTC) + timedelta(minutes=30)).minute
    systemd.drop_in("camdl-download.timer", f"{AT_ONCE}OnCalendar=\nOnCalendar=*:{minute}:00\n")
    now, then = gate.now, gate.now - timedelta(hours=3)
    gate.begin(then)
    gate.take(5, 15)
    program = (str(PYTHON), "-c", AT_ANOTHER_TIME, then.isoformat())
    machine.run("env", "--chdir=/var/lib/camdl", *program, "download", user="camdl")
    assert camdl.archived() == gate.all_keys()
    machine.stop()

    gate.begin(now)
    gate.take(*range(5, 200, 10))
    stamp = machine.changed(STAMPS / "stamp-camdl-download.timer")
    os.utime(stamp, (then.timestamp(), then.timestamp()))
    systemd.boot()
    camdl.await_everything_of(gate)
    assert camdl.runs() == [("ok", 0), ("ok", 0)]
    assert systemd.journal("-u", "camdl-download").count("Starting camdl-download") == 1


def test_a_secret_is_handed_over(camdl: Installation, systemd: Systemd, machine: Machine) -> None:
    """The catalogue's URL may be one of systemd's credentials; without one nothing is amiss."""
    machine.write("/etc/credstore/camdl.database_url", "sqlite:////var/lib/camdl/other.db", 0o600)
    assert systemd.start("camdl-download.service")
    assert machine.file("/var/lib/camdl/other.db").exists()
    assert not camdl.database.exists()


def test_everything_may_be_elsewhere(systemd: Systemd, machine: Machine, gate: Gate) -> None:
    """What the configuration names is seen inside the walls, in homes too; also the metrics' place.

    And when a disk is not there any more, camdl says so itself: it is not just a unit that fails.
    """
    exporter, config = "/var/lib/prometheus/node-exporter", "/srv/etc/camdl.toml"
    shell = browser.find().executable
    machine.run("useradd", "--system", "camdl")
    machine.run("mkdir", "-p", exporter, "/srv/etc", "/srv/browser", "/home/ops")
    machine.run("ln", "-s", str(shell), "/srv/browser/shell")
    # As the document on Prometheus says.
    machine.run("chgrp", "camdl", exporter)
    machine.run("chmod", "g+w", exporter)
    machine.run("install", "-d", "-o", "camdl", "/home/gate/images")
    machine.write("/home/ops/database_url", "sqlite:////var/lib/camdl/data/camdl.db")
    settings = (
        'database_url_file = "/home/ops/database_url"',
        'download_dir = "/home/gate/images"',
        'health_file = "/var/lib/camdl/.health"',
        'browser_executable = "/srv/browser/shell"',
        f'metrics_file = "{exporter}/camdl.prom"',
    )
    given = machine.file("/etc/camdl/config.toml")
    machine.write(config, "\n".join([*settings, given.read_text()]))
    given.unlink()
    installation = Installation(machine)
    installation.schedule("install", "--systemd", "--config", config)

    assert systemd.start("camdl-download.service")
    images = machine.changed("/home/gate/images")
    assert invariants.archived(images, installation.database) == gate.all_keys()
    metrics = machine.run("cat", f"{exporter}/camdl.prom", user="daemon").stdout
    assert 'camdl_status{status="healthy"} 1.0' in metrics
    assert "cannot be" not in systemd.journal("--identifier=camdl")
    units = [str(UNITS / f"camdl-{name}.service") for name in ("download", "health")]
    assert machine.run("systemd-analyze", "verify", *units).stderr == ""

    machine.run("mv", "/home/gate/images", "/home/gate/gone")
    assert not systemd.start("camdl-download.service")
    assert systemd.show("camdl-download.service", "ExecMainStatus") == "74"
    assert await_that(lambda: health(machine, "/var/lib/camdl/.health") == "critical", 60)


def health(machine: Machine, file: str) -> str:
    """The verdict that was written there last."""
    return str(invariants.health(machine.file(file))["status"])


def test_a_place_of_its_own(systemd: Systemd, machine: Machine, gate: Gate) -> None:
    """The archive may be anywhere, under any name, and the configuration too."""
    home, config = "/srv/gates: 100% of $them", "/srv/gates: 100% of $them/my config.toml"
    machine.run("mkdir", "-p", home)
    machine.run("cp", "/etc/camdl/config.toml", config)
    installation = Installation(machine, Path(home))
    options = ("--systemd", "--directory", home, "--config", config)
    machine.run("useradd", "--system", "camdl")
    machine.run("chown", "camdl", home)
    installation.schedule("install", *options)
    assert systemd.start("camdl-download.service")
    assert installation.archived() == gate.all_keys()
    assert not machine.file("/var/lib/camdl/data").exists()


@pytest.mark.parametrize(
    "target",
    [
        "/run/systemd/resolve/stub-resolv.conf",
        "/run/NetworkManager/resolv.conf",
        "/run/resolvconf/resolv.conf",
    ],
)
def test_names_can_be_looked_up(
    camdl: Installation, systemd: Systemd, machine: Machine, target: str
) -> None:
    """Inside the walls too /etc/resolv.conf leads to the file that others keep up to date."""
    machine.write(target, "nameserver 192.0.2.1\n")
    machine.run("ln", "-sf", target, "/etc/resolv.conf")
    systemd.drop_in("camdl-health.service", "[Service]\nExecStartPre=cat /etc/resolv.conf\n")
    assert systemd.start("camdl-health.service")
    assert "nameserver 192.0.2.1" in systemd.journal("-u", "camdl-health")


def test_units_are_sound_and_strict(
    camdl: Installation, systemd: Systemd, machine: Machine
) -> None:
    """systemd finds nothing to say against them, and little that they could do to the machine."""
    units = sorted(str(UNITS / path.name) for path in machine.file(UNITS).glob("camdl-*.*"))
    verified = machine.run("systemd-analyze", "verify", *units)
    assert (verified.stdout, verified.stderr) == ("", "")
    services = [unit for unit in units if unit.endswith(".service")]
    assert len(services) == len(JOBS) + 1
    for service in services:
        most = "18" if "download" in service else "9"
        judged = ("security", "--offline=true", "--no-pager", f"--threshold={most}")
        done = machine.run("systemd-analyze", *judged, service, check=False)
        assert done.returncode == 0, f"{service}: {done.stdout.splitlines()[-1]}"


def files(machine: Machine) -> dict[str, bytes]:
    """What is in the directories that an installation writes to, but for who the users are."""
    places = [UNITS, *map(Path, ("/etc/sysusers.d", "/etc/tmpfiles.d", "/etc/cron.d"))]
    found = {}
    for place in places:
        root = machine.file(place)
        for path in root.rglob("*"):
            if path.is_symlink():
                found[f"{place}/{path.relative_to(root)}"] = bytes(path.readlink())
            elif path.is_file():
                found[f"{place}/{path.relative_to(root)}"] = path.read_bytes()
    return found


def test_to_install_twice_is_to_install_once(
    systemd: Systemd, machine: Machine, gate: Gate
) -> None:
    """And to uninstall leaves the machine as it was, but for the archive and its user."""
    before = files(machine)
    installation = Installation(machine)
    installation.schedule("install", "--systemd")
    once = files(machine)
    again = installation.schedule("install", "--systemd").stdout
    assert "write " not in again
    assert again.count("unchanged ") == 2 * len(JOBS) + 3
    assert files(machine) == once
    assert systemd.start("camdl-download.service")

    said = installation.schedule("uninstall").stdout
    assert "/var/lib/camdl and the user camdl" in said
    assert files(machine) == before
    assert "\n0 timers listed" in systemd.control("list-timers", "--all", "camdl-*").stdout
    assert installation.archived() == gate.all_keys()
    assert installation.schedule("uninstall").stdout == "Nothing was put in place here.\n"


def test_a_new_interval_is_taken(camdl: Installation, systemd: Systemd, machine: Machine) -> None:
    """To install again is enough for timers that are at work already."""
    config = machine.file("/etc/camdl/config.toml")
    config.write_text(f"download_interval_minutes = 30\n{config.read_text()}")
    assert "write " in camdl.schedule("install").stdout
    timers = systemd.show("camdl-download.timer", "TimersCalendar")
    assert "OnCalendar=*-*-* *:02/30:00" in timers
    due = re.search(r"next_elapse=\S+ \S+ \d\d:(\d\d):", timers)
    assert due
    assert due[1] in ("02", "32")


def test_what_a_person_has_changed_stays(
    camdl: Installation, systemd: Systemd, machine: Machine
) -> None:
    """It is not overwritten unless that is asked for, and even then it is kept."""
    timer = UNITS / "camdl-download.timer"
    machine.file(timer).write_text("[Timer]\nOnCalendar=hourly\n")
    refused = camdl.schedule("install", "--systemd", check=False)
    assert refused.returncode == 78
    assert str(timer) in refused.stderr
    assert machine.file(timer).read_text() == "[Timer]\nOnCalendar=hourly\n"

    camdl.schedule("install", "--systemd", "--force")
    assert "Persistent=yes" in machine.file(timer).read_text()
    assert "hourly" in machine.file(f"{timer}.orig").read_text()

    machine.file(timer).write_text("[Timer]\nOnCalendar=hourly\n")
    assert f"kept       {timer}" in camdl.schedule("uninstall").stdout
    assert machine.file(timer).exists()
    assert not machine.file(UNITS / "camdl-health.timer").exists()


# What the service does instead, and what is said of it.
INSTEAD = {
    "walls": ("/no", "start camdl-health.service failed"),
    "imports": (f"{PYTHON} -c 'import nothing'", "exited 1 and wrote no verdict into"),
    "configuration": (f"{PROGRAM} health --write --config /no", "exited 3 and wrote no verdict"),
}


@pytest.mark.parametrize("fault", ["program", *INSTEAD])
def test_an_installation_that_fails_leaves_nothing(
    systemd: Systemd, machine: Machine, fault: str
) -> None:
    """Whether the user may not run camdl, or the service cannot do its work: all is undone."""
    options, told = ["--program", "/root/camdl"], "The user camdl must be able to run"
    if fault in INSTEAD:
        command, told = INSTEAD[fault]
        options, drop_in = [], f"[Service]\nExecStart=\nExecStart={command}\n"
        machine.write(UNITS / "camdl-health.service.d/x.conf", drop_in)
    before = files(machine)
    failed = Installation(machine).schedule("install", "--systemd", *options, check=False)
    assert failed.returncode == 78
    assert told in failed.stderr
    assert "undone " in failed.stdout
    assert files(machine) == before


def test_only_root_installs_for_the_machine(camdl: Installation, machine: Machine) -> None:
    """Another user is told about --user."""
    done = machine.run(str(PROGRAM), "schedule", "install", "--systemd", user="camdl", check=False)
    assert done.returncode == 78
    assert "--user" in done.stderr


def test_one_thing_starts_it(camdl: Installation) -> None:
    """What systemd starts, cron does not start too."""
    done = camdl.schedule("install", "--cron", check=False)
    assert done.returncode == 78
    assert "systemd starts camdl already" in done.stderr


def test_a_persons_own_units(systemd: Systemd, machine: Machine, gate: Gate) -> None:
    """Who is not root has their own systemd start it, as themselves and where they are."""
    machine.run("useradd", "--create-home", "person")
    machine.run("loginctl", "enable-linger", "person")
    uid = machine.run("id", "--user", "person").stdout.strip()
    runtime = f"XDG_RUNTIME_DIR=/run/user/{uid}"

    def run(*command: str) -> str:
        prefix = ("env", "--chdir=/home/person", runtime)
        return machine.run(*prefix, *command, user="person").stdout

    assert await_that(lambda: machine.file(f"/run/user/{uid}/systemd/private").exists(), 60)
    said = run(str(PROGRAM), "schedule", "install", "--systemd", "--user")
    assert "enable-linger" in said
    run("systemctl", "--user", "start", "camdl-download.service")
    installation = Installation(machine, Path("/home/person"))
    assert installation.archived() == gate.all_keys()
    assert installation.owners() == {"person"}
    assert "4 timers listed" in run("systemctl", "--user", "list-timers", "camdl-*")
    run(str(PROGRAM), "schedule", "uninstall", "--user")
    assert list(machine.file("/home/person/.config/systemd/user").rglob("camdl-*")) == []
