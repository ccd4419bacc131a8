"""Pages built with the widget libraries of such sites, in a real browser."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import pytest

from camdl.sources.browser import find
from tests.support.pages.gate import Look, VueSite
from tests.support.pages.listing import read, whole

if TYPE_CHECKING:
    Widgets = Literal["element-ui", "element-plus"]
    Delivery = Literal["json", "inline", "packed"]
    Scrolls = Literal["document", "box"]

# The last second of a day, so that all of its 144 captures have been taken.
NOW = datetime(2025, 9, 8, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize("delivery", ["json", "inline", "packed"])
@pytest.mark.parametrize(
    ("lazy", "scrolls"), [(False, "document"), (True, "document"), (True, "box")]
)
@pytest.mark.parametrize("widgets", ["element-ui", "element-plus"])
def test_every_capture_of_a_day_is_listed(
    widgets: Widgets, lazy: bool, scrolls: Scrolls, delivery: Delivery
) -> None:
    """All 144 captures come with their full-size URLs, and no image is asked of the site."""
    with VueSite(Look(widgets, lazy=lazy, scrolls=scrolls, delivery=delivery), NOW) as site:
        listed = whole(read(site.stream, NOW))
        assert len(listed) == 144
        assert listed == site.urls(site.of_day(NOW.date()))
        assert site.cdn.connections == 0


@pytest.mark.parametrize("widgets", ["element-ui", "element-plus"])
def test_lazy_page_shows_few_images_to_who_does_not_scroll(widgets: Widgets) -> None:
    """The page that the listing is tested with holds most images back, as real ones do."""
    from playwright.sync_api import sync_playwright

    look = Look(widgets, lazy=True, scrolls="box", delivery="packed")
    with VueSite(look, NOW) as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find().executable, chromium_sandbox=os.geteuid() != 0
        )
        page = browser.new_page(viewport={"width": 1600, "height": 3200})
        asked: set[str] = set()
        page.on("request", lambda request: asked.add(request.url))
        page.goto(site.stream.page)
        page.locator(".thumb").nth(143).wait_for()
        page.wait_for_load_state("networkidle")
        assert 10 < sum("-thumbnail.jpeg" in url for url in asked) < 40
        browser.close()


def test_thumbnails_alone_tell_the_full_size_urls() -> None:
    """A page that names nothing but thumbnails is listed with the URLs of the whole images."""
    with VueSite(Look(delivery="packed"), NOW) as site:
        urls = whole(read(site.stream, NOW)).values()
    assert len(urls) == 144
    assert not any("thumbnail" in url for url in urls)


def test_captures_in_the_future_of_the_day_are_not_made_up() -> None:
    """In the middle of a day exactly what has been taken until then is listed."""
    noon = NOW - timedelta(hours=12)
    with VueSite(Look("element-ui"), noon) as site:
        listed = whole(read(site.stream, noon))
        assert listed == site.urls(site.of_day(noon.date()))
    assert max(listed) <= noon
