"""A demo gate site in a process of its own, so that a benchmark does not count its work.

    python gate_server.py CLOCK

Its clock stands still at CLOCK (ISO 8601, with a zone), and it needs no time to draw. Prints the
part of a configuration file that describes it, then serves until stdin ends.
"""

from __future__ import annotations

import sys
from datetime import datetime

from camdl.demo.run import STREAMS, site_config
from camdl.demo.site import GateSite
from tests.support.images import gate_jpeg

moment = datetime.fromisoformat(sys.argv[1])
with GateSite(STREAMS, lambda _stream, _moment: gate_jpeg(), lambda: moment) as site:
    gate_jpeg()
    print(site_config(site), flush=True)
    print("---", flush=True)
    sys.stdin.read()
