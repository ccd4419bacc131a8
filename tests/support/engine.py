"""A container engine for tests: podman, with everything that it keeps in one directory."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from typing import TYPE_CHECKING, Any, Self

from tests.support.processes import await_that

if TYPE_CHECKING:
    from pathlib import Path

# crun takes no control groups of both versions at once, as some machines have. The end of the input
# is that of the tests, even if they were killed.
_SERVE = """
if mountpoint --quiet /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi
podman system service --time=0 "$1" &
cat >/dev/null
podman rm --all --force --time=0 --volumes >/dev/null
kill $!
wait
rm -rf "$2"
"""
_CONFIG = """
[containers]
# Whoever may not raise limits must ask for none.
default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]
# The tests' site and database are on loopback.
netns = "host"
log_driver = "k8s-file"
seccomp_profile = {seccomp}

[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
runtime = "crun"
tmp_dir = "{home}/tmp"
static_dir = "{home}/graph/libpod"
volume_path = "{home}/volumes"
"""
_STORAGE = """
[storage]
driver = "overlay"
graphroot = "{home}/graph"
runroot = "{home}/run"
"""
_MOST_PROCESSES = 32768  # podman's own


class Engine:
    """Builds images and runs containers, below `home`.

    `seccomp` is the profile of containers that ask for none, as an engine's administrator may set
    it. A context manager: nothing is left of its containers and files.
    """

    def __init__(self, home: Path, seccomp: Path) -> None:
        self.home = home
        self.socket = f"unix://{home}/podman.sock"
        home.mkdir()
        limits = {
            "files": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
            "processes": min(_MOST_PROCESSES, resource.getrlimit(resource.RLIMIT_NPROC)[1]),
        }
        config = _CONFIG.format(home=home, seccomp=json.dumps(str(seccomp)), **limits)
        (home / "containers.conf").write_text(config)
        (home / "storage.conf").write_text(_STORAGE.format(home=home))
        self.environment = {
            **os.environ,
            "CONTAINERS_CONF": str(home / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(home / "storage.conf"),
            "DOCKER_HOST": self.socket,
            "TMPDIR": str(home),
        }
        self._service: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with (self.home / "service.log").open("wb") as log:
            self._service = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", _SERVE, "sh", self.socket, self.home],
                env=self.environment,
                stdin=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # no signal of the terminal keeps it from its duty
            )
        assert await_that((self.home / "podman.sock").exists, 30), self.log()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._service
        self._service.communicate(timeout=120)

    def log(self) -> str:
        """What it has complained of."""
        return (self.home / "service.log").read_text()

    def run(
        self, *arguments: str | Path, stdin: int | None = None, seconds: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run podman to its end."""
        assert self._service
        # Its containers are mounted where it runs, and nowhere else.
        inside = f"--mount=/proc/{self._service.pid}/ns/mnt"
        return subprocess.run(
            ["nsenter", inside, f"--wd={self.home}", "podman", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def said(self, *arguments: str | Path, stdin: int | None = None, seconds: float = 120) -> str:
        """What podman prints; it must succeed."""
        done = self.run(*arguments, stdin=stdin, seconds=seconds)
        assert done.returncode == 0, (
            f"podman {arguments}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
        return done.stdout

    def inspect(self, name: str) -> dict[str, Any]:
        """What is known of a container or an image."""
        (found,) = json.loads(self.said("inspect", name))
        assert isinstance(found, dict)
        return found

    def health(self, container: str) -> dict[str, Any]:
        """How it is, after its health check was run now, for which an engine has timers."""
        self.run("healthcheck", "run", container)
        found = self.inspect(container)["State"]["Health"]
        assert isinstance(found, dict)
        return found
