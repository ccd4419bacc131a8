"""Notices as JSON, posted to a URL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from camdl.domain.notices import as_json
from camdl.notifying.posting import post

if TYPE_CHECKING:
    import ssl

    from camdl.deadline import Deadline
    from camdl.domain.notices import Notice, NotSent, Sent


class Webhook:
    """Implements `camdl.ports.Notifier`. `host` is the machine that the notices come from."""

    name = "webhook"

    def __init__(self, url: str, host: str, tls: ssl.SSLContext) -> None:
        self._url = url
        self._host = host
        self._tls = tls

    def send(self, notice: Notice, deadline: Deadline) -> Sent | NotSent:
        """Post it; a 2xx means that it came."""
        body = json.dumps(as_json(notice, self._host), ensure_ascii=False).encode()
        return post(self._url, body, "application/json", self._tls, deadline)
