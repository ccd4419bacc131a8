"""What `camdl cleanup` deletes, what it never does, and when it refuses."""

from __future__ import annotations

import os
import random
import time
from contextlib import ExitStack, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from camdl.domain.captures import Capture
from camdl.domain.outcomes import Counts, Outcome
from camdl.domain.windows import Window
from camdl.errors import (
    CatalogueError,
    CleanupRefusedError,
    ExitCode,
    InterruptedRunError,
    LockHeldError,
    StorageError,
)
from camdl.ops import reserve
from camdl.ops.lock import FileLock
from camdl.verbs.pin import pin
from tests.support import calls
from tests.support.root import immutable, needs_root, remount, tmpfs
from tests.support.stock import NOW, Stock, ago
from tests.support.strace import straced, unmeasured

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from camdl.verbs.cleanup import Finished

DAY = timedelta(days=1)


@pytest.fixture
def stock(tmp_path: Path) -> Stock:
    """An archive with a catalogue of two years, and nothing in it."""
    return Stock(tmp_path)


def refused(finished: Finished) -> str:
    """Why the clean-up deleted nothing."""
    assert isinstance(finished.error, CleanupRefusedError)
    assert finished.error.exit_code == 78
    assert finished.error.advice
    assert (finished.run.outcome, finished.run.exit_code) == (Outcome.FAILED, 78)
    assert finished.run.counts == Counts()
    return str(finished.error)


def test_what_is_older_than_it_is_kept_goes(stock: Stock) -> None:
    """Row and file together, of every stream; what is younger stays."""
    stock.archive(ago(31), ago(30.1), ago(40, "out_gate"))
    young = stock.archive(ago(29.9), ago(1), ago(0, "out_gate"), ago(29, "out_gate"))
    finished = stock.cleanup()
    assert finished.run.exit_code == 0
    assert sorted(stock.rows()) == sorted(young) == stock.files()
    assert stock.doomed() == []


def test_the_time_of_the_capture_counts(stock: Stock) -> None:
    """Not that of the file, which copying changes."""
    old, young = stock.archive(ago(31), ago(1))
    stock.archive(ago(2))
    os.utime(stock.images / old)
    long_ago = time.time() - 1e8
    os.utime(stock.images / young, (long_ago, long_ago))
    stock.cleanup()
    assert old not in stock.files()
    assert young in stock.files()


def test_the_run_is_recorded(stock: Stock) -> None:
    """With what each stream lost, in captures and bytes."""
    stock.archive(ago(31), ago(32), ago(1), ago(2), size=1000)
    stock.archive(ago(40, "out_gate"), ago(1, "out_gate"), size=500)
    finished = stock.cleanup()
    counts = stock.sql(
        "SELECT r.verb, r.outcome, r.exit_code, s.stream, s.deleted, s.freed_bytes"
        " FROM runs r JOIN stream_results s ON s.run_id = r.id ORDER BY s.stream"
    )
    assert counts == [
        ("cleanup", "ok", 0, "in_gate", 2, 2000),
        ("cleanup", "ok", 0, "out_gate", 1, 500),
    ]
    assert finished.run.counts == Counts(deleted=3, freed_bytes=2500)
    assert [one.newest for one in finished.run.streams] == [ago(1).captured_at] * 2
    assert stock.verdicts == 1


def test_nothing_to_delete_is_success(stock: Stock) -> None:
    """An empty archive, and one in which all is young."""
    assert stock.cleanup().run.exit_code == 0
    young = stock.archive(ago(1))
    assert stock.cleanup().run.exit_code == 0
    assert stock.rows() == young


def test_only_named_streams_are_touched(stock: Stock) -> None:
    """The others keep what is old."""
    old = stock.archive(ago(31, "out_gate"), ago(1), ago(2))
    stock.archive(ago(31))
    stock.cleanup(streams=["in_gate"])
    assert sorted(stock.rows()) == sorted(old)


def test_pinned_captures_survive_everything(stock: Stock) -> None:
    """Age, a lack of room, and force."""
    first, second = stock.archive(ago(50), ago(50, "out_gate"))
    others = [ago(days) for days in range(31, 36)]
    stock.archive(*others, ago(1))
    with stock.keeping() as keeping:
        window = Window(ago(51).captured_at, ago(49).captured_at)
        pin(keeping, "in_gate", window, "an accident", NOW)
    finished = stock.cleanup(force=True, min_free_percent=100.0)
    assert stock.rows() == [first] == stock.files()
    assert second not in stock.files()
    assert finished.run.exit_code == ExitCode.PARTLY
    assert "more should be free" in finished.run.error


