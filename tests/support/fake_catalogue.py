"""A catalogue in plain Python: what the rows of the real one mean."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from camdl.domain.captures import utc
from camdl.domain.outcomes import (
    ClockReading,
    Duplicate,
    Failed,
    JobHistory,
    Outcome,
    PendingCapture,
    Rejected,
    RunRecord,
    Saved,
    StreamHistory,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from camdl.domain.captures import Capture, ListedCapture
    from camdl.domain.outcomes import ImageOutcome, StoredImage, StreamResult
    from camdl.errors import CatalogueError


class FakeCatalogue:
    """Implements `camdl.ports.Catalogue`.

    `images` are the archived captures, `missing` the pending ones, `runs` the runs by their ids.
    Once `fault` is set, it cannot be used.
    """

    def __init__(self) -> None:
        self.images: dict[Capture, StoredImage] = {}
        self.missing: dict[Capture, PendingCapture] = {}
        self.runs: dict[str, RunRecord] = {}
        self.fault: CatalogueError | None = None

    def begin_run(self, run_id: str, verb: str, started_at: datetime) -> None:
        """Keep that it has begun."""
        self._fail()
        self.runs[run_id] = RunRecord(run_id, verb, utc(started_at))

    def finish_run(self, run: RunRecord) -> None:
        """Keep how it has ended."""
        self._fail()
        self.runs[run.id] = replace(
            run,
            verb=self.runs[run.id].verb,
            started_at=self.runs[run.id].started_at,
            ended_at=_utc(run.ended_at),
            streams=tuple(
                replace(one, newest=_utc(one.newest), failures=tuple(sorted(one.failures)))
                for one in sorted(run.streams, key=lambda one: one.stream)
            ),
        )

    def newest(self, stream: str) -> datetime | None:
        """The newest archived capture's instant."""
        self._fail()
        instants = [one.captured_at for one in self.images if one.stream == stream]
        return max(instants, default=None)

    def archived(self, captures: Sequence[Capture]) -> frozenset[Capture]:
        """Those of `captures` that are archived."""
        self._fail()
        return frozenset(captures) & self.images.keys()

    def pending(self, stream: str, since: datetime) -> tuple[PendingCapture, ...]:
        """What was listed since `since` and is not archived, newest first."""
        self._fail()
        since = utc(since)
        return tuple(
            self.missing[capture]
            for capture in sorted(self.missing.keys() - self.images.keys(), reverse=True)
            if capture.stream == stream and capture.captured_at >= since
        )

    def record(
        self,
        run_id: str,
        outcomes: Iterable[tuple[ListedCapture, ImageOutcome | None]],
        now: datetime,
    ) -> None:
        """Keep what became of images, of all of them or of none."""
        outcomes = list(outcomes)
        self._fail()
        utc(now)
        images, missing = dict(self.images), dict(self.missing)
        for _, outcome in outcomes:
            if isinstance(outcome, Saved | Duplicate):
                utc(outcome.image.fetched_at)
                images.setdefault(outcome.image.capture, outcome.image)
                missing.pop(outcome.image.capture, None)
        for listed, outcome in outcomes:
            capture = listed.capture
            if outcome is None:
                fresh = PendingCapture(listed, "")
                missing[capture] = replace(missing.get(capture, fresh), listed=listed)
            elif not isinstance(outcome, Saved | Duplicate):
                not_before = outcome.not_before if isinstance(outcome, Failed) else None
                rejected = isinstance(outcome, Rejected)
                missing[capture] = PendingCapture(
                    listed, outcome.reason, _utc(not_before), rejected
                )
        self.images, self.missing = images, missing

    def last_runs(
        self, verb: str | None, limit: int, *, only_bad: bool = False
    ) -> tuple[RunRecord, ...]:
        """The newest runs of `verb`, or of any, newest first; those that did not end ok alone."""
        self._fail()
        found = [
            run
            for run in self.runs.values()
            if verb in (None, run.verb) and not (only_bad and run.outcome is Outcome.OK)
        ]
        return tuple(sorted(found, key=lambda run: (run.started_at, run.id), reverse=True)[:limit])

    def job_history(self, verb: str) -> JobHistory:
        """The newest run, the newest that has ended, and when the newest good one began."""
        newest = self.last_runs(verb, len(self.runs))
        if not newest:
            return JobHistory()
        ended = next((run for run in newest if run.ended_at is not None), None)
        good = next((run.started_at for run in newest if run.outcome is Outcome.OK), None)
        if ended is not None and ended.outcome is Outcome.OK:
            ended = replace(ended, streams=())
        return JobHistory(replace(newest[0], streams=()), ended, good)

    def first_run(self) -> datetime | None:
        """When the first run began."""
        self._fail()
        return min((run.started_at for run in self.runs.values()), default=None)

    def clock_reading(self) -> ClockReading | None:
        """How our clock stood in the last download that could tell."""
        for run in self.last_runs("download", len(self.runs)):
            if run.clock_offset_seconds is not None:
                return ClockReading(run.clock_offset_seconds, run.started_at)
        return None

    def stream_history(self, stream: str) -> StreamHistory:
        """The newest capture, and the failures since the stream was last listed."""
        failures: list[StreamResult] = []
        asked: list[datetime] = []
        for run in sorted(self.runs.values(), key=lambda run: run.started_at):
            for result in run.streams if run.verb == "download" else ():
                if result.stream == stream:
                    asked.append(run.started_at)
                if result.stream != stream or result.outcome is Outcome.INTERRUPTED:
                    continue
                failures = [*failures, result] if result.outcome is Outcome.FAILED else []
        reason = failures[-1].reason if failures else ""
        newest = self.newest(stream)
        asked_since = min(asked, default=None) if newest is None else None
        return StreamHistory(stream, newest, len(failures), reason, asked_since)

    def _fail(self) -> None:
        if self.fault:
            raise self.fault


def _utc(moment: datetime | None) -> datetime | None:
    return moment and utc(moment)
