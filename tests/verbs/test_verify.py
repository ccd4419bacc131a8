"""`camdl verify`: real damage to real files and rows is found, told, repaired, and then gone."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camdl.archive.inspection import LocalInspection
from camdl.archive.local import MARKER
from camdl.domain.outcomes import Failed, Outcome, Saved, StoredImage
from camdl.domain.verification import Finding, FoundFile, Kind, Repair
from camdl.errors import (
    CatalogueError,
    ExitCode,
    InterruptedRunError,
    LockHeldError,
    StorageError,
    UsageError,
)
from camdl.ops.lock import FileLock
from camdl.verbs import repairing
from camdl.verbs import verify as verb
from camdl.verbs.verify import Order, Pace, verify
from tests.support.calls import CHANGES, on, points, with_fault
from tests.support.catalogues import sql
from tests.support.images import encoded, gate_jpeg, gate_picture
from tests.support.strace import unmeasured
from tests.support.yard import SIZE, START, Seen, Yard, capture, picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from camdl.domain.captures import Capture, ListedCapture
    from camdl.domain.outcomes import ImageOutcome, RunRecord

HOME = capture(3)
DAY = "in_gate/2025-09-09"


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """An archive of two streams of six captures, all as recorded."""
    yard = Yard(tmp_path)
    yard.fill(6)
    yard.fill(6, "out_gate")
    return yard


# Each kind of damage, made for real to one capture of a yard: what is found of it, in a quick and
# in a full check.
Found = list[tuple[str, str]]


def lose(yard: Yard, one: Capture) -> tuple[Found, Found]:
    """Delete the file."""
    yard.path(one).unlink()
    return ([("missing", one.key)],) * 2


def cut(yard: Yard, one: Capture) -> tuple[Found, Found]:
    """Cut off the end of the file."""
    os.truncate(yard.path(one), 100)
    return ([("torn", one.key)],) * 2


def lengthen(yard: Yard, one: Capture) -> tuple[Found, Found]:
    """Append to the file."""
    with yard.path(one).open("ab") as file:
        file.write(b"more")
    return ([("torn", one.key)],) * 2


def blank(yard: Yard, one: Capture) -> tuple[Found, Found]:
    """Overwrite the second half of the file with zeros, as a power failure may."""
    size = yard.path(one).stat().st_size
    os.truncate(yard.path(one), size // 2)
    os.truncate(yard.path(one), size)
    return [], [("torn", one.key)]


def flip(yard: Yard, one: Capture) -> tuple[Found, Found]:
    """Flip a bit in the middle of the picture."""
    data = bytearray(yard.path(one).read_bytes())
    data[-30] ^= 1
    yard.path(one).write_bytes(data)
    return [], [("changed", one.key)]


def link(yard: Yard, one: Capture) -> tuple[Found, Found]:
    """Put a symbolic link into the file's place."""
    yard.path(one).unlink()
    yard.path(one).symlink_to("/dev/zero")
    return ([("torn", one.key)],) * 2


def fifo(yard: Yard, one: Capture) -> tuple[Found, Found]:
    """Put a pipe into the file's place, which would block whoever reads it."""
    yard.path(one).unlink()
    os.mkfifo(yard.path(one))
    return ([("torn", one.key)],) * 2


def forget(yard: Yard, one: Capture) -> tuple[Found, Found]:
    """Delete the row."""
    sql(yard.catalogue, f"DELETE FROM captures WHERE key = '{one.key}'")  # noqa: S608
    return ([("orphaned", one.key)],) * 2


def misdirect(yard: Yard, one: Capture) -> tuple[Found, Found]:
    """Have the row name another place."""
    sql(yard.catalogue, f"UPDATE captures SET key = 'else.jpg' WHERE key = '{one.key}'")  # noqa: S608
    return ([("misplaced", one.key)],) * 2


def move(yard: Yard, one: Capture) -> tuple[Found, Found]:
    """Move the file to another day's directory."""
    wrong = f"{one.stream}/2024-01-01/{yard.path(one).name}"
    (yard.images / wrong).parent.mkdir(exist_ok=True)
    yard.path(one).rename(yard.images / wrong)
    return ([("misplaced", wrong), ("missing", one.key)],) * 2


def copy(yard: Yard, one: Capture) -> tuple[Found, Found]:
    """Copy the file somewhere else too."""
    wrong = f"old/{one.stream}/copies/{yard.path(one).name}"
    (yard.images / wrong).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(yard.path(one), yard.images / wrong)
    return ([("misplaced", wrong)],) * 2


def relocate(yard: Yard, one: Capture) -> tuple[Found, Found]:
    """Move the file to a wrong place, and the row with it."""
    move(yard, one)
    wrong = f"{one.stream}/2024-01-01/{yard.path(one).name}"
    sql(yard.catalogue, f"UPDATE captures SET key = '{wrong}' WHERE key = '{one.key}'")  # noqa: S608
    return ([("misplaced", one.key)],) * 2


def rename(yard: Yard, one: Capture) -> tuple[Found, Found]:
    """Give the file a name that is no capture's."""
    yard.path(one).rename(yard.path(one).with_suffix(".jpeg"))
    return ([("missing", one.key)],) * 2


def interrupt(yard: Yard, one: Capture) -> tuple[Found, Found]:
    """Leave a temporary file of it, as a killed run does."""
    left = yard.path(one).with_name(f".{yard.path(one).name}.0123abcd.tmp")
    left.write_bytes(b"half")
    return ([("left over", str(left.relative_to(yard.images)))],) * 2


