"""Whether this machine's clock is kept right, as its kernel tells."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from camdl.domain.examination import fine, note

if TYPE_CHECKING:
    from camdl.domain.examination import Finding

_NOT_SYNCHRONIZED = 0x40  # STA_UNSYNC of <sys/timex.h>
_BEGIN_KEEPING = "As root: timedatectl set-ntp true (or: apt-get install -y systemd-timesyncd)"


class _Timex(ctypes.Structure):
    """As adjtimex(2) has it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),  # more than what follows
    )


def examine() -> Finding:
    """Ask the kernel, which every program that keeps the clock right tells: it needs no right."""
    status = _status()
    if status is None:
        return note("whether the clock is kept right cannot be asked here")
    if status & _NOT_SYNCHRONIZED:
        return note("nothing keeps this machine's clock right", _BEGIN_KEEPING)
    return fine("the clock is kept right")


def _status() -> int | None:
    """The kernel's status of the clock; None where there is no such thing."""
    asked = _Timex()
    try:
        if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(asked)) < 0:
            return None
    except (OSError, AttributeError):
        return None
    return int(asked.status)
