"""Whether directories can be written, found out by writing."""

from __future__ import annotations

import fcntl
import os
import pwd
import secrets
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING

from camdl.domain.examination import bad, fine, note

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from camdl.domain.examination import Finding


def examine(places: Iterable[tuple[str, Path]]) -> Iterator[Finding]:
    """Try each directory once, which settings of these names need: write, rename and remove a file.

    One that is not there yet would be made in the nearest one that is.
    """
    names: dict[Path, list[str]] = {}
    for name, place in places:
        names.setdefault(place.absolute(), []).append(name)
    failed = False
    for place, settings in names.items():
        if why := _refusal(place):
            failed = True
            yield bad(f"{place} ({', '.join(settings)}) {why}", _remedy(place))
    if not failed:
        yield fine(f"{', '.join(map(str, names))}: {_name(os.geteuid())} can write there")


def whose(root: Path) -> Iterator[Finding]:
    """Whether `root` belongs to somebody else, who could or could not do what this user can."""
    with suppress(OSError):
        owner, user = root.stat().st_uid, os.geteuid()
        if owner != user:
            yield note(
                f"{root} belongs to {_name(owner)}, and this looks at it as {_name(user)}",
                f"As root: runuser -u {_name(owner)} -- camdl doctor",
            )


def lock_works(lock_file: Path) -> Finding:
    """Try whether the file system of `lock_file` has locks, on another file beside it."""
    directory = _nearest(lock_file.absolute().parent)
    if lock_file.is_symlink() or (lock_file.exists() and not lock_file.is_file()):
        return bad(f"{lock_file} is not a regular file", f"Look at it: ls -l {lock_file}")
    probe = directory / f".camdl-doctor-{secrets.token_hex(4)}"
    try:
        descriptor = os.open(probe, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(descriptor)
            probe.unlink()
    except OSError as error:
        return bad(
            f"files in {directory} cannot be locked: {error.strerror}",
            "Set lock_file to a path on a local disk, such as /run/lock/camdl.lock",
        )
    return fine(f"{lock_file}: locks work there")


def _refusal(place: Path) -> str:
    """Why nothing can be written in `place`; empty if something can."""
    there = _nearest(place)
    if not there.is_dir():
        return f"cannot be made: {there} is not a directory"
    probe = there / f".camdl-doctor-{secrets.token_hex(4)}"
    if there != place:
        # It is not made, but another one beside it is.
        try:
            probe.mkdir()
            probe.rmdir()
        except OSError as error:
            return f"is not there, and cannot be made in {there}: {error.strerror}"
        return ""
    renamed = probe.with_suffix(".renamed")
    try:
        with probe.open("xb") as file:
            file.write(b"to see whether it can be written\n")
            file.flush()
            os.fsync(file.fileno())
        probe.replace(renamed)
        renamed.unlink()
    except OSError as error:
        for left in (probe, renamed):
            with suppress(OSError):
                left.unlink(missing_ok=True)
        return f"cannot be written: {error.strerror}"
    return ""


def _nearest(place: Path) -> Path:
    """The nearest of `place` and what is above it that is there."""
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    return place


def _remedy(place: Path) -> str:
    return f"As root: install -d -o {_name(os.geteuid())} -m 750 {shlex.quote(str(place))}"


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
