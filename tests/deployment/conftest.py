"""A machine of its own, with a gate site in its network and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from camdl.demo.run import site_config
from tests.support.gate import Gate
from tests.support.installation import Installation
from tests.support.machine import Machine
from tests.support.network import Network
from tests.support.root import tmpfs
from tests.support.systemd import Systemd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What was archived is small; the rest is a database and a journal.
_SIZE = "size=400m"


@pytest.fixture
def network() -> Iterator[Network]:
    """A network in which there is only what the test puts there."""
    with Network() as network:
        yield network


@pytest.fixture
def gate(network: Network) -> Iterator[Gate]:
    """The site, whose two cameras have taken two pictures each."""
    site = Gate()
    network.call(site.__enter__)
    site.take(5, 15)
    yield site
    site.__exit__()


@pytest.fixture
def machine(tmp_path: Path, network: Network, gate: Gate) -> Iterator[Machine]:
    """A machine that is off, and has a configuration for the site."""
    with tmpfs(tmp_path / "machine", _SIZE):
        machine = Machine(tmp_path / "machine", network)
        settings = "max_retries = 1\nretry_delay_seconds = 0\ntimeout = 20\n"
        machine.write("/etc/camdl/config.toml", settings + site_config(gate))
        try:
            yield machine
        finally:
            machine.stop()


@pytest.fixture
def systemd(machine: Machine) -> Systemd:
    """systemd, which has just started."""
    found = Systemd(machine)
    found.boot()
    return found


@pytest.fixture
def camdl(machine: Machine, systemd: Systemd) -> Iterator[Installation]:
    """camdl, which systemd starts; it is sound at the end, whatever has happened to it."""
    installation = Installation(machine)
    installation.schedule("install", "--systemd")
    yield installation
    installation.is_sound()
