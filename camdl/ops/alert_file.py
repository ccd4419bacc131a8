"""What was told, and what is still to be sent, in a file beside the health file.

It is for the time when the catalogue cannot be read or written, which is when an alert matters
most. While all is well it is a copy of what the catalogue holds; else it goes on from that, is
*ahead* then, and the catalogue takes it over when it is back.

The file is made with room to spare and written in place, so that it can be written on a full disk.
Its first line tells whether it is whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from camdl import durable
from camdl.domain.alerts import Standing
from camdl.domain.notices import Kind, Notice, Sent, item_as_json, item_of_json
from camdl.domain.outbox import KEEP, LEASE, MOST
from camdl.errors import StorageError
from camdl.ports import Ahead, Parcel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from camdl.domain.alerts import Book
    from camdl.domain.notices import NotSent

_BYTES = 32 * 1024
_HEADER = "camdl alerts"
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Waiting:
    """A parcel, and until when (UTC) a process is sending it, if it lives."""

    parcel: Parcel
    claimed_until: datetime | None = None

    def is_free(self, now: datetime) -> bool:
        """Whether nobody is sending it."""
        until = self.claimed_until
        # One of the far future is that of a clock which was wrong.
        return until is None or not now < until <= now + 2 * LEASE


@dataclass(frozen=True, slots=True)
class Content:
    """What the file holds. `ahead_at` is when (UTC) it went beyond the catalogue, if it did."""

    book: Book = field(default_factory=dict)
    waiting: tuple[Waiting, ...] = ()
    ahead_at: datetime | None = None


class AlertFile:
    """Implements `camdl.ports.AlertBook` in the file `path`; all of it inside `held` alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    @contextmanager
    def held(self, wait_seconds: float = 1.0) -> Iterator[None]:
        """Keep other processes out of the file inside the `with`.

        Raises:
            StorageError: it cannot be opened or made, or another process holds it for so long.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            durable.make_directory(self._path.parent)
            self._descriptor = os.open(self._path, flags, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            self._lock(time.monotonic() + wait_seconds)
            yield
        finally:
            os.close(self._descriptor)
            self._descriptor = -1

    def turn(
        self,
        decide: Callable[[Book], tuple[Book, Sequence[Parcel]]],
        channels: Sequence[str],
        now: datetime,
    ) -> tuple[Parcel, ...]:
        """Let `decide` make the next book of the present one, and the parcels that come with it.

        Returns what is to be sent by `channels` now, the oldest first, claimed for this caller.

        Raises:
            StorageError: it cannot be written.
        """
        before = self.read()
        book, added = decide(before.book)
        there = {_key(one.parcel) for one in before.waiting}
        new = [Waiting(parcel) for parcel in added if _key(parcel) not in there]
        waiting = [*before.waiting, *new]
        waiting = [one for one in waiting if one.parcel.notice.at > now - KEEP][-MOST:]
        due = [one for one in waiting if one.parcel.channel in channels and one.is_free(now)]
        claimed = tuple(
            replace(one, claimed_until=now + LEASE) if one in due else one for one in waiting
        )
        self._write(Content(book, claimed, ahead_at=now))
        return tuple(one.parcel for one in due)

    def settle(self, tried: Sequence[tuple[Parcel, Sent | NotSent | None]], now: datetime) -> None:  # noqa: ARG002  # when it was sent, nobody asks
        """What became of parcels that `turn` gave: None of one that nobody tried to send.

        Raises:
            StorageError: it cannot be written.
        """
        before = self.read()
        outcomes = {_key(parcel): outcome for parcel, outcome in tried}
        waiting = []
        for one in before.waiting:
            outcome = outcomes.get(_key(one.parcel))
            if isinstance(outcome, Sent):
                continue
            if _key(one.parcel) in outcomes:
                tries = one.parcel.tries + (outcome is not None)
                waiting.append(Waiting(replace(one.parcel, tries=tries)))
            else:
                waiting.append(one)
        self._write(replace(before, waiting=tuple(waiting)))

    def ahead(self) -> Ahead | None:
        """What the catalogue does not have, if there is anything.

        Raises:
            StorageError: it cannot be read.
        """
        content = self.read()
        if content.ahead_at is None:
            return None
        return Ahead(content.book, tuple(one.parcel for one in content.waiting), content.ahead_at)

    def read(self) -> Content:
        """What it holds; nothing, if it is new, or was written only in part.

        Raises:
            StorageError: it cannot be read.
        """
        try:
            data = os.pread(self._descriptor, 4 * _BYTES, 0)
        except OSError as error:
            raise self._unusable(error) from error
        header, _, text = data.decode("utf-8", "replace").partition("\n")
        text = text.rstrip()
        if header != _header(text):
            return Content()
        return _content(json.loads(text))

    def mirror(self, book: Book) -> None:
        """The catalogue holds `book`, and all that is to be sent.

        Raises:
            StorageError: it cannot be written.
        """
        content = Content(book)
        if self.read() != content or not self._has_room():
            self._write(content)

    def _has_room(self) -> bool:
        return os.fstat(self._descriptor).st_size >= _BYTES

    def _write(self, content: Content) -> None:
        """Write in place, and without what is too much for that: the oldest of what waits."""
        while len(data := _data(content)) > _BYTES and content.waiting:
            content = replace(content, waiting=content.waiting[1:])
        try:
            os.pwrite(self._descriptor, data.ljust(_BYTES), 0)
            os.fsync(self._descriptor)
        except OSError as error:
            raise self._unusable(error) from error

    def _lock(self, until: float) -> None:
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if not isinstance(error, BlockingIOError) or time.monotonic() > until:
                    raise self._unusable(error) from error
            else:
                return
            time.sleep(_POLL_SECONDS)

    def _unusable(self, error: OSError) -> StorageError:
        return StorageError(f"the file {self._path} cannot be used: {error.strerror}")


def _header(text: str) -> str:
    return f"{_HEADER} {hashlib.sha256(text.encode()).hexdigest()}"


def _data(content: Content) -> bytes:
    notices = {one.parcel.notice.id: one.parcel.notice for one in content.waiting}
    told = {
        "ahead_at": _written(content.ahead_at),
        "standings": {subject: _plain(one) for subject, one in content.book.items()},
        "notices": [_notice_as_json(notice) for notice in notices.values()],
        "waiting": [
            {
                "notice": one.parcel.notice.id,
                "channel": one.parcel.channel,
                "tries": one.parcel.tries,
                "claimed_until": _written(one.claimed_until),
            }
            for one in content.waiting
        ],
    }
    text = json.dumps(told)
    return f"{_header(text)}\n{text}".encode()


def _content(told: dict[str, Any]) -> Content:
    notices = {one["id"]: _notice_of_json(one) for one in told["notices"]}
    return Content(
        {
            subject: Standing(**{name: _read(value) for name, value in one.items()})
            for subject, one in told["standings"].items()
        },
        tuple(
            Waiting(
                Parcel(notices[one["notice"]], one["channel"], one["tries"]),
                _read(one["claimed_until"]),
            )
            for one in told["waiting"]
        ),
        _read(told["ahead_at"]),
    )


def _plain(standing: Standing) -> dict[str, object]:
    return {name: _written(value) for name, value in asdict(standing).items()}


def _written(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _read(value: Any) -> Any:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _notice_as_json(notice: Notice) -> dict[str, object]:
    return {
        "id": notice.id,
        "kind": str(notice.kind),
        "at": _written(notice.at),
        "title": notice.title,
        "body": notice.body,
        "items": [item_as_json(item) for item in notice.items],
    }


def _notice_of_json(told: Mapping[str, Any]) -> Notice:
    items = tuple(item_of_json(item) for item in told["items"])
    kind, at = Kind(told["kind"]), datetime.fromisoformat(told["at"])
    return Notice(told["id"], kind, at, told["title"], told["body"], items)


def _key(parcel: Parcel) -> tuple[str, str]:
    return parcel.notice.id, parcel.channel