DAMAGES = [
    *(lose, cut, lengthen, blank, flip, link, fifo, forget, misdirect, move, copy, relocate),
    *(rename, interrupt),
]
# After these nothing is lost: the catalogue says the same as before.
HARMLESS = {forget, misdirect, move, copy, relocate, interrupt}


def exit_code(yard: Yard, **order: object) -> int | None:
    """What a verification with that order exits with."""
    return yard.verify(**order)[0].run.exit_code


def test_a_whole_archive_has_nothing_wrong(yard: Yard) -> None:
    """A quick and a full check exit 0, and tell how much they have looked at."""
    for full in (False, True):
        verified, findings = yard.verify(full=full)
        assert (verified.run.exit_code, verified.run.outcome) == (0, Outcome.OK)
        assert (findings, verified.tally.checked, verified.error) == ([], 12, None)
        assert verified.tally.hashed == (12 if full else 0)


def test_an_archive_with_nothing_in_it_has_nothing_wrong(tmp_path: Path) -> None:
    """Nor has one without a directory yet."""
    yard = Yard(tmp_path)
    assert exit_code(yard, full=True) == 0
    shutil.rmtree(yard.images)
    assert exit_code(yard, full=True) == 0


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_repaired_and_then_gone(
    yard: Yard, damage: Callable[[Yard, Capture], tuple[Found, Found]]
) -> None:
    """Each kind, by exactly its findings; a repair loses no bytes and leaves nothing wrong."""
    before = yard.facts()
    quick, full = damage(yard, HOME)
    assert yard.found() == sorted(quick)
    assert yard.found(full=True) == sorted(full)
    assert exit_code(yard, full=True) == ExitCode.PARTLY
    files = len(yard.everything())

    verified, findings = yard.verify(full=True, repair=True)
    assert verified.run.exit_code == 0
    assert all(one.repair is Repair.DONE and one.remedy for one in findings)
    assert verified.tally.left == 0
    assert yard.found(full=True) == []
    if damage in HARMLESS:
        assert yard.facts() == before
        assert yard.pending() == {}
    else:
        assert [row for row in before if row[2] != HOME.key] == yard.facts()
        assert list(yard.pending()) == [HOME.key]
    # What is moved aside is still there; only a temporary file is not.
    assert len(yard.everything()) == files - (damage is interrupt)


def test_a_dry_run_says_what_a_repair_would_do_and_changes_nothing(yard: Yard) -> None:
    """Not even the record of the run."""
    for number, damage in enumerate((lose, cut, forget, interrupt, copy)):
        damage(yard, capture(number))
    before = yard.catalogue.read_bytes(), yard.everything()
    verified, findings = yard.verify(full=True, repair=True, dry_run=True)
    assert verified.run.exit_code == ExitCode.PARTLY
    assert len(findings) == 5
    assert all(one.remedy.startswith("would be") for one in findings)
    assert (yard.catalogue.read_bytes(), yard.everything()) == before


def test_a_finding_tells_its_reason(yard: Yard) -> None:
    """In words that name what is there and what should be."""
    cut(yard, HOME)
    (finding,) = yard.verify()[1]
    size = len(picture(3))
    assert finding.line() == f"torn\t{HOME.key}\tit has 100 bytes, not {size}"


def test_some_streams_can_be_verified_alone(yard: Yard) -> None:
    """The others' damage is left for another time."""
    lose(yard, capture(1))
    lose(yard, capture(2, "out_gate"))
    copy(yard, capture(3))
    assert yard.found(streams=["out_gate"]) == [("missing", capture(2, "out_gate").key)]
    yard.verify(streams=["out_gate"], repair=True)
    assert list(yard.pending()) == [capture(2, "out_gate").key]


def test_the_run_is_recorded_with_how_it_ended(yard: Yard) -> None:
    """What is left wrong is its error; streams' results would pass for those of downloads."""
    lose(yard, HOME)
    yard.verify()
    query = "SELECT verb, outcome, exit_code, error FROM runs WHERE verb = 'verify'"
    assert sql(yard.catalogue, query) == [("verify", "partly", 1, "1 missing")]
    yard.verify(repair=True)
    assert sql(yard.catalogue, query)[1:] == [("verify", "ok", 0, "")]
    assert sql(yard.catalogue, "SELECT * FROM stream_results") == []


def test_health_is_written_after_every_run(yard: Yard) -> None:
    """That it was verified is part of the verdict; a dry run is none."""
    for order, healths in (
        (Order(), 1),
        (Order(repair=True, dry_run=True), 0),
        (Order(repair=True), 1),
    ):
        tools = Seen(yard)
        verify(order, tools)
        assert tools.healths == healths


def test_a_run_that_cannot_be_recorded_is_an_error(yard: Yard) -> None:
    """Whether its beginning or its end cannot be: exit 74."""
    for change in ("INSERT", "UPDATE"):
        trigger = f"CREATE TRIGGER no{change} BEFORE {change} ON runs BEGIN "
        sql(yard.catalogue, f"{trigger} SELECT RAISE(ABORT, 'no space'); END")
        verified, _ = yard.verify()
        assert verified.run.exit_code == ExitCode.STORAGE
        assert isinstance(verified.error, CatalogueError)
        sql(yard.catalogue, f"DROP TRIGGER no{change}")


