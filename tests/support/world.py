"""The world of `camdl download`, real but for source and fetcher, and with a time of its own."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from camdl.archive.local import LocalArchive
from camdl.catalogue import opening
from camdl.catalogue.database import Database
from camdl.catalogue.ledger import SqlLedger
from camdl.domain.captures import Capture, ListedCapture
from camdl.domain.schedule import jobs
from camdl.domain.sites import Stream
from camdl.domain.templates import UrlTemplate
from camdl.errors import CamdlError
from camdl.ops import health_file
from camdl.ops.lock import FileLock
from camdl.ports import Listing
from camdl.report.screen import NoProgress
from camdl.rests import Rests
from camdl.verbs import collecting
from camdl.verbs import health as health_verb
from camdl.verbs.collecting import Finished, Ports
from camdl.verbs.download import Order, download
from tests.support.fake_fetcher import FakeFetcher
from tests.support.fake_source import FakeSource
from tests.support.images import gate_jpeg
from tests.support.looks import FakeLooks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from camdl.catalogue.rows import SqlCatalogue
    from camdl.deadline import Deadline
    from camdl.domain.outcomes import Failed, PendingCapture, Rejected, RunRecord
    from camdl.ports import Progress

NOW = datetime(2025, 9, 8, 20, 30, tzinfo=UTC)
INTERVAL = timedelta(minutes=10)
PICTURE = gate_jpeg(1, (640, 360))


def gate_stream(name: str) -> Stream:
    """A camera whose images are at `http://cdn.example/`."""
    page = f"http://gate.example/{name}"
    image = UrlTemplate("http://cdn.example/{time:%Y-%m-%dT%H:%M:%S}-{stream}.jpeg")
    return Stream(name, page, image, None, ZoneInfo("UTC"), "", (), 640, 360, INTERVAL)


def listed(stream: str, minutes_ago: float) -> ListedCapture:
    """The capture that `stream` took so long before `NOW`."""
    capture = Capture(NOW - timedelta(minutes=minutes_ago), stream)
    return ListedCapture(capture, gate_stream(stream).image.url(capture))


class World:
    """Implements `camdl.verbs.download.Tools` below `home`, at the instant `clock`.

    Pages list and images are what `publish` says.
    """

    def __init__(self, home: Path, *streams: str) -> None:
        self.streams = tuple(gate_stream(name) for name in streams or ("in_gate", "out_gate"))
        self.clock = NOW
        self.images = home / "images"
        self.database = home / "camdl.db"
        self.health_file = home / "images" / ".health"
        self.source = FakeSource()
        self.fetcher = FakeFetcher()
        self.progress: Progress = NoProgress()
        self.lock = FileLock(home / "camdl.lock", "download")
        self.is_on_its_way_out = False
        self.cannot_open: CamdlError | None = None

    def publish(
        self, stream: str, *minutes_ago: float, image: bytes | Rejected | Failed = PICTURE
    ) -> list[ListedCapture]:
        """The page of `stream` lists these captures, in this order, and `image` is each of them."""
        captures = [listed(stream, minutes) for minutes in minutes_ago]
        self.source.answers[stream] = Listing(stream, tuple(captures))
        self.fetcher.answers |= {one.url: image for one in captures}
        return captures

    def download(self, **order: Any) -> Finished:
        """Run once, with one worker unless `order` says otherwise."""
        self.is_on_its_way_out = False
        with self.time_passing():
            return download(Order(self.streams, **{"concurrent": 1, **order}), self)

    @contextmanager
    def time_passing(self) -> Iterator[None]:
        """No two runs begin at the same instant: their names tell them apart by that."""
        try:
            yield
        finally:
            self.clock += timedelta(microseconds=1)

    def now(self) -> datetime:
        """The instant that the test says."""
        return self.clock

    def is_ending(self) -> None:
        """Remember that no more signals are wanted."""
        self.is_on_its_way_out = True

    def record(self, run: RunRecord) -> None:
        """Record it, if there is a catalogue."""
        with suppress(CamdlError), self.catalogue() as catalogue:
            if catalogue:
                catalogue.begin_run(run.id, run.verb, run.started_at)
                catalogue.finish_run(run)

    def write_health(self, run: RunRecord) -> None:
        """Write the verdict on a roomy disk."""
        with ExitStack() as stack:
            looks = FakeLooks()
            try:
                looks.there = stack.enter_context(self.catalogue())
            except CamdlError as error:
                looks.there = error
            order = health_verb.Order(self.streams, jobs(10), INTERVAL)
            verdict = health_verb.health(order, looks, self.clock, run)
        health_file.write(self.health_file, verdict.to_dict())

    @contextmanager
    def open(self, order: collecting.Order, deadline: Deadline) -> Iterator[Ports]:
        """The fakes, and a real archive and catalogue; a dry run makes none."""
        if self.cannot_open:
            raise self.cannot_open
        archive = LocalArchive(self.images)
        database = Database(f"sqlite:///{self.database}", may_create=not order.dry_run)
        try:
            if order.dry_run:
                catalogue = opening.existing(database) or opening.forgetful()
            else:
                catalogue = opening.existing_or_new(database, archive.has_images)
                archive.begin(holds_captures=False)
            ledger = SqlLedger(catalogue.database)
            yield Ports(self.fetcher, archive, catalogue, ledger, Rests(), self.source)
        finally:
            database.close()

    @contextmanager
    def catalogue(self) -> Iterator[SqlCatalogue | None]:
        """The catalogue, to look into, if it was made."""
        database = Database(f"sqlite:///{self.database}")
        try:
            yield opening.existing(database)
        finally:
            database.close()

    def last_run(self) -> RunRecord:
        """The newest run, as it was recorded."""
        with self.catalogue() as catalogue:
            assert catalogue is not None
            return catalogue.last_runs("download", 1)[0]

    def pending(self, stream: str) -> tuple[PendingCapture, ...]:
        """What is listed and not archived."""
        with self.catalogue() as catalogue:
            assert catalogue is not None
            return catalogue.pending(stream, NOW - timedelta(days=365))
