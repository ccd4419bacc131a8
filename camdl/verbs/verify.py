"""`camdl verify`: every row of the catalogue against its file, and every file against its row."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain, islice, takewhile
from typing import TYPE_CHECKING, Protocol

from camdl.deadline import Deadline
from camdl.domain.captures import Capture
from camdl.domain.outcomes import Outcome, RunRecord
from camdl.domain.verification import (
    PLANS,
    SoFar,
    Tally,
    agrees,
    seconds_left,
    side_by_side,
)
from camdl.errors import (
    END_OF_RUN,
    CatalogueError,
    EndOfRun,
    ExitCode,
    StorageError,
    UsageError,
)
from camdl.verbs import running
from camdl.verbs.repairing import Repairs
from camdl.verbs.running import concluded, each_of, failed, refusals_told, run_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from contextlib import AbstractContextManager
    from datetime import datetime

    from camdl.domain.captures import ListedCapture
    from camdl.domain.outcomes import ImageOutcome, StoredImage
    from camdl.domain.sites import Stream
    from camdl.domain.verification import Finding, FoundFile, Recorded, Standing
    from camdl.ports import Catalogue, Lock

    Pair = tuple[Recorded | None, FoundFile | None]

VERB = "verify"

# How many files a thread is given at once, and how many such chunks may wait to be hashed.
_CHUNK = 8
_AHEAD = 32
# Findings are looked at again, told and repaired so many at once, and never much later than that.
_SUSPECTS = 100
_SUSPECTS_SECONDS = 5.0
_VERIFIED_BATCH = 1000
_PROGRESS_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Order:
    """What one `camdl verify` is asked to do.

    `streams` are names, none means all. With `limit` (captures) or `minutes` a full check takes
    those that have not been verified for longest, and looks for no files without a row.
    `bytes_per_second` bounds what is read of files. A repair waits `wait_seconds` for a run that
    goes on when it begins, and `patience_seconds` for one that began meanwhile; after it has
    fetched pictures again, it leaves the lock to others for `pause_seconds`. `force` repairs even
    where nothing of a stream is left.

    Raises:
        UsageError: the parts contradict each other.
    """

    streams: Sequence[str] = ()
    full: bool = False
    repair: bool = False
    rebuild: bool = False
    limit: int | None = None
    minutes: float | None = None
    bytes_per_second: float | None = None
    dry_run: bool = False
    force: bool = False
    wait_seconds: float = 0.0
    patience_seconds: float = 600.0
    pause_seconds: float = 1.0
    threads: int = 2

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if self.is_slice and not self.full:
            raise UsageError(
                "names and sizes are compared in one go, not in slices",
                advice="Give --limit and --minutes together with --full.",
            )
        if self.rebuild and (self.repair or self.is_slice):
            raise UsageError("--rebuild goes with none of --repair, --limit and --minutes")

    @property
    def is_slice(self) -> bool:
        """Whether only a part of the captures is checked."""
        return self.limit is not None or self.minutes is not None

    @property
    def changes(self) -> bool:
        """Whether anything but the record of the verification itself may change."""
        return (self.repair or self.rebuild) and not self.dry_run


class Files(Protocol):
    """The archive's files, as those see them who verify them; keys name them.

    Every method raises `StorageError` when they cannot be looked at or changed.
    """

    def is_there(self) -> bool:
        """Whether this is the archive at all, and no mount point with nothing mounted."""
        ...

    def is_bare(self, stream: str) -> bool:
        """Whether nothing at all is where the files of `stream` belong."""
        ...

    def places(self) -> list[str]:
        """Where streams are, or might be: names."""
        ...

    def captures(self, stream: str) -> Iterator[FoundFile]:
        """The files of `stream` that are where their names belong, by time."""
        ...

    def strays(self, places: Sequence[str] | None) -> Iterator[str]:
        """Files with a capture's name where it does not belong, and temporary ones left over.

        In these places alone, or everywhere.
        """
        ...

    def look(self, key: str) -> FoundFile | None:
        """The file of `key`; None if there is none."""
        ...

    def is_abandoned(self, key: str) -> bool:
        """Whether `key` is a temporary file that is there and that nobody is writing."""
        ...

    def modified_at(self, key: str) -> datetime:
        """When the content of the file was last written, in UTC."""
        ...

    def sha256(self, key: str) -> str | OSError | None:
        """The hash of the file's bytes; None if there is none, an error if they are lost."""
        ...

    def read(self, key: str) -> bytes | OSError | None:
        """The file's bytes; None if there is none, an error if they are lost."""
        ...

    def set_aside(self, key: str) -> str:
        """Give the file a name that is no capture's, durably, and return its new key."""
        ...

    def move(self, key: str, to: str) -> None:
        """Give the file the key `to`, durably. Nothing may be there."""
        ...

    def sweep(self, key: str) -> None:
        """Remove the temporary file `key`, unless somebody is writing it."""
        ...


