"""What an examination finds."""

from __future__ import annotations

from camdl.domain.examination import Examined, Grade, bad, fine, note, worst


def test_the_worst_counts() -> None:
    """A check is as bad as the worst that it found; one that found nothing is fine."""
    assert Examined("a", (fine("1"), bad("2"), note("3")), 0.1).grade is Grade.BAD
    assert Examined("a", (fine("1"), note("3")), 0.1).grade is Grade.NOTE
    assert Examined("a", (), 0.1).grade is Grade.FINE
    assert worst([]) is Grade.FINE


def test_findings_say_what_to_do() -> None:
    """What is fine needs nothing."""
    assert (fine("1").grade, fine("1").remedy) == (Grade.FINE, "")
    assert (note("1", "a").grade, note("1", "a").remedy) == (Grade.NOTE, "a")
    assert (bad("1", "a").grade, bad("1", "a").remedy) == (Grade.BAD, "a")
