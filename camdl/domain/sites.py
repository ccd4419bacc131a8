"""Where a stream's captures are published: one camera of a site, with everything of it resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from camdl.domain.closing import ClosedHours

if TYPE_CHECKING:
    from datetime import timedelta
    from zoneinfo import ZoneInfo

    from camdl.domain.templates import UrlTemplate

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Stream:
    """One camera of a site, by name.

    `page` is the URL of the page that shows it. `timezone` is the zone of the stamps in the image
    URLs, and the one that the browser is given: the page's date picker thinks in its days.
    `date_picker` is the CSS selector of the picker's input, empty if the page has none.
    `page_hosts` are the hosts that the page may talk to besides its own and the images'
    (`*.example.org` names every host below it). A picture smaller than `min_width` by
    `min_height` pixels is a thumbnail, no capture. Captures are `interval` apart, except
    while the gate is `closed`. `site` is the name of the site in the configuration.
    """

    name: str
    page: str
    image: UrlTemplate
    thumbnail: UrlTemplate | None
    timezone: ZoneInfo
    date_picker: str
    page_hosts: tuple[str, ...]
    min_width: int
    min_height: int
    interval: timedelta
    closed: ClosedHours = field(default_factory=ClosedHours)
    site: str = ""

    @cached_property
    def image_origins(self) -> frozenset[str]:
        """The origins that an image may be fetched from: those of the site's own templates."""
        urls = [self.page, self.image.text]
        if self.thumbnail:
            urls.append(self.thumbnail.text)
        return frozenset(origin(url) for url in urls)

    @cached_property
    def hosts(self) -> frozenset[str]:
        """The host names that the page may reach, `*.` patterns among them."""
        own = (origin.split("://")[1].rsplit(":", 1)[0] for origin in self.image_origins)
        return frozenset([*own, *self.page_hosts])


def origin(url: str) -> str:
    """Scheme, host and port of `url`, the port always written out: `https://cdn.example:443`.

    Raises:
        ValueError: `url` is not an http(s) URL with a host and a sound port.
    """
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"{url!r} is not an http:// or https:// URL")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port or _DEFAULT_PORTS[parts.scheme]}"
