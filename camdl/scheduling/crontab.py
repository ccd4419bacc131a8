"""Cron's lines for the jobs: a file of `/etc/cron.d`, or a part of a user's own crontab."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from camdl.scheduling.hands import is_sealed, sealed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from camdl.domain.schedule import Job
    from camdl.scheduling.place import Place

_HEAD = """\
# Starts camdl. Times are those of this machine's clock on the wall.
# What goes well prints nothing; what does not is mailed to MAILTO. Where no mail is delivered, have
# the lines end with: >>/var/log/camdl/camdl.log 2>&1
"""
_ENVIRONMENT = """\
SHELL=/bin/sh
PATH=/usr/local/bin:/usr/bin:/bin
MAILTO=root
"""


_BEGIN, _END = "# camdl begins", "# camdl ends"


def crontab(jobs: Sequence[Job], place: Place) -> str:
    """The lines; those of a place with a user name that too, as files of `/etc/cron.d` do.

    A user's own crontab has other lines also, so nothing is set in it that would hold for those.
    """
    return "".join([_HEAD, _ENVIRONMENT if place.user else "", *_lines(jobs, place)])


def _lines(jobs: Sequence[Job], place: Place) -> Iterator[str]:
    for job in jobs:
        yield f"\n# {job.name}\n"
        if job.remark:
            yield f"# Mind: {job.remark}.\n"
        who = f"{place.user} " if place.user else ""
        command = f"cd {shlex.quote(str(place.directory))} && {shlex.join(place.command(job))}"
        # To cron a percent sign is the end of the command.
        yield f"{job.cron} {who}{command.replace('%', chr(92) + '%')}\n"


@dataclass(frozen=True, slots=True)
class Block:
    """Our part of a crontab, between two marks; `before` and `after` are somebody else's."""

    before: str
    text: str
    after: str

    @property
    def is_sealed(self) -> bool:
        """Whether it is as it was put there."""
        return is_sealed(self.text)

    @classmethod
    def of(cls, crontab: str) -> Self | None:
        """The part in `crontab`, if there is one; without its end it goes on to the last line."""
        before, begin, rest = _cut(crontab, _BEGIN)
        if not begin:
            return None
        text, _, after = _cut(rest, _END)
        return cls(before, text, after)

    @classmethod
    def put(cls, crontab: str, lines: str) -> str:
        """`crontab` with `lines` as our part: where it was, or at the end."""
        there = cls.of(crontab) or cls(_whole(crontab), "", "")
        return f"{there.before}{_BEGIN}\n{sealed(lines)}{_END}\n{there.after}"

    @classmethod
    def take(cls, crontab: str) -> str:
        """`crontab` without our part."""
        there = cls.of(crontab)
        return there.before + there.after if there else crontab


def _cut(text: str, mark: str) -> tuple[str, str, str]:
    """What is before and after the first line that is `mark`, and that line."""
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if line.strip() == mark:
            return "".join(lines[:number]), line, "".join(lines[number + 1 :])
    return text, "", ""


def _whole(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"
