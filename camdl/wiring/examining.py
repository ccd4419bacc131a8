"""The checks of `camdl doctor`: what is looked at, in the order in which it is told.

A check is a name, a function that gives findings or raises what is wrong, and its time.
"""

from __future__ import annotations

import platform
import sys
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from camdl import __version__
from camdl.domain.examination import bad, fine, note
from camdl.errors import CamdlError, ConfigError
from camdl.verbs.doctor import Check
from camdl.wiring import known_catalogue, utc_now

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from camdl.config import Loaded
    from camdl.domain.examination import Finding
    from camdl.domain.sites import Stream

_OTHERS_MAY_READ = 0o077
# Where systemd and container engines show a process secrets that nobody else sees there, whatever
# the rights of the files are: they are not for it to change.
_HANDED_OVER = (Path("/run/credentials"), Path("/run/secrets"))
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
# What is asked for where no site is known.
_ANY_ZONES = ("UTC", "America/Los_Angeles")
# The verdict is no run of the archive's.
_NO_RUNS = frozenset({"health"})
# What a program that starts and draws may take on a machine that is busy.
_BROWSER_SECONDS = 60.0
_CATALOGUE_SECONDS = 30.0
_SITE_SECONDS = 15.0
_SCHEDULE_SECONDS = 20.0
_MAIL_SECONDS = 10.0
# The check gives up a little later than what it does.
_LATER = 5.0


def checks(config: Path | None, environ: Mapping[str, str]) -> list[Check]:
    """All of them; those that need the configuration only if there is one in effect."""
    from camdl.config import load

    try:
        loaded = load({}, config, environ)
    except ConfigError as error:
        return [
            Check("camdl", _camdl),
            Check("configuration", partial(_no_configuration, error)),
            Check("time zones", partial(_time_zones, _ANY_ZONES)),
            Check("browser", partial(_browser, None, headless=True), _BROWSER_SECONDS + _LATER),
            Check("clock", _clock),
            Check("proxy", partial(_proxy, environ)),
        ]
    settings, streams = loaded.settings, loaded.streams()
    browser = partial(_browser, settings.browser_executable, headless=settings.headless)
    zones = [stream.timezone.key for stream in streams]
    mounted = f"See whether a disk hangs: findmnt --target {settings.download_dir}"
    return [
        Check("camdl", _camdl),
        Check("configuration", partial(_configuration, loaded)),
        Check("time zones", partial(_time_zones, zones)),
        Check("browser", browser, _BROWSER_SECONDS + _LATER),
        Check(
            "catalogue",
            partial(_catalogue, loaded),
            _CATALOGUE_SECONDS + _LATER,
            "See what it does: camdl db current",
        ),
        Check("archive", partial(_archive, loaded), slow=mounted),
        Check("directories", partial(_directories, loaded), slow=mounted),
        Check("lock", partial(_lock, loaded), slow=mounted),
        Check("disk", partial(_disk, loaded), slow=mounted),
        Check("clock", _clock),
        Check("schedule", partial(_schedule, loaded), _SCHEDULE_SECONDS),
        Check("alerts", partial(_alerts, loaded), _MAIL_SECONDS + _LATER),
        Check("proxy", partial(_proxy, environ)),
        *_sites(streams),
    ]


def _camdl() -> Iterator[Finding]:
    python = f"Python {platform.python_version()} ({sys.executable})"
    yield fine(f"{__version__} with {python} on {platform.system()} {platform.release()}")


def _no_configuration(error: ConfigError) -> Iterator[Finding]:
    first, *problems = str(error).splitlines()
    *others, last = [line.strip(" -") for line in problems] or [first]
    for problem in others:
        yield bad(problem)
    yield bad(last, f"Correct it, then: camdl config check. {error.advice}")


def _configuration(loaded: Loaded) -> Iterator[Finding]:
    if loaded.file:
        yield fine(f"{loaded.file} is sound")
    else:
        defaults = "there is no configuration file; the built-in defaults are in effect"
        yield note(defaults, "camdl config init")
    yield from _readable_secrets(loaded)


def _readable_secrets(loaded: Loaded) -> Iterator[Finding]:
    """The files with secrets in them that others than their owner may read."""
    from camdl.config.layers import SECRETS, TOP

    for name in SECRETS:
        value = loaded.values[name]
        written = TOP[name].kind.written(value.value)
        is_secret = TOP[name].hide(written) != written
        in_config = loaded.file if str(loaded.file) == value.where and is_secret else None
        file = value.file or in_config
        if file and any(file.is_relative_to(place) for place in _HANDED_OVER):
            continue
        if file and file.stat().st_mode & _OTHERS_MAY_READ:
            yield bad(f"others may read {file}, which holds {name}", f"chmod 600 {file}")


def _time_zones(keys: Sequence[str]) -> Iterator[Finding]:
    from camdl.ops import zones

    yield from zones.examine(keys, utc_now())


def _browser(configured: str | None, *, headless: bool) -> Iterator[Finding]:
    from camdl.sources import trial

    yield from trial.examine(configured, headless=headless, seconds=_BROWSER_SECONDS)


def _catalogue(loaded: Loaded) -> Iterator[Finding]:
    from camdl.archive.local import LocalArchive
    from camdl.catalogue import examining
    from camdl.catalogue.database import Database
    from camdl.deadline import Deadline

    database = Database(loaded.settings.database_url)
    try:
        has_images = LocalArchive(loaded.settings.download_dir).has_images
        yield from examining.examine(database, has_images, Deadline.after(_CATALOGUE_SECONDS))
    finally:
        database.close()


