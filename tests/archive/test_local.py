"""Images on real file systems: full, broken, not mounted, and killed at every call."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import stat
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from camdl.archive.local import MARKER, LocalArchive
from camdl.domain.captures import Capture
from camdl.domain.outcomes import ValidImage
from camdl.errors import ExitCode, StorageError
from tests.support.calls import CHANGES, lost_by_power_failure, on, points, with_fault
from tests.support.root import as_nobody, immutable, needs_root, remount, tmpfs
from tests.support.strace import straced

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = datetime(2025, 9, 8, 12, 0, tzinfo=UTC)
CAPTURE = Capture(NOON, "in_gate")
DAY = Path("in_gate/2025-09-08")
OLD, NEW = b"old" * 2_000, b"new" * 3_000

# What a run does with one capture: look whether it is there, else store it.
STORES = """
import secrets, sys
from datetime import UTC, datetime
from pathlib import Path
from camdl.archive.local import LocalArchive
from camdl.domain.captures import Capture
from camdl.domain.outcomes import ValidImage
secrets.token_hex = lambda size: "0" * 2 * size
root = Path(sys.argv[1])
archive = LocalArchive(root)
capture = Capture(datetime(2025, 9, 8, 12, 0, tzinfo=UTC), "in_gate")
archive.begin(holds_captures=False)
if archive.read(capture) is None:
    archive.put(capture, ValidImage(b"new" * 3_000, "", 640, 480))