def test_a_pin_that_comes_meanwhile_counts(stock: Stock) -> None:
    """What is pinned while a clean-up deletes is kept, if it was there when it was pinned."""
    stock.archive(*(ago(31 + number / 1000) for number in range(120)))
    young = stock.archive(*(ago(1 + number / 1000) for number in range(200)))
    kept: list[int] = []

    def pin_the_rest(keys: Sequence[str]) -> None:
        if not kept:
            with stock.keeping() as keeping:
                window = Window(ago(60).captured_at, ago(31).captured_at + DAY)
                kept.append(pin(keeping, "in_gate", window, "", NOW).captures)

    stock.before_deleting = pin_the_rest
    finished = stock.cleanup()
    assert kept == [70]
    assert finished.run.counts.deleted == 50
    assert len(stock.rows()) == len(stock.files()) == 70 + len(young)


def test_foreign_and_unknown_files_are_never_deleted(stock: Stock) -> None:
    """Whatever their names and their age, forced or not."""
    stock.archive(ago(31), ago(1), ago(2))
    unknown = [
        stock.foreign(name)
        for name in (
            ago(31.1).key,
            ago(40, "yard").key,
            "in_gate/2025-08-08/notes.txt",
            "in_gate/thumbs/1.jpg",
            "readme.txt",
            ".hidden/20250101T000000Z_in_gate.jpg",
        )
    ]
    stock.cleanup(force=True)
    assert all(path.read_bytes() == b"not ours" for path in unknown)
    assert len(stock.rows()) == 2


def test_empty_directories_and_left_over_files_go(stock: Stock) -> None:
    """Those of days and streams that lost their last capture; what is foreign keeps its own."""
    stock.archive(ago(31), ago(31, "out_gate"), ago(1), ago(2), ago(3))
    left_over = stock.images / "in_gate" / "2025-08-08" / ".x.jpg.0123abcd.tmp"
    left_over.write_bytes(b"half")
    foreign = stock.foreign("in_gate/2025-08-07/.keep")
    stock.cleanup()
    days = sorted(path.name for path in (stock.images / "in_gate").iterdir())
    assert days == ["2025-08-07", "2025-09-05", "2025-09-06", "2025-09-07"]
    assert foreign.exists()
    assert not (stock.images / "out_gate").exists()


def test_memory_has_times_of_its_own(stock: Stock) -> None:
    """Old runs, given-up captures, filled gaps and old diagnoses are forgotten; never the first run
    nor the last of a verb.
    """
    stock.archive(ago(1))
    with stock.catalogue() as catalogue:
        for days in (200, 100, 91, 89):
            catalogue.begin_run(f"{days}", "download", NOW - days * DAY)
        catalogue.begin_run("verified", "verify", NOW - 300 * DAY)
    pending = (
        "INSERT INTO pending (stream, captured_at, url, rejected, reason, listed_at)"
        " VALUES ('in_gate', '{} 00:00:00.000000', 'http://x', 0, '', '2025-01-01')"
    )
    gap = (
        "INSERT INTO gaps"
        " (stream, starts_at, ends_at, missing, cause, detail, found_at, resolved_at)"
        " VALUES ('in_gate', '{}', '2025-01-02', 1, 'x', '', '2025-01-02', {})"
    )
    stock.sql(
        pending.format("2025-03-01"),
        pending.format("2025-09-01"),
        gap.format("2023-01-01 00:00:00.000000", "'2023-02-01 00:00:00.000000'"),
        gap.format("2023-01-02 00:00:00.000000", "NULL"),
        gap.format("2025-01-02 00:00:00.000000", "'2025-02-01 00:00:00.000000'"),
    )
    for name in ("20250701T000000Z_in_gate", "20250907T000000Z_in_gate", "mine"):
        (stock.home / "diagnostics" / name).mkdir(parents=True)
    expected = stock.cleanup(dry_run=True)
    finished = stock.cleanup()
    assert (finished.forgotten, finished.diagnoses) == (expected.forgotten, expected.diagnoses)
    assert (finished.forgotten.runs, finished.forgotten.pending, finished.forgotten.gaps) == (
        3,
        1,
        1,
    )
    assert finished.diagnoses == 1
    kept = stock.sql("SELECT id FROM runs WHERE verb != 'cleanup' ORDER BY started_at")
    assert kept == [("first-run",), ("verified",), ("89",)]
    assert stock.sql("SELECT count(*) FROM pending") == [(1,)]
    assert stock.sql("SELECT count(*) FROM gaps") == [(2,)]
    assert len(list((stock.home / "diagnostics").iterdir())) == 2


