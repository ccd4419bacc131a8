"""Passwords and tokens in URLs, hidden."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

_HIDDEN = "***"
_NAME = re.compile(r"(?<![^?&#;\s])([^=?&#;\s]*)=")
_SECRET_NAME = re.compile(r"pass|pwd|secret|token|credential|signature|key$|^sig$|^auth")
# Up to the last @: database drivers accept passwords whose own @, / or ? nobody escaped.
_PASSWORD = re.compile(r"(?<=://)([^:/?#@]*):.*@", re.DOTALL)
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


def _mask_parameter(part: str) -> str:
    for name in _NAME.finditer(part):
        if is_secret(unquote_plus(name[1])):
            return part[: name.end()] + _HIDDEN
    return part
