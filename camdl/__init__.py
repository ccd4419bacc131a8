"""camdl archives terminal gate cameras: a stateless, single-shot collector that cron starts.

One direction, once through, no way back:

    lock → known captures (catalogue) → listing (source) → new ones only
         → fetch → validate → store (archive) → record (catalogue) → health → exit code

Read `camdl.verbs.download` first; it reads like that line. `camdl.ports` holds the seams it works
through and `camdl.wiring` chooses what stands behind them. `camdl.domain` is pure: it holds the
words (capture, listing, outcome) and the decisions. Everything that touches the world is an
adapter: `sources` read pages, `fetching` gets images, `archive` keeps files, `catalogue` keeps
rows, `ops` holds the lock and writes `.health`, `notifying` tells people, `scheduling` has systemd
or cron start the runs. Adapters never import each other.

Each stage's result is the only thing the next stage takes: the archive stores a `ValidImage`,
never bytes. Images are stored before they are recorded, so no row points at a missing file; their
names follow from stream and time, so the next run repairs what a crash left between the two.
One image or stream that fails is a value and stops no other; only faults of the run are raised.

Before and after a run the ledger is brought up to date: what the archive lacks and why
(`camdl.verbs.stocktaking`). The source is asked for the days with gaps that it has not confirmed,
so a run catches up by itself. What is deleted leaves the catalogue first, on a list of what is
doomed, then the disk, then the list (`camdl.verbs.cleanup`): no crash makes a row lie.

Last of all, people are told what a run has changed (`camdl.verbs.announcing`), from a book that
spans processes (`camdl.domain.alerts`): once when something turns bad, once when it is well.
"""

__version__ = "0.1.0"
