"""Logging, which belongs to the whole process, as a test needs it."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from camdl.ops import log

if TYPE_CHECKING:
    from collections.abc import Iterator

OURS = logging.getLogger("camdl")
EVENTS = logging.getLogger("camdl.events")
SCREEN = logging.getLogger("camdl.screen")


@contextmanager
def kept() -> Iterator[None]:
    """What is changed of it inside the `with` is undone."""
    root = logging.getLogger()
    loggers = {one: one.level for one in (OURS, EVENTS, SCREEN)}
    handlers = list(root.handlers)
    yield
    root.handlers[:] = handlers
    for logger, level in loggers.items():
        logger.setLevel(level)


@contextmanager
def begun() -> Iterator[None]:
    """Inside the `with` messages are told as when the program has just started."""
    with kept():
        log.begin(environ={})
        yield