def test_a_dry_run_lists_what_goes_and_changes_nothing(stock: Stock) -> None:
    """Exactly what the real run then removes, and the same totals."""
    chance = random.Random(1)
    some = {ago(chance.uniform(0, 50), chance.choice(["in_gate", "out_gate"])) for _ in range(300)}
    stock.archive(*some, size=321)
    stock.archive(*(ago(number / 1000, "yard") for number in range(100)))
    stock.reserve.put_aside()
    with stock.keeping() as keeping:
        pin(keeping, "in_gate", Window(ago(45).captured_at, ago(40).captured_at), "", NOW)
        doomed = list(keeping.holdings())[:3]
        keeping.doom(doomed)
    (stock.images / doomed[0].key).unlink()
    before, snapshot = set(stock.files()), stock.snapshot()
    dry = stock.cleanup(dry_run=True)
    assert stock.snapshot() == snapshot
    told = stock.told
    real = stock.cleanup()
    assert len(told) == len(set(told)) > 80
    assert set(told) == before - set(stock.files())
    assert real.run.counts == dry.run.counts
    assert stock.told == []
    assert stock.verdicts == 1


def test_a_dry_run_needs_no_lock(stock: Stock) -> None:
    """It is in nobody's way."""
    stock.archive(ago(31), ago(1))
    with FileLock(stock.home / "camdl.lock").hold(0):
        assert stock.cleanup(dry_run=True).run.exit_code == 0
        with pytest.raises(LockHeldError):
            stock.cleanup()
    assert len(stock.rows()) == 2


@needs_root
def test_the_oldest_go_until_there_is_room(tmp_path: Path) -> None:
    """Over all streams, as many as are needed and no more, and the dry run says the same."""
    home = tmp_path / "full"
    with tmpfs(home, "size=16m"):
        stock = Stock(home)
        stock.archive(*(ago(20 - n / 10, "in_gate") for n in range(60)), size=60_000)
        stock.archive(*(ago(20.05 - n / 10, "out_gate") for n in range(60)), size=60_000)
        stock.archive(ago(0))
        stock.reserve.put_aside()
        everything = stock.rows()
        dry = stock.cleanup(dry_run=True, min_free_percent=50.0)
        told = stock.told
        finished = stock.cleanup(min_free_percent=50.0)
        assert finished.run.exit_code == 0
        left = stock.rows()
        assert left == everything[len(told) :] == sorted(stock.files(), key=everything.index)
        assert told == everything[: len(told)]
        assert dry.run.counts == finished.run.counts
        assert 50 <= _free_percent(home) < 51.5


@needs_root
def test_a_full_disk_can_be_cleaned_up(tmp_path: Path) -> None:
    """To the last byte, the catalogue on it too: the reserve is what the journal needs."""
    home = tmp_path / "full"
    with tmpfs(home, "size=16m"):
        stock = Stock(home)
        stock.archive(*(ago(10.5 - n / 100) for n in range(1000)), size=4000)
        with stock.lock.hold(0):  # its file is there, as that of every run is
            pass
        stock.reserve.put_aside()
        _fill(home)
        with pytest.raises(CatalogueError, match="full"), stock.catalogue() as catalogue:
            catalogue.begin_run("too-much", "download", NOW)
        dry = stock.cleanup(dry_run=True, min_free_percent=10.0)
        told = stock.told
        finished = stock.cleanup(min_free_percent=10.0)
        assert finished.error is None
        assert len(told) == dry.run.counts.deleted == finished.run.counts.deleted
        assert len(stock.rows()) == 1000 - len(told) == len(stock.files())
        assert 10 <= _free_percent(home) < 11.5
        assert (home / "camdl.db.reserve").stat().st_size == reserve.SIZE


