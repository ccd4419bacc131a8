"""What an examination found, check by check. Import it late: Rich takes time to load."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from camdl.domain.examination import Grade
from camdl.domain.text import one_line
from camdl.report.progress import can_be_live

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from camdl.domain.examination import Examined, Finding

_SIGNS = {Grade.FINE: "✔", Grade.NOTE: "!", Grade.BAD: "✘"}
# For terminals of other letters than Unicode's.
_ASCII = {Grade.FINE: "+", Grade.NOTE: "!", Grade.BAD: "x"}
_ARROWS = {True: "→", False: "->"}
_STYLES = {Grade.FINE: "green", Grade.NOTE: "yellow", Grade.BAD: "bold red"}
_NAMES = 13
_LONGEST = 1000


class DoctorScreen:
    """Shows each check as it is done, and on a terminal which ones are waited for."""

    def __init__(self, console: Console, progress: Console | None = None) -> None:
        self._console = console
        progress = progress or Console(stderr=True)
        self._status = progress.status("") if can_be_live(progress) else None

    def __enter__(self) -> Self:
        """Begin to show what is waited for."""
        if self._status:
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the terminal back."""
        if self._status:
            self._status.stop()

    def waiting_for(self, names: Sequence[str]) -> None:
        """Show that these checks go on."""
        if self._status:
            self._status.update(Text(f"looking at: {', '.join(names)}"))

    def tell(self, examined: Examined) -> None:
        """Show a check that is done."""
        signs = _ASCII if self._console.options.ascii_only else _SIGNS
        for line in lines(examined, signs):
            # However narrow the terminal: a line that a person may copy or grep stays one.
            self._console.print(line, soft_wrap=True, highlight=False)


def lines(examined: Examined, signs: Mapping[Grade, str]) -> Iterator[Text]:
    """A line for each finding, and one below it for what to do."""
    name = examined.name
    for finding in examined.findings:
        line = Text(signs[finding.grade], _STYLES[finding.grade])
        line.append(f" {name:<{_NAMES}} {one_line(finding.said, _LONGEST)}", "")
        yield line
        name = ""
        if finding.remedy:
            yield Text(f"  {_ARROWS[signs is _SIGNS]} {one_line(finding.remedy, _LONGEST)}")


def total_line(examined: Sequence[Examined]) -> str:
    """How many checks there were, and how many are not fine."""
    bad = sum(one.grade is Grade.BAD for one in examined)
    noted = sum(one.grade is Grade.NOTE for one in examined)
    parts = []
    if bad:
        parts.append(f"{bad} need{'s' if bad == 1 else ''} attention")
    if noted:
        parts.append(f"{noted} {'is' if noted == 1 else 'are'} worth knowing")
    return f"{len(examined)} checks: {', '.join(parts) or 'all is fine'}"


def doctor_as_json(examined: Sequence[Examined]) -> str:
    """The same for a program."""
    return json.dumps([_as_dict(one) for one in examined], indent=2, ensure_ascii=False)


def _as_dict(examined: Examined) -> dict[str, object]:
    return {
        "check": examined.name,
        "grade": str(examined.grade),
        "seconds": round(examined.seconds, 3),
        "findings": [_finding_as_dict(one) for one in examined.findings],
    }


def _finding_as_dict(finding: Finding) -> dict[str, object]:
    return {"grade": str(finding.grade), "said": finding.said, "remedy": finding.remedy}
