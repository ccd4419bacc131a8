"""The rows that a verification reads, and how it changes them, in a real database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from camdl.catalogue import verifying
from camdl.domain.outcomes import StoredImage
from camdl.domain.verification import Standing
from camdl.errors import CatalogueError
from tests.support.yard import SIZE, START, STEP, Yard, capture

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.catalogues import Store


@pytest.fixture
def yard(tmp_path: Path, store: Store) -> Yard:
    """An empty archive with its catalogue."""
    return Yard(tmp_path, database=store)


def test_rows_come_by_time_however_many_batches_they_fill(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A last batch that is just full is no end too early, and other streams do not mix in."""
    monkeypatch.setattr(verifying, "BATCH", 4)
    monkeypatch.setattr("camdl.catalogue.batches.BATCH", 4)
    for number in (3, 4, 5, 8):
        yard.fill(number)
        yard.fill(2, "out_gate")
        with yard.rows() as rows:
            found = [one.capture for one in rows.of("in_gate")]
        assert found == [capture(one) for one in range(number)]


def test_rows_that_go_while_they_are_read_do_not_disturb(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repair deletes rows behind and before the place that is read."""
    monkeypatch.setattr(verifying, "BATCH", 2)
    monkeypatch.setattr("camdl.catalogue.batches.BATCH", 2)
    yard.fill(7)
    seen = []
    with yard.rows() as rows:
        for row in rows.of("in_gate"):
            seen.append(row.capture)
            rows.give_back([(row, "lost")], yard.now)
        assert list(rows.of("in_gate")) == []
    assert seen == [capture(one) for one in range(7)]


def test_the_streams_are_those_with_rows(yard: Yard) -> None:
    """In order, each once."""
    with yard.rows() as rows:
        assert rows.streams() == []
    yard.fill(3, "out_gate")
    yard.fill(3)
    with yard.rows() as rows:
        assert rows.streams() == ["in_gate", "out_gate"]


def test_the_total_counts_captures_and_bytes(yard: Yard) -> None:
    """Of all streams or of some."""
    with yard.rows() as rows:
        assert rows.total() == (0, 0)
    yard.fill(3)
    yard.fill(2, "out_gate")
    yard.sql("UPDATE captures SET bytes = 10")
    with yard.rows() as rows:
        assert rows.total() == (5, 50)
        assert rows.total(["out_gate"]) == (2, 20)


def test_the_longest_unverified_come_first(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """First what never was verified, then by how long ago; not what was since the run began."""
    monkeypatch.setattr(verifying, "_LONGEST_BATCH", 2)
    yard.fill(6)
    with yard.rows() as rows:
        every = list(rows.of("in_gate"))
        rows.verified([every[1], every[4]], START - STEP)
        rows.verified([every[2]], START - 2 * STEP)
        rows.verified([every[0]], START + STEP)
        found = [one.capture for one in rows.longest_unverified(START)]
        assert found == [capture(one) for one in (3, 5, 2, 1, 4)]
        assert list(rows.longest_unverified(START, ["out_gate"])) == []


def test_only_the_row_that_was_seen_becomes_verified(yard: Yard) -> None:
    """One that was archived anew meanwhile has another hash, and was not looked at."""
    yard.fill(2)
    with yard.rows() as rows:
        first, second = rows.of("in_gate")
        rows.verified([first, replace(second, sha256="0" * 64)], START)
    found = yard.sql("SELECT verified_at FROM captures ORDER BY captured_at")
    assert found == [("2025-09-08 23:30:00.000000",), (None,)]


def test_a_standing_tells_row_pending_and_doomed(yard: Yard) -> None:
    """And nothing of what is not known at all."""
    yard.fill(1)
    yard.list_as_pending(capture(1))
    yard.doom(capture(2))
    with yard.rows() as rows:
        (row,) = rows.of("in_gate")
        assert rows.standings([capture(one) for one in range(4)]) == {
            capture(0): Standing(row),
            capture(1): Standing(pending_url="u"),
            capture(2): Standing(doomed=True),
            capture(3): Standing(),
        }
        assert rows.standings([]) == {}


def test_what_is_given_back_is_pending_with_its_url_and_the_reason(yard: Yard) -> None:
    """Where it was pending already, the new reason counts, and the source may be asked at once."""
    yard.fill(2)
    yard.list_as_pending(capture(0), "old")
    with yard.rows() as rows:
        lost = [(one, "torn: short") for one in rows.of("in_gate")]
        rows.give_back(lost, yard.now)
        rows.give_back([], yard.now)
    query = "SELECT url, rejected, reason, not_before FROM pending ORDER BY captured_at"
    urls = [f"http://127.0.0.1:9/signed/{capture(one).key}?token=1" for one in range(2)]
    assert yard.sql(query) == [(url, 0, "torn: short", None) for url in urls]
    assert yard.facts() == []


def test_giving_back_is_all_or_nothing(yard: Yard) -> None:
    """When the pending row cannot be written, the capture's row stays."""
    yard.fill(1)
    yard.place.refuse_inserts("pending")
    with yard.rows() as rows:
        lost = [(one, "lost") for one in rows.of("in_gate")]
        with pytest.raises(CatalogueError, match="no"):
            rows.give_back(lost, yard.now)
    assert len(yard.facts()) == 1


def test_what_is_registered_is_archived_and_pending_no_more(yard: Yard) -> None:
    """Registering it twice changes nothing, and other pending ones stay."""
    first, second = capture(0), capture(1)
    for one in (first, second):
        yard.list_as_pending(one)
    image = StoredImage(first, first.key, "aa", 3, *SIZE, "u", START + timedelta(seconds=1))
    with yard.rows() as rows:
        rows.register([image], "run")
        rows.register([replace(image, sha256="bb")], "run")
        rows.register([], "run")
        (row,) = rows.of("in_gate")
    assert (row.sha256, row.key, row.size, row.url) == ("aa", first.key, 3, "u")
    assert list(yard.pending()) == [second.key]


def test_a_rows_key_can_be_corrected(yard: Yard) -> None:
    """Only the key changes."""
    yard.fill(1)
    facts = yard.facts()
    yard.sql("UPDATE captures SET key = 'elsewhere.jpg'")
    with yard.rows() as rows:
        (row,) = rows.of("in_gate")
        rows.move(row, row.capture.key)
    assert yard.facts() == facts


def test_a_catalogue_of_verification_alone_is_told(yard: Yard) -> None:
    """One row of another verb's run, or of a run that is forgotten, is enough to tell it apart."""
    yard.sql(
        "INSERT INTO runs (id, verb, started_at, error) "
        "VALUES ('v1', 'verify', '2025-09-08 23:00:00.000000', '')",
    )
    for one in range(3):
        yard.store(capture(one), b"x")
    with yard.rows() as rows:
        assert rows.is_of_verification_alone("verify")
        yard.record([capture(0)], "v1")
        assert rows.is_of_verification_alone("verify")
        yard.record([capture(1)], "forgotten")
        assert not rows.is_of_verification_alone("verify")