def test_health_that_cannot_be_written_is_an_error_of_a_repair(yard: Yard) -> None:
    """A verdict that is not there must not pass for done."""

    class Unhealthy(Seen):
        def write_health(self, run: RunRecord) -> None:
            raise StorageError("no space")

    verified = verify(Order(repair=True), Unhealthy(yard))
    assert verified.run.exit_code == ExitCode.STORAGE
    assert str(verified.error) == "no space"


def test_a_bug_ends_the_run_and_is_recorded(yard: Yard) -> None:
    """With exit code 70; health is written all the same where something may have changed."""

    class Buggy(LocalInspection):
        def places(self) -> list[str]:
            raise ZeroDivisionError

    yard.wrap_files = lambda _: Buggy(yard.images)
    tools = Seen(yard)
    with pytest.raises(ZeroDivisionError):
        verify(Order(repair=True), tools)
    assert tools.healths == 1
    query = "SELECT outcome, exit_code, error FROM runs WHERE verb = 'verify'"
    assert sql(yard.catalogue, query) == [("failed", 70, "ZeroDivisionError")]


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(DAMAGES), st.integers(0, 29), st.sampled_from([True, False])),
        unique_by=lambda one: one[1:],
        max_size=20,
    )
)
def test_any_damages_together_are_found_exactly_and_repaired(
    damages: list[tuple[Callable[[Yard, Capture], tuple[Found, Found]], int, bool]],
) -> None:
    """Nothing more and nothing less, and after a repair there is nothing left."""
    with tempfile.TemporaryDirectory() as directory:
        yard = Yard(Path(directory))
        captures = [*yard.fill(30), *yard.fill(30, "out_gate")]
        quick: Found = []
        full: Found = []
        for damage, number, is_in in damages:
            found = damage(yard, capture(number, "in_gate" if is_in else "out_gate"))
            quick += found[0]
            full += found[1]
        assert yard.found() == sorted(quick)
        assert yard.found(full=True) == sorted(full)
        assert exit_code(yard, full=True, repair=True) == 0
        assert yard.found(full=True) == []
        archived = {str(row[2]) for row in yard.facts()}
        assert archived | set(yard.pending()) == {one.key for one in captures}
        assert not archived & set(yard.pending())


# Repairs in detail.


def test_a_bad_file_is_kept_beside_its_place_under_a_name_of_its_own(yard: Yard) -> None:
    """Also when one was kept before."""
    for number in range(3):
        flip(yard, HOME)
        bad = yard.path(HOME).read_bytes()
        yard.verify(full=True, repair=True)
        name = f"{HOME.key}.{number}.bad" if number else f"{HOME.key}.bad"
        assert (yard.images / name).read_bytes() == bad
        yard.store(HOME, picture(3))
        yard.record([HOME])


def test_a_lost_capture_is_pending_with_the_url_that_it_came_from(yard: Yard) -> None:
    """So the next download asks for it; where no URL is known the template makes one."""
    lose(yard, HOME)
    lose(yard, capture(4))
    sql(yard.catalogue, f"UPDATE captures SET source_url = '' WHERE key = '{capture(4).key}'")  # noqa: S608
    yard.verify(repair=True)
    assert sql(yard.catalogue, "SELECT url, reason FROM pending ORDER BY captured_at") == [
        (f"http://127.0.0.1:9/signed/{HOME.key}?token=1", "missing: there is no such file"),
        ("http://127.0.0.1:9/2025-09-09T00:10:00-in_gate.jpeg", "missing: there is no such file"),
    ]


def test_an_orphan_is_registered_with_what_its_file_and_its_stream_tell(yard: Yard) -> None:
    """The hash, the sizes, the template's URL, and the time of its content as that of the fetch."""
    forget(yard, HOME)
    os.utime(yard.path(HOME), (START.timestamp(), START.timestamp()))
    yard.verify(repair=True)
    query = f"SELECT source_url, fetched_at, width, height FROM captures WHERE key = '{HOME.key}'"  # noqa: S608
    url = "http://127.0.0.1:9/2025-09-09T00:00:00-in_gate.jpeg"
    assert sql(yard.catalogue, query) == [(url, "2025-09-08 23:30:00.000000", *SIZE)]


def test_an_orphan_that_was_pending_keeps_the_url_that_the_page_gave(yard: Yard) -> None:
    """A run that was killed between storing and recording leaves such a one."""
    forget(yard, HOME)
    yard.list_as_pending(HOME, "http://127.0.0.1:9/signed?x=1")
    assert yard.found() == [("orphaned", HOME.key)]
    yard.verify(repair=True)
    query = f"SELECT source_url FROM captures WHERE key = '{HOME.key}'"  # noqa: S608
    assert sql(yard.catalogue, query) == [("http://127.0.0.1:9/signed?x=1",)]
    assert yard.pending() == {}


@pytest.mark.parametrize(
    "data",
    [b"", picture(3)[:200], encoded(gate_picture(3, SIZE), "PNG"), gate_jpeg(3, (32, 18))],
    ids=["empty", "cut", "png", "thumbnail"],
)
def test_an_orphan_that_is_no_capture_is_moved_aside(yard: Yard, data: bytes) -> None:
    """Nothing is registered that a download would not have stored."""
    stranger = capture(9)
    yard.store(stranger, data)
    verified, (finding,) = yard.verify(repair=True)
    assert (finding.kind, finding.repair) == (Kind.ORPHANED, Repair.DONE)
    assert (yard.images / f"{stranger.key}.bad").read_bytes() == data
    assert verified.run.exit_code == 0
    assert yard.found() == []
    assert len(yard.facts()) == 12