@needs_root
def test_a_refusal_on_a_full_disk_keeps_the_reserve(tmp_path: Path) -> None:
    """Else the next download would take the room, and no clean-up could ever begin."""
    home = tmp_path / "full"
    with tmpfs(home, "size=16m"):
        stock = Stock(home)
        stock.archive(*(ago(10.5 - n / 100) for n in range(1000)), size=4000)
        with stock.lock.hold(0):
            pass
        stock.reserve.put_aside()
        _fill(home)
        for _ in range(3):
            assert "more than half" in refused(stock.cleanup(keep=DAY))
            _fill(home)
        assert stock.cleanup(keep=DAY, force=True).error is None
        assert len(stock.rows()) == 50


@needs_root
def test_a_read_only_disk_is_told(tmp_path: Path) -> None:
    """Exit 74, and all is as it was."""
    home = tmp_path / "disk"
    with tmpfs(home, "size=16m"):
        stock = Stock(home)
        keys = stock.archive(ago(31), ago(1))
        stock.lock = FileLock(tmp_path / "camdl.lock")
        remount(home, "ro")
        finished = stock.cleanup()
        assert finished.run.exit_code == ExitCode.STORAGE
        assert stock.rows() == keys


@needs_root
def test_a_file_that_cannot_be_deleted_stops_no_other(stock: Stock) -> None:
    """Exit 1, the file is named, and the next clean-up tries again."""
    stuck, _, _ = stock.archive(ago(33), ago(32), ago(31))
    young = stock.archive(ago(1), ago(2), ago(3), ago(4))
    with immutable(stock.images / stuck):
        finished = stock.cleanup()
        assert (finished.run.outcome, finished.run.exit_code) == (Outcome.PARTLY, 1)
        assert stuck in finished.run.error
        assert finished.run.counts.deleted == 2
        assert stock.doomed() == [stuck]
    assert sorted(stock.rows()) == sorted(young)
    assert stock.cleanup().run.counts.deleted == 1
    assert stock.files() == sorted(young)


@needs_root
def test_no_rows_go_on_leaving_where_no_file_can_be_deleted(stock: Stock) -> None:
    """Exit 74 after the first batch: the catalogue must not empty itself beside a full archive."""
    for day in range(31, 40):
        stock.archive(*(ago(day + n / 1000) for n in range(60)))
    stock.archive(*(ago(1 + n / 1000) for n in range(600)))
    files = stock.files()
    with ExitStack() as stack:
        for directory in (stock.images / "in_gate").iterdir():
            stack.enter_context(immutable(directory))
        finished = stock.cleanup()
    assert isinstance(finished.error, StorageError)
    assert finished.run.exit_code == ExitCode.STORAGE
    assert stock.files() == files
    assert len(stock.doomed()) == 50
    assert stock.cleanup().run.counts.deleted == 540


@pytest.mark.parametrize("force", [False, True])
def test_no_marker_no_deletion(stock: Stock, force: bool) -> None:
    """An empty mount point is not the archive; nobody can force that."""
    keys = stock.archive(ago(31), ago(1), ago(2))
    (stock.images / ".camdl-archive").unlink()
    assert "does not carry camdl's marker" in refused(stock.cleanup(force=force))
    assert sorted(stock.rows()) == sorted(keys)


@pytest.mark.parametrize("force", [False, True])
def test_a_linked_archive_is_refused(stock: Stock, force: bool) -> None:
    """What is behind the link may be anybody's."""
    stock.archive(ago(31), ago(1), ago(2))
    elsewhere = stock.home / "elsewhere"
    stock.images.rename(elsewhere)
    stock.images.symlink_to(elsewhere)
    assert "is a symbolic link" in refused(stock.cleanup(force=force))
    assert len(stock.rows()) == 3


@pytest.mark.parametrize("force", [False, True])
def test_an_empty_catalogue_is_refused(stock: Stock, force: bool) -> None:
    """There is nothing sure to delete; nobody can force that."""
    path = stock.foreign(ago(31).key)
    assert "the catalogue is empty" in refused(stock.cleanup(force=force))
    assert path.exists()


def test_a_catalogue_younger_than_the_files_is_refused(stock: Stock) -> None:
    """It was begun anew, so that it is not the one of these files; force deletes what it knows."""
    stock.archive(ago(31), ago(1), ago(2))
    unknown = stock.foreign(ago(1000).key)
    assert "younger than the files" in refused(stock.cleanup())
    assert len(stock.rows()) == 3
    assert stock.cleanup(force=True).run.exit_code == 0
    assert unknown.exists()
    assert len(stock.rows()) == 2


