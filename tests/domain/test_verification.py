"""How rows and files are brought together, and what their differences are called."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdl.domain.captures import Capture
from camdl.domain.outcomes import Rejected, ValidImage
from camdl.domain.verification import (
    Finding,
    FoundFile,
    Kind,
    Recorded,
    Repair,
    Tally,
    agrees,
    is_in_place,
    is_temporary,
    named,
    seconds_left,
    side_by_side,
    wrong_content,
    wrong_size,
)

START = datetime(2025, 9, 8, 23, 55, tzinfo=UTC)
CAPTURE = Capture(START, "in_gate")
NAME = "20250908T235500Z_in_gate.jpg"


def row(number: int = 0, size: int = 3, key: str = "") -> Recorded:
    """A row of the capture of that number."""
    capture = Capture(START + number * timedelta(minutes=1), "in_gate")
    return Recorded(capture, key or capture.key, "aa", size, "")


def file(number: int = 0, size: int | None = 3) -> FoundFile:
    """The file of the capture of that number."""
    return FoundFile(row(number).capture.key, size)


@given(st.sets(st.integers(0, 3000)), st.sets(st.integers(0, 3000)))
def test_each_row_meets_its_file_and_what_has_no_counterpart_stands_alone(
    rows: set[int], files: set[int]
) -> None:
    """Merging two ordered streams is the same as looking each one up in the other."""
    pairs = side_by_side(map(row, sorted(rows)), map(file, sorted(files)))
    wanted = [
        (row(one) if one in rows else None, file(one) if one in files else None)
        for one in sorted(rows | files)
    ]
    assert list(pairs) == wanted


def test_rows_and_files_are_read_no_further_than_they_are_needed() -> None:
    """The merge holds one of each, however many there are."""
    read = []

    def files() -> object:
        for number in range(10):
            read.append(number)
            yield file(number)

    pairs = side_by_side(map(row, range(10)), files())  # type: ignore[arg-type]
    next(pairs)
    next(pairs)
    assert len(read) <= 3


@pytest.mark.parametrize(
    ("key", "in_place"),
    [
        (f"in_gate/2025-09-08/{NAME}", True),
        (f"in_gate/2025-09-09/{NAME}", False),
        (f"out_gate/2025-09-08/{NAME}", False),
        (f"in_gate/{NAME}", False),
        (NAME, False),
        (f"deep/in_gate/2025-09-08/{NAME}", False),
        (f"in_gate/2025-09-08/{NAME}.bad", False),
        (f"in_gate/2025-09-08/{NAME}\n", False),
    ],
)
def test_a_file_is_in_place_where_its_own_name_says_it_belongs(key: str, in_place: bool) -> None:
    """Stream and day of the directories have to be those of the name."""
    assert is_in_place(key) is in_place


@pytest.mark.parametrize(
    ("name", "capture"),
    [
        (NAME, CAPTURE),
        ("20250908T235500Z_in-gate_2.jpg", Capture(START, "in-gate_2")),
        ("20250908T245500Z_in_gate.jpg", None),
        ("20251308T235500Z_in_gate.jpg", None),
        (f"{NAME}.bad", None),
        (f".{NAME}.0123abcd.tmp", None),
        ("20250908T235500Z_IN.jpg", None),
        ("", None),
    ],
)
def test_a_name_alone_tells_its_capture(name: str, capture: Capture | None) -> None:
    """Whatever directory the file is in; only names of the archive's own form count."""
    assert named(name) == capture


@pytest.mark.parametrize(
    ("name", "temporary"),
    [
        (f".{NAME}.0123abcd.tmp", True),
        (".camdl-archive.00000000.tmp", True),
        (f"{NAME}.0123abcd.tmp", False),
        (".x.0123abcg.tmp", False),
        (".x.tmp", False),
        (".0123abcd.tmp", False),
    ],
)
def test_temporary_files_are_told_by_their_names(name: str, temporary: bool) -> None:
    """Only what camdl itself would have written counts as left over."""
    assert is_temporary(name) is temporary


def test_a_row_agrees_with_the_file_of_its_place_and_size() -> None:
    """Another size or another key is a difference."""
    assert agrees(row(), file())
    assert not agrees(row(), file(size=4))
    assert not agrees(row(key="elsewhere.jpg"), file())


def test_a_size_that_differs_is_a_torn_file() -> None:
    """The reason tells both sizes; what is no regular file is torn too."""
    assert wrong_size(row(), file()) is None
    finding = wrong_size(row(), file(size=2))
    assert finding
    assert (finding.kind, finding.reason) == (Kind.TORN, "it has 2 bytes, not 3")
    link = wrong_size(row(), file(size=None))
    assert link
    assert (link.kind, link.reason) == (Kind.TORN, "it is no regular file")


def test_content_that_differs_is_changed_if_it_is_a_picture_and_else_torn() -> None:
    """A hash alone does not tell one from the other."""
    image = ValidImage(b"", "bb", 1, 1)
    assert wrong_content(row(), "aa", image) is None
    changed = wrong_content(row(), "bb", image)
    torn = wrong_content(row(), "bb", Rejected("the JPEG is cut off"))
    assert changed
    assert torn
    assert (changed.kind, torn.kind) == (Kind.CHANGED, Kind.TORN)
    assert torn.reason == "the JPEG is cut off"


def test_a_finding_is_one_line_whatever_is_in_it() -> None:
    """A file's name may hold anything at all."""
    finding = Finding(Kind.MISPLACED, f"a\n\x1b[2J\udcff/{NAME}", "why", CAPTURE, remedy="done")
    line = finding.line()
    assert line.isprintable() or set(line) - {"\t"} == set(line.replace("\t", ""))
    assert "\n" not in line
    assert line.split("\t")[0] == "misplaced"
    assert line.endswith("why; done")


def test_a_tally_tells_what_was_wrong_and_what_is_left() -> None:
    """Repaired findings are counted, and are no longer wrong."""
    tally = Tally()
    assert (tally.findings, tally.left, tally.wrong()) == (0, 0, "")
    tally.account(Finding(Kind.TORN, "k", "r"))
    tally.account(Finding(Kind.MISSING, "k", "r", repair=Repair.DONE))
    tally.account(Finding(Kind.MISSING, "k", "r", repair=Repair.FAILED))
    tally.account(Finding(Kind.MISSING, "k", "r", repair=Repair.REFETCHED))
    assert (tally.findings, tally.left, tally.refetched) == (4, 2, 1)
    assert tally.wrong() == "3 missing, 1 torn (2 repaired)"


def test_the_time_left_follows_from_the_pace_so_far() -> None:
    """Nothing is told before anything is done, and never less than nothing."""
    assert seconds_left(0, 10, 5) is None
    assert seconds_left(5, 10, 0) is None
    assert seconds_left(5, 20, 10) == 30
    assert seconds_left(20, 10, 10) == 0
