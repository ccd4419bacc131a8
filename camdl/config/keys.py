"""Every key of the configuration: its default, what it may be and what it is for.

This is the one table: `load` checks by it, and `camdl config init` writes from it.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

from camdl.config import kinds
from camdl.config.secrets import hidden, masked
from camdl.domain.schedule import JOBS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_DEADLINE_SHARE = 0.8
_HERE = frozenset({"", "localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True)
class Key:
    """What a key may be, and what it is for in one sentence.

    The value of a `secret` key may come from a file, and is only ever shown as `hide` makes it.
    """

    kind: kinds.Kind[Any]
    about: str
    secret: bool = False
    hide: Callable[[object], object] = masked


def _secret(kind: kinds.Kind[Any], about: str) -> Key:
    """A key all of whose value is secret."""
    return Key(kind, about, secret=True, hide=hidden)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that is the same for all streams. Relative paths are the current directory's."""

    stream_names: Annotated[
        tuple[str, ...], Key(kinds.stream_names, "The streams that are collected.")
    ] = ("in_gate", "out_gate")
    download_dir: Annotated[Path, Key(kinds.directory, "Where the images go.")] = Path(
        "data/images"
    )
    database_url: Annotated[
        str,
        Key(
            kinds.database,
            "The catalogue. With a password, use database_url_file, which names a file that "
            "holds the URL.",
            secret=True,
        ),
    ] = field(default="sqlite:///data/camdl.db", repr=False)
    health_file: Annotated[Path, Key(kinds.path, "Where each run writes its verdict.")] = Path(
        "data/images/.health"
    )
    metrics_file: Annotated[
        Path | None,
        Key(
            kinds.optional_path,
            "Where each run writes its metrics for Prometheus, such as "
            "/var/lib/prometheus/node-exporter/camdl.prom; nowhere unless it is set.",
        ),
    ] = None
    jobs: Annotated[
        tuple[str, ...],
        Key(
            kinds.jobs,
            "What cron or timers start. A job that has not run for too long is critical, one that "
            "is left out here never.",
        ),
    ] = JOBS
    lock_file: Annotated[Path, Key(kinds.path, "What keeps two runs apart.")] = Path(
        "data/camdl.lock"
    )
    diagnostics_dir: Annotated[
        Path, Key(kinds.directory, "Where pages that could not be understood are kept.")
    ] = Path("data/diagnostics")
    log_file: Annotated[
        Path | None,
        Key(
            kinds.optional_path, "Where runs tell what they did, beside the journal; none if empty."
        ),
    ] = None
    log_max_bytes: Annotated[
        int,
        Key(kinds.size, "The log file is put aside, and a new one begun, before it gets larger."),
    ] = 10_000_000
    log_backups: Annotated[
        int,
        Key(
            kinds.whole(0, 1000),
            "How many log files that were put aside are kept. 0 leaves all that to logrotate.",
        ),
    ] = 5
    download_interval_minutes: Annotated[
        int, Key(kinds.whole(5, 1440), "How often camdl download is started.")
    ] = 10
    run_deadline_seconds: Annotated[
        int,
        Key(
            kinds.whole(1, 86_400),
            "A run ends itself after so long; below the interval. Unless it is set, at most 80 % "
            "of the interval.",
        ),
    ] = 480
    catch_up_days: Annotated[
        int,
        Key(kinds.whole(0, 366), "How many days back a run looks for captures that it missed."),
    ] = 7
    max_requests_per_run: Annotated[
        int, Key(kinds.whole(1, 1_000_000), "Images a run asks for; the next runs go on.")
    ] = 2000
    page_jitter_seconds: Annotated[
        float, Key(kinds.number(0, 60), "The longest wait before a page is asked for another day.")
    ] = 0.5
    retention_days: Annotated[int, Key(kinds.whole(1, 36_500), "How long captures are kept.")] = 30
    keep_runs_days: Annotated[
        int,
        Key(
            kinds.whole(1, 36_500),
            "How long camdl cleanup keeps the record of a run, and of what people were told.",
        ),
    ] = 90
    keep_pending_days: Annotated[
        int,
        Key(
            kinds.whole(1, 36_500),
            "How long a capture that never came is remembered; never shorter than retention_days.",
        ),
    ] = 90
    keep_gaps_days: Annotated[
        int, Key(kinds.whole(1, 36_500), "How long a gap is remembered once it is filled.")
    ] = 365
    keep_diagnostics_days: Annotated[
        int, Key(kinds.whole(1, 36_500), "How long pages that were not understood are kept.")
    ] = 30
    max_retries: Annotated[
        int, Key(kinds.whole(1, 20), "Further attempts after a first one that failed.")
    ] = 3
    retry_delay_seconds: Annotated[
        float, Key(kinds.number(0, 3600), "The longest wait before the first retry.")
    ] = 5.0
    backoff_multiplier: Annotated[
        float, Key(kinds.number(1, 100, above=True), "How much the wait grows with each retry.")
    ] = 2.0
    max_retry_delay_seconds: Annotated[
        float, Key(kinds.number(0, 3600), "No wait before a retry is longer.")
    ] = 60.0
    exponential_backoff: Annotated[
        bool, Key(kinds.switch, "Whether waits grow at all; if not, all are like the first.")
    ] = True
    concurrent_downloads: Annotated[
        int, Key(kinds.whole(1, 64), "Images that are fetched at the same time.")
    ] = 8
    batch_size: Annotated[
        int, Key(kinds.whole(1, 1000), "Captures that are recorded in one transaction.")
    ] = 50
    timeout: Annotated[
        float, Key(kinds.number(1, 600), "Seconds that a page or an image may take.")
    ] = 30.0
    max_image_bytes: Annotated[int, Key(kinds.size, "A larger image is refused.")] = 20_000_000
    headless: Annotated[bool, Key(kinds.switch, "Whether the browser works without a window.")] = (
        True
    )
    browser_executable: Annotated[str | None, Key(kinds.program, "The browser to use.")] = None
    disk_warning_percent: Annotated[
        float, Key(kinds.number(1, 100), "A disk fuller than this is a warning.")
    ] = 80.0
    disk_critical_percent: Annotated[
        float, Key(kinds.number(1, 100), "A disk fuller than this is critical.")
    ] = 90.0
    alert_email_to: Annotated[
        tuple[str, ...], Key(kinds.addresses, "Who gets mail when something is wrong.")
    ] = ()
    alert_email_from: Annotated[str, Key(kinds.address, "The sender of that mail.")] = ""
    smtp_host: Annotated[str, Key(kinds.host, "The mail server that takes it.")] = ""
    smtp_port: Annotated[
        int | None,
        Key(kinds.port, "Its port; the usual ones are 587 (starttls), 465 (tls) and 25 (none)."),
    ] = None
    smtp_security: Annotated[
        str,
        Key(
            kinds.choice("starttls", "tls", "none"),
            "How the connection is encrypted. With none, nobody logs in but to this machine.",
        ),
    ] = "starttls"
    smtp_user: Annotated[str, Key(kinds.text, "Who logs in there, if anybody has to.")] = ""
    smtp_password: Annotated[
        str, _secret(kinds.secret, "The password; better, smtp_password_file names a file with it.")
    ] = field(default="", repr=False)
    alert_webhook_url: Annotated[
        str, _secret(kinds.web_address, "Where alerts are posted to, as JSON.")
    ] = field(default="", repr=False)
    alert_apprise_urls: Annotated[
        tuple[str, ...],
        _secret(kinds.urls, "Where else they go, in the words of Apprise (pip: camdl[alerts])."),
    ] = field(default=(), repr=False)
    alert_ca_file: Annotated[
        Path | None,
        Key(kinds.optional_path, "Certificates to trust besides the system's, for all of these."),
    ] = None
    alert_after: Annotated[
        int, Key(kinds.whole(1, 1000), "How often in a row something is bad before you are told.")
    ] = 3
    alert_repeat_hours: Annotated[
        float, Key(kinds.number(0.1, 8760), "How often you are told again as long as it is bad.")
    ] = 24.0
    alert_on: Annotated[
        str, Key(kinds.choice("warning", "critical"), "From which verdict on it is bad.")
    ] = "warning"
    ping_url: Annotated[
        str,
        _secret(
            kinds.ping,
            "A dead man's switch in the way of Healthchecks: it is told when a job starts and "
            "how it ended. {job} is the command; without it, only download is told of.",
        ),
    ] = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Site:
    """What [sites.NAME] says of a site, and [streams.NAME] may say otherwise of one stream."""

    page: Annotated[str, Key(kinds.page, "The page that shows a stream.")]
    image: Annotated[str, Key(kinds.template, "The URL of each full-size image.")]
    thumbnail: Annotated[
        str, Key(kinds.optional_template, "The URL of each small image: a sign of a full-size one.")
    ] = ""
    timezone: Annotated[
        str, Key(kinds.timezone, "The zone of the times in the URLs; the browser gets it too.")
    ] = "UTC"
    date_picker: Annotated[str, Key(kinds.selector, "The input that chooses the day.")] = ""
    page_hosts: Annotated[
        tuple[str, ...],
        Key(kinds.hosts, "Hosts that the page may talk to besides its own and the images'."),
    ] = ()
    closed: Annotated[
        str, Key(kinds.closed, "When the gate is closed and publishes nothing, in its time zone.")
    ] = ""
    min_image_size: Annotated[
        tuple[int, int], Key(kinds.dimensions, "A smaller image is a thumbnail, no capture.")
    ] = (640, 360)


