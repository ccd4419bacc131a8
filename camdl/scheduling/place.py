"""Where camdl is on a machine and as whom it runs, for the texts that start it there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from camdl.config.layers import SECRETS

if TYPE_CHECKING:
    from camdl.domain.schedule import Job

USER = "camdl"
HOME = Path("/var/lib/camdl")

_MINUTE = timedelta(minutes=1)
_LONGEST = {"health": 5 * _MINUTE, "cleanup": 120 * _MINUTE, "verify": 60 * _MINUTE}
# What a download may take beside its deadline: it waits two minutes for a backfill to let go.
_SPARE = 4 * _MINUTE


@dataclass(frozen=True, slots=True)
class Place:
    """An installation, as it is meant to be unless something else is said.

    `program` is the executable; `config` is named to it, unless it finds its file by itself.
    It runs in `directory`, to which relative paths of the settings belong, as `user`; None is
    whoever installs it, for themselves. `writes` are directories elsewhere that it writes to, and
    `reads` what its program and its configuration need beside the system's own. Its verdict is in
    `health_file`. A download ends itself after `deadline`, and `secrets` are the settings that
    systemd may hand over.
    """

    program: Path = Path("/opt/camdl/bin/camdl")
    config: Path | None = None
    directory: Path = HOME
    user: str | None = USER
    writes: tuple[Path, ...] = ()
    reads: tuple[Path, ...] = ()
    health_file: Path = HOME / "data/images/.health"
    deadline: timedelta = timedelta(seconds=480)
    secrets: tuple[str, ...] = SECRETS

    def command(self, job: Job) -> tuple[str, ...]:
        """What is to be run for `job`."""
        return self.line(*job.arguments)

    def longest(self, job: Job) -> timedelta:
        """After which time a run of `job` hangs."""
        return _LONGEST.get(job.id, self.deadline + _SPARE)

    def line(self, *arguments: str) -> tuple[str, ...]:
        """The program with `arguments`, and the configuration if it has to be named."""
        named = ("--config", str(self.config)) if self.config else ()
        return (str(self.program), *arguments, *named)
