"""Messages, as they come out on stderr."""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from camdl.config.secrets import Censor
from camdl.domain.outcomes import RunRecord
from camdl.ops import journal, log
from camdl.ops.log_file import LogFile
from tests.support.journal import FakeJournal, stream_of
from tests.support.logs import EVENTS, OURS, SCREEN, kept

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Capsys = pytest.CaptureFixture[str]

RUN = RunRecord("20250908T203000Z-abcdef", "download", datetime(2025, 9, 8, 20, 30, tzinfo=UTC))
OF_RUN = {"CAMDL_RUN_ID": [RUN.id], "CAMDL_VERB": ["download"], "SYSLOG_IDENTIFIER": ["camdl"]}


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Logging belongs to the whole process."""
    with kept():
        yield


@pytest.fixture
def listening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeJournal]:
    """A journal that is listening."""
    monkeypatch.setattr(journal, "SOCKET", str(tmp_path / "socket"))
    with FakeJournal(tmp_path / "socket") as there:
        yield there
        log.begin(environ={})  # lets go of the connection


@pytest.fixture
def file(tmp_path: Path) -> LogFile:
    """A log file."""
    return LogFile(tmp_path / "camdl.log", 100_000, 1)


def lines(file: LogFile) -> list[str]:
    """What is in it, without the times and the process."""
    text = file.path.read_text()
    found = [
        re.fullmatch(r"[-0-9]+T[:.0-9]+Z (\w+) camdl\[(\d+)\]: (.*)", line)
        for line in text.splitlines()
    ]
    assert all(one and one[2] == str(os.getpid()) for one in found), text
    return [f"{one[1]}: {one[3]}" for one in found if one]


@pytest.mark.parametrize(
    ("level", "shown"),
    [(logging.ERROR, "e"), (logging.WARNING, "we"), (logging.INFO, "iwe")],
)
def test_only_what_is_asked_for_is_shown(capsys: Capsys, level: int, shown: str) -> None:
    """Messages below the level are not."""
    log.begin(level)
    OURS.debug("d")
    OURS.info("i")
    OURS.warning("w")
    OURS.error("e")
    assert capsys.readouterr() == ("", "".join(f"camdl: {letter}\n" for letter in shown))


def test_the_last_call_holds(capsys: Capsys) -> None:
    """Called again it shows each message once, at the new level."""
    log.begin(logging.ERROR)
    log.begin(logging.INFO)
    OURS.info("once")
    assert capsys.readouterr().err == "camdl: once\n"


def test_a_message_is_one_line(capsys: Capsys) -> None:
    """Whatever a page or a server has put into it."""
    log.begin(logging.INFO)
    OURS.info("a title\nwith %s", "\x1b[31m two\r lines")
    assert capsys.readouterr().err == "camdl: a title with \\x1b[31m two lines\n"


def test_other_libraries_are_named(capsys: Capsys) -> None:
    """What one of them warns of says whose it is; what it merely mentions is left out."""
    log.begin(logging.INFO)
    logging.getLogger("urllib3.connectionpool").info("starting")
    logging.getLogger("urllib3.connectionpool").warning("pool\nis full")
    assert capsys.readouterr().err == "camdl: urllib3.connectionpool: pool is full\n"


def test_no_traceback_is_shown(capsys: Capsys) -> None:
    """Not even of a task whose exception nobody asked for, which asyncio would print in full."""
    log.begin(logging.WARNING)

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
    log.begin(logging.INFO)
    above = io.StringIO()
    monkeypatch.setattr(sys, "stderr", above)
    OURS.info("above the progress")
    assert above.getvalue() == "camdl: above the progress\n"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("before", ["", "sys.stderr.close()"], ids=["reader left", "closed"])
def test_nobody_there_to_read_ends_nothing(before: str) -> None:
    """A stderr that is closed, or whose reader has left, is not the run's fault."""
    program = (
        f"import logging, sys; from camdl.ops import log; log.begin(logging.INFO); {before}\n"
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


def test_what_nobody_reads_is_let_go() -> None:
    """Python tries to write it again at exit, and would make the failure the exit code."""
    program = (
        "import atexit, logging, os; from camdl.ops import log; log.begin(logging.INFO)\n"
        "atexit.register(lambda: print(os.readlink('/proc/self/fd/2')))\n"
        "logging.getLogger('camdl').info('to nobody')"
    )
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=writer, text=True, check=True)
    os.close(writer)
    assert done.stdout == f"{os.devnull}\n"


# What is for people, and what is for those who keep a log.


def test_people_see_what_the_screen_says_and_no_events(capsys: Capsys) -> None:
    """As it is, in two lines if it has two, and in spite of `--quiet`."""
    log.begin(logging.ERROR)
    SCREEN.error("no such stream\n       The streams are: a, b")
    SCREEN.info("for nobody's log")
    EVENTS.error("download failed")
    assert capsys.readouterr().err == (
        "camdl: no such stream\n       The streams are: a, b\ncamdl: for nobody's log\n"
    )


def test_a_file_has_what_a_log_should_have(file: LogFile, capsys: Capsys) -> None:
    """Messages and events in a line each, with the time in UTC, the level and the process."""
    log.begin(logging.WARNING, file)
    OURS.info("a retry")
    OURS.warning("the sandbox\nis off")
    EVENTS.info("all done")
    SCREEN.error("for people alone")
    assert lines(file) == ["warning: the sandbox is off", "info: all done"]
    at = datetime.fromisoformat(file.path.read_text().split()[0])
    assert abs((datetime.now(UTC) - at).total_seconds()) < 60
    assert "all done" not in capsys.readouterr().err


