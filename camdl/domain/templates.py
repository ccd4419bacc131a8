r"""A site's URL template, read both ways: from an instant to the URL and from text to instants.

`https://cdn.example/{time:%Y-%m-%d}/{time:%-H}/{time:%Y-%m-%dT%H:%M:%S}-{stream}.jpeg` is the form:
`{stream}` and any number of `{time:…}` with the strftime codes of `_CODES`. The codes must tell a
whole instant down to the minute between them, and codes that say the same thing must agree, or a
text is no URL of the template.

In text that a page received the URLs are rarely plain: JSON writes `\/` or `\u002F`, HTML writes
`&amp;`, query strings write `%3A`, and a list may hold only paths or file names that the page
puts a host in front of. `find` reads them all.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from camdl.domain.captures import Capture, ListedCapture

if TYPE_CHECKING:
    from collections.abc import Iterator

_PART = re.compile(r"\{(?P<field>stream|time:(?P<format>[^{}]+))\}|(?P<brace>[{}])")
_CODE = re.compile(r"%(-?[A-Za-z%])")
# Each code: the regular expression of its digits, and the part of the instant it tells.
_CODES: dict[str, tuple[str, str]] = {
    "Y": (r"\d{4}", "year"),
    "y": (r"\d{2}", "short_year"),
    "m": (r"\d{2}", "month"),
    "-m": (r"[1-9]\d?", "month"),
    "d": (r"\d{2}", "day"),
    "-d": (r"[1-9]\d?", "day"),
    "j": (r"\d{3}", "ordinal"),
    "H": (r"\d{2}", "hour"),
    "-H": (r"\d{1,2}", "hour"),
    "M": (r"\d{2}", "minute"),
    "-M": (r"\d{1,2}", "minute"),
    "S": (r"\d{2}", "second"),
    "-S": (r"\d{1,2}", "second"),
    "s": (r"\d{9,11}", "epoch"),
}
_UNICODE_ESCAPE = re.compile(r"\\u00([0-7][0-9a-fA-F])")
_PERCENT_ESCAPE = re.compile(r"%([2-7][0-9A-Fa-f])")
# What may stand before a URL, a path or a file name in HTML, CSS, JSON and scripts; anything else
# means that the match is the tail of some other, longer name.
_BEFORE = r"(?<![^\s\"'`(,=\[\]{}<>;:|])"
_QUERY = r"(?:\?[^\s\"'`<>\\)]*)?"
# A closing backslash is half of an escaped quote: JSON inside a string of JSON.
_AFTER = r"(?![^\s\"'`)\],;<>?#&|}\\])"


class TemplateError(ValueError):
    """The template is not one; the message says why."""


@dataclass(frozen=True)
class UrlTemplate:
    """A URL with `{stream}` and `{time:…}` in it. `zone` is the time zone of its stamps.

    Raises:
        TemplateError: the text is no http(s) URL, has an unknown field or code, or its codes do
            not tell an instant.
    """

    text: str
    zone: tzinfo = UTC

    def __post_init__(self) -> None:
        """Refuse what could not be read both ways."""
        parts = urlsplit(self.text)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise TemplateError(f"{self.text!r} is not an http:// or https:// URL")
        if "{" in parts.netloc:
            raise TemplateError(f"{self.text!r}: the host may not depend on stream or time")
        told = {_CODES[code][1] for code in self._codes()}
        day = {"month", "day"} <= told or "ordinal" in told
        date = day and ("year" in told or "short_year" in told)
        if "epoch" not in told and not (date and {"hour", "minute"} <= told):
            raise TemplateError(
                f"{self.text!r}: its {{time:…}} codes must tell year, month, day, hour and minute"
            )

    @property
    def origin(self) -> str:
        """Scheme, host and port, such as `https://cdn.example`."""
        parts = urlsplit(self.text)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def names_stream(self) -> bool:
        """Whether the template tells one stream from another."""
        return "{stream}" in self.text

    def url(self, capture: Capture) -> str:
        """The URL of `capture`."""
        local = capture.captured_at.astimezone(self.zone)

        def part(found: re.Match[str]) -> str:
            if found["field"] == "stream":
                return capture.stream
            return _CODE.sub(lambda code: _format(code[1], local), found["format"])

        return _PART.sub(part, self.text)

    def find(self, text: str, stream: str) -> Iterator[ListedCapture]:
        """Every capture of `stream` that a URL in `text` names, in the order of the text.

        A whole URL is kept as it was found, its query too, since that may sign it; a path or a
        file name becomes the URL that the template makes of it.
        """
        return self.find_in(plain(text), stream)

    def find_in(self, text: str, stream: str) -> Iterator[ListedCapture]:
        """`find` in a text that went through `plain` already."""
        pattern, tells = _compiled(self.text, stream)
        for found in pattern.finditer(text):
            read = [(t, v) for t, v in zip(tells, found.groups(), strict=True) if v is not None]
            captured_at = _instant(read, self.zone)
            if captured_at is None:
                continue
            capture = Capture(captured_at, stream)
            whole = found[0].startswith(("https:", "http:"))
            yield ListedCapture(capture, found[0] if whole else self.url(capture))

    def _codes(self) -> list[str]:
        codes: list[str] = []
        for part in _PART.finditer(self.text):
            if part["brace"]:
                raise TemplateError(
                    f"{self.text!r}: a lone {part['brace']!r}; fields are {{stream}} and "
                    "{time:…} with strftime codes"
                )
            codes += _CODE.findall(part["format"] or "")
        unknown = [f"%{code}" for code in codes if code != "%" and code not in _CODES]
        if unknown:
            known = " ".join(f"%{code}" for code in _CODES)
            raise TemplateError(f"{self.text!r}: {unknown[0]} is not one of {known}")
        return [code for code in codes if code != "%"]


def plain(text: str) -> str:
    """`text` with the escapes undone that JSON, HTML and URLs put into a URL.

    Percent escapes of control characters and of bytes beyond ASCII stay as they are.
    """
    text = text.replace("\\/", "/")
    if "\\u00" in text:
        text = _UNICODE_ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    if "&" in text:
        text = html.unescape(text)
    return _PERCENT_ESCAPE.sub(lambda found: chr(int(found[1], 16)), text) if "%" in text else text


@lru_cache(maxsize=256)
def _compiled(template: str, stream: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """The expression that finds `stream`'s URLs, and what each of its groups tells.

    Its branches are the whole URL, and each tail of its path that still tells the instant and
    the stream: with the host left to the page, with some directories, or the bare file name.
    """
    scheme, _, rest = template.partition("://")
    host, _, path = rest.partition("/")
    origin = f"(?:(?:{scheme}:)?//{re.escape(host)}/)"
    directories = _split_path(path)
    branches: list[str] = []
    tells: list[str] = []
    for start in range(len(directories)):
        tail = "/".join(directories[start:])
        if start and not _tells_everything(tail, template):
            break
        expression, told = _expression(tail, stream)
        branches.append(f"(?:{origin}|/)?{expression}" if start == 0 else expression)
        tells += told
    query = "" if "?" in path else _QUERY
    return re.compile(f"{_BEFORE}(?:{'|'.join(branches)}){query}{_AFTER}"), tuple(tells)


def _split_path(path: str) -> list[str]:
    """`path` at its slashes, but not at those inside a `{time:…}`."""
    parts = [""]
    for piece in re.split(r"(\{[^{}]*\}|/)", path):
        if piece == "/":
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def _tells_everything(tail: str, template: str) -> bool:
    if ("{stream}" in template) and ("{stream}" not in tail):
        return False
    try:
        UrlTemplate(f"http://host/{tail}")
    except TemplateError:
        return False
    return True


def _expression(path: str, stream: str) -> tuple[str, list[str]]:
    expression = ""
    tells: list[str] = []
    end = 0
    for part in _PART.finditer(path):
        expression += re.escape(path[end : part.start()])
        end = part.end()
        if part["field"] == "stream":
            expression += re.escape(stream)
            continue
        done = 0
        for code in _CODE.finditer(part["format"]):
            expression += re.escape(part["format"][done : code.start()])
            done = code.end()
            if code[1] == "%":
                expression += "%"
                continue
            digits, told = _CODES[code[1]]
            expression += f"({digits})"
            tells.append(told)
        expression += re.escape(part["format"][done:])
    return expression + re.escape(path[end:]), tells


def _instant(read: list[tuple[str, str]], zone: tzinfo) -> datetime | None:
    """The instant in UTC, or None if the parts disagree or there is no such instant."""
    told: dict[str, int] = {}
    for name, digits in read:
        if told.setdefault(name, int(digits)) != int(digits):
            return None
    try:
        return _local(told, zone).astimezone(UTC) if _agrees(told, zone) else None
    except (ValueError, OverflowError, OSError):  # digits in the right places, but no such instant
        return None


def _local(told: dict[str, int], zone: tzinfo) -> datetime:
    if "epoch" in told:
        return datetime.fromtimestamp(told["epoch"], zone)
    year = told["year"] if "year" in told else 2000 + told["short_year"]
    clock = (told["hour"], told["minute"], told.get("second", 0))
    if "month" in told and "day" in told:
        return datetime(year, told["month"], told["day"], *clock, tzinfo=zone)
    first = datetime(year, 1, 1, *clock, tzinfo=zone)
    return first + timedelta(days=told["ordinal"] - 1)


def _agrees(told: dict[str, int], zone: tzinfo) -> bool:
    """Whether every part says what the instant made of some of them says.

    It also drops wall times that a daylight-saving change skips: they come back as others.
    """
    local = _local(told, zone).astimezone(UTC).astimezone(zone)
    facts = {
        "year": local.year,
        "short_year": local.year % 100,
        "month": local.month,
        "day": local.day,
        "ordinal": local.timetuple().tm_yday,
        "hour": local.hour,
        "minute": local.minute,
        "second": local.second,
        "epoch": int(local.timestamp()),
    }
    return all(facts[name] == value for name, value in told.items())


def _format(code: str, local: datetime) -> str:
    if code == "s":
        return str(int(local.timestamp()))
    if code == "Y":  # strftime pads no years below 1000 on Linux
        return f"{local.year:04d}"
    return "%" if code == "%" else local.strftime(f"%{code}")
