"""Rows a batch at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Few enough for the memory of any machine, and for the bound parameters of any database.
BATCH = 500


def batches(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """`values` in pieces of at most `BATCH`, in order."""
    for start in range(0, len(values), BATCH):
        yield values[start : start + BATCH]
