"""The image, built by its Dockerfile and run with no more rights than it is meant to have."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

import camdl
from camdl.demo.run import site_config
from camdl.errors import ExitCode
from tests.deployment.docker.locks import pinned
from tests.support import invariants
from tests.support.processes import await_that
from tests.support.root import needs_root

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.engine import Engine
    from tests.support.gate import Gate

pytestmark = needs_root

USER = 10001
# What compose.yaml and the runbook give it, and nothing more.
HARDENED = (
    *("--read-only", "--tmpfs=/tmp:mode=1777,size=512m", "--cap-drop=ALL"),
    *("--security-opt=no-new-privileges", "--memory=1g", "--pids-limit=300"),
    # The engine's timers would call it, and want systemd.
    "--no-healthcheck",
)
# As engines have it where nobody gives another: it refuses what Chromium's sandbox is made of.
ENGINES_OWN = "--security-opt=seccomp=/usr/share/containers/seccomp.json"
_SANDBOX_OFF = "the browser's sandbox is off"


class Installation:
    """The image with a volume of its own, and a configuration for `gate`."""

    def __init__(self, engine: Engine, image: str, home: Path, gate: Gate) -> None:
        self._engine = engine
        config = home / "config.toml"
        config.write_text(f"retry_delay_seconds = 0\n{site_config(gate)}\n")
        self.volume = f"of-{home.name}"
        engine.said("volume", "create", self.volume)
        self.data = engine.home / "volumes" / self.volume / "_data/data"
        self.images = self.data / "images"
        mounts = (f"{self.volume}:/var/lib/camdl", f"{config}:/etc/camdl/config.toml:ro")
        self.options = (*HARDENED, *(f"--volume={mount}" for mount in mounts))
        self._image = image

    def camdl(self, *arguments: str, option: str = "--rm") -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return self._engine.run("run", "--rm", *self.options, option, self._image, *arguments)

    def archived(self) -> list[str]:
        """The keys of all captures in the order of time; the archive is whole."""
        return invariants.archived(self.images, self.data / "camdl.db")


@pytest.fixture
def installation(engine: Engine, image: str, tmp_path: Path, gate: Gate) -> Iterator[Installation]:
    """An installation that has not run yet."""
    installation = Installation(engine, image, tmp_path, gate)
    yield installation
    engine.said("volume", "rm", "--force", installation.volume)


def shell(engine: Engine, image: str, script: str, *options: str) -> str:
    """What a shell prints in a container."""
    return engine.said("run", "--rm", *HARDENED, *options, "--entrypoint=sh", image, "-c", script)


# What is in it


def test_what_it_says_of_itself(engine: Engine, image: str) -> None:
    """Its version is that of the program in it, and its user a number, which is no root."""
    known = engine.inspect(image)
    config = known["Config"]
    assert config["Labels"]["org.opencontainers.image.version"] == camdl.__version__
    assert config["User"] == f"{USER}:{USER}"
    assert config["Entrypoint"] == ["tini", "--", "camdl"]
    assert config["Volumes"] == {"/var/lib/camdl": {}}
    assert known["Healthcheck"]["Test"] == ["CMD", "camdl", "health"]
    told = engine.said("run", "--rm", *HARDENED, image, "--version")
    assert told == f"camdl {camdl.__version__}\n"


def test_it_has_what_the_lock_says(engine: Engine, image: str) -> None:
    """Every package of the lock in its version, and camdl; nothing that builds or installs."""
    script = (
        "import importlib.metadata as m, json;"
        "print(json.dumps({one.metadata['Name']: one.version for one in m.distributions()}))"
    )
    told = shell(engine, image, f'/opt/camdl/bin/python -c "{script}"')
    installed = {name.lower().replace("_", "-"): text for name, text in json.loads(told).items()}
    assert installed == pinned("requirements.lock") | {"camdl": camdl.__version__}
    tools = "pip pip3 gcc cc g++ make git curl wget"
    assert shell(engine, image, f"command -v {tools} || ls /src /root/.cache || true") == ""


def test_it_can_write_its_data_alone(engine: Engine, image: str) -> None:
    """Whoever takes over the program changes neither it nor the system."""
    find = "find / -xdev -writable -not -type l -not -path '/proc/*' -not -path '/dev/*'"
    told = engine.run("run", "--rm", "--no-healthcheck", "--entrypoint=sh", image, "-c", find)
    meant = {"/var/lib/camdl", "/tmp", "/var/tmp", "/run/lock"}  # noqa: S108  # by a container
    assert set(told.stdout.splitlines()) == meant
    data = "stat --format '%u:%g' . && touch new && date +%Z"
    assert shell(engine, image, data) == f"{USER}:{USER}\nUTC\n"


# What it does


def test_a_download(installation: Installation, gate: Gate) -> None:
    """Pages are read in the browser, its sandbox on, and the archive is whole and its user's."""
    before = installation.camdl("health")
    assert before.returncode == 3, before.stdout
    done = installation.camdl("download", "--verbose")
    assert done.returncode == 0, done.stderr
    assert _SANDBOX_OFF not in done.stderr
    assert installation.archived() == gate.all_keys()
    made = [installation.data.parent, *installation.data.parent.rglob("*")]
    assert {(one.stat().st_uid, one.stat().st_gid) for one in made} == {(USER, USER)}
    after = installation.camdl("health", "--json")
    assert (after.returncode, after.stderr) == (0, "")
    assert _SANDBOX_OFF not in after.stdout
    again = installation.camdl("download")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert len(gate.asked) == len(gate.all_keys())