@dataclass(frozen=True, slots=True)
class StreamKeys:
    """What only [streams.NAME] may say."""

    site: Annotated[str, Key(kinds.stream_name, "The site that publishes the stream.")] = "draydog"
    interval_minutes: Annotated[
        float | None,
        Key(
            kinds.number(1, 1440),
            "How far apart its captures are. Unless it is set, as download_interval_minutes.",
        ),
    ] = None


BUILT_IN = {
    "draydog": Site(
        page="https://app.draydog.com/terminal_cameras/apm?streamName={stream}#camera-history",
        image="https://cdn.draydog.com/apm/{time:%Y-%m-%d}/{time:%-H}/"
        "{time:%Y-%m-%dT%H:%M:%S}-{stream}.jpeg",
        thumbnail="https://cdn.draydog.com/apm/{time:%Y-%m-%d}/{time:%-H}/"
        "{time:%Y-%m-%dT%H:%M:%S}-{stream}-thumbnail.jpeg",
        timezone="UTC",
        date_picker=".el-date-editor input",
        page_hosts=("*.draydog.com",),
    )
}


@cache
def keys(table: type) -> Mapping[str, Key]:
    """The keys of `Settings`, `Site` or `StreamKeys`, in order."""
    hints = get_type_hints(table, include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items()}


