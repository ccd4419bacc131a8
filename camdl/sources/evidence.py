"""What a page told of a stream: every text it received or shows, read through the templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from camdl.domain.captures import ListedCapture
from camdl.domain.templates import plain

if TYPE_CHECKING:
    from camdl.domain.captures import Capture
    from camdl.domain.sites import Stream


class Evidence:
    """The captures that the texts told so far name, in any number of ways, each once."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._images: dict[Capture, ListedCapture] = {}
        self._thumbnails: dict[Capture, ListedCapture] = {}

    def tell(self, text: str) -> None:
        """Read one text: a URL, an answer's body, what the DOM shows."""
        text = plain(text)
        for listed in self._stream.image.find_in(text, self._stream.name):
            self._images.setdefault(listed.capture, listed)
        if self._stream.thumbnail is None:
            return
        for thumbnail in self._stream.thumbnail.find_in(text, self._stream.name):
            # A thumbnail is no capture: it only tells that the full-size image exists.
            capture = thumbnail.capture
            if capture not in self._thumbnails:
                url = self._stream.image.url(capture)
                self._thumbnails[capture] = ListedCapture(capture, url)

    def __len__(self) -> int:
        return len(self._thumbnails.keys() | self._images.keys())

    @property
    def image_count(self) -> int:
        """Of how many a URL was found."""
        return len(self._images)

    def images(self) -> tuple[ListedCapture, ...]:
        """Those of which a URL was found, newest first."""
        return tuple(sorted(self._images.values(), reverse=True))

    def captures(self) -> tuple[ListedCapture, ...]:
        """All of them, newest first. An image's URL as it was found beats one that was made."""
        return tuple(sorted((self._thumbnails | self._images).values(), reverse=True))