"""
# How not to do it.
STORES_IN_PLACE = """
import sys
from pathlib import Path
path = Path(sys.argv[1]) / "in_gate/2025-09-08/20250908T120000Z_in_gate.jpg"
path.parent.mkdir(parents=True)
path.write_bytes(b"new" * 3_000)
"""


def image(data: bytes) -> ValidImage:
    """An image whose bytes are `data`: an archive does not look at them."""
    return ValidImage(data, "", 640, 480)


def later(minutes: int) -> Capture:
    """A capture after noon."""
    return Capture(NOON + timedelta(minutes=minutes), "in_gate")


def files(root: Path) -> set[str]:
    """Every file below `root`, without the marker."""
    below = {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}
    return below - {MARKER}


def archive_at(root: Path) -> LocalArchive:
    """An archive that is ready."""
    archive = LocalArchive(root)
    archive.begin(holds_captures=False)
    return archive


def refuses(archive: LocalArchive, capture: Capture, reason: str) -> StorageError:
    """The error with which `capture` is not stored."""
    with pytest.raises(StorageError, match=reason) as raised:
        archive.put(capture, image(NEW))
    assert raised.value.exit_code == ExitCode.STORAGE
    assert raised.value.advice
    return raised.value


@contextmanager
def limited(limit: int, value: int) -> Iterator[None]:
    """Inside the `with`, this process may have no more than `value` of something."""
    soft, hard = resource.getrlimit(limit)
    resource.setrlimit(limit, (value, hard))
    try:
        yield
    finally:
        resource.setrlimit(limit, (soft, hard))


def touched(root: Path) -> list[Path]:
    """All that is touched when CAPTURE is stored."""
    name = CAPTURE.key.rpartition("/")[2]
    beside = [root / DAY / f".{name}.00000000.tmp", root / f"{MARKER}.00000000.tmp"]
    above = [root / DAY, root / DAY.parent, root, root.parent]
    return [root / CAPTURE.key, root / MARKER, *beside, *above]


def killed_everywhere(program: str, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """An archive that `program` was killed in, and the log of its calls, for each of its calls."""
    log = tmp_path / "log"
    root = tmp_path / "data" / "images"
    root.parent.mkdir()
    for number, point in enumerate(points(program, root, log, *CHANGES, *on(touched(root)))):
        root = tmp_path / str(number) / "images"
        root.parent.mkdir()
        options = (*CHANGES, *on(touched(root)))
        with_fault(program, root, log, *options, *point.fault("signal=KILL"))
        yield root, log


def test_killed_at_any_call(tmp_path: Path) -> None:
    """No name has less than a whole image, and the next run leaves one that nothing takes away.

    Not even a power failure, although it was the killed run that made directories and names.
    """
    log = tmp_path / "next"
    for root, log_of_killed in killed_everywhere(STORES, tmp_path):
        seen = LocalArchive(root).read(CAPTURE)
        assert seen in (None, NEW)
        run = straced(STORES, root, log, *CHANGES, *on(touched(root)))
        assert (run.returncode, run.stderr) == (0, "")
        assert lost_by_power_failure(log_of_killed, log) == []
        assert LocalArchive(root).read(CAPTURE) == NEW
        assert (files(root), (root / MARKER).exists()) == ({CAPTURE.key}, True)


def test_an_archive_that_writes_in_place_is_caught(tmp_path: Path) -> None:
    """The check above bites: who writes under the final name leaves a torn image."""
    seen = {
        LocalArchive(root).read(CAPTURE) for root, _ in killed_everywhere(STORES_IN_PLACE, tmp_path)
    }
    assert seen - {None, NEW}


@needs_root
def test_a_full_disk(tmp_path: Path) -> None:
    """What does not fit is refused, what is there stays whole, and with room again it goes on."""
    root = tmp_path / "images"
    with tmpfs(root, "size=40k"):
        archive = archive_at(root)
        stored = []
        with pytest.raises(StorageError, match="No space left on device") as raised:  # noqa: PT012
            for minute in range(20):
                archive.put(later(minute), image(NEW))
                stored.append(later(minute))
        assert raised.value.exit_code == ExitCode.STORAGE
        assert stored
        assert files(root) == {capture.key for capture in stored}
        with pytest.raises(StorageError, match="No space left"):  # in the middle of its bytes
            archive.put(stored[0], image(NEW * 10))
        assert {archive.read(capture) for capture in stored} == {NEW}
        (root / stored[0].key).unlink()
        archive.put(stored[0], image(NEW))
        assert files(root) == {capture.key for capture in stored}


@needs_root
@pytest.mark.parametrize("inodes", [2, 3, 4, 5])
def test_no_inodes(tmp_path: Path, inodes: int) -> None:
    """Whether a directory or a file cannot be made, it is told, and nothing is left of it."""
    root = tmp_path / "images"
    with tmpfs(root, f"size=1M,nr_inodes={inodes}"):
        archive = archive_at(root)
        if inodes == 5:  # the root, its marker, the stream, the day, one image
            archive.put(CAPTURE, image(NEW))
        refuses(archive, later(1), "No space left on device")
        assert files(root) == ({CAPTURE.key} if inodes == 5 else set())


@needs_root
def test_no_inode_for_the_marker(tmp_path: Path) -> None:
    """A disk that takes not even the marker ends the run before it has fetched anything."""
    root = tmp_path / "images"
    with tmpfs(root, "size=1M,nr_inodes=1"):
        with pytest.raises(StorageError, match="No space left on device"):
            archive_at(root)
        assert list(root.iterdir()) == []


@needs_root
def test_a_disk_that_has_become_read_only(tmp_path: Path) -> None:
    """Nothing can be stored, what is there can be read, and nothing but the disk is at fault."""
    root = tmp_path / "images"
    with tmpfs(root, "size=1M"):
        archive = archive_at(root)
        archive.put(CAPTURE, image(OLD))
        remount(root, "ro")
        refuses(archive, CAPTURE, "Read-only file system")
        refuses(archive, Capture(NOON, "out_gate"), "Read-only file system")
        assert archive_at(root).read(CAPTURE) == OLD
        (marked := LocalArchive(root)).begin(holds_captures=True)
        assert marked.has_images()
        with pytest.raises(StorageError, match="is mounted read-only"):
            marked.standing(holds_captures=True)
        remount(root, "rw")
        assert marked.standing(holds_captures=True) == f"the archive is at {root}"
        archive.put(CAPTURE, image(NEW))
        assert files(root) == {CAPTURE.key}


@needs_root
def test_what_may_not_be_changed(tmp_path: Path) -> None:
    """An image, or a day, that an administrator has frozen stays as it is."""
    archive = archive_at(tmp_path)
    archive.put(CAPTURE, image(OLD))
    for frozen in (tmp_path / CAPTURE.key, tmp_path / DAY):
        with immutable(frozen):
            refuses(archive, CAPTURE, "Operation not permitted")
            assert (archive.read(CAPTURE), files(tmp_path)) == (OLD, {CAPTURE.key})


def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    """An image that is larger than any file may be is refused, and half of it does not stay."""
    archive = archive_at(tmp_path)
    archive.put(CAPTURE, image(OLD))
    with limited(resource.RLIMIT_FSIZE, len(NEW) - 1):
        error = refuses(archive, CAPTURE, "File too large")
    assert CAPTURE.key in str(error)
    assert (archive.read(CAPTURE), files(tmp_path)) == (OLD, {CAPTURE.key})


def test_too_many_open_files(tmp_path: Path) -> None:
    """Without a descriptor nothing is stored or read, and the reason is told."""
    archive = archive_at(tmp_path)
    archive.put(CAPTURE, image(OLD))
    with limited(resource.RLIMIT_NOFILE, 0):
        refuses(archive, CAPTURE, "Too many open files")
        with pytest.raises(StorageError, match="Too many open files"):
            archive.read(CAPTURE)
    assert (archive.read(CAPTURE), files(tmp_path)) == (OLD, {CAPTURE.key})


@contextmanager
def open_to_others() -> Iterator[Path]:
    """A directory that others can reach, which pytest's are not."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@needs_root
