"""The whole program under a real systemd, installed as README says."""

from __future__ import annotations

import json
import os
import re
import shlex
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from camdl.domain.schedule import jobs
from camdl.sources import browser
from tests.support import invariants
from tests.support.gate import Held
from tests.support.hook import Hook
from tests.support.http import self_signed
from tests.support.installation import Installation
from tests.support.machine import PROGRAM, PYTHON
from tests.support.mailbox import PASSWORD, USER, Mailbox
from tests.support.postgres import PASSWORD as PG_PASSWORD
from tests.support.postgres import ROLE, Postgres
from tests.support.processes import await_that
from tests.support.program import AT_ANOTHER_TIME
from tests.support.root import needs_root
from tests.support.systemd import UNITS

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.support.gate import Gate
    from tests.support.machine import Machine
    from tests.support.network import Network
    from tests.support.postgres import PostgresStore
    from tests.support.systemd import Systemd

pytestmark = needs_root

JOBS = [job.id for job in jobs(10)]
STAMPS = Path("/var/lib/systemd/timers")
AT_ONCE = "[Timer]\nRandomizedDelaySec=0\n"
EVERY_FEW_SECONDS = f"{AT_ONCE}OnCalendar=\nOnCalendar=*:*:0/10\n"


CALLED = "camdl-failed@camdl-download.service"
ENDED = "ExecMainExitTimestampMonotonic"
RUNBOOK = Path(__file__).parents[2] / "deployment/RUNBOOK.md"


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
    camdl.await_sandbox()
    camdl.await_everything_of(gate)
    checks = machine.run(str(PROGRAM), "health", "--json", user="camdl", check=False).stdout
    assert "sandbox" not in checks


@pytest.fixture
def hook(network: Network) -> Iterator[Hook]:
    """A web hook at `/hook`, and a dead man's switch at `/ping`."""
    with network.call(Hook) as server:
        yield server


@pytest.fixture
def box(network: Network, tmp_path: Path) -> Iterator[Mailbox]:
    """A mail server with TLS and login, of whose certificate the machine's users know."""
    box = Mailbox("starttls", self_signed(tmp_path))
    network.call(box.__enter__)
    yield box
    box.__exit__()


