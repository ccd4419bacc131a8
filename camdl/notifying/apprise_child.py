"""Sends one message by Apprise: a program of its own, of which nothing outlives its end.

Apprise has more than a hundred ways to send something, each with connections, threads and waits of
its own. So it is run beside, and ended when its time is up. It is given one line of JSON with
`url`, `title` and `body`, and answers with one that has `sent` and `said`.

It is run as a file and imports nothing of camdl, so it works wherever camdl lies.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading


def main() -> None:
    """Read the order, do it, and answer."""
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    log = io.StringIO()
    logging.basicConfig(stream=log, level=logging.WARNING, format="%(message)s")
    sent, why = _send(order)
    said = (why or log.getvalue())[:2000]
    sys.stdout.write(json.dumps({"sent": sent, "said": said}) + "\n")
    sys.stdout.flush()
    # Whatever a way of sending has left behind is not waited for.
    os._exit(0)


def _end_with_parent() -> None:
    """Be gone when whoever holds the other end of our input is gone, however that came."""
    sys.stdin.read()
    os._exit(1)


def _send(order: dict[str, str]) -> tuple[bool, str]:
    """Whether it was sent, and why not, where that is not what Apprise logs."""
    try:
        from apprise import Apprise
    except ImportError as error:
        return False, f"Apprise cannot be loaded ({error}): pip install 'camdl[alerts]'"
    service = Apprise()
    if not service.add(order["url"]):
        return False, "Apprise does not understand this URL"
    return bool(service.notify(title=order["title"], body=order["body"])), ""


if __name__ == "__main__":
    main()
