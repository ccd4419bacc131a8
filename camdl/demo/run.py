"""`camdl demo`: the real program against a site of its own, on any machine.

`run` downloads twice with time moving on between; `serve` only keeps the site up.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from camdl.demo.browser import provide
from camdl.demo.site import GateSite
from camdl.errors import InterruptedRunError, StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from camdl.demo.site import Frames

STREAMS = ("in_gate", "out_gate")
BETWEEN = timedelta(minutes=25)

_MARK = "# Written by camdl demo."
_DOWNLOAD = (sys.executable, "-m", "camdl", "download")
_GOODBYE_SECONDS = 20
# Settings of the user's own archive, which the demo must not touch.
_FOREIGN = ("DATABASE_URL", "RETENTION_DAYS", "DOWNLOAD_INTERVAL_MINUTES", "CREDENTIALS_DIRECTORY")


def run(
    find: Callable[[], Path | None],
    *,
    frames: Path | None = None,
    directory: Path | None = None,
    download: Sequence[str] = _DOWNLOAD,
) -> int:
    """Show everything at work and return the exit code: that of the first download that failed.

    `find` knows the browsers of this machine. `frames` is a directory of photos to serve instead
    of drawn ones, `directory` where the archive goes (a new one by default; it is kept), and
    `download` the command line of `camdl download`.

    Raises:
        BrowserMissingError: there is no browser and none could be provided.
        UsageError: `frames` has no photos, or `directory` has a configuration of its own.
        StorageError: `directory` cannot be written.
    """
    console = _console()
    pictures = _frames(frames)
    browser = provide(find, lambda text: console.print(text, markup=False))
    home = _home(directory)
    with GateSite(STREAMS, pictures, _earlier) as site:
        config = _write_config(home, site, browser)
        command = [*download, "--config", str(config), "-v"]
        console.print(f"A gate site is up at {site.origin} with {len(STREAMS)} cameras.")
        console.rule(f"First run, at {_earlier():%H:%M} UTC")
        first = _download(command, home)
        site.clock = _now
        console.rule(f"Second run, {BETWEEN // timedelta(minutes=1)} minutes later")
        second = _download(command, home)
    _show_health(console, home)
    _show_places(console, home, config)
    return first or second


def serve(*, frames: Path | None = None, port: int = 8765) -> int:
    """Keep the site up until a signal asks to end, and return 0.

    Raises:
        UsageError: `frames` has no photos.
        ConfigError: the port cannot be had.
    """
    console = _console()
    with (
        suppress(KeyboardInterrupt, InterruptedRunError),
        GateSite(STREAMS, _frames(frames), _now, port) as site,
    ):
        page = site.page.format(stream=STREAMS[0])
        console.print(f"# The gate site is up at {page} until Ctrl-C.")
        console.print("# A configuration for it, to be saved as camdl.toml:\n")
        console.print(site_config(site), markup=False)
        threading.Event().wait()
    return 0


def site_config(site: GateSite) -> str:
    """The part of a configuration file (TOML) that describes `site` and its streams."""
    lines = [
        f"stream_names = {json.dumps(list(site.streams))}",
        "",
        "[sites.demo]",
        f'page = "{site.page}"',
        f'image = "{site.image}"',
        f'thumbnail = "{site.thumbnail}"',
        'timezone = "UTC"',
        'date_picker = "#day"',
        'min_image_size = "640x360"',
    ]
    for stream in site.streams:
        lines += ["", f"[streams.{stream}]", 'site = "demo"']
    return "\n".join(lines)


def _console() -> Console:
    from rich.console import Console

    # Paths and URLs are there to be copied: they stay in one line.
    return Console(highlight=False, soft_wrap=True)


def _now() -> datetime:
    return datetime.now(UTC)


def _earlier() -> datetime:
    return _now() - BETWEEN


def _frames(photos: Path | None) -> Frames:
    from camdl.demo.frames import PhotoFrames, frame

    return PhotoFrames(photos) if photos else frame


def _home(directory: Path | None) -> Path:
    """The demo's own directory, made if need be."""
    if directory is None:
        return Path(tempfile.mkdtemp(prefix="camdl-demo-"))
    home = directory.absolute()
    config = home / "camdl.toml"
    try:
        home.mkdir(parents=True, exist_ok=True)
        foreign = config.exists() and not config.read_text("utf-8").startswith(_MARK)
    except OSError as error:
        raise StorageError(
            f"{home} cannot be used: {error.strerror}", advice="Choose another --directory."
        ) from error
    if foreign:
        raise UsageError(
            f"{config} was not written by camdl demo, which would replace it",
            advice="Choose another --directory.",
        )
    return home


def _write_config(home: Path, site: GateSite, browser: Path) -> Path:
    """The demo's configuration file. Its paths are absolute: it works from anywhere."""
    images = home / "images"
    places = {
        "download_dir": str(images),
        "health_file": str(images / ".health"),
        "database_url": f"sqlite:///{home / 'camdl.db'}",
        "lock_file": str(home / "camdl.lock"),
        "diagnostics_dir": str(home / "diagnostics"),
        "browser_executable": str(browser),
    }
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in places.items()]
    config = home / "camdl.toml"
    try:
        config.write_text("\n".join([_MARK, *lines, site_config(site), ""]), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{config} cannot be written: {error.strerror}") from error
    return config


def _download(command: Sequence[str], home: Path) -> int:
    """Run `command` on this terminal and return its exit code, as a shell tells it."""
    with subprocess.Popen(command, cwd=home, env=_environment()) as process:
        try:
            code = process.wait()
        except BaseException:
            _end(process)
            raise
    return code if code >= 0 else 128 - code


def _end(process: subprocess.Popen[bytes]) -> None:
    """Have `process` end as it does by itself: with its browser, and its health written."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_GOODBYE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _environment() -> dict[str, str]:
    """This one's, without settings for camdl: they would win over the demo's own file."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith("CAMDL_") and name.upper() not in _FOREIGN
    }


def _show_health(console: Console, home: Path) -> None:
    health = home / "images" / ".health"
    console.rule(str(health))
    try:
        console.print(health.read_text("utf-8").rstrip(), markup=False)
    except OSError as error:
        console.print(f"It cannot be read: {error.strerror}", markup=False)


def _show_places(console: Console, home: Path, config: Path) -> None:
    images = home / "images"
    count = sum(1 for _ in images.glob("*/*/*.jpg"))
    console.rule("Have a look")
    lines = [
        f"{count} images below    {images}/<stream>/<day>",
        f"catalogue          {home / 'camdl.db'}",
        f"configuration      {config}",
        f"state of things    camdl health --config {config}",
        "the site again     camdl demo --serve",
    ]
    console.print("\n".join(lines), markup=False)
