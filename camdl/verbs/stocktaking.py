"""Before and after a run: what the archive lacks, why, and which days the source is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from camdl.domain.gaps import gaps
from camdl.domain.ledger import (
    Evidence,
    days_to_ask,
    explain,
    kept,
    reconciled,
    settled_until,
)
from camdl.domain.windows import Window

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from camdl.domain.gaps import Gap
    from camdl.domain.sites import Stream
    from camdl.ports import Catalogue, Ledger

# Days of the site's zone begin up to so much before and after those of UTC.
_ZONES = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Stocktaking:
    """Looks `catch_up` back. Runs should start `run_every` apart."""

    ledger: Ledger
    catalogue: Catalogue
    catch_up: timedelta
    run_every: timedelta

    def days_to_ask(self, stream: Stream, now: datetime) -> tuple[date, ...]:
        """The days before the present one that are worth reading at `now`, newest first."""
        begins = self.ledger.begins(stream.name)
        instants = self.ledger.instants(stream.name, now - self.catch_up)
        start = _start(begins, instants, now - self.catch_up)
        evidence = self._evidence(stream, start)
        window = _to_look_at(start, now, evidence) if begins else None
        missing = _gaps(stream, instants, window, evidence) if window else []
        return days_to_ask(missing, begins, now, evidence, self.catch_up)

    def record(self, stream: Stream, now: datetime, since: datetime | None = None) -> None:
        """Bring the ledger up to what is known at `now`, from `since` (`catch_up` ago) on."""
        changed, gone = self._changes(stream, now, since)
        if changed or gone:
            self.ledger.replace_gaps(changed, gone, now)

    def gaps(self, stream: Stream, now: datetime) -> list[Gap]:
        """All gaps in the order of time, as the ledger would have them at `now`.

        Nothing is changed: if camdl does not run any more, nobody brings the ledger up to date.
        """
        changed, gone = self._changes(stream, now, None)
        gaps = {gap.window.start: gap for gap in self.ledger.gaps([stream.name], resolved=True)}
        for gap in gone:
            del gaps[gap.window.start]
        gaps |= {gap.window.start: gap for gap in changed}
        return [gaps[start] for start in sorted(gaps)]

    def _changes(
        self, stream: Stream, now: datetime, since: datetime | None
    ) -> tuple[list[Gap], list[Gap]]:
        """What the ledger lacks or has otherwise, and what it has and should not."""
        since = since or now - self.catch_up
        known = self.ledger.gaps([stream.name], since)
        # All of each, or what is left of one that reaches back further would take its place.
        since = min([since, *(gap.window.start for gap in known)])
        instants = self.ledger.instants(stream.name, since)
        begins = self.ledger.begins(stream.name)
        start = _start(begins, instants, since)
        evidence = self._evidence(stream, start)
        window = _to_look_at(start, now, evidence) if begins else None
        if window is None:
            return [], []
        found = kept(known, _gaps(stream, instants, window, evidence))
        resolved, replaced = reconciled(known, found, window, now)
        changed = [gap for gap in found if gap not in known]
        return [*changed, *resolved], replaced

    def _evidence(self, stream: Stream, since: datetime) -> Evidence:
        earlier = since - _ZONES
        return Evidence(
            attempts=self.ledger.attempts(stream.name, earlier),
            pending=self.catalogue.pending(stream.name, earlier),
            readings=self.ledger.readings(stream.name, earlier.date()),
            run_every=self.run_every,
            zone=stream.timezone,
        )


def _start(begins: datetime | None, instants: Sequence[datetime], since: datetime) -> datetime:
    """From when on gaps are looked for: `since`, or when captures began to be expected.

    That is at a capture, where there is one: how long ago the one before `since` was matters.
    """
    before = [instant for instant in instants if instant <= since]
    return max(filter(None, [begins, before[-1] if before else since]))


def _to_look_at(start: datetime, now: datetime, evidence: Evidence) -> Window | None:
    """What of the time from `start` to `now` can have gaps; None if none of it can."""
    until = settled_until(evidence.attempts, evidence.run_every, now)
    return Window(start, until) if start < until else None


def _gaps(
    stream: Stream, instants: Sequence[datetime], window: Window, evidence: Evidence
) -> list[Gap]:
    missing = gaps(instants, window, stream.interval, stream.closed)
    return [explain(stream.name, gap, stream.interval, evidence) for gap in missing]
