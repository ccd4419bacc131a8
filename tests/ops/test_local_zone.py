"""The machine's time zone."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from camdl.ops.local_zone import local_zone

if TYPE_CHECKING:
    from pathlib import Path


def test_its_rules_are_read(tmp_path: Path) -> None:
    """Summer and winter have their own offsets, as in the zone that the machine was set to."""
    file = tmp_path / "localtime"
    file.write_bytes(resources.files("tzdata").joinpath("zoneinfo/Europe/Berlin").read_bytes())
    zone, there = local_zone(file), ZoneInfo("Europe/Berlin")
    for month in (1, 7):
        moment = datetime(2025, month, 8, 20, 30, tzinfo=UTC)
        assert moment.astimezone(zone).utcoffset() == moment.astimezone(there).utcoffset()


@pytest.mark.parametrize("content", [None, b"", b"no zone"])
def test_a_machine_without_one_is_in_utc(tmp_path: Path, content: bytes | None) -> None:
    """What is not there, or is nothing that can be read, is taken as those who start things do."""
    file = tmp_path / "localtime"
    if content is not None:
        file.write_bytes(content)
    assert local_zone(file) is UTC