def test_quiet_or_not_a_log_has_the_events(file: LogFile) -> None:
    """They are its purpose; `--verbose` adds the messages."""
    for level in (logging.ERROR, logging.INFO):
        log.begin(level, file)
        OURS.info("a retry")
        EVENTS.info("all done")
        EVENTS.debug("begun")
    assert lines(file) == ["info: all done", "info: a retry", "info: all done"]


def test_all_lines_of_a_run_say_which_it_is(file: LogFile, capsys: Capsys) -> None:
    """From its beginning on, whoever speaks; a person knows it anyway."""
    log.begin(logging.INFO, file)
    OURS.info("before it")
    EVENTS.debug("begun", extra={"run": RUN})
    OURS.info("a retry")
    assert lines(file) == ["info: before it", f"info: download {RUN.id}: a retry"]
    assert capsys.readouterr().err == "camdl: before it\ncamdl: a retry\n"


def test_secrets_are_hidden_everywhere(
    file: LogFile, listening: FakeJournal, capsys: Capsys
) -> None:
    """In messages, fields and what people see, whoever put them there."""
    url, masked = (
        "https://camdl:hunter2@cdn.example/a?token=s3cret",
        "https://camdl:***@cdn.example",
    )
    log.begin(logging.INFO, file, stream_of(1))
    OURS.info("%s: retry 1 of 3", url)
    EVENTS.error("no image", extra={"fields": {"error": f"no image on {url}"}})
    SCREEN.error("no image on %s", url)
    everything = f"{file.path.read_text()}{listening.entries()}{capsys.readouterr().err}"
    assert everything.count(masked) == 5
    assert "hunter2" not in everything
    assert "s3cret" not in everything


def test_secrets_of_the_settings_are_hidden_too(
    file: LogFile, listening: FakeJournal, capsys: Capsys
) -> None:
    """Whatever they look like."""
    log.begin(logging.INFO, file, stream_of(1), Censor(["https://hook.example/s3cret-t0ken"]))
    OURS.info("POST /s3cret-t0ken failed")
    EVENTS.info("done", extra={"fields": {"error": "s3cret-t0ken"}})
    SCREEN.error("s3cret-t0ken")
    everything = f"{file.path.read_text()}{listening.entries()}{capsys.readouterr().err}"
    assert everything.count("***") == 5
    assert "s3cret" not in everything


def test_a_log_file_that_cannot_be_written(tmp_path: Path, capsys: Capsys) -> None:
    """It is told once, and ends nothing."""
    log.begin(logging.INFO, LogFile(tmp_path, 1000, 1))
    OURS.info("one")
    EVENTS.info("two")
    assert capsys.readouterr().err == (
        f"camdl: one\ncamdl: the log file {tmp_path} cannot be written: Is a directory\n"
    )


def test_entries_have_fields_and_priorities(listening: FakeJournal, capsys: Capsys) -> None:
    """Where stderr leads to the journal all becomes entries, and nothing is printed."""
    log.begin(environ=stream_of(2))
    fields = {"stream": ("a", "b"), "outcome": "ok", "error": ""}
    EVENTS.info("all done", extra={"run": RUN, "fields": fields, "closes": True})
    OURS.error("two\nlines")
    SCREEN.error("for people alone")
    said = f"download {RUN.id}:"
    assert listening.entries() == [
        {
            "MESSAGE": [f"{said} all done"],
            "PRIORITY": ["6"],
            "MESSAGE_ID": [log.ENDED],
            "CAMDL_STREAM": ["a", "b"],
            "CAMDL_OUTCOME": ["ok"],
            **OF_RUN,
        },
        {"MESSAGE": [f"{said} two lines"], "PRIORITY": ["3"], **OF_RUN},
    ]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.CRITICAL, "3"), (logging.ERROR, "3"), (logging.WARNING, "4"), (logging.INFO, "6")],
)
def test_priorities_are_those_of_syslog(listening: FakeJournal, level: int, priority: str) -> None:
    """So that `journalctl -p warning` finds what needs a person."""
    log.begin(environ=stream_of(2))
    EVENTS.log(level, "something")
    ((entry),) = listening.entries()
    assert entry["PRIORITY"] == [priority]


def test_where_stdout_alone_leads_to_the_journal(
    listening: FakeJournal, capfd: pytest.CaptureFixture[str]
) -> None:
    """Entries are for the journal, and messages for whoever reads stderr, too."""
    log.begin(environ=stream_of(1))
    OURS.warning("the sandbox is off")
    EVENTS.info("all done")
    assert [one["MESSAGE"] for one in listening.entries()] == [["the sandbox is off"], ["all done"]]
    assert capfd.readouterr().err == "camdl: the sandbox is off\n"


def test_a_journal_without_its_socket_gets_priorities_in_front(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    """Its stream takes lines alone, and takes the number in front of each for its priority."""
    monkeypatch.setattr(journal, "SOCKET", str(tmp_path / "socket"))
    log.begin(environ=stream_of(2))
    EVENTS.info("all done", extra={"run": RUN})
    OURS.warning("the sandbox is off")
    SCREEN.error("for people alone")
    log.begin(environ=stream_of(1))
    EVENTS.info("for no log")
    assert capsys.readouterr().err == (
        f"<6>camdl: download {RUN.id}: all done\n<4>camdl: download {RUN.id}: the sandbox is off\n"
    )


def test_a_journal_that_goes_away(listening: FakeJournal) -> None:
    """What it does not take is lost, and ends nothing."""
    log.begin(environ=stream_of(2))
    listening.stop()
    EVENTS.info("all done")
    assert listening.entries() == []
