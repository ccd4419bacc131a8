"""Which values settings may have: how each kind is read, and what to say about a wrong one.

Plain Python on purpose: building models of a validation library takes several times as long as
all of this, and `camdl health` runs every few minutes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from camdl.config.secrets import mask_url, masked
from camdl.domain.captures import STREAM_NAME
from camdl.domain.closing import CalendarError, ClosedHours
from camdl.domain.schedule import JOBS
from camdl.domain.sites import origin
from camdl.domain.templates import TemplateError, UrlTemplate
from camdl.domain.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?)(i?)b?", re.IGNORECASE | re.ASCII)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3}
_DIMENSIONS = re.compile(r"(\d{1,5})x(\d{1,5})", re.ASCII)
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\]")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_BARE = rf"{_ATOM}(?:\.{_ATOM})*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*"
_MAILBOX = re.compile(rf"{_BARE}|[\w' -]*<{_BARE}>")
_ANY_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_BETWEEN_URLS = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)|\s+")
_DATABASE = re.compile(r"(?P<dialect>sqlite|postgres|postgresql(?:\+psycopg)?)://(?P<rest>.+)")


class NotAllowedError(ValueError):
    """A value is not of its kind. The message is empty when the kind's `allowed` says it all.

    It never quotes the value, which may be secret.
    """


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """A kind of value. `allowed` completes the sentence "must be …".

    `read` turns what a TOML file says into the value, or raises ValueError. `of_text` turns an
    environment variable into what a TOML file would say, and `written` the value.
    """

    allowed: str
    read: Callable[[object], T]
    of_text: Callable[[str], object] = str
    written: Callable[[T], object] = lambda value: value


def toml(value: object) -> str:
    """`value` as TOML writes it, where every text in it is printable."""
    if value is None:
        return '""'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml(one) for one in value)}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def shown(value: object) -> str:
    """`value` for an error: short, in one line, its secrets hidden."""
    return one_line("a table" if isinstance(value, dict) else toml(masked(value)), 100)


def whole(low: int, high: int) -> Kind[int]:
    """A whole number from `low` to `high`."""

    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise NotAllowedError
        return value

    return Kind(f"a whole number from {low} to {high}", read, int)


def number(low: float, high: float, *, above: bool = False) -> Kind[float]:
    """A number from `low` (or `above` it) to `high`."""

    def read(value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise NotAllowedError
        if not low <= value <= high or (above and value == low):
            raise NotAllowedError
        return float(value)

    return Kind(
        f"a number {'above' if above else 'from'} {low:g} {'up ' if above else ''}to {high:g}",
        read,
        float,
        lambda value: int(value) if value == int(value) else value,
    )


def _text(value: object) -> str:
    """A text of a single line that can be shown."""
    if not isinstance(value, str) or not value.isprintable():
        raise NotAllowedError
    return value.strip()


def _some_text(value: object) -> str:
    text = _text(value)
    if not text:
        raise NotAllowedError
    return text


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise NotAllowedError
    return value


def _switch_of_text(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise NotAllowedError("must be one of 1, true, yes, 0, false, no")


def _path(value: object) -> Path:
    text = _some_text(value)
    if text.startswith("s3://"):
        raise NotAllowedError("s3:// is not supported by this version yet; must be a directory")
    if "://" in text:
        raise NotAllowedError
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise NotAllowedError("there is no home directory that ~ could stand for") from error


def _database(value: object) -> str:
    found = _DATABASE.fullmatch(_some_text(value))
    if not found:
        raise NotAllowedError
    if found["dialect"] != "sqlite":
        # The short form is what many providers hand out, and SQLAlchemy knows it no more.
        dialect = "postgresql" if found["dialect"] == "postgres" else found["dialect"]
        return f"{dialect}://{found['rest']}"
    if ":memory:" in found["rest"]:
        raise NotAllowedError("a catalogue in memory forgets everything; must be sqlite:///FILE")
    if not found["rest"].startswith("/") or found["rest"] == "/":
        raise NotAllowedError("SQLite needs three slashes and a file: sqlite:///data/camdl.db")
    return found[0]


def _list(value: object) -> list[str]:
    if not isinstance(value, list | tuple):
        raise NotAllowedError
    return [_some_text(one) for one in value]


def _list_of_text(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _name(value: object) -> str:
    if not STREAM_NAME.fullmatch(_text(value)):
        raise NotAllowedError
    return _text(value)


def _names(value: object) -> tuple[str, ...]:
    names = tuple(_name(name) for name in _list(value))
    if not names:
        raise NotAllowedError
    if len(set(names)) < len(names):
        raise NotAllowedError("names a stream twice")
    return names


def _jobs(value: object) -> tuple[str, ...]:
    named = _list(value)
    if not set(named) <= set(JOBS):
        raise NotAllowedError
    return tuple(name for name in JOBS if name in named)


def _optional_path(value: object) -> Path | None:
    return _path(value) if _text(value) else None


def _size(value: object) -> int:
    found = _SIZE.fullmatch(_text(str(value) if type(value) is int else value))
    if not found:
        raise NotAllowedError
    size = float(found[1]) * (1024 if found[3] else 1000) ** _POWERS[found[2].lower()]
    if not 1_000 <= size <= 1_000_000_000:
        raise NotAllowedError
    return int(size)


def _written_size(size: int) -> object:
    for factor, unit in ((1_000_000, "MB"), (1_000, "kB")):
        if size % factor == 0:
            return f"{size // factor} {unit}"
    return size


def _dimensions(value: object) -> tuple[int, int]:
    if isinstance(value, list | tuple):
        value = "x".join(str(side) for side in value if type(side) is int)
    found = _DIMENSIONS.fullmatch(_text(value))
    if not found or not int(found[1]) or not int(found[2]):
        raise NotAllowedError
    return int(found[1]), int(found[2])


def _page(value: object) -> str:
    text = _some_text(value)
    if "{" in text.replace("{stream}", "") or "}" in text.replace("{stream}", ""):
        raise NotAllowedError("the only field of a page's URL is {stream}")
    origin(text)
    return text


def _template(value: object) -> str:
    text = _some_text(value)
    try:
        UrlTemplate(text)
    except TemplateError as error:
        reason = str(error).removeprefix(f"{text!r}").removeprefix(":").strip()
        raise NotAllowedError(mask_url(reason)) from error
    origin(text)
    return text


def _timezone(value: object) -> str:
    from zoneinfo import ZoneInfo

    text = _some_text(value)
    try:
        ZoneInfo(text)
    except (KeyError, OSError) as error:  # unknown; a directory of zones such as "America"
        raise NotAllowedError from error
    return text


def _closed(value: object) -> str:
    text = _text(value)
    try:
        ClosedHours(text)
    except CalendarError as error:
        raise NotAllowedError(str(error)) from error
    return text


def _hosts(value: object) -> tuple[str, ...]:
    hosts = tuple(host.lower() for host in _list(value))
    if not all(_HOST.fullmatch(host) for host in hosts):
        raise NotAllowedError
    return hosts


def _one_of(names: tuple[str, ...]) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str) or value.lower() not in names:
            raise NotAllowedError
        return value.lower()

    return read


def choice(*names: str) -> Kind[str]:
    """One of `names`, in small or capital letters."""
    return Kind(f"one of {', '.join(names)}", _one_of(names))


def _address(value: object) -> str:
    """An address of mail, with a name before it or not."""
    text = _some_text(value)
    if not _MAILBOX.fullmatch(text):
        raise NotAllowedError
    return text


def _addresses(value: object) -> tuple[str, ...]:
    return tuple(_address(one) for one in _list(value))


def _host(value: object) -> str:
    text = _text(value).lower()
    if text and not _HOST.fullmatch(text):
        raise NotAllowedError
    return text


def _port(value: object) -> int | None:
    if value is None or value == "":
        return None
    return whole(1, 65_535).read(value)


def _port_of_text(text: str) -> object:
    return int(text) if text else ""


def _web_address(value: object) -> str:
    text = _text(value)
    if text:
        origin(text)
        if any(character.isspace() for character in text):
            raise NotAllowedError
    return text


def _ping(value: object) -> str:
    text = _web_address(value)
    if "{" in text.replace("{job}", "") or "}" in text.replace("{job}", ""):
        raise NotAllowedError("the only field of a ping's URL is {job}")
    return text


def _urls(value: object) -> tuple[str, ...]:
    urls = tuple(_list(value))
    if not all(_ANY_URL.fullmatch(url) for url in urls):
        raise NotAllowedError
    return urls


def _urls_of_text(text: str) -> list[str]:
    # A comma may be a part of such a URL.
    return [url for url in _BETWEEN_URLS.split(text) if url]


switch = Kind("true or false", _switch, _switch_of_text)
path = Kind("a path", _path, written=str)
optional_path = Kind(
    'a path, or "" for none', _optional_path, written=lambda value: str(value or "")
)
directory = Kind("a directory", _path, written=str)
optional_path = Kind(
    'a path, or "" for none',
    lambda v: _path(v) if v != "" else None,
    written=lambda v: str(v or ""),
)
program = Kind('the path or name of a program, or "" to find one', lambda v: _text(v) or None)
database = Kind("sqlite:///FILE or postgresql://USER@HOST/NAME", _database)
stream_name = Kind("a name of 1 to 64 of a-z, 0-9, _ and -", _name)
stream_names = Kind(
    "a list of different names of 1 to 64 of a-z, 0-9, _ and -", _names, _list_of_text
)
jobs = Kind(f"a list of some of {', '.join(JOBS)}", _jobs, _list_of_text)
size = Kind('bytes or a text like "20 MB", from 1 kB to 1 GB', _size, str, _written_size)
closed = Kind('a calendar such as "Sun; Sat 18:00-24:00", or "" if it never closes', _closed)
selector = Kind('a CSS selector, or "" if the page has no date picker', _text)
hosts = Kind('a list of hosts such as "cdn.example.org" or "*.example.org"', _hosts)
timezone = Kind("a time zone such as UTC or America/Los_Angeles", _timezone)
page = Kind("an http:// or https:// URL, with {stream} in it if need be", _page)
template = Kind("an http:// or https:// URL with {stream} and {time:…} in it", _template)
optional_template = Kind(
    f'{template.allowed}, or "" if there is none', lambda v: _template(v) if v != "" else ""
)
dimensions = Kind(
    'a size like "640x360", or [640, 360]',
    _dimensions,
    written=lambda sides: f"{sides[0]}x{sides[1]}",
)
secret = Kind('a text, or "" for none', _text)
text = Kind('a text, or "" for none', _text)
host = Kind('a host name, or "" for none', _host)
port = Kind('a port from 1 to 65535, or "" for the usual one', _port, _port_of_text)
address = Kind('an address such as "camdl@example.org", or ""', lambda v: v and _address(v))
addresses = Kind('a list of addresses such as "ops@example.org"', _addresses, _list_of_text)
web_address = Kind('an http:// or https:// URL, or "" for none', _web_address)
ping = Kind('an http:// or https:// URL, with {job} in it if need be, or "" for none', _ping)
urls = Kind("a list of URLs", _urls, _urls_of_text)