def test_no_permission() -> None:
    """Who may not write or read is told so, by name."""
    with open_to_others() as root:
        archive_at(root).put(CAPTURE, image(OLD))
        with as_nobody():
            archive = archive_at(root)
            refuses(archive, CAPTURE, f"{CAPTURE.key} cannot be used: Permission denied")
            refuses(archive, Capture(NOON, "out_gate"), "Permission denied")
            assert archive.read(CAPTURE) == OLD
            with pytest.raises(StorageError, match="Permission denied"):
                archive_at(root / "below")
        (root / CAPTURE.key).chmod(0o000)
        with as_nobody(), pytest.raises(StorageError, match="Permission denied"):
            archive.read(CAPTURE)


def test_an_archive_in_a_closed_directory() -> None:
    """Who may use the archive's directory need not be able to list the one that it is in."""
    with open_to_others() as outside:
        root = outside / "images"
        root.mkdir(mode=0o777)
        root.chmod(0o777)
        outside.chmod(0o711)
        with as_nobody():
            archive_at(root).put(CAPTURE, image(NEW))
            assert LocalArchive(root).read(CAPTURE) == NEW


@pytest.mark.parametrize("below", ["in_gate", "in_gate/2025-09-08"])
def test_a_file_in_place_of_a_directory(tmp_path: Path, below: str) -> None:
    """There is no image below a file, and none can be stored there; the file stays."""
    archive = archive_at(tmp_path)
    path = tmp_path / below
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(OLD)
    assert archive.read(CAPTURE) is None
    refuses(archive, CAPTURE, r"File exists|Not a directory")
    assert path.read_bytes() == OLD


def test_left_over_files_go_with_the_first_image_of_a_day(tmp_path: Path) -> None:
    """A killed run's are removed, another's and everybody else's stay."""
    day = tmp_path / DAY
    day.mkdir(parents=True)
    for name in (".x.jpg.0123abcd.tmp", ".x.jpg.part", "Thumbs.db"):
        (day / name).touch()
    with (day / ".y.jpg.0123abcd.tmp").open("w") as at_work:
        fcntl.flock(at_work, fcntl.LOCK_EX)
        archive_at(tmp_path).put(CAPTURE, image(NEW))
    kept = {f"{DAY}/{name}" for name in (".x.jpg.part", "Thumbs.db", ".y.jpg.0123abcd.tmp")}
    assert files(tmp_path) == {CAPTURE.key, *kept}


def test_a_name_that_is_a_link(tmp_path: Path) -> None:
    """Storing replaces the link, and never what it leads to."""
    archive = archive_at(tmp_path / "images")
    path = tmp_path / "images" / CAPTURE.key
    path.parent.mkdir(parents=True)
    (tmp_path / "precious").write_bytes(OLD)
    path.symlink_to(tmp_path / "precious")
    archive.put(CAPTURE, image(NEW))
    assert (archive.read(CAPTURE), path.is_symlink()) == (NEW, False)
    assert (tmp_path / "precious").read_bytes() == OLD


