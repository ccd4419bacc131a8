"""How long what could not be sent is tried again, and how much of it: bounds for every outbox."""

from __future__ import annotations

from datetime import timedelta

# News of a week ago is none. Of each channel so many are kept: the newest.
KEEP = timedelta(days=7)
MOST = 20
# Whoever takes a notice to send it has so long. What it has not said by then was not sent: its
# process is gone, since no run sends for longer than some seconds.
LEASE = timedelta(minutes=1)
