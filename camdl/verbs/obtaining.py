"""From URLs to rows: images are fetched, checked, stored and recorded, several at a time.

Whoever asks for images asks here: runs for what is new, repairs for what was lost.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from camdl.domain.outcomes import Body, Duplicate, Rejected, Saved, StoredImage
from camdl.domain.validation import validate
from camdl.verbs.timing import Stopwatch
from camdl.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from camdl.deadline import Deadline
    from camdl.domain.captures import ListedCapture
    from camdl.domain.outcomes import ImageOutcome, ValidImage
    from camdl.domain.sites import Stream
    from camdl.ports import Archive, Catalogue, Fetcher, Ledger
    from camdl.rests import Rests

# After its deadline this is how long images are waited for that are as good as done.
_GRACE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Ports:
    """The world, as one works on it who holds the lock. `rests` is what the adapters share."""

    fetcher: Fetcher
    archive: Archive
    catalogue: Catalogue
    ledger: Ledger
    rests: Rests


@dataclass(frozen=True, slots=True)
class Bounds:
    """After `begin_by` no more images are begun, and `deadline` cuts those that were.

    At most `concurrent` are asked for at the same time, and `batch_size` recorded in one
    transaction.
    """

    begin_by: Deadline
    deadline: Deadline
    concurrent: int = 8
    batch_size: int = 50


class Obtaining:
    """Gets the images that it is given, of `streams`, for the run `run_id`.

    What was not begun stays as the catalogue knows it. The host of an image that asks to be left
    alone is, and the next runs know of it. `watch` tells how long its stages took.
    """

    def __init__(
        self,
        ports: Ports,
        streams: Mapping[str, Stream],
        run_id: str,
        bounds: Bounds,
        now: Callable[[], datetime],
    ) -> None:
        self._ports = ports
        self._streams = streams
        self._run_id = run_id
        self._bounds = bounds
        self._now = now
        self.watch = Stopwatch()
        self._owed: list[tuple[ListedCapture, ImageOutcome]] = []
        self._untold: list[tuple[ListedCapture, ImageOutcome]] = []
        self._workers: Workers[ListedCapture, ImageOutcome | None] = Workers(
            self._obtain, bounds.concurrent
        )

    def heed_rests(self, now: datetime) -> None:
        """Have the adapters know what hosts asked of earlier runs.

        Raises:
            CatalogueError: it cannot be read.
        """
        for origin, until in self._ports.ledger.rests(now).items():
            self._ports.rests.ask(origin, (until - now).total_seconds())

    def give(self, listed: Sequence[ListedCapture]) -> None:
        """Get these, in their order."""
        self._workers.give(listed)

    def done(self) -> Iterator[tuple[ListedCapture, ImageOutcome]]:
        """What became of the images that are done by now, without waiting.

        Raises:
            CatalogueError: a batch of them cannot be recorded.
            StorageError: one of them cannot be stored.
        """
        return self._recorded(self._workers.done())

    def finished(self) -> Iterator[tuple[ListedCapture, ImageOutcome]]:
        """What becomes of all that were given, as far as they can be had in time.

        Raises:
            CatalogueError: a batch of them cannot be recorded.
            StorageError: one of them cannot be stored.
        """
        return self._recorded(self._workers.finished(self._bounds.deadline, _GRACE_SECONDS))

    def stop(self) -> None:
        """Begin no more images; those that are under way are not waited for."""
        self._workers.stop()

    def leftovers(self) -> Iterator[tuple[ListedCapture, ImageOutcome]]:
        """What got done beside an error, whatever other images raise; to be settled."""
        yield from self._untold
        while True:
            with suppress(Exception):  # one error is told already
                yield from self._owing(self._workers.done())
                return

    def settle(self) -> None:
        """Record what is done and not recorded yet, and who wants to be left alone.

        Raises:
            CatalogueError: it cannot be recorded.
        """
        self._record()
        now = self._now()
        rests = self._ports.rests.standing()
        until = {one: now + timedelta(seconds=seconds) for one, seconds in rests.items()}
        self._ports.ledger.record_rests(until, now)

    def _recorded(
        self, done: Iterable[tuple[ListedCapture, ImageOutcome | None]]
    ) -> Iterator[tuple[ListedCapture, ImageOutcome]]:
        for one in self._owing(done):
            self._untold = [one]
            if len(self._owed) >= self._bounds.batch_size:
                self._record()
            self._untold = []
            yield one

    def _owing(
        self, done: Iterable[tuple[ListedCapture, ImageOutcome | None]]
    ) -> Iterator[tuple[ListedCapture, ImageOutcome]]:
        """What is to be recorded; of what was too late to begin there is nothing to tell."""
        for listed, outcome in done:
            if outcome is not None:
                self._owed.append((listed, outcome))
                yield listed, outcome

    def _record(self) -> None:
        if self._owed:
            with self.watch.timed("record"):
                self._ports.catalogue.record(self._run_id, self._owed, self._now())
            self._owed = []

    def _obtain(self, listed: ListedCapture) -> ImageOutcome | None:
        """Fetch, check and store one image; None if it is too late to begin. Runs in a worker."""
        if self._bounds.begin_by.passed():
            return None
        name = listed.capture.stream
        stream = self._streams[name]
        if (whole := self._already_stored(listed, stream)) is not None:
            return Duplicate(self._stored(listed, whole, listed.capture.key))
        with self.watch.timed("fetch", name):
            origins, deadline = stream.image_origins, self._bounds.deadline
            body = self._ports.fetcher.fetch(listed.url, origins, deadline)
        if not isinstance(body, Body):
            return body
        with self.watch.timed("check", name):
            image = validate(body.data, stream.min_width, stream.min_height)
        if isinstance(image, Rejected):
            return image
        with self.watch.timed("store", name):
            key = self._ports.archive.put(listed.capture, image)
        return Saved(self._stored(listed, image, key))

    def _already_stored(self, listed: ListedCapture, stream: Stream) -> ValidImage | None:
        """The image that a run stored and was killed before it recorded it, if it is whole."""
        data = self._ports.archive.read(listed.capture)
        if data is None:
            return None
        image = validate(data, stream.min_width, stream.min_height)
        return None if isinstance(image, Rejected) else image

    def _stored(self, listed: ListedCapture, image: ValidImage, key: str) -> StoredImage:
        return StoredImage(
            listed.capture,
            key,
            image.sha256,
            len(image.data),
            image.width,
            image.height,
            listed.url,
            self._now(),
        )