def test_an_archive_behind_a_link(tmp_path: Path) -> None:
    """The directory, and a stream's, may be links to another disk."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "images").symlink_to("disk")
    (tmp_path / "disk" / "in_gate").symlink_to("../other")
    archive = archive_at(tmp_path / "images")
    archive.put(CAPTURE, image(NEW))
    assert (tmp_path / "other" / Path(CAPTURE.key).relative_to("in_gate")).read_bytes() == NEW
    assert archive.has_images()


def test_others_may_read_the_images(tmp_path: Path) -> None:
    """A web server runs as another user: images have the rights that the umask leaves."""
    umask = os.umask(0o027)
    try:
        archive_at(tmp_path / "images").put(CAPTURE, image(NEW))
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "images" / CAPTURE.key).stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "images" / DAY).stat().st_mode) == 0o750


# Whether this is the archive at all


def test_a_new_archive_is_marked(tmp_path: Path) -> None:
    """The directory is made, and a file in it says what it is."""
    root = tmp_path / "data" / "images"
    archive_at(root)
    assert "camdl" in (root / MARKER).read_text()
    assert [path.name for path in root.iterdir()] == [MARKER]


def test_an_empty_mount_point_is_refused(tmp_path: Path) -> None:
    """Where the catalogue knows of images and there is no sign of any, the disk is not mounted."""
    for root in (tmp_path / "empty", tmp_path / "foreign", tmp_path / "missing" / "images"):
        archive = LocalArchive(root)
        if root.name != "images":
            (root / "lost+found").mkdir(parents=True)
        if root.name == "foreign":
            (root / ".health").touch()
            (root / "in_gate" / "2025-09-08").mkdir(parents=True)
            (root / "in_gate" / "2025-09-08" / "thumbnail.jpg").touch()
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(StorageError, match="neither camdl's marker nor any image") as raised:
            archive.begin(holds_captures=True)
        assert str(root / MARKER) in raised.value.advice
        with pytest.raises(StorageError) as told:
            archive.standing(holds_captures=True)
        assert (str(told.value), told.value.advice) == (str(raised.value), raised.value.advice)
        assert archive.standing(holds_captures=False) == ""
        assert sorted(tmp_path.rglob("*")) == before


def test_what_is_said_of_an_archive_that_is_there(tmp_path: Path) -> None:
    """With its marker, or with images, which the next run will mark; nothing is made."""
    root = tmp_path / "images"
    archive = archive_at(root)
    for holds_captures in (True, False):
        assert archive.standing(holds_captures=holds_captures) == f"the archive is at {root}"
    archive.put(CAPTURE, image(NEW))
    (root / MARKER).unlink()
    assert archive.standing(holds_captures=True) == f"the archive is at {root}"
    assert not (root / MARKER).exists()


def test_an_empty_file_is_marker_enough(tmp_path: Path) -> None:
    """The advice works: who makes the marker by hand goes on without the images."""
    (tmp_path / MARKER).touch()
    archive = LocalArchive(tmp_path)
    archive.begin(holds_captures=True)
    archive.put(CAPTURE, image(NEW))
    assert (tmp_path / MARKER).read_bytes() == b""


def test_images_without_a_marker_are_an_archive(tmp_path: Path) -> None:
    """An archive that was copied without its hidden files is known by its images."""
    path = tmp_path / CAPTURE.key
    path.parent.mkdir(parents=True)
    path.write_bytes(OLD)
    archive = LocalArchive(tmp_path)
    archive.begin(holds_captures=True)
    assert (tmp_path / MARKER).is_file()
    assert archive.read(CAPTURE) == OLD


@pytest.mark.parametrize(
    "name",
    [
        "in_gate/2025-09-08/20250908T120000Z_out_gate.jpg",  # of another stream
        "in_gate/2025-09-09/20250908T120000Z_in_gate.jpg",  # of another day
        "in_gate/2025-09-08/20250908T120000Z_in_gate.jpg.part",
        "In Gate/2025-09-08/20250908T120000Z_In Gate.jpg",
        "20250908T120000Z_in_gate.jpg",
        "in_gate/20250908T120000Z_in_gate.jpg",
        "old/in_gate/2025-09-08/20250908T120000Z_in_gate.jpg",
    ],
)
def test_other_files_are_no_images(tmp_path: Path, name: str) -> None:
    """Only what has a capture's name in its place is one of the archive's images."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    assert not LocalArchive(tmp_path).has_images()


