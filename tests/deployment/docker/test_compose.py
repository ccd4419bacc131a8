"""The services of compose.yaml, started by Compose, with a real PostgreSQL."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import threading
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from camdl.demo.run import site_config
from camdl.domain.schedule import jobs
from camdl.errors import ExitCode
from tests.deployment.docker.locks import DOCKER
from tests.support import invariants
from tests.support.hook import Hook
from tests.support.processes import await_that
from tests.support.root import needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.engine import Engine
    from tests.support.gate import Gate

pytestmark = needs_root

JOBS = ("download", "cleanup", "verify", "health")
RUNBOOK = (DOCKER.parent / "RUNBOOK.md").read_text()
_SECONDS = 120
_BACKUP = "/tmp/camdl.dump"  # noqa: S108  # in the database's container


class Project:
    """compose.yaml in a directory of its own, with what this engine needs otherwise.

    The image is built already; the network is the host's, as the site and the engine are on
    loopback; the profile is the engine's default, as podman takes its name and no text of it; and
    downloads come every few seconds.
    """

    def __init__(self, engine: Engine, directory: Path, gate: Gate) -> None:
        self.engine = engine
        self.directory = directory
        shutil.copytree(DOCKER, directory)
        self.configure(site_config(gate))
        self._port = free_port()
        self.new_secrets()
        config = yaml.safe_load(self.compose("--profile=command", "config"))
        del config["networks"]
        for service in config["services"].values():
            self._adapt(service)
        config["services"]["download"]["command"] = ["-H*", "-M*", "-S/5", "camdl", "download"]
        # PostgreSQL's own variable; on the host's network its usual port may be taken.
        config["services"]["database"]["environment"]["PGPORT"] = str(self._port)
        (directory / "compose.yaml").write_text(yaml.safe_dump(config))

    def new_secrets(self) -> str:
        """Make new ones; the password."""
        subprocess.run([self.directory / "new-secrets.sh", "--replace"], check=True)
        url = self.directory / "secrets/database_url"
        url.write_text(url.read_text().replace("@database/", f"@database:{self._port}/"))
        return (self.directory / "secrets/database_password").read_text()

    def configure(self, config: str) -> None:
        """These are the settings; a run that begins has either these or those before."""
        new = self.directory / "new.toml"
        new.write_text(config)
        new.replace(self.directory / "config/config.toml")

    def secret(self, name: str, value: str) -> None:
        """Give camdl one more, as the runbook says."""
        (command,) = re.findall(r"^    (install .*secrets/camdl/)", RUNBOOK, re.MULTILINE)
        subprocess.run(
            ["bash", "-c", f"{command}{name}"],
            cwd=self.directory,
            input=f"{value}\n",
            text=True,
            check=True,
        )

    @staticmethod
    def _adapt(service: dict[str, Any]) -> None:
        del service["networks"]
        service.pop("build", None)
        service["network_mode"] = "host"
        service["extra_hosts"] = ["database:127.0.0.1"]
        service["security_opt"] = ["no-new-privileges:true"]

    def compose(self, *arguments: str) -> str:
        """What Compose prints."""
        done = subprocess.run(
            ["docker-compose", *arguments],
            cwd=self.directory,
            env=self.engine.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        said = f"{arguments}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        assert done.returncode == 0, f"{said}\n{self.logs()}"
        return done.stdout

    def up(self) -> None:
        """Start everything; health checks are called for, as this engine's timers want systemd."""
        has_started = threading.Event()

        def look() -> None:
            while not has_started.wait(0.5):
                self.engine.run("healthcheck", "run", "camdl_database_1")

        looking = threading.Thread(target=look)
        looking.start()
        try:
            self.compose("up", "--detach")
        finally:
            has_started.set()
            looking.join()

    def camdl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command where one can be run at any time."""
        return self.engine.run("exec", "camdl_health_1", "camdl", *arguments)

    def state(self, service: str) -> dict[str, Any]:
        """The state of a service's container."""
        found = self.engine.inspect(f"camdl_{service}_1")
        return {**found["State"], "RestartCount": found["RestartCount"]}

    def said(self, service: str) -> str:
        """What a service has printed."""
        done = self.engine.run("logs", f"camdl_{service}_1")
        return done.stdout + done.stderr

    def logs(self) -> str:
        """What all have printed, for a test that fails."""
        return "\n".join(
            f"{name}: {self.said(name)}" for name in ("download", "upgrade", "database")
        )

    def archived(self) -> list[str]:
        """The keys of the files in the archive."""
        return invariants.files(self.engine.home / "volumes/camdl-archive/_data/data/images")


@pytest.fixture
def project(
    engine: Engine, image: str, database_image: str, tmp_path: Path, gate: Gate
) -> Iterator[Project]:
    """The project, not started."""
    project = Project(engine, tmp_path / "docker", gate)
    yield project
    project.compose("--profile=command", "down", "--volumes", "--timeout=20")


@pytest.mark.parametrize("interval", [5, 10, 30])
def test_jobs_are_those_of_every_schedule(engine: Engine, image: str, interval: int) -> None:
    """The same commands at the same times as with cron and systemd, by the clock of the image."""
    environment = {**os.environ, "DOWNLOAD_INTERVAL_MINUTES": str(interval)}
    command = ("docker-compose", "config")
    told = subprocess.run(command, cwd=DOCKER, env=environment, capture_output=True, check=True)
    services = yaml.safe_load(told.stdout)["services"]
    for job in jobs(interval):
        if job.id == "health":  # the engine's own check
            continue
        options = ("--rm", "--no-healthcheck", "--entrypoint=snooze", image, "-n")
        before = datetime.now(UTC)
        text = engine.said("run", *options, *services[job.id]["command"])
        starts = [datetime.fromisoformat(line.split()[0]) for line in text.splitlines()]
        assert starts[0] in (job.next_after(before), job.next_after(datetime.now(UTC)))
        assert {later - one for one, later in pairwise(starts)} == {job.every}
        at_its_end = services[job.id]["command"][-1 - len(job.arguments) :]
        assert at_its_end == ["camdl", *job.arguments]