def test_the_orphans_of_a_stream_that_is_not_configured_any_more_are_registered(
    yard: Yard,
) -> None:
    """Without a URL, since no template makes one."""
    old = capture(0, "old_gate")
    yard.store(old, picture(0))
    yard.verify(repair=True)
    query = "SELECT key, source_url FROM captures WHERE stream = 'old_gate'"
    assert sql(yard.catalogue, query) == [(old.key, "")]
    yard.path(old).unlink()
    yard.verify(repair=True)
    assert old.key in yard.pending()


def test_a_file_in_a_wrong_place_replaces_what_is_damaged_in_its_own(yard: Yard) -> None:
    """The good copy goes home, and the bad file is moved aside."""
    copy(yard, HOME)
    cut(yard, HOME)
    before = yard.facts()
    yard.verify(full=True, repair=True)
    assert yard.found(full=True) == []
    assert (yard.facts(), yard.pending()) == (before, {})
    assert (yard.images / f"{HOME.key}.bad").stat().st_size == 100


def test_a_wrong_file_in_a_wrong_place_replaces_nothing(yard: Yard) -> None:
    """It is moved aside where it is, and what it should have been is pending."""
    lose(yard, HOME)
    wrong = yard.images / yard.path(HOME).name
    wrong.write_bytes(picture(99))
    yard.verify(full=True, repair=True)
    assert wrong.with_name(f"{wrong.name}.bad").read_bytes() == picture(99)
    assert list(yard.pending()) == [HOME.key]
    assert yard.found(full=True) == []


def test_a_picture_in_a_wrong_place_that_nothing_knows_goes_home_and_is_registered(
    yard: Yard,
) -> None:
    """It is an orphan that has lost its way."""
    stranger = capture(9)
    (yard.images / yard.path(stranger).name).write_bytes(picture(9))
    yard.verify(repair=True)
    assert yard.path(stranger).read_bytes() == picture(9)
    assert len(yard.facts()) == 13
    assert yard.found(full=True) == []


def test_a_row_that_names_a_place_outside_the_archive_takes_nothing_from_there(
    yard: Yard,
) -> None:
    """A catalogue that was tampered with must not move files of others."""
    outside = yard.home / "outside.jpg"
    yard.path(HOME).rename(outside)
    for key in (str(outside), "../outside.jpg"):
        sql(yard.catalogue, f"UPDATE captures SET key = '{key}' WHERE key = '{HOME.key}'")  # noqa: S608
        yard.verify(full=True, repair=True)
        assert outside.read_bytes() == picture(3)
        assert list(yard.pending()) == [HOME.key]
        yard.store(HOME, picture(3))
        yard.record([HOME])
        yard.path(HOME).unlink()


def test_a_row_that_names_the_place_of_another_capture_takes_nothing_from_it(yard: Yard) -> None:
    """Even where the bytes are the same."""
    lose(yard, HOME)
    other = capture(4)
    yard.store(other, picture(3))
    sql(yard.catalogue, f"DELETE FROM captures WHERE key = '{other.key}'")  # noqa: S608
    yard.record([other])
    sql(yard.catalogue, f"UPDATE captures SET key = '{other.key}' WHERE key = '{HOME.key}'")  # noqa: S608
    yard.verify(full=True, repair=True)
    assert yard.path(other).read_bytes() == picture(3)
    assert list(yard.pending()) == [HOME.key]


def test_where_nothing_of_a_stream_is_left_it_is_not_given_back_without_force(yard: Yard) -> None:
    """Its disk may not be mounted; whoever knows better says so."""
    shutil.rmtree(yard.images / "in_gate")
    verified, findings = yard.verify(repair=True)
    assert verified.run.exit_code == ExitCode.PARTLY
    assert len(findings) == 6
    assert all("is its disk mounted?" in one.remedy for one in findings)
    assert len(yard.facts()) == 12
    assert exit_code(yard, repair=True, force=True) == 0
    assert len(yard.pending()) == 6


def test_an_archive_that_is_not_mounted_is_an_error_and_no_million_findings(yard: Yard) -> None:
    """Neither told as missing nor made pending: exit 74."""
    shutil.rmtree(yard.images)
    yard.images.mkdir()
    verified, findings = yard.verify(repair=True)
    assert (verified.run.exit_code, findings) == (ExitCode.STORAGE, [])
    assert isinstance(verified.error, StorageError)
    assert len(yard.facts()) == 12
    query = "SELECT outcome, exit_code FROM runs WHERE verb = 'verify'"
    assert sql(yard.catalogue, query) == [("failed", 74)]


def test_a_file_whose_bytes_the_disk_does_not_give_is_torn(yard: Yard) -> None:
    """One bad sector is one finding and no end of the run."""

    class BadSector(LocalInspection):
        def sha256(self, key: str) -> str | OSError | None:
            return (
                OSError(errno.EIO, "Input/output error") if key == HOME.key else super().sha256(key)
            )

    yard.wrap_files = lambda _: BadSector(yard.images)
    (finding,) = yard.verify(full=True)[1]
    assert finding.line() == f"torn\t{HOME.key}\tit cannot be read: Input/output error"
    yard.verify(full=True, repair=True)
    assert (yard.images / f"{HOME.key}.bad").read_bytes() == picture(3)
    assert list(yard.pending()) == [HOME.key]


