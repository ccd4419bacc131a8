"""Messages, as they come out on stderr."""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from camdl.ops import log

if TYPE_CHECKING:
    from collections.abc import Iterator

    Capsys = pytest.CaptureFixture[str]

OURS = logging.getLogger("camdl")


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Logging belongs to the whole process."""
    root, level = logging.getLogger(), OURS.level
    handlers = list(root.handlers)
    yield
    root.handlers[:] = handlers
    OURS.setLevel(level)


@pytest.mark.parametrize(
    ("level", "shown"),
    [(logging.ERROR, "e"), (logging.WARNING, "we"), (logging.INFO, "iwe")],
)
def test_only_what_is_asked_for_is_shown(capsys: Capsys, level: int, shown: str) -> None:
    """Messages below the level are not."""
    log.to_stderr(level)
    OURS.debug("d")
    OURS.info("i")
    OURS.warning("w")
    OURS.error("e")
    assert capsys.readouterr() == ("", "".join(f"camdl: {letter}\n" for letter in shown))


def test_the_last_call_holds(capsys: Capsys) -> None:
    """Called again it shows each message once, at the new level."""
    log.to_stderr(logging.ERROR)
    log.to_stderr(logging.INFO)
    OURS.info("once")
    assert capsys.readouterr().err == "camdl: once\n"


def test_a_message_is_one_line(capsys: Capsys) -> None:
    """Whatever a page or a server has put into it."""
    log.to_stderr(logging.INFO)
    OURS.info("a title\nwith %s", "\x1b[31m two\r lines")
    assert capsys.readouterr().err == "camdl: a title with \\x1b[31m two lines\n"


def test_other_libraries_are_named(capsys: Capsys) -> None:
    """What one of them warns of says whose it is; what it merely mentions is left out."""
    log.to_stderr(logging.INFO)
    logging.getLogger("urllib3.connectionpool").info("starting")
    logging.getLogger("urllib3.connectionpool").warning("pool\nis full")
    assert capsys.readouterr().err == "camdl: urllib3.connectionpool: pool is full\n"


def test_no_traceback_is_shown(capsys: Capsys) -> None:
    """Not even of a task whose exception nobody asked for, which asyncio would print in full."""
    log.to_stderr(logging.WARNING)

    async def fail() -> None:
        raise ZeroDivisionError("by zero")

    async def forget() -> None:
        task = asyncio.ensure_future(fail())
        await asyncio.wait([task])

    asyncio.run(forget())
    gc.collect()
    said = capsys.readouterr().err
    assert said.startswith("camdl: asyncio: Task exception was never retrieved")
    assert said.count("\n") == 1
    assert "Traceback" not in said


def test_a_live_display_may_take_stderrs_place(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for with each message."""
    log.to_stderr(logging.INFO)
    above = io.StringIO()
    monkeypatch.setattr(sys, "stderr", above)
    OURS.info("above the progress")
    assert above.getvalue() == "camdl: above the progress\n"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("before", ["", "sys.stderr.close()"], ids=["reader left", "closed"])
def test_nobody_there_to_read_ends_nothing(before: str) -> None:
    """A stderr that is closed, or whose reader has left, is not the run's fault."""
    program = (
        f"import logging, sys; from camdl.ops import log; log.to_stderr(logging.INFO); {before}\n"
        "logging.getLogger('camdl').info('to nobody'); print('it goes on')"
    )
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=writer,
        text=True,
        check=True,
    )
    os.close(writer)
    assert done.stdout == "it goes on\n"