def _archive(loaded: Loaded) -> Iterator[Finding]:
    from camdl.archive import examining

    yield from examining.examine(loaded.settings.download_dir, lambda: _holds_captures(loaded))


def _holds_captures(loaded: Loaded) -> bool:
    try:
        with known_catalogue(loaded) as catalogue:
            return catalogue is not None and any(catalogue.newest(name) for name in loaded.known)
    except CamdlError:  # its own check tells
        return False


def _directories(loaded: Loaded) -> Iterator[Finding]:
    from camdl.catalogue.database import Database
    from camdl.ops import places

    settings = loaded.settings
    file = None
    with suppress(ConfigError):  # the catalogue's own check tells
        file = Database(settings.database_url).file
    wanted = [
        ("download_dir", settings.download_dir),
        ("health_file", settings.health_file.parent),
        ("lock_file", settings.lock_file.parent),
        ("diagnostics_dir", settings.diagnostics_dir),
    ]
    if file:
        wanted.append(("database_url", file.parent))
    if settings.log_file:
        wanted.append(("log_file", settings.log_file.parent))
    if settings.metrics_file:
        wanted.append(("metrics_file", settings.metrics_file.parent))
    wanted.append(("temporary files", Path(tempfile.gettempdir())))
    yield from places.whose(settings.download_dir)
    yield from places.examine(wanted)


def _lock(loaded: Loaded) -> Iterator[Finding]:
    from camdl.ops import lock, places

    file = loaded.settings.lock_file
    yield places.lock_works(file)
    if holder := lock.holder(file):
        yield fine(f"{holder.verb} has it (pid {holder.pid})")


def _disk(loaded: Loaded) -> Iterator[Finding]:
    from camdl.domain.health import floor
    from camdl.ops import disk

    settings = loaded.settings
    usage = disk.usage(settings.download_dir)
    remedy = "See what would go: camdl cleanup --min-free 20 --dry-run"
    for percent, what in (
        (usage.percent, f"the disk is used, {usage.free_bytes / 1e9:.1f} GB are free"),
        (usage.inodes_percent, "its inodes are used"),
    ):
        said = f"{floor(percent):g} % of {what}"
        if percent >= settings.disk_critical_percent:
            yield bad(said, remedy)
        elif percent >= settings.disk_warning_percent:
            yield note(said, remedy)
        else:
            yield fine(said)


def _clock() -> Iterator[Finding]:
    from camdl.ops import clock

    yield clock.examine()


def _schedule(loaded: Loaded) -> Iterator[Finding]:
    from camdl.domain import starting
    from camdl.domain.schedule import jobs
    from camdl.ops import starters

    settings = loaded.settings
    wanted = [job for job in jobs(settings.download_interval_minutes) if job.id in settings.jobs]
    last_runs = _last_runs(loaded, {job.verb for job in wanted} - _NO_RUNS)
    yield from starting.examine(wanted, starters.find(wanted), last_runs, utc_now())


def _last_runs(loaded: Loaded, verbs: Iterable[str]) -> dict[str, datetime | None]:
    """When the last run of each began; nothing of any if the catalogue cannot be read."""
    try:
        with known_catalogue(loaded) as catalogue:
            last = {verb: catalogue.last_runs(verb, 1) if catalogue else () for verb in verbs}
    except CamdlError:  # its own check tells
        return {}
    return {verb: runs[0].started_at if runs else None for verb, runs in last.items()}


def _alerts(loaded: Loaded) -> Iterator[Finding]:
    """Whether the mail server would take mail; other ways tell only of what is really sent."""
    from camdl.deadline import Deadline
    from camdl.domain.notices import NotSent
    from camdl.wiring import announcing

    settings = loaded.settings
    if not announcing.has_channels(settings):
        remedy = "Set alert_email_to or alert_webhook_url, then: camdl alert test"
        yield note("nobody is told when something turns bad", remedy)
        return
    if mail := announcing.mail(settings):
        told = mail.probe(Deadline.after(_MAIL_SECONDS))
        if isinstance(told, NotSent):
            yield bad(f"no mail goes out: {told.reason}", "Correct smtp_…, then: camdl alert test")
        else:
            yield fine(told.answer)
    if settings.alert_webhook_url or settings.alert_apprise_urls:
        yield fine("try the other ways with: camdl alert test")


def _proxy(environ: Mapping[str, str]) -> Iterator[Finding]:
    if found := [name for name in _PROXIES if environ.get(name)]:
        yield note(f"{', '.join(found)}: camdl uses no proxy, and goes to sites directly")
    else:
        yield fine("the environment names none; camdl would use none")


def _sites(streams: Sequence[Stream]) -> Iterator[Check]:
    """One check for each host of pages, and one for each other host of images."""
    from camdl.domain.sites import origin

    pages = {origin(stream.page): stream.page for stream in streams}
    images = {origin(stream.image.text) for stream in streams} - pages.keys()
    for page in pages.values():
        yield Check("page", partial(_page, page), _SITE_SECONDS + _LATER)
    for host in sorted(images):
        yield Check("images", partial(_images, host), _SITE_SECONDS + _LATER)


def _page(url: str) -> Iterator[Finding]:
    from camdl.fetching import reaching

    yield from reaching.examine_page(url, _SITE_SECONDS, utc_now)


def _images(host: str) -> Iterator[Finding]:
    from camdl.fetching import reaching

    yield from reaching.examine_images(host, _SITE_SECONDS)