def test_files_that_may_not_be_read_end_the_run(yard: Yard) -> None:
    """A permission that is lacking says nothing of the files: exit 74, and nothing is changed."""

    class NotAllowed(LocalInspection):
        def sha256(self, key: str) -> str | OSError | None:
            raise StorageError(f"{key} cannot be used: Permission denied")

    yard.wrap_files = lambda _: NotAllowed(yard.images)
    assert exit_code(yard, full=True, repair=True) == ExitCode.STORAGE
    assert len(yard.facts()) == 12


def test_what_is_lost_can_be_fetched_again_at_once(yard: Yard) -> None:
    """Those that come are repaired; one that does not come is told, and the exit code is 1."""
    asked: list[ListedCapture] = []

    def refetch(
        run_id: str, listed: Sequence[ListedCapture]
    ) -> list[tuple[ListedCapture, ImageOutcome]]:
        asked.extend(listed)
        with pytest.raises(LockHeldError), FileLock(yard.lock_file).hold(0):
            pass
        first, second = listed
        yard.store(first.capture, picture(50))
        yard.record([first.capture], run_id)
        facts = StoredImage(first.capture, first.capture.key, "", 0, *SIZE, first.url, yard.now)
        return [(first, Saved(facts)), (second, Failed("HTTP 404 Not Found"))]

    yard.refetch = refetch
    lose(yard, capture(1))
    cut(yard, HOME)
    verified, findings = yard.verify(repair=True, pause_seconds=0)
    assert [one.capture for one in asked] == [capture(1), HOME]
    assert [one.repair for one in findings] == [Repair.REFETCHED, Repair.FAILED]
    assert findings[0].remedy == "fetched again"
    assert findings[1].remedy == (
        f"moved aside to {HOME.key}.bad; pending again: HTTP 404 Not Found; the next download asks "
        "again"
    )
    assert (verified.tally.left, verified.tally.refetched) == (1, 1)
    assert verified.run.exit_code == ExitCode.PARTLY
    assert yard.found(full=True) == []


def test_what_is_not_asked_for_is_told(yard: Yard) -> None:
    """For want of time, or since nobody knows any more where its stream is."""
    unknown = capture(0, "old_gate")
    yard.store(unknown, picture(0))
    yard.record([unknown])
    asked: list[ListedCapture] = []

    def refetch(_: str, listed: Sequence[ListedCapture]) -> tuple[()]:
        asked.extend(listed)
        return ()

    yard.refetch = refetch
    lose(yard, HOME)
    yard.path(unknown).unlink()
    verified, findings = yard.verify(repair=True, force=True, pause_seconds=0)
    assert [(one.capture, one.repair, one.remedy) for one in findings] == [
        (HOME, Repair.FAILED, "pending again: the next download asks for it"),
        (unknown, Repair.FAILED, "pending again: its stream is configured no more"),
    ]
    assert [one.capture for one in asked] == [HOME]
    assert verified.run.exit_code == ExitCode.PARTLY


# Slices.


def test_a_slice_takes_what_was_not_verified_for_longest(yard: Yard) -> None:
    """Night after night it goes through the whole archive, and then begins again."""
    seen: list[str] = []

    class Listening(LocalInspection):
        def sha256(self, key: str) -> str | OSError | None:
            seen.append(key)
            return super().sha256(key)

    yard.wrap_files = lambda _: Listening(yard.images)
    nights = []
    for night in range(4):
        yard.now = START.replace(day=10 + night)
        verified, _ = yard.verify(full=True, limit=5)
        nights.append(sorted(seen))
        assert verified.tally.hashed == 5
        seen.clear()
    every = sorted(str(row[2]) for row in yard.facts())
    assert nights[0] + nights[1] == every[:10]
    assert nights[2] == sorted(every[10:] + every[:3])
    assert nights[3] == every[3:8]


def test_a_slice_finds_what_is_wrong_with_its_captures_and_repairs_it(yard: Yard) -> None:
    """A damaged one stays the longest unverified until it is repaired."""
    flip(yard, capture(0))
    lose(yard, capture(1))
    wanted = [("changed", capture(0).key), ("missing", capture(1).key)]
    assert yard.found(full=True, limit=3) == wanted
    assert yard.found(full=True, limit=2) == wanted
    assert exit_code(yard, full=True, limit=3, repair=True) == 0
    assert yard.found(full=True) == []


def test_minutes_end_a_slice(yard: Yard) -> None:
    """What it came to by then counts as verified."""
    assert yard.verify(full=True, minutes=0)[0].tally.checked == 0
    assert yard.verify(full=True, minutes=10)[0].tally.checked == 12
    marks = sql(yard.catalogue, "SELECT count(*) FROM captures WHERE verified_at IS NOT NULL")
    assert marks == [(12,)]


def test_a_quick_check_verifies_no_content(yard: Yard) -> None:
    """Else the order of the full slices would be lost every day."""
    yard.verify()
    marks = sql(yard.catalogue, "SELECT count(*) FROM captures WHERE verified_at IS NOT NULL")
    assert marks == [(0,)]