def test_the_services(project: Project, gate: Gate) -> None:
    """From nothing to an archive that goes on by itself, and to an orderly end."""
    project.up()
    assert project.state("upgrade")["ExitCode"] == 0
    assert await_that(lambda: project.camdl("health").returncode == 0, _SECONDS), project.logs()
    verdict = project.engine.health("camdl_health_1")
    assert verdict["Status"] == "healthy", verdict
    assert project.archived() == sorted(gate.all_keys())

    # The timer fires again, and runs end well.
    gate.take(1, 5, 15)
    assert await_that(lambda: len(project.archived()) == len(gate.all_keys()), _SECONDS), (
        project.logs()
    )
    assert await_that(lambda: project.state("download")["RestartCount"] >= 2, _SECONDS), (
        project.logs()
    )
    checked = project.camdl("verify", "--full", "--verbose")
    assert (checked.returncode, checked.stderr.count("nothing wrong")) == (0, 1), checked
    # The others sleep until the night.
    for job in ("cleanup", "verify"):
        assert (project.state(job)["Status"], project.state(job)["RestartCount"]) == ("running", 0)

    assert project.said("download") == ""

    project.compose("stop", "--timeout=20")
    assert project.state("cleanup")["ExitCode"] == ExitCode.SIGTERM
    assert project.state("database")["ExitCode"] == 0


def test_alerts_come_from_the_containers(project: Project, gate: Gate) -> None:
    """By web hook and by Apprise, and a dead man's switch, whose addresses are in files."""
    with Hook() as hook:
        project.secret("alert_webhook_url", f"{hook.origin}/hook")
        project.secret("alert_apprise_urls", f"json://{hook.origin.partition('//')[2]}/apprise")
        project.secret("ping_url", f"{hook.origin}/ping/{{job}}")
        project.up()
        assert await_that(lambda: project.camdl("health").returncode == 0, _SECONDS), project.logs()
        tried = project.camdl("alert", "test")
        assert (tried.returncode, tried.stdout.count(": sent")) == (0, 2), tried
        assert await_that(lambda: "/ping/download" in hook.paths(), _SECONDS), project.logs()
        assert "others may read" not in project.camdl("doctor").stdout
        hook.posts.clear()

        elsewhere = site_config(gate).replace(f":{gate.port}/", f":{free_port()}/")
        quickly = "alert_after = 1\nmax_retries = 1\nretry_delay_seconds = 0\n"
        project.configure(quickly + elsewhere)
        told = ("/hook", "/apprise", "/ping/download/fail")
        assert await_that(lambda: set(told) <= set(hook.paths()), _SECONDS), project.logs()
        alert, same = (
            next(one.json for one in hook.posts if one.path == path) for path in told[:2]
        )
    assert alert["event"] == "alert"
    assert {"in_gate", "out_gate"} <= {one["name"] for one in alert["subjects"]}
    assert same["title"] == alert["title"]


def test_another_password(project: Project, gate: Gate) -> None:
    """It is changed as the runbook says: the old one is of no use any more, and runs go on."""
    project.up()
    url = project.directory / "secrets/database_url"
    old = url.read_text()
    project.compose("stop", *JOBS)
    statement = f"ALTER ROLE camdl PASSWORD '{project.new_secrets()}'"
    psql = ("psql", "--username=camdl", "--dbname=camdl", "--command", statement)
    project.engine.said("exec", "camdl_database_1", *psql)
    project.compose("start", *JOBS)
    assert await_that(lambda: project.camdl("health").returncode == 0, _SECONDS), project.logs()
    assert project.archived() == sorted(gate.all_keys())
    url.write_text(old)
    failed = project.camdl("db", "current")
    assert (failed.returncode, "password" in failed.stderr) == (ExitCode.STORAGE, True)
    assert old.split(":")[2].partition("@")[0] not in failed.stderr


def test_a_catalogue_is_restored(project: Project, gate: Gate) -> None:
    """From a backup, as the runbook says, to the same captures."""
    project.up()
    assert await_that(lambda: project.camdl("health").returncode == 0, _SECONDS), project.logs()
    project.compose("stop", *JOBS)
    dump = ("pg_dump", "--username=camdl", "--format=custom", f"--file={_BACKUP}", "camdl")
    project.engine.said("exec", "camdl_database_1", *dump)
    lost = ("--command", "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    psql = ("psql", "--username=camdl", "--dbname=camdl")
    project.engine.said("exec", "camdl_database_1", *psql, *lost)
    project.compose("start", "health")
    assert project.camdl("verify").returncode != 0
    restore = ("pg_restore", "--username=camdl", "--dbname=camdl", "--clean", "--if-exists")
    project.engine.said("exec", "camdl_database_1", *restore, _BACKUP)
    checked = project.camdl("verify", "--full", "--verbose")
    assert (checked.returncode, checked.stderr.count("nothing wrong")) == (0, 1), checked


def free_port() -> int:
    """A port of loopback that nothing listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
