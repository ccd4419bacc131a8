"""A root file system of Debian's, got from where this machine gets its packages."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from camdl.demo.browser import os_release

_CERTIFICATES = Path("usr/local/share/ca-certificates")


def bootstrap(suite: str, root: Path) -> None:
    """Make in `root` the smallest system of `suite`, with this machine's ways to packages."""
    sites = _sources(suite)
    site = sites[0].split()[1]
    _run("debootstrap", "--variant=minbase", suite, root, site)
    (root / "etc/apt/sources.list").write_text("\n".join([*sites, ""]))
    (root / "etc/apt/apt.conf.d/99machine").write_text(_run("apt-config", "dump", "Acquire"))
    # As official images are: nobody needs what is unpacked to survive a loss of power.
    (root / "etc/dpkg/dpkg.cfg.d/unsafe-io").write_text("force-unsafe-io\n")
    if Path("/", _CERTIFICATES).is_dir():
        # What a package of the system's, once it is installed, takes for good.
        shutil.copytree(Path("/", _CERTIFICATES), root / _CERTIFICATES)
    for used in ("var/cache/apt/archives", "var/lib/apt/lists"):
        shutil.rmtree(root / used)
        (root / used / "partial").mkdir(parents=True)


def pip_config(python: str) -> str:
    """A pip.conf for inside, with the package index that `python` takes here."""
    known = ("index-url", "extra-index-url", "trusted-host", "proxy", "cert")
    values: dict[str, str] = {}
    for line in _run(python, "-m", "pip", "config", "list").splitlines():
        name, _, value = line.partition("=")
        key = name.rpartition(".")[2]
        # Directories of this machine are not there inside.
        if key in known and "file:" not in value:
            values[key] = value.strip("'\"")
    if "cert" in values:
        values["cert"] = "/etc/ssl/certs/ca-certificates.crt"
    return "\n".join(["[global]", *(f"{key} = {value}" for key, value in values.items()), ""])


def _sources(suite: str) -> list[str]:
    """The lines of sources.list by which this machine gets its release, for `suite` instead."""
    ours = os_release()["VERSION_CODENAME"]
    form = "$(SITE) $(CODENAME) $(COMPONENT)"
    told = _run("apt-get", "indextargets", "--format", form, "Created-By: Packages")
    entries = sorted({tuple(line.split()) for line in told.splitlines()}, key=lambda one: one[1])
    lines = [
        f"deb {site} {release.replace(ours, suite, 1)} {component}"
        for site, release, component in entries
        if release.startswith(ours) and component == "main"
    ]
    assert lines, f"apt knows no source of {ours}: {told}"
    return lines


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout
