"""The tables of the catalogue as this version reads and writes them.

The migrations make them; a test holds the two together.
"""

from __future__ import annotations

import re
from datetime import UTC
from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

from camdl.domain.captures import utc

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Dialect

# The newest migration: what the version table of a database says that these tables are in.
SCHEMA = "0004"

_REFUSED = re.compile(r"[\0\ud800-\udfff]")


class Instant(TypeDecorator["datetime"]):
    """An instant: aware, and UTC in both directions.

    SQLite keeps no time zones, so there the column holds UTC without saying so.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive time: nobody knows which instant it means."""
        if value is None:
            return None
        moment = utc(value)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Say that it is UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Words(TypeDecorator[str]):
    """Text of any length, with what some databases refuse written out.

    A page may bring anything in a URL, and one such text must not end a run.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write out NUL, and halves of characters that no encoding has."""
        return value and _REFUSED.sub(lambda one: one[0].encode("unicode_escape").decode(), value)


def _name(length: int) -> String:
    """A short text that others are found and ordered by.

    In the order of its characters, as Python and SQLite have it: PostgreSQL would have it as the
    language of a database does, and that may change with its operating system's next version.
    """
    return String(length).with_variant(String(length, collation="C"), "postgresql")


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

runs = Table(
    "runs",
    metadata,
    Column("id", _name(40), primary_key=True),
    Column("verb", _name(20), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),  # none: it goes on, or it was killed
    Column("outcome", _name(20)),
    Column("exit_code", Integer),
    Column("error", Words, nullable=False, default=""),
    Column("clock_offset_seconds", Float),  # how far our clock was ahead; none: nothing told
    Index(None, "verb", "started_at"),
)

stream_results = Table(
    "stream_results",
    metadata,
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("stream", _name(64), primary_key=True),
    Column("outcome", _name(20), nullable=False),
    Column("listed", Integer, nullable=False),
    Column("new", Integer, nullable=False),
    Column("saved", Integer, nullable=False),
    Column("duplicate", Integer, nullable=False),
    Column("rejected", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("newest", Instant),
    Column("seconds", Float, nullable=False),
    Column("reason", Words, nullable=False),
    Column("unreachable", Boolean, nullable=False),
    Column("deleted", Integer, nullable=False),
    Column("freed_bytes", BigInteger, nullable=False),
    Column("saved_bytes", BigInteger, nullable=False),
    Index(None, "stream", "run_id"),
)

# How often what kind of thing failed in a stream's part of a run.
failures = Table(
    "failures",
    metadata,
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("stream", _name(64), primary_key=True),
    Column("kind", _name(20), primary_key=True),
    Column("times", Integer, nullable=False),
)

# Sums that would take long to make, and that outlive the rows they are of: each is kept in the
# transaction that changes those.
totals = Table(
    "totals",
    metadata,
    Column("name", _name(20), primary_key=True),
    Column("subject", _name(64), primary_key=True),  # a stream, or the verb of runs
    Column("kind", _name(20), primary_key=True),  # empty where there is but one
    Column("amount", BigInteger, nullable=False),
)

captures = Table(
    "captures",
    metadata,
    Column("stream", _name(64), primary_key=True),
    Column("captured_at", Instant, primary_key=True),
    Column("key", _name(255), nullable=False),
    Column("sha256", _name(64), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("source_url", Words, nullable=False),
    Column("fetched_at", Instant, nullable=False),
    Column("run_id", _name(40), nullable=False),  # may outlive the run's row
    Column("verified_at", Instant),  # when its file was last found to be as recorded
)

# What a source has listed and the archive lacks.
pending = Table(
    "pending",
    metadata,
    Column("stream", _name(64), primary_key=True),
    Column("captured_at", Instant, primary_key=True),
    Column("url", Words, nullable=False),
    Column("reason", Words, nullable=False),  # empty: no run has asked for the image yet
    Column("listed_at", Instant, nullable=False),  # when a run first saw it
    Column("not_before", Instant),  # the source asked to be left alone until then
    Column("rejected", Boolean, nullable=False),  # what came was no image
)

# Captures that nothing may delete, by stream and time.
pins = Table(
    "pins",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("stream", _name(64), nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("note", Words, nullable=False),
    Column("pinned_at", Instant, nullable=False),
)

# Captures that are being deleted: their rows are gone from `captures`, their files may be there.
doomed = Table(
    "doomed",
    metadata,
    Column("key", _name(255), primary_key=True),
    Column("stream", _name(64), nullable=False),
    Column("captured_at", Instant, nullable=False),
)

# Before that time captures were deleted on purpose: their absence is no gap.
horizons = Table(
    "horizons",
    metadata,
    Column("stream", _name(64), primary_key=True),
    Column("kept_since", Instant, nullable=False),
)

# The last time that a source told all the captures of a day, of the site's own time zone.
readings = Table(
    "readings",
    metadata,
    Column("stream", _name(64), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("read_at", Instant, nullable=False),
    Column("listed", Integer, nullable=False),
)

gaps = Table(
    "gaps",
    metadata,
    Column("stream", _name(64), primary_key=True),
    Column("starts_at", Instant, primary_key=True),
    Column("ends_at", Instant, nullable=False),
    Column("missing", Integer, nullable=False),
    Column("cause", _name(20), nullable=False),
    Column("detail", Words, nullable=False),
    Column("found_at", Instant, nullable=False),
    Column("confirmed_at", Instant),  # the source has nothing there
    Column("resolved_at", Instant),  # the archive has it now
)

# Sources that asked to be left alone, until when.
rests = Table(
    "rests",
    metadata,
    # A host's name alone may have 253 characters.
    Column("origin", String(255).with_variant(Text(collation="C"), "postgresql"), primary_key=True),
    Column("until", Instant, nullable=False),
)

# What is remembered of each subject of alerts that is not simply well.
standings = Table(
    "standings",
    metadata,
    Column("subject", _name(100), primary_key=True),
    Column("seen_at", Instant, nullable=False),
    Column("counted_at", Instant, nullable=False),
    Column("bad", Integer, nullable=False),
    Column("good", Integer, nullable=False),
    Column("since", Instant),
    Column("alerted_at", Instant),  # none: nobody was told that it is bad
    Column("told_at", Instant),
    Column("recovered_at", Instant),
    Column("relapses", Integer, nullable=False),
)

# What people were told, or are to be told.
notices = Table(
    "notices",
    metadata,
    Column("id", _name(40), primary_key=True),
    Column("kind", _name(20), nullable=False),
    Column("at", Instant, nullable=False),
    Column("title", Words, nullable=False),
    Column("body", Words, nullable=False),
    Column("items", Words, nullable=False),  # JSON
)

# By which ways each notice goes out, and what became of that.
parcels = Table(
    "parcels",
    metadata,
    Column("notice_id", ForeignKey("notices.id", ondelete="CASCADE"), primary_key=True),
    Column("channel", _name(40), primary_key=True),
    Column("tries", Integer, nullable=False),  # those in vain
    Column("claimed_until", Instant),  # until then a process is sending it, if it lives
    Column("sent_at", Instant),
    Column("answer", Words, nullable=False),
)
