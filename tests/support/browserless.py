"""The whole program but for the browser, ready to run: what `tests.support.nursery` starts.

Half of a short run is spent on imports. Here they are done once, and each run is a fork that
waits until somebody has had a look at it. Requests come as lines of JSON on stdin, answers go to
stdout. A run finds in `listed.json` of its directory which keys its cameras have taken.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import PIL.JpegImagePlugin
import sqlalchemy.dialects.sqlite.pysqlite

import camdl.archive.local
import camdl.catalogue.ledger
import camdl.catalogue.rows
import camdl.catalogue.schema
import camdl.cli
import camdl.fetching.images
import camdl.ops.health_file
import camdl.report.screen
import camdl.sources.page
import camdl.verbs.download
import camdl.wiring
from camdl import durable
from camdl.domain.captures import Capture, ListedCapture
from camdl.ports import Listing
from tests.support.fake_source import FakeSource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from camdl.domain.outcomes import ValidImage
    from camdl.domain.sites import Stream

PRELOADED = (PIL.JpegImagePlugin, sqlalchemy.dialects.sqlite.pysqlite, camdl.verbs.download)
# In the name of every temporary file of a run, so that strace can be told of it.
ENDING = "00000000"


class Listed(FakeSource):
    """In place of the browser: each stream's page lists what `listed.json` says."""

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def prepare(self, streams: Sequence[Stream]) -> None:
        """Read what there is."""
        keys = json.loads(Path("listed.json").read_text(encoding="utf-8"))
        captures = [capture for key in keys if (capture := Capture.from_key(key))]
        for stream in streams:
            own = sorted((one for one in captures if one.stream == stream.name), reverse=True)
            listed = tuple(ListedCapture(one, stream.image.url(one)) for one in own)
            self.answers[stream.name] = Listing(stream.name, listed)


def writes_in_place() -> None:
    """How not to write: under the final name, and without waiting for the disk."""

    def write(path: Path, data: bytes, mode: int | None = None) -> None:
        with path.open("wb") as file:
            for begin in range(0, len(data), 4096):
                os.write(file.fileno(), data[begin : begin + 4096])
        if mode is not None:
            path.chmod(mode)

    durable.replace = write


def records_first() -> None:
    """How not to record: an image is stored once the run has its row."""
    rows, archive = camdl.catalogue.rows.SqlCatalogue, camdl.archive.local.LocalArchive
    store, finish = archive.put, rows.finish_run
    owed: list[tuple[Any, Capture, ValidImage]] = []

    def promise(self: Any, capture: Capture, image: ValidImage) -> str:
        owed.append((self, capture, image))
        return capture.key

    def finish_and_store(self: Any, run: Any) -> None:
        finish(self, run)
        for one, capture, image in owed:
            store(one, capture, image)

    archive.put = promise  # type: ignore[method-assign]
    rows.finish_run = finish_and_store  # type: ignore[method-assign]


def silent_about_errors() -> None:
    """How not to fail: what could not be written is taken for written."""
    write = durable.replace

    def try_to_write(path: Path, data: bytes, mode: int | None = None) -> None:
        with suppress(OSError):
            write(path, data, mode)

    durable.replace = try_to_write


FLAWS: dict[str, Callable[[], None]] = {
    "": lambda: None,
    "writes in place": writes_in_place,
    "records first": records_first,
    "silent about errors": silent_about_errors,
}


def serve() -> None:
    """Fork a run for each request, let it go when told so, and say how it ended."""
    camdl.sources.page.PageSource = Listed  # type: ignore[misc, assignment]
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        gate, opener = os.pipe()
        if not (pid := os.fork()):
            os.close(opener)
            os.read(gate, 1)  # until it is watched
            os.close(gate)
            _run(request)
        os.close(gate)
        _say(pid)
        sys.stdin.readline()
        os.close(opener)
        _, status = os.waitpid(pid, 0)
        _say(os.waitstatus_to_exitcode(status))


def _say(number: int) -> None:
    print(number, flush=True)  # noqa: T201  # the answer


def _run(request: dict[str, Any]) -> None:
    """Be the program until its end."""
    code: object = 99
    try:
        os.chdir(request["home"])
        for number, name in ((0, os.devnull), (1, request["stdout"]), (2, request["stderr"])):
            opened = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            os.dup2(opened, number)
            os.close(opened)
        for limit, value in request["limits"].items():
            resource.setrlimit(int(limit), (value, value))
        if request["is_watched"]:
            vars(durable)["secrets"] = SimpleNamespace(token_hex=lambda _: ENDING)
        FLAWS[request["flaw"]]()
        sys.argv = ["camdl", *request["arguments"]]
        camdl.cli.main()
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 98)


if __name__ == "__main__":
    serve()
