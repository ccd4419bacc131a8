"""The verdict, and what else can be counted, as Prometheus reads it.

Names follow its conventions: base units, `_total` for what only grows. Labels have few values:
streams, sites and checks of the configuration, and kinds, outcomes and verbs of the program.
Import it late: the client takes time to load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from camdl.domain.failures import FailureKind
from camdl.domain.gaps import State
from camdl.domain.health import Database, Status, exit_code
from camdl.domain.outcomes import Outcome
from camdl.domain.totals import Name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime, timedelta

    from prometheus_client import Metric

    from camdl.domain.figures import Figures
    from camdl.domain.health import Health, StreamHealth

    Sample = tuple[tuple[str, ...], float | None]


def text(health: Health, figures: Figures | None) -> str:
    """All metrics in Prometheus's text format. What is not known, or None, is left out."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Archive(health, figures))
    return generate_latest(registry).decode()


class _Archive(Collector):
    """Every metric there is, in the order in which they are told."""

    def __init__(self, health: Health, figures: Figures | None) -> None:
        self._health = health
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """All of them; those without a sample are left out."""
        for family in (*self._whole(), *self._runs(), *self._streams(), *self._counts()):
            if family.samples:
                yield family

    def _whole(self) -> Iterator[Metric]:
        health, disk = self._health, self._health.disk
        yield _gauge(
            "build_info", "The program that wrote this.", [((health.version,), 1)], "version"
        )
        yield _gauge(
            "health_timestamp_seconds",
            "When the archive was looked at.",
            [((), health.timestamp.timestamp())],
        )
        yield _gauge(
            "status",
            "The verdict on the whole archive: 1 for what it is.",
            [((str(one),), one is health.status) for one in Status],
            "status",
        )
        yield _gauge(
            "check_status",
            "Each check: 0 healthy, 1 warning or degraded, 2 critical, 3 unknown.",
            [((check.name,), exit_code(check.status)) for check in health.checks],
            "check",
        )
        yield _gauge(
            "database_up",
            "Whether the catalogue can be read.",
            [((), health.database is Database.CONNECTED)],
        )
        yield _gauge(
            "disk_used_ratio",
            "How much of the archive's file system is used, from 0 to 1.",
            [((), disk.percent / 100 if disk else None)],
        )
        yield _gauge(
            "disk_free_bytes",
            "What is free on the archive's file system, for a normal user.",
            [((), disk.free_bytes if disk else None)],
        )
        yield _gauge(
            "disk_inodes_used_ratio",
            "How many of the inodes of the archive's file system are used, from 0 to 1.",
            [((), disk.inodes_percent / 100 if disk else None)],
        )
        yield _gauge(
            "clock_offset_seconds",
            "How far this machine's clock was ahead of the source's, as the last run could tell.",
            [((), health.clock.seconds if health.clock else None)],
        )
        held = health.timestamp - health.lock.since if health.lock else None
        yield _gauge(
            "lock_held_seconds",
            "For how long the run that goes on has held the lock; 0 if none does.",
            [((), max(0.0, held.total_seconds()) if held else 0)],
        )

    def _runs(self) -> Iterator[Metric]:
        jobs = [job for job in self._health.jobs if job.id != "health"]
        yield _gauge(
            "run_interval_seconds",
            "How often runs should start.",
            [((job.id,), _seconds(job.every)) for job in jobs],
            "verb",
        )
        yield _gauge(
            "run_last_start_timestamp_seconds",
            "When the last run began.",
            [((job.id,), _timestamp(job.last_run)) for job in jobs],
            "verb",
        )
        yield _gauge(
            "run_last_success_timestamp_seconds",
            "When the last run began that did all it was to do.",
            [((job.id,), _timestamp(job.last_good_run)) for job in jobs],
            "verb",
        )
        yield _gauge(
            "run_last_duration_seconds",
            "How long the last run took that has ended.",
            [((job.id,), job.last_seconds) for job in jobs],
            "verb",
        )

    def _streams(self) -> Iterator[Metric]:
        streams = self._health.streams
        yield _of_streams(
            "stream_newest_capture_timestamp_seconds",
            "When the newest archived capture was taken.",
            [(stream, _timestamp(stream.newest)) for stream in streams],
        )
        yield _of_streams(
            "stream_open_age_seconds",
            "How old the newest archived capture was, less the hours in which the gate is closed.",
            [(stream, _seconds(stream.open_age)) for stream in streams],
        )
        yield _of_streams(
            "stream_interval_seconds",
            "How far apart new captures should be.",
            [(stream, _seconds(stream.interval)) for stream in streams],
        )
        yield _of_streams(
            "stream_consecutive_failures",
            "How many runs in a row could not list the stream.",
            [(stream, stream.consecutive_failures) for stream in streams],
        )

    def _counts(self) -> Iterator[Metric]:
        if self._figures is None:
            return
        figures = self._figures
        yield _counter(
            "runs",
            "Runs that have ended, by how.",
            [
                ((verb, outcome), figures.total(Name.RUNS, verb, outcome))
                for verb in figures.subjects(Name.RUNS)
                for outcome in Outcome
            ],
            "verb",
            "outcome",
        )
        names = sorted({*figures.subjects(*_OF_STREAMS), *(s.name for s in self._health.streams)})
        for name, (metric, told) in _OF_STREAMS.items():
            family = _gauge if name in (Name.CAPTURES, Name.BYTES) else _counter
            yield family(
                metric, told, [((one,), figures.total(name, one)) for one in names], "stream"
            )
        yield _counter(
            "failures",
            "What failed in runs, by kind: each image, and each listing.",
            [
                ((stream, kind), figures.total(Name.FAILURES, stream, kind))
                for stream in names
                for kind in FailureKind
            ],
            "stream",
            "kind",
        )
        yield _gauge(
            "pending_captures",
            "Captures that were listed and are not archived.",
            [((stream,), figures.pending.get(stream, 0)) for stream in names],
            "stream",
        )
        gaps = {(one.stream, one.state): one for one in figures.gaps}
        places = [(stream, state) for stream in names for state in (State.OPEN, State.CONFIRMED)]
        yield _gauge(
            "gaps",
            "Gaps that may still be filled (open), or that the source has nothing for (confirmed).",
            [(at, gaps[at].number if at in gaps else 0) for at in places],
            "stream",
            "state",
        )
        yield _gauge(
            "gap_captures",
            "How many captures these gaps lack.",
            [(at, gaps[at].missing if at in gaps else 0) for at in places],
            "stream",
            "state",
        )