def test_an_interrupted_check_keeps_what_it_has_verified(yard: Yard) -> None:
    """The next slice goes on from there; the run is recorded as interrupted, exit 143."""
    hashed = 0

    class Interrupted(LocalInspection):
        def sha256(self, key: str) -> str | OSError | None:
            nonlocal hashed
            hashed += 1
            if hashed > 8:
                raise InterruptedRunError("SIGTERM", ExitCode.SIGTERM)
            return super().sha256(key)

    yard.wrap_files = lambda _: Interrupted(yard.images)
    verified, _ = yard.verify(full=True, threads=1)
    assert verified.run.exit_code == ExitCode.SIGTERM
    assert verified.run.outcome is Outcome.INTERRUPTED
    marks = sql(yard.catalogue, "SELECT count(*) FROM captures WHERE verified_at IS NOT NULL")
    assert marks == [(6,)]


@pytest.mark.parametrize(
    "order",
    [
        {"limit": 5},
        {"minutes": 5},
        {"rebuild": True, "repair": True},
        {"rebuild": True, "full": True, "limit": 5},
    ],
)
def test_orders_that_contradict_themselves_are_refused(order: dict[str, Any]) -> None:
    """Before anything is looked at."""
    with pytest.raises(UsageError):
        Order(**order)


def test_reading_is_held_to_a_rate() -> None:
    """On average, whatever the sizes are; without a rate nothing waits."""
    waited: list[float] = []
    pace = Pace(1000, waited.append)
    for _ in range(5):
        pace.spend(500)
    assert waited == sorted(waited)
    assert 1.5 < waited[-1] <= 2.0
    Pace(None, waited.append).spend(10**9)
    assert len(waited) == 4


def test_a_rate_slows_a_full_check(yard: Yard) -> None:
    """Twelve pictures of a kilobyte at ten kilobytes a second."""
    began = time.monotonic()
    yard.verify(full=True, bytes_per_second=20_000)
    assert time.monotonic() - began > 0.3


