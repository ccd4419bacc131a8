"""`camdl pin` and `camdl unpin`."""

from __future__ import annotations

from typing import Annotated

import typer

from camdl.cli.ending import say
from camdl.cli.options import AsJson, ConfigFile, load, window_of
from camdl.domain.text import one_line
from camdl.errors import UsageError

PinFrom = Annotated[
    str | None, typer.Option("--from", metavar="WHEN", help="2025-09-08 or 2025-09-08T14:30.")
]
PinTo = Annotated[
    str | None, typer.Option("--to", metavar="WHEN", help="Up to this time, or the end of a day.")
]


def pin(  # noqa: PLR0917  # typer passes them by name
    stream: Annotated[
        str | None, typer.Argument(metavar="STREAM", help="The stream.", show_default=False)
    ] = None,
    start: PinFrom = None,
    end: PinTo = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="What they are kept for.")] = "",
    list_them: Annotated[bool, typer.Option("--list", help="Print every pin instead.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Keep the captures of a stream and a time, whatever clean-up is asked to delete.

    Times without a zone are UTC, as in the names of the files. Take a pin away with camdl unpin.
    """
    from camdl import wiring
    from camdl.report.pins import pin_lines, pins_as_json
    from camdl.verbs import pin as verb
    from camdl.wiring import cleaning

    loaded = load(config)
    names = [one.name for one in loaded.streams([stream])] if stream else []
    with cleaning.keeping(loaded) as keeping:
        if list_them:
            found = verb.pins(keeping, names)
        else:
            window = window_of(start, end)
            if not names or window is None:
                raise UsageError("a pin needs STREAM, --from and --to")
            found = (verb.pin(keeping, names[0], window, one_line(note), wiring.utc_now()),)
    if as_json:
        say(pins_as_json(found))
    else:
        for line in pin_lines(found):
            say(line)


def unpin(
    ids: Annotated[
        list[int] | None, typer.Argument(metavar="ID", help="Pins, as camdl pin --list says.")
    ] = None,
    stream: Annotated[
        str | None, typer.Option(metavar="NAME", help="Captures of this stream instead.")
    ] = None,
    start: PinFrom = None,
    end: PinTo = None,
    config: ConfigFile = None,
) -> None:
    """Take pins away, by their ids or from the captures of a stream and a time.

    Say either IDs, or all of --stream, --from and --to.
    """
    from camdl.verbs import pin as verb
    from camdl.wiring import cleaning

    loaded = load(config)
    window = window_of(start, end)
    if bool(ids) == bool(stream) or bool(stream) != (window is not None):
        raise UsageError("say either IDs, or --stream, --from and --to")
    with cleaning.keeping(loaded) as keeping:
        if window and stream:
            # Of a stream that is not configured any more too.
            verb.unpin_window(keeping, stream, window)
        else:
            verb.unpin(keeping, ids or ())
