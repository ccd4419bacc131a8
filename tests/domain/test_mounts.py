"""Tables of file systems."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from camdl.domain.mounts import mount_points, not_mounted

FSTAB = """
# what is mounted where
UUID=1 /               ext4  defaults          0 1
UUID=2 none            swap  sw                0 0
/dev/b /srv            ext4
nas:/a /srv/camdl\\040a nfs  _netdev,noatime   0 0
/dev/c /media/usb      vfat  noauto,user       0 0
/dev/d /auto           ext4  nofail,x-systemd.automount 0 2
broken
"""
PATH = PurePosixPath("/srv/camdl a/images")


def test_mount_points() -> None:
    """Each is a path, with what is escaped in it; swap and comments are none."""
    assert [str(one) for one in mount_points(FSTAB)] == [
        *("/", "/srv", "/srv/camdl a", "/media/usb", "/auto")
    ]


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ("/dev/a / ext4 rw\n/dev/b /srv ext4 rw\nnas:/a /srv/camdl\\040a nfs rw\n", None),
        ("/dev/a / ext4 rw\n/dev/b /srv ext4 rw\n", "/srv/camdl a"),
        ("/dev/a / ext4 rw\nnas:/a /srv/camdl\\040a nfs rw\n", "/srv"),
        ("/dev/a / ext4 rw\n", "/srv"),
        ("", "/"),
    ],
)
def test_what_is_not_mounted(mounts: str, expected: str | None) -> None:
    """The outermost of those on the way that should be and are not."""
    found = not_mounted(PATH, FSTAB, mounts)
    assert found == (PurePosixPath(expected) if expected else None)


@pytest.mark.parametrize("path", ["/srv/camdl ab", "/media/usb/images", "/auto/images"])
def test_what_need_not_be(path: str) -> None:
    """Another directory's, and what is mounted by hand or once it is looked at."""
    mounts = "/dev/a / ext4 rw\n/dev/b /srv ext4 rw\n"
    assert not_mounted(PurePosixPath(path), FSTAB, mounts) is None


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(lambda name: f"/{name}"))
def test_every_name_comes_back(place: str) -> None:
    """As the kernel writes it: blanks, tabs, line ends and backslashes are escaped."""
    assume(not any(letter.isspace() and letter not in " \t\n" for letter in place))
    escaped = place
    for letter in "\\ \t\n":
        escaped = escaped.replace(letter, f"\\{ord(letter):03o}")
    assert mount_points(f"dev {escaped} ext4 rw 0 0") == [PurePosixPath(place)]
