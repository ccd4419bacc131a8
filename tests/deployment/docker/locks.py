"""What the files say that pin the image's Python packages."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.requirements import Requirement

DOCKER = Path(__file__).parents[3] / "deployment/docker"
_HASH = re.compile(r"\s*--hash=sha256:[0-9a-f]{64}")


def requirements(name: str) -> dict[str, Requirement]:
    """The requirements of a file by the packages' names; each has the hash of a file.

    Raises:
        ValueError: one has none.
    """
    found: dict[str, Requirement] = {}
    text = re.sub(r"#.*", "", (DOCKER / name).read_text()).replace("\\\n", " ")
    for line in filter(str.strip, text.splitlines()):
        bare, hashes = _HASH.subn("", line)
        if not hashes:
            raise ValueError(f"{name}: {line} has no hash")
        one = Requirement(bare)
        found[one.name.lower().replace("_", "-")] = one
    return found


def pinned(name: str) -> dict[str, str]:
    """The versions of what a file has installed on this platform."""
    return {
        package: str(one.specifier).removeprefix("==")
        for package, one in requirements(name).items()
        if one.marker is None or one.marker.evaluate()
    }
