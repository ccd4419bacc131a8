"""The whole program under Debian's cron, whose clock says what a test wants it to say."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from camdl.domain.schedule import Job, jobs
from tests.support.installation import Installation
from tests.support.machine import PROGRAM, PYTHON
from tests.support.processes import await_that
from tests.support.program import AT_ANOTHER_TIME
from tests.support.root import needs_root
from tests.support.sendmail import Sendmail

if TYPE_CHECKING:
    from tests.support.gate import Gate
    from tests.support.machine import Machine

pytestmark = needs_root

ROOT = Path(__file__).parents[2]
CRON_FILE = "/etc/cron.d/camdl"
CRONTAB = ROOT / "crontab.example"
DAY_BEFORE = datetime(2025, 9, 7, 23, 59, tzinfo=UTC)
JOBS = jobs(10)
RUNBOOK = (ROOT / "deployment/RUNBOOK.md").read_text()


def before(job: Job) -> tuple[str, ...]:
    """What to put before a command whose clock is to be some seconds before `job` is due."""
    moment = job.next_after(DAY_BEFORE) - timedelta(seconds=5)
    return ("faketime", "-f", f"@{moment:%Y-%m-%d %H:%M:%S}")


def wait_for_the_hour(machine: Machine, job: Job) -> None:
    """Start the machine with its cron, for which `job` is due in some seconds."""
    machine.stop()
    machine.start(*before(job), "cron", "-f")


@pytest.fixture
def sendmail(machine: Machine) -> Sendmail:
    """What the machine delivers its mail with."""
    return Sendmail(machine)


@pytest.fixture
def camdl(machine: Machine, sendmail: Sendmail) -> Installation:
    """camdl on a machine that has nothing else for cron to do, and does not run yet."""
    for directory in ("cron.d", "cron.daily", "cron.hourly", "cron.weekly", "cron.monthly"):
        machine.hide(Path("/etc") / directory)
    machine.write("/etc/crontab", "")
    return Installation(machine)


def test_the_example_archives_everything(
    camdl: Installation, machine: Machine, sendmail: Sendmail, gate: Gate
) -> None:
    """Installed as it stands, it has each job done when it is due, by a user without rights.

    The browser is in its sandbox, and as all goes well there is nothing to mail.
    """
    download, health, *nightly = JOBS
    machine.start("cron", "-f")
    would = camdl.schedule("install", "--cron", "--dry-run").stdout.splitlines()
    assert f"would write      {CRON_FILE}" in would
    assert not machine.file(CRON_FILE).exists()
    assert "camdl:" not in machine.file("/etc/passwd").read_text()
    said = camdl.schedule("install", "--cron").stdout
    assert would == [f"would {line}" for line in said.splitlines()]
    assert machine.file(CRON_FILE).read_text().partition("\n")[2] == CRONTAB.read_text()
    wait_for_the_hour(machine, download)
    camdl.await_sandbox()
    camdl.await_everything_of(gate)
    for job in nightly:
        wait_for_the_hour(machine, job)
        assert await_that(partial(has_run, camdl, job.verb), 60), camdl.runs(job.verb)
    wait_for_the_hour(machine, health)
    assert await_that(lambda: machine.processes(f"{PROGRAM}\0health\0--write") != [], 60)
    assert camdl.archived() == gate.all_keys()
    assert camdl.owners() == {"camdl"}
    assert sendmail.mails() == []
    camdl.schedule("uninstall")
    assert not machine.file(CRON_FILE).exists()


def has_run(camdl: Installation, verb: str) -> bool:
    """Whether a run of `verb` has done all that there was to do."""
    return camdl.runs(verb)[-1:] == [("ok", 0)]


def test_a_second_run_at_once_is_told_and_no_more(
    camdl: Installation, machine: Machine, sendmail: Sendmail, gate: Gate
) -> None:
    """While a person's run goes on, cron's is refused, which it mails; nothing is lost by it."""
    machine.start("sleep", "infinity")
    camdl.schedule("install", "--cron")
    with camdl.downloading_by_hand(gate):
        machine.run("sh", "-c", '"$@" >/dev/null 2>&1 &', "sh", *before(JOBS[0]), "cron", "-f")
        assert await_that(lambda: sendmail.mails() != [], 60)
    (mail,) = sendmail.mails()
    assert mail["To"] == "root"
    assert f"{PROGRAM} download" in mail["Subject"]
    assert mail.get_content().startswith("camdl: another run holds the lock ")
    assert camdl.archived() == gate.all_keys()
    assert camdl.runs() == [("ok", 0)]


def test_what_was_missed_is_fetched_at_the_next_time(
    camdl: Installation, machine: Machine, gate: Gate
) -> None:
    """A machine that was off for three hours makes one run, which fetches all of them."""
    now, then = gate.now, gate.now - timedelta(hours=3)
    gate.begin(then)
    gate.take(5, 15)
    machine.start("sleep", "infinity")
    camdl.schedule("install", "--cron")
    program = (str(PYTHON), "-c", AT_ANOTHER_TIME, then.isoformat())
    machine.run("env", "--chdir=/var/lib/camdl", *program, "download", user="camdl")
    assert camdl.archived() == gate.all_keys()

    gate.begin(now)
    gate.take(*range(5, 200, 10))
    wait_for_the_hour(machine, JOBS[0])
    camdl.await_everything_of(gate)
    assert camdl.runs() == [("ok", 0), ("ok", 0)]


def test_a_failure_is_mailed(
    camdl: Installation, machine: Machine, sendmail: Sendmail, gate: Gate
) -> None:
    """To MAILTO, with what has happened and what to do; as is a configuration that is wrong."""
    machine.start("sleep", "infinity")
    camdl.schedule("install", "--cron")
    config = machine.file("/etc/camdl/config.toml")
    right = config.read_text()
    config.write_text(right.replace(f":{gate.port}", f":{gate.port - 1}"))  # where nobody listens
    wait_for_the_hour(machine, JOBS[0])
    assert await_that(lambda: sendmail.mails() != [], 60)
    (mail,) = sendmail.mails()
    assert (mail["To"], camdl.runs()) == ("root", [("failed", 69)])
    assert f"{PROGRAM} download" in mail["Subject"]
    said = mail.get_content()
    assert said.startswith("camdl: ")
    assert "in_gate" in said
    assert "Traceback" not in said

    machine.file("/etc/camdl/config.toml").write_text("no_such_key = 1\n")
    wait_for_the_hour(machine, JOBS[1])
    assert await_that(lambda: len(sendmail.mails()) == 2, 60)
    (verdict,) = [one for one in sendmail.mails() if " health " in one["Subject"]]
    told, *more = verdict.get_content().splitlines()
    assert "no_such_key" in told
    assert more


def test_a_persons_own_crontab(camdl: Installation, machine: Machine, gate: Gate) -> None:
    """Their other lines stay as they are, and camdl runs as themselves where they asked for it."""
    machine.start("cron", "-f")
    machine.run("useradd", "--create-home", "person")
    theirs = "# mine\nMAILTO=person\n0 0 1 1 * echo happy new year\n"
    machine.run("sh", "-c", f"printf '%s' '{theirs}' | crontab -u person -")

    def schedule(*arguments: str, code: int = 0) -> str:
        command = ("env", "--chdir=/home/person", str(PROGRAM), "schedule", *arguments, "--user")
        done = machine.run(*command, user="person", check=False)
        assert done.returncode == code, done
        return done.stderr if code else done.stdout

    def crontab() -> str:
        return machine.run("crontab", "-l", user="person").stdout

    would = schedule("install", "--cron", "--dry-run").splitlines()
    assert crontab() == theirs
    assert schedule("install", "--cron").splitlines() == [
        would[0].removeprefix("would "),
        *would[1:],
    ]
    lines = crontab()
    assert lines.startswith(theirs)
    assert [line.strip() for line in would[1:]] == [
        f"+ {line}".strip() for line in lines.removeprefix(theirs).splitlines()
    ]
    assert schedule("install", "--cron") == "unchanged  your crontab\n"
    assert crontab() == lines
    wait_for_the_hour(machine, JOBS[0])
    Installation(machine, Path("/home/person")).await_everything_of(gate)

    changed = lines.replace("camdl download", "camdl download --latest 1")
    machine.run("sh", "-c", f"crontab -u person - <<'END'\n{changed}END\n")
    assert "changed since" in schedule("install", "--cron", code=78)
    assert "changed since" in schedule("uninstall", code=78)
    assert crontab() == changed
    schedule("install", "--cron", "--force")
    assert crontab() == lines
    schedule("uninstall")
    assert crontab() == theirs


def test_logs_are_rotated(camdl: Installation, machine: Machine) -> None:
    """As the runbook says: camdl's own log, and one that cron's lines end in."""
    config = "/etc/camdl/config.toml"
    settings = 'log_file = "/var/log/camdl/camdl.log"\nlog_backups = 0\n'
    assert all(f"`{line}`" in RUNBOOK for line in settings.splitlines())
    machine.write("/etc/logrotate.d/camdl", (ROOT / "deployment/logrotate/camdl").read_text())
    machine.start("cron", "-f")
    camdl.schedule("install", "--cron")
    (makes_directory,) = re.findall(r"^    (install .*/var/log/camdl)$", RUNBOOK, re.MULTILINE)
    machine.run(*makes_directory.split())
    machine.write(config, settings + machine.file(config).read_text())

    def download() -> None:
        line = f"cd && {{ echo said; {PROGRAM} download; }} >>/var/log/camdl/cron.log 2>&1"
        machine.run("sh", "-c", line, user="camdl")

    download()
    logs = [machine.file(f"/var/log/camdl/{name}.log") for name in ("camdl", "cron")]
    before = [log.read_text() for log in logs]
    assert ("2 saved" in before[0], before[1]) == (True, "said\n")
    machine.run("logrotate", "--force", "/etc/logrotate.d/camdl")
    assert [log.read_text() for log in logs] == ["", ""]
    assert [log.with_suffix(".log.1").read_text() for log in logs] == before
    download()
    after = [log.read_text() for log in logs]
    assert ("0 new" in after[0], after[1]) == (True, "said\n")
    owner = machine.file("/var/lib/camdl").stat().st_uid
    assert {log.stat().st_uid for log in logs} == {owner}
