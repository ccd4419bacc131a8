"""What one would write in an hour: Playwright opens two pages and saves their images.

    python bare_script.py PAGE_URL… --to DIRECTORY --browser EXECUTABLE

No retries, no checks, no catalogue; the baseline of `run_cost.py`. It knows that the list of
captures comes as JSON, which camdl has to find out.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from playwright.async_api import async_playwright

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext


AT_ONCE = asyncio.Semaphore(8)  # as many as camdl, by default


async def main() -> None:
    """Open the pages side by side and save every image that their lists name."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pages", nargs="+")
    parser.add_argument("--to", type=Path)
    parser.add_argument("--browser")
    asked = parser.parse_args()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=asked.browser)
        context = await browser.new_context()
        await asyncio.gather(*(save(context, page, asked.to) for page in asked.pages))
        await browser.close()


async def save(context: BrowserContext, url: str, directory: Path) -> None:
    """Save the images of one page."""
    page = await context.new_page()
    async with page.expect_response(lambda answer: "day=" in answer.url) as expected:
        await page.goto(url)
    listing = await (await expected.value).json()
    images = [urljoin(url, capture["image"]) for capture in listing["captures"]]
    await asyncio.gather(*(fetch(context, image, directory) for image in images))


async def fetch(context: BrowserContext, url: str, directory: Path) -> None:
    """Save one image."""
    async with AT_ONCE:
        answer = await context.request.get(url)
        file = directory / url.rpartition("/")[2]
        file.write_bytes(await answer.body())


asyncio.run(main())
