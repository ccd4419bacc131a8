"""`camdl pin` and `camdl unpin`: captures that no clean-up deletes, by stream and time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from camdl.domain.retention import Kept
from camdl.domain.windows import without
from camdl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from camdl.domain.retention import Pin
    from camdl.domain.windows import Window
    from camdl.ports import Keeping


def pin(keeping: Keeping, stream: str, window: Window, note: str, now: datetime) -> Kept:
    """Keep the captures of `stream` in `window`, those too that are still to come.

    It needs no lock: a clean-up that is going on looks at the pins again each time before it
    deletes, and what is counted here is counted afterwards.

    Raises:
        CatalogueError: the catalogue cannot be used.
    """
    return _kept(keeping, keeping.pin(stream, window, note, now))


def pins(keeping: Keeping, streams: Sequence[str] = ()) -> tuple[Kept, ...]:
    """Every pin, of these streams or of all, in the order of their times.

    Raises:
        CatalogueError: the catalogue cannot be used.
    """
    return tuple(_kept(keeping, one) for one in keeping.pins(streams))


def unpin(keeping: Keeping, ids: Sequence[int]) -> tuple[Pin, ...]:
    """Take these pins away, and return them.

    Raises:
        UsageError: there is none of one of the ids; all are as they were.
        CatalogueError: the catalogue cannot be used.
    """
    found = {one.id: one for one in keeping.pins()}
    unknown = [str(number) for number in ids if number not in found]
    if unknown:
        raise UsageError(
            f"there is no pin {', '.join(unknown)}", advice="See them with: camdl pin --list"
        )
    keeping.trim_pins(dict.fromkeys(ids, ()))
    return tuple(found[number] for number in dict.fromkeys(ids))


def unpin_window(keeping: Keeping, stream: str, window: Window) -> tuple[Pin, ...]:
    """Let nothing keep the captures of `stream` in `window`; return the pins that did, as they
    were. What such a pin keeps before and after the window it keeps further on.

    Raises:
        UsageError: no pin does.
        CatalogueError: the catalogue cannot be used.
    """
    found = tuple(one for one in keeping.pins([stream]) if one.window.overlaps(window))
    if not found:
        raise UsageError(
            f"no pin keeps captures of {stream} in that time",
            advice="See them with: camdl pin --list",
        )
    keeping.trim_pins({one.id: tuple(without(one.window, [window])) for one in found})
    return found


def _kept(keeping: Keeping, one: Pin) -> Kept:
    return Kept(one, keeping.captures_in(one.stream, one.window))
