"""Prometheus's own tool, which checks rules and metrics. It starts no server."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

# The package depends on what its server's web pages need; the tool needs none of it. It is
# unpacked here and not installed, so that no server is started.
_PACKAGE = "prometheus"
_KEPT = Path(__file__).parents[2] / ".cache" / "promtool"


def promtool(*arguments: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run it with `text` as its input."""
    return subprocess.run(
        [found(), *arguments], input=text, capture_output=True, text=True, timeout=120, check=False
    )


@cache
def found() -> Path:
    """The system's, or that of Debian's package, which is got once."""
    if installed := shutil.which("promtool"):
        return Path(installed)
    if not _KEPT.exists():
        _get()
    return _KEPT


def _get() -> None:
    assert shutil.which("apt-get"), "promtool is needed to check the rules: install Prometheus"
    with tempfile.TemporaryDirectory() as directory:
        done = _run("apt-get", "download", _PACKAGE, cwd=directory)
        if done.returncode and os.geteuid() == 0:  # nothing is known of any package yet
            _run("apt-get", "update", cwd=directory)
            done = _run("apt-get", "download", _PACKAGE, cwd=directory)
        assert done.returncode == 0, f"apt-get download {_PACKAGE}: {done.stderr}"
        (package,) = Path(directory).glob("*.deb")
        done = _run("dpkg-deb", "-x", package.name, "unpacked", cwd=directory)
        assert done.returncode == 0, done.stderr
        _KEPT.parent.mkdir(parents=True, exist_ok=True)
        # Under another name until it is whole: two processes may be at it.
        new = _KEPT.with_name(f"promtool.{os.getpid()}")
        shutil.copy(Path(directory) / "unpacked/usr/bin/promtool", new)
        new.replace(_KEPT)


def _run(*command: str, cwd: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
