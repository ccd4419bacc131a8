"""`camdl config`: show what is in effect, check it, or begin a file."""

from __future__ import annotations

import os
import textwrap
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from camdl import durable
from camdl.config import mask_url
from camdl.config.keys import BUILT_IN, Settings, Site, StreamKeys, defaults, keys
from camdl.config.kinds import toml
from camdl.config.secrets import hidden
from camdl.domain.captures import Capture, utc
from camdl.domain.text import one_line
from camdl.errors import StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from camdl.config import Loaded
    from camdl.config.keys import Key
    from camdl.domain.sites import Stream

_ALL_KEYS = {**keys(StreamKeys), **keys(Site), **keys(Settings)}
_HEADER = """\
# The configuration of camdl. Remove the # in front of a key to set it; what is there is what holds
# without it. Each key above the first [table] may also be set as an environment variable: timeout
# as CAMDL_TIMEOUT. See what is in effect with: camdl config show
"""


def show(loaded: Loaded) -> str:
    """Every key in effect as TOML, with where it came from; secrets are masked."""
    lines = [f"# {_file(loaded)}"]
    table = ""
    for name, value in loaded.values.items():
        its_table, _, key = name.rpartition(".")
        if its_table != table:
            table = its_table
            lines += ["", f"[{table}]"]
        its_key = _ALL_KEYS[key]
        written = toml(its_key.hide(its_key.kind.written(value.value)))
        lines.append(f"{key} = {written}  # {one_line(value.where)}")
    return "\n".join(lines)


def check(loaded: Loaded, now: datetime) -> str:
    """What was checked, and each stream's page and URLs as they would be of a capture at `now`.

    Raises:
        TypeError: `now` has no time zone.
    """
    moment = utc(now).replace(microsecond=0)
    lines = [f"{_file(loaded)}: all right"]
    for name, stream in loaded.known.items():
        collected = name in loaded.settings.stream_names
        lines += ["", name if collected else f"{name} (only with --stream {name})"]
        lines += [f"  {what:<10} {mask_url(url)}" for what, url in _urls(stream, moment)]
    if told := list(_told(loaded.settings)):
        lines += ["", "When something is wrong", *(f"  {how:<10} {whom}" for how, whom in told)]
    return "\n".join(lines)


def init(path: Path, *, force: bool) -> str:
    """Write a commented configuration file to `path`, and say so; `-` gives its text instead.

    Raises:
        UsageError: there is a file already, and `force` is not given.
        StorageError: it cannot be written.
    """
    if path == Path("-"):
        return template().rstrip("\n")
    if os.path.lexists(path) and not force:
        raise UsageError(f"{path} exists already", advice="Replace it with --force.")
    try:
        durable.make_directory(path.parent)
        durable.replace(path, template().encode())
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from error
    return f"Wrote {path}. Check it with: camdl config check --config {path}"


def template() -> str:
    """A file that explains every key and sets none."""
    sites = ((f"sites.{name}", keys(Site), asdict(site)) for name, site in BUILT_IN.items())
    stream = {"site": StreamKeys().site, "interval_minutes": Settings().download_interval_minutes}
    names = Settings().stream_names
    parts = [
        _HEADER,
        *_keys(keys(Settings), defaults(Settings)),
        *(part for table, known, values in sites for part in _table(table, known, values)),
        "# A stream may also have any key of its site, for itself.\n",
        *_table(f"streams.{names[0]}", keys(StreamKeys), stream),
        *(f'#[streams.{name}]\n#site = "{StreamKeys().site}"\n' for name in names[1:]),
    ]
    return "\n".join(parts)


def _table(name: str, known: Mapping[str, Key], values: Mapping[str, object]) -> Iterator[str]:
    yield f"#[{name}]\n"
    yield from _keys(known, values)


def _keys(known: Mapping[str, Key], values: Mapping[str, object]) -> Iterator[str]:
    for name, key in known.items():
        allowed = f"Allowed: {key.kind.allowed}."
        comments = [
            textwrap.fill(text, 100, initial_indent="# ", subsequent_indent="# ")
            for text in (key.about, allowed)
        ]
        written = toml(key.kind.written(values[name]))
        yield "\n".join([*comments, f"#{name} = {written}", ""])


def _file(loaded: Loaded) -> str:
    return one_line(str(loaded.file or "no configuration file, the built-in defaults"))


def _told(settings: Settings) -> Iterator[tuple[str, str]]:
    """Each way to tell people, and whom or where."""
    if settings.alert_email_to:
        has_login = not settings.smtp_user or settings.smtp_password
        lacks = "" if has_login else "; lacking here: smtp_password"
        yield "mail", f"{', '.join(settings.alert_email_to)} (by {settings.smtp_host}){lacks}"
    if settings.alert_webhook_url:
        yield "web hook", str(hidden(settings.alert_webhook_url))
    for url in settings.alert_apprise_urls:
        lacks = "" if find_spec("apprise") else "; lacking: pip install 'camdl[alerts]'"
        yield "Apprise", f"{hidden(url)}{lacks}"
    if settings.ping_url:
        yield "pings", str(hidden(settings.ping_url))


def _urls(stream: Stream, moment: datetime) -> Iterator[tuple[str, str]]:
    capture = Capture(moment, stream.name)
    yield "page", stream.page
    yield "image", stream.image.url(capture)
    if stream.thumbnail:
        yield "thumbnail", stream.thumbnail.url(capture)
