"""Keeps what a page looked like when nothing on it matched, for a person to look at."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from camdl.sources.reading import Reading

_SECONDS = 10.0


class Diagnostics:
    """A directory of at most `kept` diagnoses, the newest."""

    def __init__(self, directory: Path, kept: int = 20) -> None:
        self._directory = directory
        self._kept = kept

    async def keep(self, stream: str, now: datetime, reading: Reading) -> Path | None:
        """Write the page's HTML, a screenshot and its requests; None if that was not possible.

        A diagnosis is a help, so nothing that goes wrong with it changes the run.
        """
        from playwright.async_api import Error

        place = self._directory / f"{now:%Y%m%dT%H%M%SZ}_{stream}"
        try:
            place.mkdir(parents=True, exist_ok=True)
            requests = "\n".join(reading.traffic.log)
            place.joinpath("requests.txt").write_text(requests + "\n", encoding="utf-8")
            async with asyncio.timeout(_SECONDS):
                await self._photograph(place, reading)
        except (OSError, TimeoutError, Error):
            return place if place.is_dir() else None
        finally:
            self._forget_the_oldest()
        return place

    async def _photograph(self, place: Path, reading: Reading) -> None:
        if reading.page is None:
            return
        html = await reading.page.content()
        place.joinpath("page.html").write_text(html, encoding="utf-8")
        await reading.page.screenshot(path=place / "screenshot.png")

    def _forget_the_oldest(self) -> None:
        found = sorted(self._directory.glob("[0-9]*T[0-9]*Z_*")) if self._kept else []
        for old in found[: -self._kept]:
            shutil.rmtree(old, ignore_errors=True)
