"""Sums that are kept: each changes in the transaction that changes what it is of."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from camdl.catalogue.tables import totals
from camdl.catalogue.upsert import upsert
from camdl.domain.totals import Name, Total

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection


def add(connection: Connection, amounts: Mapping[Total, int]) -> None:
    """Add `amounts` to the sums; what is negative is taken away."""
    rows = [
        {"name": str(one.name), "subject": one.subject, "kind": one.kind, "amount": amount}
        # In one order, so that of two transactions with the same rows one waits for the other.
        for one, amount in sorted(amounts.items(), key=_place)
        if amount
    ]
    if rows:
        connection.execute(upsert(connection, totals, add=["amount"]), rows)


def came(connection: Connection, files: Iterable[tuple[str, int]]) -> None:
    """These are archived now: of each its stream and its bytes."""
    sizes = list(files)
    here = _per_stream(sizes, Name.CAPTURES, Name.BYTES)
    add(connection, here | _per_stream(sizes, Name.ADDED, Name.ADDED_BYTES))


def went(
    connection: Connection, files: Iterable[tuple[str, int]], number: Name, size: Name | None = None
) -> None:
    """These are archived no more, which is summed up in `number` and `size` too."""
    sizes = list(files)
    amounts = Counter({one: -n for one, n in _per_stream(sizes, Name.CAPTURES, Name.BYTES).items()})
    amounts.update(_per_stream(sizes, number, size))
    add(connection, amounts)


def _per_stream(
    sizes: Iterable[tuple[str, int]], number: Name, size: Name | None
) -> Counter[Total]:
    found: Counter[Total] = Counter()
    for stream, one in sizes:
        found[Total(number, stream)] += 1
        if size is not None:
            found[Total(size, stream)] += one
    return found


def _place(item: tuple[Total, int]) -> tuple[str, str, str]:
    one, _ = item
    return one.name, one.subject, one.kind