def test_a_catalogue_stays_as_old_as_it_is(stock: Stock) -> None:
    """An unknown file of after its first run is no sign, however many clean-ups forget runs."""
    stock.archive(ago(1), ago(2))
    stock.foreign(ago(700).key)
    assert stock.cleanup().run.exit_code == 0
    assert stock.cleanup().run.exit_code == 0


@pytest.mark.parametrize("jump", [timedelta(days=3653), timedelta(days=-3653), 10 * DAY])
def test_a_jumped_clock_is_refused(stock: Stock, jump: timedelta) -> None:
    """Years ahead it would take everything for old; force overrides it."""
    stock.archive(*(ago(days) for days in range(25)))
    stock.clock = NOW + jump
    assert "clock has" in refused(stock.cleanup())
    assert len(stock.rows()) == 25
    assert stock.cleanup(force=True).run.exit_code == 0


def test_a_silent_source_is_no_jumped_clock(stock: Stock) -> None:
    """Where runs go on, time has gone by, so that captures get old as ever."""
    stock.archive(*(ago(days) for days in range(20)))
    with stock.catalogue() as catalogue:
        for day in range(1, 15):
            catalogue.begin_run(f"{day}", "download", NOW + day * DAY)
    stock.clock = NOW + 15 * DAY
    assert stock.cleanup().run.counts.deleted == 4


def test_more_than_half_is_refused(stock: Stock) -> None:
    """Unless it is forced: a mistyped number of days must not cost the archive."""
    stock.archive(*(ago(days + 0.5) for days in range(25)))
    assert "more than half" in refused(stock.cleanup(keep=2 * DAY))
    assert len(stock.rows()) == 25
    assert stock.cleanup(keep=2 * DAY, force=True).run.counts.deleted == 23


def test_a_refusal_is_recorded(stock: Stock) -> None:
    """With its reason, and the verdict is written."""
    stock.archive(ago(31), ago(32), ago(1))
    stock.cleanup()
    told = stock.sql("SELECT outcome, exit_code, error FROM runs WHERE verb = 'cleanup'")
    assert told[0][:2] == ("failed", 78)
    assert "2 of 3 captures would go" in str(told[0][2])
    assert stock.verdicts == 1


def test_an_interruption_leaves_everything_consistent(stock: Stock) -> None:
    """What was begun the next clean-up finishes, and the run is recorded as interrupted."""
    stock.archive(*(ago(31 + n / 1000) for n in range(600)))
    young = stock.archive(*(ago(1 + n / 1000) for n in range(700)))
    asked = 0

    def interrupt(keys: Sequence[str]) -> None:
        nonlocal asked
        asked += 1
        if asked == 2:
            (stock.images / keys[0]).unlink()
            raise InterruptedRunError("SIGTERM", ExitCode.SIGTERM)

    stock.before_deleting = interrupt
    finished = stock.cleanup()
    assert (finished.run.outcome, finished.run.exit_code) == (Outcome.INTERRUPTED, 143)
    assert finished.run.counts.deleted == 50
    assert len(stock.rows()) == 50 + len(young)
    assert len(stock.doomed()) == 500
    stock.before_deleting = len
    assert stock.cleanup().run.counts.deleted == 549
    assert sorted(stock.rows()) == sorted(young) == stock.files()
    assert stock.doomed() == []


def test_what_was_archived_anew_is_not_deleted(stock: Stock) -> None:
    """A capture that was being deleted and was fetched again meanwhile stays."""
    again, gone = ago(20), ago(21)
    stock.archive(again, gone, ago(1))
    with stock.keeping() as keeping:
        keeping.doom(list(keeping.holdings())[:2])
    stock.archive(again)
    stock.cleanup()
    assert again.key in stock.rows()
    assert gone.key not in stock.files()
    assert stock.doomed() == []


def test_a_bug_is_recorded_and_raised(stock: Stock) -> None:
    """The row of the run says so, and the verdict is written."""
    stock.archive(ago(31), ago(1), ago(2))

    def break_down(keys: Sequence[str]) -> None:
        raise ZeroDivisionError

    stock.before_deleting = break_down
    with pytest.raises(ZeroDivisionError):
        stock.cleanup()
    told = stock.sql("SELECT outcome, exit_code, error FROM runs WHERE verb = 'cleanup'")
    assert told == [("failed", 70, "ZeroDivisionError")]
    assert stock.verdicts == 1


