"""Hosts that ask to be left alone (`Retry-After`) are, by the next runs too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.support import invariants
from tests.support.http import RawServer, always, answer

if TYPE_CHECKING:
    from tests.support.gate import Gate
    from tests.support.program import Program

BUSY = answer("503 Service Unavailable", b"later", "Retry-After: 1800")


def rests(program: Program) -> list[tuple[str, str]]:
    """The origins that are to be left alone, and until when."""
    return invariants.rows(program.database, "SELECT origin, until FROM rests")


def test_a_page_that_asks_to_be_left_alone(program: Program, gate: Gate) -> None:
    """The next run does not ask it at all and says why; the one after its rest does."""
    with RawServer(always(BUSY)) as server:
        program.configure(
            f"""
            stream_names = ["in_gate"]
            [sites.busy]
            page = "{server.origin}/gate"
            image = "{gate.image}"
            [streams.in_gate]
            site = "busy"
            """
        )
        first = program.run("download")
        assert (first.returncode, len(server.requests)) == (1, 1)
        assert "503 Service Unavailable and asks to be left alone for 1800 s" in first.stderr
        ((origin, until),) = rests(program)
        assert origin == server.origin
        left = datetime.fromisoformat(until).replace(tzinfo=UTC) - datetime.now(UTC)
        assert timedelta(minutes=28) < left <= timedelta(minutes=30)
        second = program.run("download")
        assert (second.returncode, len(server.requests)) == (1, 1)
        assert "in_gate failed: 127.0.0.1 asks to be left alone for 17" in second.stderr
        assert program.run("download", at=datetime.now(UTC) + timedelta(hours=1)).returncode == 1
        assert len(server.requests) == 2
