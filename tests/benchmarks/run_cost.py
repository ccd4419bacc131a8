"""What one `camdl download` costs beside a bare Playwright script that saves the same images.

    python -m tests.benchmarks.run_cost [ROUNDS]

Both read the same two pages of a gate site on loopback, each with a full day of 144 captures, and
save the 288 images; camdl also checks, syncs and records them. Its catalogue is there already, as
in every run but the very first, which is told below it. The second table is the run that finds
nothing new, as most do; the third the commands that are started most often.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from camdl.demo.run import STREAMS
from camdl.sources.browser import find
from tests.benchmarks.measure import peak_memory, run, side_by_side, tell, tell_heading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.measure import Cost

HERE = Path(__file__).parent
END_OF_A_DAY = "2025-09-08T23:59:59+00:00"
PYTHON = sys.executable
IMAGES = 2 * 144


def main() -> None:
    """Print the tables."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory() as directory, gate_site() as site_config:
        home = Path(directory)
        config = home / "camdl.toml"
        config.write_text(site_config)
        compare_runs(home, config, rounds)
        compare_starts(config, rounds)


def compare_runs(home: Path, config: Path, rounds: int) -> None:
    """A whole run, and one with nothing new, beside the bare script."""
    origin = config.read_text().partition('page = "')[2].partition("/gate")[0]
    pages = [f"{origin}/gate?stream={stream}" for stream in STREAMS]
    saved = home / "saved"
    script = [PYTHON, str(HERE / "bare_script.py"), *pages, "--to", str(saved)]
    script += ["--browser", str(find().executable)]
    download = [PYTHON, "-m", "camdl", "download", "--config", str(config), "--quiet"]

    def bare() -> Cost:
        shutil.rmtree(saved, ignore_errors=True)
        saved.mkdir()
        cost = run(script, home)
        assert len(list(saved.iterdir())) == IMAGES
        return cost

    def very_first() -> Cost:
        shutil.rmtree(home / "data", ignore_errors=True)
        return archived()

    def first() -> Cost:
        shutil.rmtree(home / "data", ignore_errors=True)
        run([PYTHON, "-m", "camdl", "db", "upgrade", "--config", str(config)], home)
        return archived()

    def archived() -> Cost:
        cost = run(download, home)
        assert len(list(home.glob("data/images/*/*/*.jpg"))) == IMAGES
        return cost

    ours, theirs = side_by_side(first, bare, rounds)
    tell_heading(f"{IMAGES} new images of two streams", "camdl", "bare script")
    tell("wall time", "s", ours.wall, theirs.wall, goal=1.3)
    tell("CPU time", "s", ours.cpu, theirs.cpu)
    ours, theirs = side_by_side(very_first, bare, rounds)
    tell("wall time of the very first run", "s", ours.wall, theirs.wall)
    shutil.rmtree(home / "data")
    tell("peak memory", "MB", peak_memory(download, home), peak_memory(script, home))

    again, theirs = side_by_side(lambda: run(download, home), bare, rounds)
    tell_heading("nothing new", "camdl", "bare script")
    tell("wall time", "s", again.wall, theirs.wall)
    tell("CPU time", "s", again.cpu, theirs.cpu)


def compare_starts(config: Path, rounds: int) -> None:
    """The commands that answer at once, beside the libraries that they cannot do without."""
    libraries = [PYTHON, "-c", "import typer, sqlalchemy"]
    tell_heading("starts", "camdl", "imports alone")
    for arguments in (["--help"], ["health", "--config", str(config), "--quiet"]):
        command = [PYTHON, "-m", "camdl", *arguments]
        ours, theirs = side_by_side(
            lambda command=command: run_any(command, config.parent),  # type: ignore[misc]
            lambda: run(libraries),
            3 * rounds,
        )
        tell(f"camdl {arguments[0]}", "s", ours.wall, theirs.wall, goal=1.5)


def run_any(command: list[str], cwd: Path) -> Cost:
    """Run a command whose exit code is a verdict: the site's captures are long ago."""
    return run(["sh", "-c", '"$@" || test $? -lt 4', "sh", *command], cwd)


@contextmanager
def gate_site() -> Iterator[str]:
    """The configuration of a site that is up inside the `with`."""
    command = [PYTHON, "-m", "tests.benchmarks.gate_server", END_OF_A_DAY]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE.parents[1]
    ) as server:
        assert server.stdout
        assert server.stdin
        yield "".join(iter(server.stdout.readline, "---\n"))
        server.stdin.close()


if __name__ == "__main__":
    main()