class Rows(Protocol):
    """What the catalogue says of the files. `streams` are names; none means all.

    Every method raises `CatalogueError` when the database cannot be used. What is iterated is
    read a batch at a time, and what is changed meanwhile does not disturb.
    """

    def streams(self) -> list[str]:
        """The names of the streams that have captures."""
        ...

    def total(self, streams: Sequence[str] = ()) -> tuple[int, int]:
        """How many captures are archived, and the bytes of all their files."""
        ...

    def of(self, stream: str) -> Iterator[Recorded]:
        """What is recorded of the captures of `stream`, by time."""
        ...

    def longest_unverified(
        self, before: datetime, streams: Sequence[str] = ()
    ) -> Iterator[Recorded]:
        """What was not verified since `before`: first what never was, then by how long ago."""
        ...

    def standings(self, wanted: Sequence[Capture]) -> dict[Capture, Standing]:
        """What is known of each of `wanted`, all at one moment."""
        ...

    def verified(self, rows: Sequence[Recorded], now: datetime) -> None:
        """The files of `rows` were found to be as recorded at `now`."""
        ...

    def give_back(self, lost: Sequence[tuple[Recorded, str]], now: datetime) -> None:
        """In one transaction: these are archived no more, and are pending, for the reason given."""
        ...

    def move(self, row: Recorded, key: str) -> None:
        """The file of `row` is at `key` now."""
        ...

    def register(self, images: Sequence[StoredImage], run_id: str) -> None:
        """In one transaction: these are archived, and pending no more."""
        ...

    def is_of_verification_alone(self, verb: str) -> bool:
        """Whether every capture in the catalogue was put there by runs of `verb`."""
        ...


class Refetch(Protocol):
    """Fetches captures at once, stores and records them, as a download does."""

    def __call__(
        self, run_id: str, listed: Sequence[ListedCapture], /
    ) -> Iterable[tuple[ListedCapture, ImageOutcome]]:
        """What became of those that could be asked for; the caller holds the lock.

        Raises:
            CatalogueError: it cannot be recorded.
            StorageError: an image cannot be stored.
        """
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """The world, as a verification works on it.

    `streams` are all that are configured, by name. Without `refetch` what is lost is left to the
    next download.
    """

    files: Files
    rows: Rows
    runs: Catalogue
    streams: Mapping[str, Stream]
    refetch: Refetch | None = None


class Tools(running.Tools, Protocol):
    """What a verification needs besides."""

    @property
    def lock(self) -> Lock:
        """Held only while something is changed: runs go on beside a verification."""
        ...

    def make_catalogue(self) -> None:
        """Make the catalogue if there is none; the lock is held."""
        ...

    def open(self, order: Order) -> AbstractContextManager[Ports]:
        """The adapters; leaving the `with` leaves nothing of them behind."""
        ...

    def tell(self, finding: Finding) -> None:
        """Show one thing that is wrong."""
        ...

    def show(self, so_far: SoFar) -> None:
        """Show how far it has come."""
        ...


@dataclass(frozen=True, slots=True)
class Verified:
    """How a verification ended: its record, what was counted, and the error that ended it."""

    run: RunRecord
    tally: Tally
    error: EndOfRun | None = None


def verify(order: Order, tools: Tools) -> Verified:
    """Compare the catalogue with the files, tell what is wrong, and repair it if asked to.

    Raises:
        LockHeldError: a run is going on, so nothing can be repaired; nothing was changed.
        ConfigError: there can be no safe lock.
        CatalogueError: no catalogue can be made.
    """
    if order.changes:
        with tools.lock.hold(order.wait_seconds):
            if order.rebuild:
                tools.make_catalogue()
    started_at = tools.now()
    run = RunRecord(run_id(started_at), VERB, started_at)
    # Without a repair nothing of the archive changes; but that it was verified is worth telling.
    return concluded(run, lambda: _go(order, tools, run), tools, writes_health=not order.dry_run)


def _go(order: Order, tools: Tools, run: RunRecord) -> Verified:
    tally = Tally()
    try:
        with refusals_told(), tools.open(order) as ports:
            return _Verification(order, ports, tools, run, tally).go()
    except END_OF_RUN as error:
        return Verified(failed(run, error, tools.now()), tally, error)


