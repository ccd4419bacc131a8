"""Gaps for a person or a program. Import it late: Rich takes time to load."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from camdl.domain.captures import utc
from camdl.domain.gaps import CAUSES_IN_WORDS, State
from camdl.domain.health import iso
from camdl.domain.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rich.console import Console

    from camdl.domain.gaps import Gap

_STATE_STYLES = {State.OPEN: "red", State.CONFIRMED: "yellow", State.RESOLVED: "green"}


def show_gaps(console: Console, gaps: Sequence[Gap]) -> None:
    """Print a table of `gaps`, and below it how many captures are missing."""
    if gaps:
        console.print(gaps_table(gaps))
    console.print(Text(total_line(gaps)), soft_wrap=True, highlight=False)


def gaps_table(gaps: Sequence[Gap]) -> Table:
    """One row a gap: where, how many captures, why, and whether they may still come."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)
    table.add_column("stream", overflow="fold")
    table.add_column("from", overflow="fold")
    table.add_column("to", overflow="fold")
    table.add_column("missing", justify="right")
    table.add_column("cause", overflow="fold")
    table.add_column("state")
    table.add_column("detail", overflow="fold")
    for gap in gaps:
        table.add_row(
            Text(gap.stream),
            _minute(gap.window.start),
            _minute(gap.window.end),
            str(gap.missing),
            CAUSES_IN_WORDS[gap.cause],
            Text(str(gap.state), _STATE_STYLES[gap.state]),
            Text(one_line(gap.detail)),
        )
    return table


def total_line(gaps: Sequence[Gap]) -> str:
    """How many captures are missing, in one line."""
    missing = [gap for gap in gaps if gap.state is not State.RESOLVED]
    if not missing:
        return "No captures are known to be missing."
    captures = sum(gap.missing for gap in missing)
    final = sum(gap.missing for gap in missing if gap.state is State.CONFIRMED)
    told = f"; {final} of them the source does not have" if final else ""
    return (
        f"{captures} capture{'' if captures == 1 else 's'} missing in "
        f"{len(missing)} gap{'' if len(missing) == 1 else 's'}{told}"
    )


def gaps_as_json(gaps: Sequence[Gap]) -> str:
    """The same as JSON; times are UTC."""
    return json.dumps(gaps_as_dicts(gaps), indent=2)


def gaps_as_dicts(gaps: Sequence[Gap]) -> list[dict[str, object]]:
    """The same ready for JSON."""
    return [_as_dict(gap) for gap in gaps]


def _as_dict(gap: Gap) -> dict[str, object]:
    return {
        "stream": gap.stream,
        "from": iso(gap.window.start),
        "to": iso(gap.window.end),
        "missing": gap.missing,
        "cause": str(gap.cause),
        "cause_in_words": CAUSES_IN_WORDS[gap.cause],
        "detail": gap.detail,
        "state": str(gap.state),
        "confirmed_at": iso(gap.confirmed_at),
        "resolved_at": iso(gap.resolved_at),
    }


def _minute(moment: datetime) -> str:
    return f"{utc(moment):%Y-%m-%d %H:%MZ}"
