"""Keeps what a page looked like when nothing on it matched, for a person to look at."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from camdl.deadline import Deadline
    from camdl.sources.reading import Reading

_SECONDS = 5.0


class Diagnostics:
    """A directory of at most `kept` diagnoses, the newest."""

    def __init__(self, directory: Path, kept: int = 20) -> None:
        self._directory = directory
        self._kept = kept

    async def keep(
        self, stream: str, now: datetime, reading: Reading, deadline: Deadline
    ) -> Path | None:
        """Write the page's HTML, a screenshot and its requests; None if that was not possible.

        A diagnosis is a help, so nothing that goes wrong with it changes the run.
        """
        from playwright.async_api import Error

        place = self._directory / f"{now:%Y%m%dT%H%M%SZ}_{stream}"
        try:
            place.mkdir(parents=True, exist_ok=True)
            _write(place / "requests.txt", "\n".join([*reading.traffic.log, ""]))
            async with asyncio.timeout(min(_SECONDS, deadline.remaining())):
                await self._photograph(place, reading)
        except (OSError, TimeoutError, Error):
            return place if place.is_dir() else None
        finally:
            self._forget_the_oldest()
        return place

    async def _photograph(self, place: Path, reading: Reading) -> None:
        if reading.page is None:
            return
        _write(place / "page.html", await reading.page.content())
        await reading.page.screenshot(path=place / "screenshot.png")

    def _forget_the_oldest(self) -> None:
        found = sorted(self._directory.glob("[0-9]*T[0-9]*Z_*"))
        for old in found[: max(0, len(found) - self._kept)]:
            shutil.rmtree(old, ignore_errors=True)


def _write(file: Path, text: str) -> None:
    # A page's text may hold halves of characters, which are no Unicode.
    file.write_text(text, encoding="utf-8", errors="backslashreplace")