def defaults(table: type) -> dict[str, Any]:
    """The keys of a table that have a default, with it."""
    return {one.name: one.default for one in fields(table) if one.default is not MISSING}


def fitting_deadline(interval_minutes: int) -> int:
    """The `run_deadline_seconds` of someone who has set the interval only."""
    return min(480, int(interval_minutes * 60 * _DEADLINE_SHARE))


def conflicts(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Each key that does not go with another: the two, and what the first must be.

    The other is empty where its value is no news.
    """
    interval = settings.download_interval_minutes
    if settings.run_deadline_seconds >= interval * 60:
        told = f"must be below download_interval_minutes ({interval} minutes, {interval * 60} s)"
        yield "run_deadline_seconds", "download_interval_minutes", told
    if settings.max_retry_delay_seconds < settings.retry_delay_seconds:
        told = f"must not be below retry_delay_seconds ({settings.retry_delay_seconds:g})"
        yield "max_retry_delay_seconds", "retry_delay_seconds", told
    if settings.disk_warning_percent >= settings.disk_critical_percent:
        told = f"must be below disk_critical_percent ({settings.disk_critical_percent:g})"
        yield "disk_warning_percent", "disk_critical_percent", told
    yield from _mail_conflicts(settings)


def _mail_conflicts(settings: Settings) -> Iterator[tuple[str, str, str]]:
    if settings.alert_email_to:
        for needed in ("smtp_host", "alert_email_from"):
            if not getattr(settings, needed):
                yield "alert_email_to", "", f"needs {needed}, which is not set"
    elif settings.smtp_host:
        yield "smtp_host", "", "has nobody to send mail to: alert_email_to is not set"
    # Not the other way round: systemd may hand the password to its services, and to nobody else.
    if settings.smtp_password and not settings.smtp_user:
        yield "smtp_password", "", "needs smtp_user, which is not set"
    is_open = settings.smtp_security == "none" and settings.smtp_host not in _HERE
    if settings.smtp_password and is_open:
        yield "smtp_security", "", "must be starttls or tls where a password leaves this machine"