_OF_STREAMS = {
    Name.CAPTURES: ("archive_captures", "Captures in the archive."),
    Name.BYTES: ("archive_bytes", "What their files come to."),
    Name.ADDED: ("captures_added", "Captures that came into the archive."),
    Name.ADDED_BYTES: ("captures_added_bytes", "What their files came to."),
    Name.DELETED: ("captures_deleted", "Captures that clean-up has deleted."),
    Name.DELETED_BYTES: ("captures_deleted_bytes", "What their files came to."),
    Name.LOST: ("captures_lost", "Captures that a verification found to be gone or broken."),
}


def _gauge(name: str, told: str, samples: Iterable[Sample], *labels: str) -> Metric:
    return _filled(GaugeMetricFamily(f"camdl_{name}", told, labels=labels), samples)


def _counter(name: str, told: str, samples: Iterable[Sample], *labels: str) -> Metric:
    return _filled(CounterMetricFamily(f"camdl_{name}", told, labels=labels), samples)


def _of_streams(
    name: str, told: str, values: Sequence[tuple[StreamHealth, float | None]]
) -> Metric:
    samples = [((stream.name, stream.site), value) for stream, value in values]
    return _gauge(name, told, samples, "stream", "site")


def _filled(family: GaugeMetricFamily | CounterMetricFamily, samples: Iterable[Sample]) -> Metric:
    for labels, value in samples:
        if value is not None:
            family.add_metric([str(label) for label in labels], float(value))
    return family


def _timestamp(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else length.total_seconds()