def test_whether_there_are_images(tmp_path: Path) -> None:
    """One image is enough, wherever it is, and a directory that is not there has none."""
    archive = LocalArchive(tmp_path / "images")
    assert not archive.has_images()
    archive.begin(holds_captures=False)
    assert not archive.has_images()
    (tmp_path / "images" / "a" / "2025-09-08").mkdir(parents=True)
    archive.put(CAPTURE, image(NEW))
    assert archive.has_images()
    (tmp_path / "file").touch()
    assert not LocalArchive(tmp_path / "file").has_images()


@needs_root
@pytest.mark.parametrize("closed", [".", "in_gate", str(DAY)])
def test_images_that_cannot_be_looked_for(closed: str) -> None:
    """Where a directory cannot be read, nobody can tell that it holds no image."""
    with open_to_others() as root:
        archive_at(root).put(CAPTURE, image(NEW))
        (root / "lost+found").mkdir(mode=0o700)  # of every disk, and nobody's but root's
        assert LocalArchive(root).has_images()
        with as_nobody():
            assert LocalArchive(root).has_images()
        (root / closed).chmod(0o311)
        with as_nobody(), pytest.raises(StorageError, match="Permission denied"):
            LocalArchive(root).has_images()
        archive_at(root).put(Capture(NOON, "out_gate"), image(NEW))
        with as_nobody():
            assert closed == "." or LocalArchive(root).has_images()
        (root / closed).chmod(0o755)


def test_a_closed_foreign_directory_is_no_hindrance() -> None:
    """What cannot be an archive's directory by its name need not be looked into."""
    with open_to_others() as root:
        (root / "lost+found").mkdir(mode=0o700)
        (root / "in_gate" / "private").mkdir(parents=True)
        (root / "in_gate" / "private").chmod(0o700)
        with as_nobody():
            assert not LocalArchive(root).has_images()


@pytest.mark.parametrize("holds_captures", [True, False])
def test_a_root_that_cannot_be_looked_at(holds_captures: bool) -> None:
    """A stale or closed directory is an error, never taken for an empty archive."""
    with open_to_others() as directory:
        root = directory / "images"
        archive_at(root).put(CAPTURE, image(NEW))
        root.chmod(0o000)
        with as_nobody(), pytest.raises(StorageError, match="Permission denied"):
            LocalArchive(root).begin(holds_captures=holds_captures)
        with as_nobody(), pytest.raises(StorageError, match="Permission denied"):
            LocalArchive(root).standing(holds_captures=holds_captures)
        root.chmod(0o755)


def test_a_disk_that_answers_nothing(tmp_path: Path) -> None:
    """A disk whose directory cannot be read is an error of the storage, and told in one line."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from camdl.archive.local import LocalArchive\n"
        "from camdl.errors import StorageError\n"
        "try:\n"
        "    print(LocalArchive(Path(sys.argv[1])).has_images())\n"
        "except StorageError as error:\n"
        "    print(error)\n"
        "    sys.exit(error.exit_code)\n"
    )
    archive_at(tmp_path / "images").put(CAPTURE, image(NEW))
    for call in ("openat", "getdents64"):
        options = ("-P", str(tmp_path / "images"), "-e", f"inject={call}:error=EIO")
        run = with_fault(program, tmp_path / "images", tmp_path / "log", *options)
        assert (run.returncode, run.stderr) == (ExitCode.STORAGE, "")
        assert run.stdout == f"{tmp_path / 'images'} cannot be used: {os.strerror(errno.EIO)}\n"
