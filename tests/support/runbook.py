"""What deployment/RUNBOOK.md has people do, taken from its text."""

from __future__ import annotations

import re
from pathlib import Path

RUNBOOK = (Path(__file__).parents[2] / "deployment" / "RUNBOOK.md").read_text()
# What a part of a section is of: its first words, up to a stop.
PART = re.compile(r"^\*\*(?P<name>[^*]+)\.\*\*", re.MULTILINE)
_SECTION = re.compile(r"^## (?P<title>.+)\n(?P<text>(?:(?!## ).*\n?)*)", re.MULTILINE)
_STEP = re.compile(r"`((?:camdl|/opt/camdl/bin/pip) [^`]+)`")


def section(title: str) -> str:
    """The text of a section, without its title."""
    (text,) = (one["text"] for one in _SECTION.finditer(RUNBOOK) if one["title"] == title)
    return text


def commands(title: str, *parts: str) -> list[str]:
    """The commands of a section, in order: those before its first part, and those of `parts`."""
    first, *others = PART.split(section(title))
    named = dict(zip(others[::2], others[1::2], strict=True))
    texts = [first, *(text for name, text in named.items() if name in parts)]
    found = [re.findall(r"^    (.+)$", text, re.MULTILINE) for text in texts]
    assert all(found[1:]), (title, parts)
    return [command for some in found for command in some]


def steps(title: str) -> list[str]:
    """The commands of a section whose steps have them in their sentences, in order."""
    return _STEP.findall(section(title))
