"""Plain pages of a camera, for what a page may do apart from listing captures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from camdl.domain.captures import Capture
from camdl.domain.sites import Stream
from camdl.domain.templates import UrlTemplate

if TYPE_CHECKING:
    from collections.abc import Sequence

STREAM = "in_gate"
NOW = datetime(2025, 9, 8, 20, 30, tzinfo=UTC)
MOMENTS = tuple(NOW - timedelta(minutes=10 * number) for number in range(1, 13))

_UTC = ZoneInfo("UTC")
_IMAGE = "/apm/{time:%Y-%m-%d}/{time:%-H}/{time:%Y-%m-%dT%H:%M:%S}-{stream}"


def stream(
    origin: str,
    path: str = "/",
    *,
    name: str = STREAM,
    date_picker: str = "",
    page_hosts: tuple[str, ...] = (),
) -> Stream:
    """A stream whose page is `path` at `origin`, where its images are too."""
    return Stream(
        name=name,
        page=f"{origin}{path}",
        image=UrlTemplate(f"{origin}{_IMAGE}.jpeg", _UTC),
        thumbnail=UrlTemplate(f"{origin}{_IMAGE}-thumbnail.jpeg", _UTC),
        timezone=_UTC,
        date_picker=date_picker,
        page_hosts=page_hosts,
        min_width=640,
        min_height=360,
        interval=timedelta(minutes=10),
    )


def urls(
    origin: str, moments: Sequence[datetime] = MOMENTS, name: str = STREAM
) -> dict[datetime, str]:
    """The full-size URL of each of `moments`."""
    image = stream(origin).image
    return {moment: image.url(Capture(moment, name)) for moment in moments}


def images(origin: str, moments: Sequence[datetime] = MOMENTS, name: str = STREAM) -> str:
    """An `<img>` each."""
    return "\n".join(f'<img src="{url}">' for url in urls(origin, moments, name).values())
