"""Apprise, in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import camdl
from camdl.deadline import Deadline
from camdl.domain.notices import Kind, Notice, NotSent, Sent
from camdl.notifying.apprise_urls import AppriseUrl
from tests.support.hook import Hook
from tests.support.http import RawServer
from tests.support.processes import await_that, carriers, marking, survivors

if TYPE_CHECKING:
    import pytest

NOTICE = Notice("n1", Kind.ALERT, datetime(2026, 11, 24, tzinfo=UTC), "title", "text\n")
SENDING = """
import sys
from datetime import UTC, datetime
from camdl.deadline import Deadline
from camdl.domain.notices import Kind, Notice
from camdl.notifying.apprise_urls import AppriseUrl
notice = Notice("n1", Kind.ALERT, datetime.now(UTC), "title", "text")
AppriseUrl(sys.argv[1], 1).send(notice, Deadline.after(60))
"""


def send(url: str) -> Sent | NotSent:
    """What becomes of a notice."""
    return AppriseUrl(url, 2).send(NOTICE, Deadline.after(60))


def test_each_url_is_a_channel_of_its_own() -> None:
    """One that is dead must not repeat the others."""
    assert [AppriseUrl("json://a", number).name for number in (1, 2)] == ["apprise.1", "apprise.2"]


def test_a_url_that_apprise_does_not_know_is_told() -> None:
    """Nobody has to guess which of them it is."""
    assert send("nope://token") == NotSent("Apprise does not understand this URL")


def test_a_machine_without_apprise_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an extra."""
    (tmp_path / "apprise.py").write_text("raise ImportError('no module named apprise')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert send("json://127.0.0.1") == NotSent(
        "Apprise cannot be loaded (no module named apprise): pip install 'camdl[alerts]'"
    )


def test_a_crash_inside_is_no_crash_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an outcome like any other."""
    (tmp_path / "apprise.py").write_text("import os; os.abort()")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert send("json://127.0.0.1") == NotSent("Apprise ended without an answer")


def test_no_process_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system refuses is told too."""
    monkeypatch.setattr("camdl.notifying.apprise_urls._COMMAND", ["/nowhere/python"])
    outcome = send("json://127.0.0.1")
    assert outcome == NotSent("no process for Apprise can be started: No such file or directory")


def test_nothing_of_it_survives_a_deadline() -> None:
    """Neither the process nor what it has started."""
    with marking() as mark, RawServer(lambda conversation: conversation.hold()) as server:
        url = server.origin.replace("http:", "json:") + "?rto=90"
        notifier = AppriseUrl(url, 1)
        assert isinstance(notifier.send(NOTICE, Deadline.after(2)), NotSent)
        assert survivors(mark) == []


def test_nothing_of_it_survives_its_parent() -> None:
    """Not even where that is killed."""
    with marking() as mark, RawServer(lambda conversation: conversation.hold()) as server:
        url = server.origin.replace("http:", "json:") + "?rto=90"
        parent = subprocess.Popen(
            [sys.executable, "-c", SENDING, url], cwd=Path(camdl.__file__).parents[1]
        )
        assert await_that(lambda: server.connections > 0, 60)
        assert len(carriers(mark)) == 2
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        assert survivors(mark) == []


def test_it_needs_nothing_of_the_place_where_it_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file there that is called like a module of Python's is not taken for it."""
    (tmp_path / "json.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    with Hook() as hook:
        assert isinstance(send(hook.origin.replace("http:", "json:")), Sent)
    assert hook.posts[0].json["title"] == "title"
