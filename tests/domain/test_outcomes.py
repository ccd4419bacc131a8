"""Sums of what became of a run's captures."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdl.domain.outcomes import Counts, Outcome, RunRecord, StreamResult

counts = st.builds(Counts, *[st.integers(0, 1000)] * 8)


def result(stream: str, of: Counts) -> StreamResult:
    """An `ok` result of `stream`."""
    return StreamResult(stream, Outcome.OK, of, None, 0.0)


@given(st.lists(counts, max_size=5))
def test_a_run_counts_what_its_streams_count(parts: list[Counts]) -> None:
    """Each number of a run is the sum of its streams' numbers, zero without streams."""
    streams = tuple(result(f"s{n}", part) for n, part in enumerate(parts))
    run = RunRecord("r1", "download", datetime(2025, 9, 8, tzinfo=UTC), streams=streams)
    for field in dataclasses.fields(Counts):
        total = sum(getattr(part, field.name) for part in parts)
        assert getattr(run.counts, field.name) == total


@given(counts, counts)
def test_counts_add_up_in_any_order(one: Counts, other: Counts) -> None:
    """Addition commutes, and nothing added changes nothing."""
    assert one + other == other + one
    assert one + Counts() == one


def test_records_cannot_be_changed() -> None:
    """What was counted stays counted."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Counts().saved = 1  # type: ignore[misc]  # the very thing that must fail
