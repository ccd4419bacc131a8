"""All that a person wants to see of an archive at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from camdl.domain.coverage import Coverage
    from camdl.domain.gaps import Gap
    from camdl.domain.health import Health


@dataclass(frozen=True, slots=True)
class Overview:
    """The verdict, each stream's last day, and the gaps that may still be filled.

    Where the catalogue could not be read, `fault` says why in one line, and there are no days and
    no gaps. The gaps come newest first.
    """

    health: Health
    days: tuple[Coverage, ...] = ()
    gaps: tuple[Gap, ...] = ()
    fault: str = ""
