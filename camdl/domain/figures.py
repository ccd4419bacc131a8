"""What can be counted of an archive beside its health."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from camdl.domain.totals import Total

if TYPE_CHECKING:
    from collections.abc import Mapping

    from camdl.domain.gaps import State
    from camdl.domain.totals import Name


@dataclass(frozen=True, slots=True)
class Gaps:
    """Of a stream's gaps in one state: how many there are, and how many captures they lack."""

    stream: str
    state: State
    number: int
    missing: int


@dataclass(frozen=True, slots=True)
class Figures:
    """The sums that are kept, the gaps, and what is listed and not archived, by stream."""

    totals: Mapping[Total, int] = field(default_factory=dict)
    gaps: tuple[Gaps, ...] = ()
    pending: Mapping[str, int] = field(default_factory=dict)

    def total(self, name: Name, subject: str, kind: str = "") -> int:
        """One of the sums; 0 where nothing was ever added to it."""
        return self.totals.get(Total(name, subject, str(kind)), 0)

    def subjects(self, *names: Name) -> list[str]:
        """What there are sums of these names of."""
        return sorted({one.subject for one in self.totals if one.name in names})
