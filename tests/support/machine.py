"""A machine of its own, in namespaces over this one's files: what runs there changes nothing here.

It has camdl in `/opt/camdl`, as an installation with venv and pip makes it.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import camdl
from tests.support.processes import await_that, children

if TYPE_CHECKING:
    from tests.support.network import Network

PROGRAM = Path("/opt/camdl/bin/camdl")
PYTHON = PROGRAM.with_name("python")

_INIT = Path(__file__).with_name("machine.sh")
_CODE = Path(camdl.__file__).parents[1]
# Where this Python and the packages of this environment are shown, for everybody to read.
_PYTHON, _PACKAGES, _CAMDL = Path("/opt/python"), Path("/opt/packages"), Path("/opt/code")
_ENTRY = f"""\
#!{PYTHON}
from camdl.cli import main
main()
"""
# Always the same, as delays that differ from machine to machine follow from it.
_MACHINE_ID = "0123456789abcdef0123456789abcdef\n"
_ROOTS_ENVIRONMENT = (
    "env",
    "-i",
    "HOME=/root",
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL=C.UTF-8",
)
_SECONDS = 60.0


class Machine:
    """Its changes of the files are kept in `place`, an empty tmpfs, from one start to the next."""

    def __init__(self, place: Path, network: Network) -> None:
        self.group = f"camdl-test-{os.getpid()}-{secrets.token_hex(4)}"
        self._place = place
        self._network = network
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("upper", "work", "root"):
            (place / name).mkdir()
        self._install()

    # Files

    def file(self, path: str | Path) -> Path:
        """Where a file of the machine, which is on, is found from here."""
        return Path(f"/proc/{self._init}/root{path}")

    def changed(self, path: str | Path) -> Path:
        """Where a file is found from here that the machine has made or changed, also when off."""
        return Path(f"{self._place / 'upper'}{path}")

    def write(self, path: str | Path, text: str, mode: int = 0o644) -> None:
        """Make a file, whether the machine is on or off."""
        file = self.file(path) if self._process else self.changed(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def hide(self, directory: Path) -> None:
        """Have it empty in the machine, which is off, whatever it holds here."""
        shadow = self.changed(directory)
        shadow.mkdir(parents=True, exist_ok=True)
        os.setxattr(shadow, "trusted.overlay.opaque", b"y")

    # Processes

    @property
    def is_on(self) -> bool:
        """Whether it is switched on."""
        return self._process is not None

    def start(self, *init: str) -> None:
        """Switch it on: `init` is its first process."""
        unshare = ("unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child")
        command = [
            *("setpriv", "--pdeathsig", "KILL", *unshare),
            *("sh", str(_INIT), "begin", str(self._place), self.group, *init),
        ]
        with (self._place / "log").open("wb") as log:
            self._process = self._network.call(
                lambda: subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            )
        assert await_that(lambda: self._has_begun(init), _SECONDS), self.said()

    def stop(self) -> None:
        """Cut its power."""
        if self._process:
            init = children(self._process.pid)
            self._process.kill()
            self._process.wait()
            self._process = None
            assert await_that(lambda: not any(Path(f"/proc/{pid}").exists() for pid in init))
            self._remove_group()

    def run(
        self, *command: str, user: str = "root", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as one would who has logged in."""
        done = subprocess.run(
            [*self.prefix(user), *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done

    def prefix(self, user: str = "root") -> list[str]:
        """What to put before a command that is to run in it."""
        switch = ("setpriv", "--reuid", user, "--regid", user, "--init-groups", "--reset-env")
        who = _ROOTS_ENVIRONMENT if user == "root" else switch
        return ["nsenter", "--target", str(self._init), "--all", "--root", "--wd=/", *who]

    def processes(self, part: str) -> list[Path]:
        """Those with `part` in their command line, as directories of `/proc` here."""
        return [
            process
            for process in Path("/proc").iterdir()
            if process.name.isdigit()
            and part.encode() in _read(process / "cmdline")
            and f"/{self.group}".encode() in _read(process / "cgroup")
        ]

    def said(self) -> str:
        """What its first process has printed."""
        return (self._place / "log").read_text(errors="replace")

    @property
    def _init(self) -> int:
        """Its first process, as it is numbered here."""
        assert self._process, "the machine is off"
        (init,) = children(self._process.pid)
        return init

    def _has_begun(self, init: tuple[str, ...]) -> bool:
        assert self._process
        assert self._process.poll() is None, self.said()
        names = [_read(Path(f"/proc/{pid}/comm")) for pid in children(self._process.pid)]
        return names in [[f"{Path(word).name[:15]}\n".encode()] for word in init]

    def _remove_group(self) -> None:
        script = 'mount -t cgroup2 cgroup2 "$1" && find "$1/$2" -depth -type d -exec rmdir {} +'
        command = ("unshare", "--mount", "sh", "-c", script, "sh", self._place / "root", self.group)
        subprocess.run(command, check=True)

    # Installation

    def _install(self) -> None:
        shown = {
            Path(sys.base_prefix): _PYTHON,
            Path(sysconfig.get_path("purelib")): _PACKAGES,
            _CODE / "camdl": _CAMDL / "camdl",
        }
        lines = [f"{target} {source}\n" for source, target in shown.items()]
        (self._place / "shown").write_text("".join(lines))
        self.write("/etc/machine-id", _MACHINE_ID)
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        venv = PROGRAM.parents[1]
        self.changed(PYTHON).parent.mkdir(parents=True)
        self.changed(PYTHON).symlink_to(_PYTHON / "bin" / version)
        self.write(venv / "pyvenv.cfg", f"home = {_PYTHON / 'bin'}\n")
        site = venv / "lib" / version / "site-packages"
        self.write(site / "camdl.pth", f"{_CAMDL}\n{_PACKAGES}\n")
        self.write(PROGRAM, _ENTRY, 0o755)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # the process has just ended
        return b""
