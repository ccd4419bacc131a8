"""`camdl health`: judge the archive as it is now, from the catalogue and the disk alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from camdl import __version__
from camdl.domain.assessment import Facts, Fault, StreamFacts, assess
from camdl.domain.health import Database, Thresholds
from camdl.errors import CatalogueError, ConfigError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime, timedelta

    from camdl.domain.health import DiskUsage, Health
    from camdl.domain.outcomes import RunRecord, StreamHistory
    from camdl.domain.sites import Stream
    from camdl.errors import CamdlError
    from camdl.ports import Catalogue

# As many as tell for how long a stream has been asked for in vain.
_RUNS = 20


def health(
    open_catalogue: Callable[[], Catalogue | None],
    disk_usage: Callable[[], DiskUsage] | None,
    streams: Sequence[Stream],
    *,
    interval: timedelta,
    now: datetime,
    thresholds: Thresholds | None = None,
    browser_note: str = "",
    last_run: RunRecord | None = None,
) -> Health:
    """The verdict at `now`; what cannot be looked at becomes part of it.

    `open_catalogue` gives None if there is no catalogue yet, and closing it is its owner's part.
    `disk_usage` is None if the archive is on no disk. Runs should start `interval` apart.
    `last_run` has just ended; the catalogue may not tell how.
    """
    known = _Known(open_catalogue, streams)
    facts = Facts(
        version=__version__,
        streams=tuple(
            StreamFacts(stream.name, stream.interval, known.histories.get(stream.name))
            for stream in streams
        ),
        runs=_with(last_run, known.runs),
        interval=interval,
        database=known.database,
        database_fault=known.fault,
        disk=_look(disk_usage) if disk_usage else None,
        thresholds=thresholds or Thresholds(),
        browser_note=browser_note,
    )
    return assess(facts, now)


def _with(last_run: RunRecord | None, runs: tuple[RunRecord, ...]) -> tuple[RunRecord, ...]:
    # Another verb's tells nothing of what `runs` are.
    if last_run is None or last_run.verb != "download":
        return runs
    return (last_run, *(run for run in runs if run.id != last_run.id))


class _Known:
    """What the catalogue tells, as far as it can be read."""

    def __init__(
        self, open_catalogue: Callable[[], Catalogue | None], streams: Sequence[Stream]
    ) -> None:
        self.database = Database.CONNECTED
        self.fault: Fault | None = None
        self.runs: tuple[RunRecord, ...] = ()
        self.histories: dict[str, StreamHistory] = {}
        try:
            self._read(open_catalogue(), streams)
        except (CatalogueError, ConfigError) as error:
            self.database, self.fault = Database.DISCONNECTED, _fault(error)

    def _read(self, catalogue: Catalogue | None, streams: Sequence[Stream]) -> None:
        if catalogue is None:
            self.database = Database.ABSENT
            return
        self.runs = catalogue.last_runs("download", _RUNS)
        for stream in streams:
            self.histories[stream.name] = catalogue.stream_history(stream.name)


def _look(disk_usage: Callable[[], DiskUsage]) -> DiskUsage | Fault:
    try:
        return disk_usage()
    except StorageError as error:
        return _fault(error)


def _fault(error: CamdlError) -> Fault:
    return Fault(str(error), error.advice)
