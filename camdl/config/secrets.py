"""Passwords and tokens, hidden: in URLs, as values of settings, and wherever they turn up."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, unquote_plus, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_HIDDEN = "***"
_NAME = re.compile(r"(?<![^?&#;\s])([^=?&#;\s]*)=")
_SECRET_NAME = re.compile(r"pass|pwd|secret|token|credential|signature|key$|^sig$|^auth")
# Up to the last @: database drivers accept passwords whose own @, / or ? nobody escaped.
_PASSWORD = re.compile(r"(?<=://)([^:/?#@]*):.*@", re.DOTALL)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s<>\"']+")
_WEB = re.compile(r"(https?://)(?:.*@)?([^/?#@]+)", re.DOTALL)
_PIECES = re.compile(r"[/:@?&=]")
_LIKE_A_TOKEN = re.compile(r"(?=.*[0-9A-Z])[^.]{8,}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
# A text with anything shorter taken out of it could not be read, and would tell what it was.
_SHORTEST = 4
_FROM_PASSWORD = re.compile(r"(?<=://)([^:/?#@]*):.*", re.DOTALL)


def mask_url(url: str) -> str:
    """`url` with its password, and every parameter that sounds like a secret, as `***`.

    Where it is not clear what ends a secret, more is hidden rather than less.
    """
    masked = "&".join(_mask_parameter(part) for part in url.split("&"))
    if _PASSWORD.search(url) and not _PASSWORD.search(masked):
        # What looked like a parameter was part of the password, or the other way round.
        return _FROM_PASSWORD.sub(rf"\1:{_HIDDEN}", url)
    return _PASSWORD.sub(rf"\1:{_HIDDEN}@", masked)


def masked(value: object) -> object:
    """`value` with the secrets hidden that are in it, or in the items of a list."""
    if isinstance(value, list | tuple):
        return [masked(one) for one in value]
    return mask_url(value) if isinstance(value, str) else value


def is_secret(parameter: str) -> bool:
    """Whether the value of a `parameter` of that name must not be shown."""
    return _SECRET_NAME.search(parameter.lower()) is not None


def hidden(value: object) -> object:
    """`value`, all of which is secret, as `***`; what is empty as it is.

    Of a web address the host is left, of any other URL the scheme: they tell which one it is.
    """
    if isinstance(value, list | tuple):
        return [hidden(one) for one in value]
    if not isinstance(value, str) or not value:
        return value
    if web := _WEB.match(value):
        return f"{web[1]}{web[2]}/{_HIDDEN}"
    scheme = _SCHEME.match(value)
    return f"{scheme[0] if scheme else ''}{_HIDDEN}"


class Censor:
    """Takes `secrets` out of texts, in the forms in which protocols write them.

    Passwords in URLs go too, whosever they are. Of a secret URL each part may be secret.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= _SHORTEST}
        # The longest first: one may be a part of another.
        alternatives = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
        self._secrets = re.compile(alternatives) if forms else None

    def __call__(self, text: str) -> str:
        """`text` without them."""
        if self._secrets:
            text = self._secrets.sub(_HIDDEN, text)
        return _URL.sub(lambda url: mask_url(url[0]), text)


def _forms(secret: str) -> Iterator[str]:
    """What may be seen of `secret` when something speaks of it."""
    for part in (secret, *_parts(secret)):
        yield part
        yield quote(part, safe="")
        yield unquote(part)
        yield base64.b64encode(part.encode()).decode()


def _parts(secret: str) -> Iterator[str]:
    """What of a URL tells the secret in it: all but its scheme and, of a web address, its host."""
    if "://" not in secret:
        return
    rest = secret.partition("://")[2]
    yield rest
    try:
        url = urlsplit(secret)
    except ValueError:
        return
    yield from filter(None, (url.password, url.query, url.path.strip("/")))
    if url.query:
        yield f"{url.path}?{url.query}"
    # Tokens are parts of paths, and of any URL but a web address in place of a host too.
    parts = _PIECES.split(url.path if _WEB.match(secret) else rest)
    yield from (part for part in parts if _LIKE_A_TOKEN.fullmatch(part))


def _mask_parameter(part: str) -> str:
    for name in _NAME.finditer(part):
        if is_secret(unquote_plus(name[1])):
            return part[: name.end()] + _HIDDEN
    return part
