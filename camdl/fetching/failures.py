"""What went wrong with a request, in one line, and whether asking again may mend it."""

from __future__ import annotations

import errno
import http
import ssl
from http.client import IncompleteRead
from urllib.parse import urlsplit

from urllib3.exceptions import (
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as HttpTimeoutError

from camdl.domain.failures import FailureKind
from camdl.domain.outcomes import Failed
from camdl.domain.text import one_line
from camdl.errors import PassingFaultError

# What a request may raise: urllib3's own, sockets', and host names that are none.
REQUEST_ERRORS = (HTTPError, OSError, UnicodeError)
# What this machine has no more of: no fault of the host, and asking again mends nothing.
_USED_UP = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})


def host_of(url: str) -> str:
    """The host's name as it may be shown: nothing else of a URL is, it could hold a password."""
    return one_line(urlsplit(url).hostname or "", 100)


def in_words(status: int) -> str:
    """`HTTP 404 Not Found`."""
    try:
        return f"HTTP {status} {http.HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


def resting(url: str, seconds: float) -> PassingFaultError:
    """The host of `url` wants no request for `seconds`."""
    asked = f"{host_of(url)} asks to be left alone for {seconds:.0f} s"
    return PassingFaultError(asked, wait_seconds=seconds, kind=FailureKind.DEFERRED)


def too_slow(url: str, seconds: float) -> PassingFaultError:
    """An attempt was over after `seconds` without a whole answer."""
    return PassingFaultError(
        f"no whole answer from {host_of(url)} within {seconds:.3g} s", kind=FailureKind.TIMEOUT
    )


def failure(error: Exception, url: str, seconds: float) -> Failed:
    """The failure that asking again would not mend.

    Raises:
        PassingFaultError: asking again may mend it.
        OSError: this machine refused what every request needs, such as one more open file.
    """
    host, cause = host_of(url), _cause(error)
    if isinstance(cause, OSError) and cause.errno in _USED_UP:
        raise cause
    if isinstance(error, HttpTimeoutError) and not isinstance(error, NewConnectionError):
        raise too_slow(url, seconds) from error
    if isinstance(error, SSLError):
        return _tls_failure(error, host)
    raise PassingFaultError(_broken(error, host)) from error


def _tls_failure(error: SSLError, host: str) -> Failed:
    reason = error.args[0] if error.args else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        told = one_line(reason.verify_message)
        told = f"the certificate of {host} is not trusted: {told}"
        return Failed(told, kind=FailureKind.CERTIFICATE)
    raise PassingFaultError(f"TLS with {host} failed: {one_line(str(reason))}") from error


def _cause(error: Exception) -> BaseException:
    return error.__cause__ or error.__context__ or error


def _broken(error: Exception, host: str) -> str:
    cause = _cause(error)
    told = one_line(getattr(cause, "strerror", None) or str(cause))
    if isinstance(error, NameResolutionError):
        return f"the name {host} was not found: {told}"
    if isinstance(error, NewConnectionError):
        return f"no connection to {host}: {told}"
    if isinstance(cause, IncompleteRead):
        return f"the body from {host} ended early"
    return f"the connection to {host} broke: {told}"
