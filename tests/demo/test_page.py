"""The demo site's page in a real browser."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from camdl.demo.frames import frame
from camdl.demo.schedule import captures
from camdl.demo.site import LIVE, GateSite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

NOW = datetime(2025, 9, 8, 20, 30, tzinfo=UTC)
PLACES = "#history figure"
THUMBNAILS = "#history img"
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def browser_executable() -> str:
    """The browser of `$CAMDL_BROWSER_EXECUTABLE`, else the system's."""
    chosen = os.environ.get("CAMDL_BROWSER_EXECUTABLE")
    found = chosen or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.fail(f"no browser: set CAMDL_BROWSER_EXECUTABLE or install one of {BROWSERS}")
    return found


@pytest.fixture(scope="module")
def site() -> Iterator[GateSite]:
    """The site at `NOW`, with a list that takes its time."""
    with GateSite(("in_gate", "out_gate"), frame, lambda: NOW) as up:
        yield up


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page of a real browser, 800 pixels high."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_executable(), chromium_sandbox=os.geteuid() != 0
        )
        yield browser.new_page(viewport={"width": 1280, "height": 800}, timezone_id="UTC")
        browser.close()


def newest_shown(page: Page) -> str:
    """The instant of the history's first place."""
    return page.locator(f"{PLACES} time").first.get_attribute("datetime") or ""


def await_history(page: Page, places: int) -> None:
    """Wait until the history has so many places."""
    page.wait_for_function(f"document.querySelectorAll('{PLACES}').length === {places}")


def test_thumbnails_exist_only_once_they_were_scrolled_into_view(
    site: GateSite, page: Page
) -> None:
    """The history has a place for each capture of the day, but few images until one scrolls."""
    taken = [moment for moment in captures("in_gate", NOW.date()) if moment <= NOW]
    page.goto(site.page.format(stream="in_gate"))
    await_history(page, len(taken))
    page.locator(THUMBNAILS).first.wait_for()
    assert newest_shown(page) == taken[-1].isoformat()
    assert page.locator(THUMBNAILS).count() < len(taken) / 2
    for place in range(0, len(taken), 5):
        page.locator(PLACES).nth(place).scroll_into_view_if_needed()
        page.locator(f"{PLACES}:nth-child({place + 1}) img").wait_for()
    page.locator(PLACES).last.scroll_into_view_if_needed()
    page.wait_for_function(f"document.querySelectorAll('{THUMBNAILS}').length === {len(taken)}")


def test_live_strip_shows_the_last_captures(site: GateSite, page: Page) -> None:
    """Four images of 300x169 that really load."""
    page.goto(site.page.format(stream="out_gate"))
    strip = page.locator("#live img")
    strip.nth(LIVE - 1).wait_for()
    assert strip.count() == LIVE
    page.wait_for_function(
        "[...document.querySelectorAll('#live img')].every(i => i.naturalWidth === 300)"
    )
    assert page.title() == "Demo gate: out gate"


def test_choosing_a_day_swaps_the_history(site: GateSite, page: Page) -> None:
    """The day before shows its 144 captures, at the same URL."""
    url = site.page.format(stream="in_gate")
    page.goto(url)
    page.locator(PLACES).first.wait_for()
    page.locator("#day").fill("2025-09-07")
    await_history(page, 144)
    assert newest_shown(page).startswith("2025-09-07T23:5")
    assert page.url == url


def test_unknown_stream_is_told_on_the_page(site: GateSite, page: Page) -> None:
    """A person sees why there is nothing."""
    page.goto(site.page.format(stream="none"))
    note = page.locator("#note", has_text="there is no stream 'none'")
    note.wait_for()
    assert page.locator(PLACES).count() == 0


def test_thumbnail_opens_the_full_image(site: GateSite, page: Page) -> None:
    """A click shows the picture in its full width."""
    page.goto(site.page.format(stream="in_gate"))
    page.locator(PLACES).first.click()
    page.wait_for_function("document.querySelector('#large img').naturalWidth === 1200")
    assert page.locator("#large").is_visible()