def test_a_download_where_the_browser_has_no_sandbox(
    installation: Installation, gate: Gate
) -> None:
    """With an engine's own profile it works too, and the run and the health say what is off."""
    done = installation.camdl("download", "--verbose", option=ENGINES_OWN)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(_SANDBOX_OFF) == 1
    assert installation.archived() == gate.all_keys()
    health = installation.camdl("health", "--json", option=ENGINES_OWN)
    assert health.returncode == 0
    assert "give it the seccomp profile of deployment/docker" in health.stdout


def test_a_download_that_is_stopped(
    engine: Engine, image: str, installation: Installation, gate: Gate
) -> None:
    """The engine's signal reaches the run, which ends in order; the next one does the rest."""
    may_go = threading.Event()
    gate.meanwhile = lambda: may_go.wait(60)
    name = "stopped"
    engine.said("run", "--detach", f"--name={name}", *installation.options, image, "download")
    try:
        assert await_that(lambda: bool(gate.asked), 60)
        engine.said("stop", "--time=30", name)
    finally:
        may_go.set()
    gate.meanwhile = lambda: None
    assert engine.inspect(name)["State"]["ExitCode"] == ExitCode.SIGTERM
    assert installation.camdl("download").returncode == 0
    assert installation.archived() == gate.all_keys()


def test_the_catalogues_schema(installation: Installation) -> None:
    """An upgrade makes a catalogue, and says that there is nothing to do the second time."""
    assert "schema none -> " in installation.camdl("db", "upgrade").stdout
    assert installation.camdl("db", "upgrade").stdout.endswith(" already\n")


def test_settings_to_begin_with(installation: Installation) -> None:
    """The commented settings can be had without anything but the image, and are accepted."""
    done = installation.camdl("config", "init", "-")
    assert done.returncode == 0, done.stderr
    assert "retention_days" in done.stdout
    assert installation.camdl("config", "check").returncode == 0


def test_messages_that_nobody_reads(engine: Engine, image: str) -> None:
    """The exit code is that of the command, with the image's own Python too."""
    script = (
        "import os, subprocess; reader, writer = os.pipe(); os.close(reader); "
        "command = ['camdl', 'download', '--stream', 'nope']; "
        "print(subprocess.run(command, stderr=writer).returncode)"
    )
    assert shell(engine, image, f'python3 -c "{script}"') == f"{ExitCode.USAGE:d}\n"


# What it may do

PROBE = """
import ctypes, socket
libc = ctypes.CDLL(None, use_errno=True)
for number in (101, 250, 321, 9999):  # ptrace, keyctl, bpf, and one that no kernel has
    print(number, libc.syscall(number, -1, 0, 0), ctypes.get_errno())
for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
    socket.socket(family, socket.SOCK_DGRAM).close()
try:
    socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
except OSError as error:
    print('vsock', error.errno)
"""


def test_system_calls(engine: Engine, image: str) -> None:
    """The profile refuses what nothing here needs, and says of new calls that there are none."""
    told = shell(engine, image, f'python3 -c "{PROBE}"')
    assert told == "101 -1 1\n250 -1 1\n321 -1 1\n9999 -1 38\nvsock 38\n"
    assert shell(engine, image, "unshare --user --root=/ echo apart") == "apart\n"
    mounting = "unshare --user --map-root-user --mount true || echo refused"
    assert shell(engine, image, mounting) == "refused\n"


def test_time_zones(engine: Engine, image: str) -> None:
    """Those of sites are there, although the system inside has UTC alone."""
    script = "from zoneinfo import ZoneInfo; print(ZoneInfo('America/Los_Angeles'))"
    told = shell(engine, image, f'/opt/camdl/bin/python -c "{script}"')
    assert told == "America/Los_Angeles\n"
