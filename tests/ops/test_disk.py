"""How full a file system is, beside what df says."""

from __future__ import annotations

import math
import subprocess
from pathlib import Path

import pytest

from camdl.errors import StorageError
from camdl.ops.disk import usage


def df(path: Path, column: str) -> int:
    """What df says of the file system of `path`."""
    out = subprocess.run(
        ["df", "-B1", f"--output={column}", path], capture_output=True, text=True, check=True
    )
    return int(out.stdout.split()[-1].removesuffix("%"))


def test_it_counts_as_df_does(tmp_path: Path) -> None:
    """Percent, free bytes and inodes are what an administrator sees in df."""
    found = usage(tmp_path)
    assert abs(math.ceil(found.percent) - df(tmp_path, "pcent")) <= 1
    assert found.free_bytes == pytest.approx(df(tmp_path, "avail"), rel=0.05)
    assert abs(math.ceil(found.inodes_percent) - df(tmp_path, "ipcent")) <= 1


def test_a_path_that_does_not_exist_yet(tmp_path: Path) -> None:
    """The file system is that of the nearest directory there is."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for path in (tmp_path / "a" / "b" / "c", tmp_path / "file" / "x", tmp_path / "link"):
        assert usage(path).free_bytes == pytest.approx(usage(tmp_path).free_bytes, rel=0.05)


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is meant from the current directory."""
    monkeypatch.chdir(tmp_path)
    assert usage(Path("data/images")).percent > 0


def test_a_file_system_that_counts_nothing() -> None:
    """A file system without blocks or inodes is empty, not an error."""
    found = usage(Path("/proc"))
    assert (found.percent, found.inodes_percent) == (0, 0)


def test_what_cannot_be_asked_is_told(tmp_path: Path) -> None:
    """A link that leads to itself is an error with the path and the reason."""
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(StorageError, match=r"loop cannot be told: .*symbolic links"):
        usage(tmp_path / "loop")
