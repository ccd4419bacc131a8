"""What holds for all that is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import logs

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def told() -> Iterator[None]:
    """Complaints come out on stderr, as in the program."""
    with logs.begun():
        yield
