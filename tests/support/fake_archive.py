"""An archive in memory, for tests of what stores images."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from camdl.domain.outcomes import ValidImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from camdl.domain.captures import Capture
    from camdl.errors import StorageError


class FakeArchive:
    """Implements `camdl.ports.Archive`; `stored` are the bytes of each capture.

    Once `fault` is set, nothing can be stored or read.
    """

    def __init__(self, stored: Mapping[Capture, bytes] | None = None) -> None:
        self.stored = dict(stored or {})
        self.fault: StorageError | None = None
        self._lock = threading.Lock()

    def put(self, capture: Capture, image: ValidImage) -> str:
        """Keep the image's bytes."""
        if not isinstance(image, ValidImage):
            raise TypeError(f"only a checked image is stored, not {image!r}")
        with self._lock:
            self._fail()
            self.stored[capture] = image.data
        return capture.key

    def read(self, capture: Capture) -> bytes | None:
        """The bytes that were kept, if any."""
        with self._lock:
            self._fail()
            return self.stored.get(capture)

    def _fail(self) -> None:
        if self.fault:
            raise self.fault