@pytest.fixture
def told(machine: Machine, tmp_path: Path, hook: Hook, box: Mailbox) -> tuple[Hook, Mailbox]:
    """camdl is to tell `hook` and `box` at once; their secrets are systemd's credentials."""
    certificate = (tmp_path / "certificate.pem").read_text()
    machine.write("/srv/gate/ca.pem", certificate)
    settings = {
        "alert_after": 1,
        "alert_email_to": ["ops@example.org"],
        "alert_email_from": "camdl@example.org",
        "smtp_host": "127.0.0.1",
        "smtp_port": box.port,
        "smtp_user": USER,
        "alert_ca_file": "/srv/gate/ca.pem",
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    config = machine.changed("/etc/camdl/config.toml")
    config.write_text("\n".join([*lines, config.read_text()]))
    secret = partial(machine.write, mode=0o600)
    secret("/etc/credstore/camdl.smtp_password", PASSWORD)
    secret("/etc/credstore/camdl.alert_webhook_url", f"{hook.origin}/hook")
    secret("/etc/credstore/camdl.ping_url", f"{hook.origin}/ping/{{job}}")
    return hook, box


def alerts(hook: Hook) -> list[tuple[str, list[str]]]:
    """What the web hook was told: the event, and the names of its subjects."""
    told: list[Any] = [post.json for post in hook.posts if post.path == "/hook"]
    return [(one["event"], [subject["name"] for subject in one["subjects"]]) for one in told]


def test_a_failure_is_told_at_once(
    told: tuple[Hook, Mailbox],
    camdl: Installation,
    systemd: Systemd,
    machine: Machine,
    gate: Gate,
) -> None:
    """A verdict is written, and mail, web hook and ping go out of the walls, for whatever failed.

    First a run that hangs, which systemd ends: it tells nothing itself. Then the site is down.
    """
    hook, box = told
    systemd.control("stop", "camdl-health.timer")
    assert systemd.start("camdl-download.service")
    assert hook.paths()[-2:] == ["/ping/download/start", "/ping/download"]
    assert alerts(hook) == []
    health_file = camdl.data / "images/.health"

    hook.posts.clear()
    gate.take(1, 5, 15)
    with Held(gate) as held:
        systemd.control("start", "--no-block", "camdl-download.service")
        assert held.is_asked.wait(60)
        systemd.drop_in("camdl-download.service", "[Service]\nTimeoutStartSec=1\n")
        assert await_that(lambda: systemd.has_run(CALLED), 60)
    assert systemd.show("camdl-download.service", "Result") == "timeout"
    assert camdl.runs() == [("ok", 0), ("interrupted", 143)]
    assert systemd.show(CALLED, "Result") == "success"
    assert alerts(hook) == [("alert", ["camdl download"])]
    assert len(box.messages) == 1
    assert "interrupted" in box.messages[0].get_content()
    assert {"/ping/download/start", "/ping/health/start", "/ping/health"} < {*hook.paths()}

    machine.file(UNITS / "camdl-download.service.d/test.conf").unlink()
    systemd.control("daemon-reload")
    assert systemd.start("camdl-download.service")
    assert alerts(hook)[1:] == [("recovery", ["camdl download"])]
    assert camdl.archived() == gate.all_keys()

    gate.__exit__()
    before, ended = invariants.health(health_file)["timestamp"], systemd.show(CALLED, ENDED)
    assert not systemd.start("camdl-download.service")
    assert systemd.show("camdl-download.service", "ExecMainStatus") == "69"
    assert await_that(lambda: systemd.show(CALLED, ENDED) not in ("0", ended), 60)
    assert systemd.show(CALLED, "ExecMainStatus") in ("1", "2")
    assert invariants.health(health_file)["timestamp"] > before
    assert alerts(hook)[2:] == [("alert", ["in_gate", "out_gate"])]
    assert [message["Subject"][:7] for message in box.messages] == ["[camdl "] * 3
    for secret in (PASSWORD, hook.origin):
        assert secret not in systemd.journal()


def test_a_configuration_that_is_wrong_is_a_failure(
    camdl: Installation, systemd: Systemd, machine: Machine
) -> None:
    """It is told in the journal, and the verdict that is called for is that nobody knows."""
    config = machine.file("/etc/camdl/config.toml")
    config.write_text(config.read_text() + "\nno_such_key = 1\n")
    assert not systemd.start("camdl-download.service")
    assert systemd.show("camdl-download.service", "ExecMainStatus") == "78"
    assert await_that(lambda: systemd.has_run(CALLED), 30)
    assert systemd.show(CALLED, "ExecMainStatus") == "3"
    assert "camdl: " in systemd.journal("-u", "camdl-download")
    assert "camdl UNKNOWN - " in systemd.journal("-u", CALLED)


@pytest.mark.fault(36)
def test_a_second_run_at_once_is_no_failure(
    camdl: Installation, systemd: Systemd, machine: Machine, gate: Gate
) -> None:
    """While a person's run goes on, the timer's is refused, and all is well with its unit."""
    with camdl.downloading_by_hand(gate):
        assert systemd.start("camdl-download.service")
        assert systemd.show("camdl-download.service", "ExecMainStatus") == "75"
        assert systemd.show("camdl-download.service", "Result") == "success"
    assert camdl.archived() == gate.all_keys()


def test_a_run_that_is_asked_to_end_is_no_failure(
    camdl: Installation, systemd: Systemd, gate: Gate
) -> None:
    """As at a shutdown: it says that it was interrupted, calls for nothing; the next goes on."""
    with Held(gate) as held:
        systemd.control("start", "--no-block", "camdl-download.service")
        assert held.is_asked.wait(60)
        systemd.control("stop", "camdl-download.service")
    assert systemd.show("camdl-download.service", "ExecMainStatus") == "143"
    assert systemd.show("camdl-download.service", "Result") == "success"
    assert camdl.runs() == [("interrupted", 143)]
    assert not systemd.has_run("camdl-failed@camdl-download.service")
    camdl.is_sound()
    assert systemd.start("camdl-download.service")
    assert camdl.archived() == gate.all_keys()


@pytest.mark.fault(36)
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
    assert camdl.archived() == gate.all_keys()
    assert camdl.runs() == [("ok", 0), ("ok", 0)]
    assert systemd.journal("-u", "camdl-download").count("Starting camdl-download") == 1


def test_a_secret_is_handed_over(camdl: Installation, systemd: Systemd, machine: Machine) -> None:
    """The catalogue's URL may be one of systemd's credentials; without one nothing is amiss."""
    machine.write("/etc/credstore/camdl.database_url", "sqlite:////var/lib/camdl/other.db", 0o600)
    assert systemd.start("camdl-download.service")
    assert machine.file("/var/lib/camdl/other.db").exists()
    assert not camdl.database.exists()


@pytest.fixture
def store(network: Network) -> Iterator[PostgresStore]:
    """An empty database of a PostgreSQL server in the machine's network."""
    stack = ExitStack()
    try:
        server = network.call(lambda: stack.enter_context(Postgres()))
        yield network.call(lambda: stack.enter_context(server.database()))
    finally:
        network.call(stack.close)


def as_the_runbook_says(*arguments: str) -> str:
    """What root types to run camdl with the secrets that are systemd's credentials."""
    lines = RUNBOOK.read_text().splitlines()
    begin = lines.index("    camdl() {")
    return "\n".join([*lines[begin : lines.index("    }", begin) + 1], shlex.join(arguments)])


def test_a_catalogue_on_postgresql(
    systemd: Systemd, machine: Machine, network: Network, gate: Gate, store: PostgresStore
) -> None:
    """Its URL is a credential, which services have, and a person's commands as the runbook says."""
    credential = "/etc/credstore/camdl.database_url"
    machine.write(credential, store.url, 0o600)
    camdl = Installation(machine)
    camdl.schedule("install", "--systemd")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        script = as_the_runbook_says("camdl", *arguments)
        return machine.run("bash", "-c", script, check=False)

    assert not systemd.start("camdl-download.service")
    assert systemd.show("camdl-download.service", "ExecMainStatus") == "78"  # nobody has made it
    assert (run("db", "upgrade").returncode, store.name in run("db", "current").stdout) == (0, True)
    assert systemd.start("camdl-download.service")
    images = camdl.data / "images"
    assert network.call(lambda: invariants.archived(images, store)) == gate.all_keys()
    assert run("health", "-v").returncode == 0
    # Without the credential it is another catalogue that is asked, and that is not there.
    plain = ("env", "--chdir=/var/lib/camdl", str(PROGRAM), "health")
    assert machine.run(*plain, user="camdl", check=False).returncode == 2

    rotated = "hunter3"
    network.call(lambda: store.server.sql(f"ALTER ROLE {ROLE} PASSWORD '{rotated}'"))
    assert not systemd.start("camdl-download.service")
    assert systemd.show("camdl-download.service", "ExecMainStatus") == "74"
    url = store.url.replace(quote(PG_PASSWORD, safe=""), rotated)
    machine.write(f"{credential}.new", url, 0o600)
    machine.run("mv", f"{credential}.new", credential)
    assert systemd.start("camdl-download.service")
    assert run("db", "current").returncode == 0
    for secret in (quote(PG_PASSWORD, safe=""), rotated):
        assert secret not in systemd.journal()


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


def test_what_would_be_done_is_what_is_done(systemd: Systemd, machine: Machine) -> None:
    """`--dry-run` tells each step of an installation and of its end, and takes none."""
    installation = Installation(machine)
    before = files(machine)
    for command in (("install", "--systemd"), ("uninstall",)):
        there = files(machine)
        would = installation.schedule(*command, "--dry-run").stdout.splitlines()
        assert files(machine) == there
        done = installation.schedule(*command).stdout.splitlines()
        # What stays in the end is told either way.
        assert [line.removeprefix("would ") for line in would] == done
        assert sum(line.startswith("would ") for line in would) >= 2 * len(JOBS)
    assert files(machine) == before


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