class _Verification:
    """One verification. `go` is the order in which things happen."""

    def __init__(
        self, order: Order, ports: Ports, tools: Tools, run: RunRecord, tally: Tally
    ) -> None:
        self._order = order
        self._ports = ports
        self._tools = tools
        self._run = run
        self._tally = tally
        self._repairs = Repairs(order, ports, tools, run.id)
        self._pace = Pace(order.bytes_per_second)
        self._pool = ThreadPoolExecutor(order.threads, thread_name_prefix=VERB)
        self._progress = _Progress(order, tools.show, tally)
        self._is_on_record = False
        self._good: list[Recorded] = []
        self._suspects: list[Capture] = []
        self._suspects_since = 0.0

    def go(self) -> Verified:
        """Compare, tell, repair; whatever happens, the run's row tells how it ended."""
        try:
            with refusals_told():
                self._begin_record()
                self._refuse()
                self._compare()
            # Inside, as its first step takes no more signals: one ends the run, or comes too late.
            return Verified(self._close(), self._tally)
        except END_OF_RUN as error:
            return Verified(self._close(error), self._tally, error)
        except BaseException as bug:
            self._close(bug)
            raise
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _begin_record(self) -> None:
        # Before it is so: a signal is taken notice of after the commit.
        self._is_on_record = not self._order.dry_run
        try:
            if self._is_on_record:
                self._ports.runs.begin_run(self._run.id, VERB, self._run.started_at)
        except CatalogueError:
            self._is_on_record = False
            raise

    def _refuse(self) -> None:
        """Compare nothing with an empty mount point, and rebuild nothing over what there is.

        Raises:
            StorageError: this is not the archive that the catalogue knows.
            UsageError: the catalogue is not one to be rebuilt.
        """
        captures, _ = self._progress.expect(*self._ports.rows.total(self._order.streams))
        if captures and not self._ports.files.is_there():
            raise StorageError(
                "the archive has neither camdl's marker nor any image, though the catalogue "
                f"knows of {captures} captures",
                advice="Mount the archive's disk, or correct download_dir.",
            )
        if self._order.rebuild and not self._ports.rows.is_of_verification_alone(VERB):
            raise UsageError(
                "the catalogue is not empty, so it is not rebuilt",
                advice="Register what it lacks with: camdl verify --repair",
            )

    def _compare(self) -> None:
        if self._order.is_slice:
            self._check(self._longest_unverified())
        else:
            # First: what lies in a wrong place may be what another place lacks.
            self._put_strays_right()
            for stream in self._streams():
                rows, files = self._ports.rows.of(stream), self._ports.files.captures(stream)
                self._check(side_by_side(rows, files))
        self._settle()
        self._mark_verified()

    def _streams(self) -> list[str]:
        """Those that have rows or files, in order."""
        here = {*self._ports.rows.streams(), *self._ports.files.places()}
        return sorted(here.intersection(self._order.streams) if self._order.streams else here)

    def _longest_unverified(self) -> Iterator[Pair]:
        """As many as the order allows, each with its file."""
        minutes = self._order.minutes
        deadline = Deadline.after(minutes * 60) if minutes is not None else None
        rows = self._ports.rows.longest_unverified(self._run.started_at, self._order.streams)
        rows = islice(rows, self._order.limit)
        if deadline:
            rows = takewhile(lambda _: not deadline.passed(), rows)
        return ((row, self._ports.files.look(row.capture.key)) for row in rows)

    def _put_strays_right(self) -> None:
        strays = self._ports.files.strays(self._order.streams or None)
        while some := list(islice(strays, _SUSPECTS)):
            self._tell(self._repairs.strays(some))

    def _check(self, pairs: Iterable[Pair]) -> None:
        """Compare each row with its file, and take for suspect what does not agree."""
        for (row, file), is_good in self._compared(pairs):
            if row:
                self._tally.checked += 1
            if row and file and is_good:
                self._take_as_good(row)
            elif capture := row.capture if row else Capture.from_key(file.key) if file else None:
                if self._order.rebuild and file:
                    self._pace.spend(file.size or 0)
                self._suspect(capture)
            self._progress.show()

    def _compared(self, pairs: Iterable[Pair]) -> Iterator[tuple[Pair, bool]]:
        """Each pair, in order, and whether it agrees; in many threads where files are read."""
        chunks = _chunks(pairs)
        if not self._order.full:
            yield from chain.from_iterable(map(self._agree, chunks))
            return
        waiting: deque[Future[list[tuple[Pair, bool]]]] = deque()
        for chunk in chunks:
            self._pace.spend(sum(file.size or 0 for _, file in chunk if file))
            waiting.append(self._pool.submit(self._agree, chunk))
            if len(waiting) > _AHEAD:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()

    def _agree(self, pairs: Sequence[Pair]) -> list[tuple[Pair, bool]]:
        return [(pair, self._agrees(*pair)) for pair in pairs]

    def _agrees(self, row: Recorded | None, file: FoundFile | None) -> bool:
        if row is None or file is None or not agrees(row, file):
            return False
        return not self._order.full or self._ports.files.sha256(row.key) == row.sha256

    def _take_as_good(self, row: Recorded) -> None:
        if self._order.full:
            self._tally.hashed += 1
            self._tally.bytes_hashed += row.size
            self._good.append(row)
            if len(self._good) >= _VERIFIED_BATCH:
                self._mark_verified()

    def _mark_verified(self) -> None:
        """Remember what was found to be as recorded, so that a next slice goes on from there."""
        if not self._order.dry_run:
            self._ports.rows.verified(self._good, self._tools.now())
        self._good = []

    def _suspect(self, capture: Capture) -> None:
        """Look at it again soon: a run may just have stored, replaced or deleted it."""
        if not self._suspects:
            self._suspects_since = time.monotonic()
        self._suspects.append(capture)
        age = time.monotonic() - self._suspects_since
        if len(self._suspects) >= _SUSPECTS or age > _SUSPECTS_SECONDS:
            self._settle()

    def _settle(self) -> None:
        suspects, self._suspects = self._suspects, []
        if not suspects:
            return
        if self._order.rebuild:
            registered, findings = self._repairs.register(suspects, self._pool.map)
            self._tally.registered += registered
        else:
            findings = self._repairs.captures(suspects)
        self._tell(findings)

    def _tell(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            self._tally.account(finding)
            planned = self._order.dry_run and self._order.repair
            self._tools.tell(replace(finding, remedy=PLANS[finding.kind]) if planned else finding)
        self._progress.show()

    def _close(self, error: BaseException | None = None) -> RunRecord:
        """Record how the verification ended, and what it had verified by then.

        Raises:
            CatalogueError: it cannot be recorded, and no `error` has to be told first.
        """
        self._tools.is_ending()
        now = self._tools.now()
        run = (
            _ended(self._run, self._tally, now) if error is None else failed(self._run, error, now)
        )
        if self._is_on_record:
            each_of([self._mark_verified, lambda: self._ports.runs.finish_run(run)], error)
        return run


class Pace:
    """Holds reading to so many bytes a second on average; None does not."""

    def __init__(
        self, bytes_per_second: float | None, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._rate = bytes_per_second
        self._sleep = sleep
        self._paid_at = time.monotonic()

    def spend(self, size: int) -> None:
        """Wait until what was read before is paid for, then owe `size` bytes more."""
        if self._rate is None:
            return
        now = time.monotonic()
        if self._paid_at > now:
            self._sleep(self._paid_at - now)
        self._paid_at = max(now, self._paid_at) + size / self._rate


class _Progress:
    """Shows how far it has come, a few times a second."""

    def __init__(self, order: Order, show: Callable[[SoFar], None], tally: Tally) -> None:
        self._order = order
        self._show = show
        self._tally = tally
        self._began = time.monotonic()
        self._shown_at = 0.0
        self._captures = 0
        self._bytes = 0

    def expect(self, captures: int, size: int) -> tuple[int, int]:
        """So many captures and bytes of files are ahead."""
        limit = self._order.limit
        if limit is not None and limit < captures:
            self._captures, self._bytes = limit, size * limit // captures
        else:
            self._captures, self._bytes = captures, size
        self._began = time.monotonic()
        return captures, size

    def show(self) -> None:
        """Show it, unless that has just been done."""
        now = time.monotonic()
        if now - self._shown_at < _PROGRESS_SECONDS:
            return
        self._shown_at = now
        done = self._tally.checked + self._tally.registered
        self._show(SoFar(done, self._captures, self._tally.findings, self._seconds_left(now)))

    def _seconds_left(self, now: float) -> float | None:
        elapsed = now - self._began
        if self._order.rebuild:
            return None
        if self._order.full:
            left = seconds_left(self._tally.bytes_hashed, self._bytes, elapsed)
        else:
            left = seconds_left(self._tally.checked, self._captures, elapsed)
        if self._order.minutes is None:
            return left
        until_deadline = max(0.0, self._order.minutes * 60 - elapsed)
        return until_deadline if left is None else min(left, until_deadline)


def _chunks(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    iterator = iter(pairs)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk


def _ended(run: RunRecord, tally: Tally, now: datetime) -> RunRecord:
    """`run`, which came to its end, with what its findings make of it."""
    outcome, code = (Outcome.PARTLY, ExitCode.PARTLY) if tally.left else (Outcome.OK, ExitCode.OK)
    error = tally.wrong() if tally.left else ""
    return replace(run, ended_at=now, outcome=outcome, exit_code=int(code), error=error)