def test_a_catalogue_that_fails_is_told(stock: Stock) -> None:
    """Exit 74, and no file is touched."""
    keys = stock.archive(ago(31), ago(1), ago(2))
    stock.sql("DROP TABLE doomed")
    finished = stock.cleanup()
    assert isinstance(finished.error, CatalogueError)
    assert finished.run.exit_code == 74
    assert sorted(stock.files()) == sorted(keys)


_CLEAN_UP = """
import sys
from pathlib import Path
from tests.support.stock import Stock
finished = Stock(Path(sys.argv[1]), new=False).cleanup()
assert finished.run.exit_code == 0, finished
"""


# Between two of these nothing changes that could be seen: what is written in between is SQLite's
# journal, or is undone by it.
_STEPS = ("-e", "trace=unlink,unlinkat,rmdir,fsync,fdatasync")


def _stocked(home: Path) -> tuple[Stock, list[str]]:
    """An archive of which four captures of two days and two streams are old."""
    stock = Stock(home)
    stock.archive(*(ago(days, stream) for days in (31, 32) for stream in ("in_gate", "out_gate")))
    return stock, stock.archive(*(ago(days) for days in range(5)))


def _watched(stock: Stock) -> tuple[str, ...]:
    """Options of strace: only calls on the catalogue and on the archive's directories."""
    directories = sorted(path for path in stock.images.rglob("*") if path.is_dir())
    return calls.on([stock.database, stock.home / "camdl.db-journal", *directories])


def test_killed_at_any_step_it_leaves_the_truth(tmp_path: Path) -> None:
    """At every point each row has its file, and the next clean-up finishes what was begun."""
    first, _ = _stocked(tmp_path / "first")
    log = tmp_path / "log"
    found = calls.points(_CLEAN_UP, first.home, log, *_STEPS, *_watched(first))
    assert {point.name for point in found} == set(_STEPS[1].removeprefix("trace=").split(","))
    for number, point in enumerate(found):
        stock, young = _stocked(tmp_path / f"{number}")
        calls.with_fault(_CLEAN_UP, stock.home, log, *_watched(stock), *point.fault("signal=KILL"))
        assert set(young) <= set(stock.rows())
        assert set(stock.files()) <= {*stock.rows(), *stock.doomed()}
        assert stock.cleanup().run.exit_code == 0
        assert sorted(stock.rows()) == sorted(young) == stock.files()
        assert stock.doomed() == []


def test_each_step_is_durable_before_the_next(tmp_path: Path) -> None:
    """The doom is committed, then files are deleted and their directory synced, then it is
    forgotten: so no power failure leaves a row without its file.
    """
    stock, _ = _stocked(tmp_path / "home")
    log = tmp_path / "log"
    done = straced(
        _CLEAN_UP, stock.home, log, "-e", "trace=unlink,unlinkat,fsync,fdatasync", env=unmeasured()
    )
    assert done.returncode == 0, done.stderr
    steps = []
    for line in log.read_text().splitlines():
        if "unlinkat(" in line and ".jpg" in line:
            steps.append("delete")
        elif "sync(" in line and "/images/" in line:
            steps.append("sync")
        elif "unlink(" in line and "camdl.db-journal" in line:
            steps.append("commit")
    first, last = steps.index("delete"), len(steps) - 1 - steps[::-1].index("delete")
    assert steps[first - 1] == "commit"
    assert steps[last + 1] == "sync"
    assert "commit" not in steps[first : last + 2]
    assert steps[last + 2] == "commit"


def _free_percent(directory: Path) -> float:
    found = os.statvfs(directory)
    return 100 * found.f_bavail / found.f_blocks


def _fill(directory: Path) -> None:
    """Leave not a byte."""
    with suppress(OSError), (directory / "filler").open("ab", buffering=0) as file:
        while True:
            file.write(b"\xff" * 4096)


def test_captures_need_no_key_of_their_own(stock: Stock) -> None:
    """A key that is not the archive's own is never deleted, whoever wrote it into the catalogue."""
    stock.archive(ago(31), ago(1), ago(2))
    outside = stock.home / "outside.jpg"
    outside.touch()
    stock.sql("UPDATE captures SET key = '../outside.jpg' WHERE captured_at < '2025-08-20'")
    assert isinstance(stock.cleanup().error, StorageError)
    assert outside.exists()


def test_a_capture_is_known_by_its_stream_and_time() -> None:
    """What the tests call days ago is that."""
    assert ago(1) == Capture(NOW - DAY, "in_gate")
