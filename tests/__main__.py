"""Provides what the tests need beside Python packages, and runs them.

    python -m tests [PYTEST'S ARGUMENTS]

Without arguments that is the whole suite, on every core and with the coverage. As root on Debian
or Ubuntu it installs what the system lacks; another user is told the one command for root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from camdl.demo.browser import BROWSER, Machine, provide
from camdl.errors import CamdlError
from camdl.wiring import found_browser
from tests.support.postgres import tool

if TYPE_CHECKING:
    from collections.abc import Mapping

# Programs that tests start, and Debian's packages with them.
PROGRAMS = {
    "strace": "strace",  # brings about faults of system calls
    "openssl": "openssl",  # certificates of test servers
    "chattr": "e2fsprogs",
    "mkfs.ext4": "e2fsprogs",
    "mount": "mount",
    "prlimit": "util-linux",
    "unshare": "util-linux",
    "ip": "iproute2",
    "cron": "cron",
    "faketime": "faketime",  # clocks that say what a test wants
    "systemctl": "systemd",
    "dbus-daemon": "dbus-user-session",  # and what a user's own systemd needs
    "logrotate": "logrotate",
    "initdb": "postgresql",  # a server of the tests' own
    "pg_dump": "postgresql-client",
    "rsync": "rsync",  # as the runbook has it
}
# Those of the suite that is run by this name.
_CONTAINERS = "tests/deployment/docker"
_PROGRAMS_OF_CONTAINERS = {
    "podman": "podman",  # builds images and runs containers
    "crun": "crun",
    "docker-compose": "docker-compose",
    "debootstrap": "debootstrap",  # what the image begins with
}
_WHOLE_SUITE = ("-n", "auto", "--dist", "loadgroup", "--cov", "--cov-report", "term-missing")


def main(arguments: list[str]) -> int:
    """Exit as pytest does, or with 1 where something is missing."""
    programs = dict(PROGRAMS)
    if any(argument.startswith(_CONTAINERS) for argument in arguments):
        programs |= _PROGRAMS_OF_CONTAINERS
    # Where Debian keeps what only administrators are thought to need: a user's PATH lacks it.
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
    if (missing := lacking(programs)) and not _install(missing):
        return 1
    try:
        print(f"The tests' browser is {provide(found_browser, print)}", flush=True)
    except CamdlError as error:
        print(f"{error}\n{error.advice}", file=sys.stderr)
        return 1
    command = [sys.executable, "-m", "pytest", *(arguments or _WHOLE_SUITE)]
    return subprocess.run(command, check=False).returncode


def lacking(programs: Mapping[str, str]) -> list[str]:
    """The packages of those `programs` that are not on this machine."""
    return sorted({package for name, package in programs.items() if not tool(name)})


def _install(packages: list[str]) -> bool:
    """Whether `packages` could be installed."""
    if os.geteuid() and Machine().has_deb and not found_browser():
        packages = [*packages, BROWSER]  # root is asked once
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if os.geteuid() or not shutil.which("apt-get"):
        root = f"apt-get update && {' '.join(install)}"
        print(f"The tests need {', '.join(packages)}. Run once as root: {root}", file=sys.stderr)
        return False
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    update = subprocess.run(["apt-get", "update"], env=quiet, check=False)
    return not update.returncode and not subprocess.run(install, env=quiet, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