def test_progress_tells_counts_and_the_time_left(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of how many captures, how many are done, and about how long it still takes."""
    monkeypatch.setattr(verb, "_PROGRESS_SECONDS", 0)
    for order in (
        Order(),
        Order(full=True),
        Order(full=True, limit=6),
        Order(full=True, minutes=5),
    ):
        tools = Seen(yard)
        verify(order, tools)
        last = tools.progress[-1]
        assert last.done == last.captures == (order.limit or 12)
        assert last.seconds_left is not None
        assert last.seconds_left < 1
        yard.now = yard.now.replace(year=yard.now.year + 1)


# Beside other runs.


def test_a_repair_while_a_run_goes_on_is_refused_at_once(yard: Yard) -> None:
    """Exit 75, with nothing looked at; a check needs no lock."""
    lose(yard, HOME)
    with FileLock(yard.lock_file).hold(0):
        with pytest.raises(LockHeldError):
            yard.verify(repair=True)
        assert yard.found() == [("missing", HOME.key)]
        assert yard.found(repair=True, dry_run=True) == [("missing", HOME.key)]


def test_a_repair_waits_for_a_run_that_has_begun_meanwhile(yard: Yard) -> None:
    """No longer than it may; then it ends with 75, and the next one finishes."""
    lose(yard, HOME)

    class Busy(LocalInspection):
        def is_there(self) -> bool:
            holding.start()
            assert held.wait(10)
            return super().is_there()

    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with FileLock(yard.lock_file).hold(10):
            held.set()
            let_go.wait(20)

    yard.wrap_files = lambda _: Busy(yard.images)
    holding = threading.Thread(target=hold)
    assert exit_code(yard, repair=True, patience_seconds=0.2) == ExitCode.LOCKED
    let_go.set()
    holding.join()
    assert len(yard.facts()) == 12
    held.clear()
    let_go.clear()
    holding = threading.Thread(target=hold)
    threading.Timer(0.5, let_go.set).start()
    assert exit_code(yard, repair=True, patience_seconds=20) == 0
    holding.join()
    assert len(yard.facts()) == 11


def test_a_picture_that_a_run_has_stored_and_not_recorded_yet_is_no_orphan(yard: Yard) -> None:
    """It is pending, and the lock is held; once nobody holds it, the run was killed."""
    yard.list_as_pending(capture(8))
    yard.store(capture(8), picture(8))
    with FileLock(yard.lock_file).hold(0):
        assert yard.found() == []
    assert yard.found() == [("orphaned", capture(8).key)]


def test_what_a_clean_up_is_about_to_delete_is_known(yard: Yard) -> None:
    """Its row is gone and its file is not yet: no orphan, and a repair leaves it alone."""
    forget(yard, HOME)
    yard.doom(HOME)
    assert yard.found(repair=True) == []
    assert HOME.key not in {row[2] for row in yard.facts()}


class Meanwhile(LocalInspection):
    """Lets something happen each time that the files of a stream have been listed."""

    def __init__(self, root: Path, happen: Callable[[], None]) -> None:
        super().__init__(root)
        self._happen = happen

    def captures(self, stream: str) -> Iterator[FoundFile]:
        """The files as they were before it happened."""
        files = list(super().captures(stream))
        if stream == "in_gate":
            self._happen()
        yield from files


def test_a_capture_that_is_stored_meanwhile_is_no_finding(yard: Yard) -> None:
    """Its row is seen, and its file came after the directory was listed."""

    def download() -> None:
        yard.store(capture(20), picture(20))
        yard.record([capture(20)])

    yard.wrap_files = lambda _: Meanwhile(yard.images, download)
    assert yard.found(full=True) == []


def test_a_capture_that_is_deleted_meanwhile_is_no_finding(yard: Yard) -> None:
    """Neither one whose row is still seen, nor one whose file is."""

    def clean_up() -> None:
        forget(yard, capture(0))
        lose(yard, capture(0))
        forget(yard, capture(5))
        lose(yard, capture(5))

    yard.wrap_files = lambda _: Meanwhile(yard.images, clean_up)
    assert yard.found(full=True) == []


def test_what_changes_between_two_looks_is_looked_at_again(yard: Yard) -> None:
    """The catalogue is asked before and after each; what never comes to rest is no finding."""
    lose(yard, HOME)
    asked = 0

    class Restless:
        def __init__(self, rows: object) -> None:
            self._rows: Any = rows

        def __getattr__(self, name: str) -> object:
            return getattr(self._rows, name)

        def standings(self, wanted: Sequence[Capture]) -> object:
            nonlocal asked
            asked += 1
            if asked == 1:
                found = self._rows.standings(wanted)
                return {
                    one: replace(known, recorded=replace(known.recorded, sha256="other"))
                    for one, known in found.items()
                }
            return self._rows.standings(wanted)

    yard.wrap_rows = Restless  # type: ignore[assignment]
    assert yard.found() == [("missing", HOME.key)]
    assert asked == 4
    assert repairing._LOOKS == 3


def test_a_temporary_file_that_is_being_written_is_not_left_over(yard: Yard) -> None:
    """Its lock tells; once its writer is gone it is told, and removed by a repair."""
    interrupt(yard, HOME)
    left = next(yard.images.rglob("*.tmp"))
    program = (
        "import fcntl, sys; file = open(sys.argv[1], 'rb'); fcntl.flock(file, fcntl.LOCK_EX); "
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(left)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=unmeasured(),
    ) as writer:
        assert writer.stdout
        writer.stdout.readline()
        assert yard.found(repair=True) == []
        assert left.exists()
        writer.kill()
    assert yard.found(repair=True) == [("left over", str(left.relative_to(yard.images)))]
    assert not left.exists()


def test_files_of_others_are_left_alone(yard: Yard) -> None:
    """What has no capture's name is nobody's finding, and no repair touches it."""
    for name in ("notes.txt", ".health", f"{DAY}/x.jpg", f"{DAY}/20250909T259900Z_in_gate.jpg"):
        (yard.images / name).write_text("mine")
    (yard.images / "link").symlink_to(yard.images / "in_gate")
    before = yard.everything()
    assert yard.found(full=True, repair=True) == []
    assert yard.everything() == before


# Rebuilding.


def lost_catalogue(yard: Yard) -> None:
    """Lose the catalogue."""
    yard.catalogue.unlink()


def test_a_lost_catalogue_is_rebuilt_from_the_files_alone(yard: Yard) -> None:
    """With the same captures, times, keys, hashes and sizes, and nothing is a finding."""
    before, files = yard.facts(), yard.everything()
    lost_catalogue(yard)
    verified, findings = yard.verify(rebuild=True)
    assert (verified.run.exit_code, findings) == (0, [])
    assert verified.tally.registered == 12
    assert yard.facts() == before
    assert yard.everything() == files
    assert yard.found(full=True) == []


def test_a_rebuild_tries_every_file_that_a_capture_may_have(yard: Yard) -> None:
    """What is no whole picture is told and stays; one that is small for its stream was archived
    once, and is registered.
    """
    lost_catalogue(yard)
    cut(yard, HOME)
    yard.store(capture(9), gate_jpeg(9, (32, 18)))
    verified, (finding,) = yard.verify(rebuild=True)
    assert verified.run.exit_code == ExitCode.PARTLY
    assert finding.key == HOME.key
    assert finding.reason.startswith("not registered: the JPEG is")
    assert yard.path(HOME).exists()
    assert len(yard.facts()) == 12


def test_a_rebuild_goes_into_an_empty_catalogue(yard: Yard) -> None:
    """Such as a server's database after `camdl db upgrade`."""
    before = yard.facts()
    sql(yard.catalogue, "DELETE FROM captures")
    assert exit_code(yard, rebuild=True) == 0
    assert yard.facts() == before


def test_a_rebuild_of_a_catalogue_with_captures_is_refused(yard: Yard) -> None:
    """It says what to do instead."""
    before = yard.facts()
    verified, _ = yard.verify(rebuild=True)
    assert verified.run.exit_code == ExitCode.USAGE
    assert verified.error
    assert "--repair" in verified.error.advice
    assert yard.facts() == before


def test_a_rebuild_that_was_broken_off_is_finished_by_the_next(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had registered counts, and is not read once more."""
    monkeypatch.setattr(verb, "_SUSPECTS", 5)
    before = yard.facts()
    lost_catalogue(yard)
    batches = 0

    class Dying:
        def __init__(self, rows: object) -> None:
            self._rows: Any = rows

        def __getattr__(self, name: str) -> object:
            return getattr(self._rows, name)

        def register(self, images: Sequence[StoredImage], run_id: str) -> None:
            nonlocal batches
            batches += 1
            if batches == 2:
                raise CatalogueError("gone")
            self._rows.register(images, run_id)

    yard.wrap_rows = Dying  # type: ignore[assignment]
    assert exit_code(yard, rebuild=True) == ExitCode.STORAGE
    assert len(yard.facts()) == 5
    yard.wrap_rows = lambda rows: rows
    assert yard.verify(rebuild=True)[0].tally.registered == 7
    assert yard.facts() == before


def test_a_dry_rebuild_registers_nothing(yard: Yard) -> None:
    """It counts what it would."""
    sql(yard.catalogue, "DELETE FROM captures")
    assert yard.verify(rebuild=True, dry_run=True)[0].tally.registered == 12
    assert yard.facts() == []


# Killed.

KILLED = """
import sys
from pathlib import Path
from tests.support.yard import Yard
from camdl.verbs import verify
verify._SUSPECTS = 7
print("ready", flush=True)
Yard(Path(sys.argv[1])).verify(**{sys.argv[2]: True, "full": True})
"""


@contextmanager
def killed_while(yard: Yard, what: str, seconds: float) -> Iterator[None]:
    """A verification with the order `what` that is killed after so many seconds of its work."""
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(yard.home), what],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env=unmeasured(),
    ) as process:
        assert process.stdout
        process.stdout.readline()
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
    yield


@pytest.mark.parametrize("seconds", [0.02, 0.08, 0.2, 0.4])
def test_a_killed_rebuild_is_finished_by_the_next(tmp_path: Path, seconds: float) -> None:
    """At whatever moment it was killed."""
    yard = Yard(tmp_path)
    yard.fill(120)
    before = yard.facts()
    lost_catalogue(yard)
    (yard.home / "camdl.db-journal").unlink(missing_ok=True)
    with killed_while(yard, "rebuild", seconds):
        assert exit_code(yard, rebuild=True) == 0
        assert yard.facts() == before
        assert yard.found(full=True) == []


@pytest.mark.parametrize("seconds", [0.02, 0.08, 0.2, 0.4])
def test_a_killed_repair_is_finished_by_the_next(tmp_path: Path, seconds: float) -> None:
    """Every capture is archived or pending, never both, and no byte of a bad file is lost."""
    yard = Yard(tmp_path)
    captures = yard.fill(120)
    for number, one in enumerate(captures):
        (lose, flip, forget, move)[number % 4](yard, one)
    with killed_while(yard, "repair", seconds):
        assert exit_code(yard, full=True, repair=True) == 0
        assert yard.found(full=True) == []
        archived = {str(row[2]) for row in yard.facts()}
        assert len(archived) == 60
        assert archived | set(yard.pending()) == {one.key for one in captures}
        assert not archived & set(yard.pending())
        assert sum(key.endswith(".bad") for key in yard.everything()) == 30


KILLED_AT = """
import sys
from pathlib import Path
from tests.support.yard import Yard
yard = Yard(Path(sys.argv[1]))
print(yard.verify(full=True, repair=True)[0].run.error, end="")
"""


def test_a_repair_killed_at_any_change_is_finished_by_the_next(tmp_path: Path) -> None:
    """Between any two system calls that change something, nothing that counts is lost."""
    whole = tmp_path / "whole"
    yard = Yard(whole)
    captures = yard.fill(5)
    for damage, one in zip((lose, flip, forget, move, interrupt), captures, strict=True):
        damage(yard, one)
    place, log = tmp_path / "place", tmp_path / "strace.log"
    options = (*CHANGES, *on([place / "camdl.db", place / "camdl.db-journal"]), *on(_dirs(place)))
    shutil.copytree(whole, place)
    every = points(KILLED_AT, place, log, *options)
    renames = [one for one in every if one.name == "rename"]
    assert len(renames) == 2
    for point in [*renames, *every[:: max(1, len(every) // 8)]]:
        shutil.rmtree(place)
        shutil.copytree(whole, place)
        with_fault(KILLED_AT, place, log, *options, *point.fault("signal=KILL"))
        after = Yard(place)
        assert exit_code(after, full=True, repair=True) == 0
        assert after.found(full=True) == []
        archived = {str(row[2]) for row in after.facts()}
        assert archived == {captures[2].key, captures[3].key, captures[4].key}
        assert set(after.pending()) == {captures[0].key, captures[1].key}
        assert (place / "images" / f"{captures[1].key}.bad").exists()


def _dirs(place: Path) -> list[Path]:
    """The files of the archive below `place` that a repair changes, and their directories."""
    images = place / "images"
    bad = [images / f"{capture(1).key}{end}" for end in ("", ".bad")]
    moved = [images / f"in_gate/2024-01-01/{Path(HOME.key).name}", images / HOME.key]
    return [*bad, *moved, *(one.parent for one in (*bad, *moved))]


def test_the_marker_alone_makes_an_archive(yard: Yard) -> None:
    """Where every file is gone but the mark is there, the disk is mounted: that is damage."""
    shutil.rmtree(yard.images / "in_gate")
    shutil.rmtree(yard.images / "out_gate")
    assert (yard.images / MARKER).exists()
    assert len(yard.found()) == 12


def test_findings_come_in_the_order_of_their_keys(yard: Yard) -> None:
    """Whatever threads have hashed them."""
    for number in range(6):
        flip(yard, capture(number))
    keys = [one.key for one in yard.verify(full=True, threads=4)[1]]
    assert keys == sorted(keys)
    assert len(keys) == 6
    assert isinstance(yard.verify(full=True)[1][0], Finding)
