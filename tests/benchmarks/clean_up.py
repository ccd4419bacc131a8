"""One clean-up of the archive in a directory, made by `tests.support.stock`: a command to measure.

python -m tests.benchmarks.clean_up HOME [--dry-run]
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.stock import Stock


def main() -> None:
    """Clean up, or say what would go."""
    stock = Stock(Path(sys.argv[1]), new=False)
    stock.tells = False
    finished = stock.cleanup(force=True, dry_run="--dry-run" in sys.argv)
    sys.exit(finished.run.exit_code)


if __name__ == "__main__":
    main()
