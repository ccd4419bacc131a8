"""Where camdl is, and what is run there."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from camdl.domain.schedule import jobs
from camdl.scheduling.place import Place

DOWNLOAD, HEALTH, CLEANUP, VERIFY = jobs(10)


def test_a_command_names_its_configuration_only_if_it_must() -> None:
    """That of the whole machine is found by itself."""
    assert Place().command(DOWNLOAD) == ("/opt/camdl/bin/camdl", "download")
    elsewhere = Place(program=Path("/x"), config=Path("/etc/c.toml"))
    assert elsewhere.command(CLEANUP) == (
        *("/x", "cleanup", "--wait", "600"),
        *("--config", "/etc/c.toml"),
    )


def test_every_job_has_the_time_that_it_may_take() -> None:
    """A download its deadline and two minutes' waiting at least, the others what they ask for."""
    place = Place(deadline=timedelta(seconds=100))
    assert place.longest(DOWNLOAD) >= timedelta(seconds=100 + 120)
    assert place.longest(VERIFY) > timedelta(minutes=int(VERIFY.arguments[3]))
    assert place.longest(CLEANUP) > timedelta(seconds=int(CLEANUP.arguments[2]))
    assert place.longest(HEALTH) <= HEALTH.every
