"""What a run shows, and on which stream."""

from __future__ import annotations

import json
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from camdl.domain.captures import Capture, ListedCapture
from camdl.domain.outcomes import Counts, Outcome, RunRecord, StreamResult
from camdl.report.progress import RichProgress
from camdl.report.record import run_as_dict
from camdl.report.screen import NoProgress, Screen
from tests.support.terminal import Terminal, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Capsys = pytest.CaptureFixture[str]

NOW = datetime(2025, 9, 8, 20, 30, tzinfo=UTC)
NEW = ListedCapture(Capture(NOW, "in_gate"), "http://cdn.example/1.jpeg")


def run(outcome: Outcome = Outcome.OK, reason: str = "", *, streams: bool = True) -> RunRecord:
    """A run of one stream, or one that ended before it had any."""
    result = StreamResult("in_gate", outcome, Counts(listed=2, new=1, saved=1), NOW, 1.0, reason)
    return RunRecord("1", "download", NOW, NOW, outcome, 0, streams=(result,) if streams else ())


def show(
    record: RunRecord,
    would_fetch: Sequence[ListedCapture] | None = None,
    *,
    quiet: bool = False,
    verbose: bool = False,
    as_json: bool = False,
) -> None:
    """Show it as the command line does."""
    with Screen(["in_gate"], quiet=quiet, verbose=verbose, as_json=as_json) as screen:
        pass
    screen.show(record, would_fetch)


@pytest.fixture(autouse=True)
def an_able_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """If there is a terminal, it can move its cursor."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")


@contextmanager
def at_terminal() -> Iterator[Terminal]:
    """Inside the `with`, stdout and stderr are a terminal."""
    with Terminal() as terminal, redirect_stdout(terminal.file), redirect_stderr(terminal.file):
        yield terminal


def test_under_cron_a_good_run_is_silent(capsys: Capsys) -> None:
    """Nobody is there to read, and nothing needs to be read."""
    show(run())
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("quiet", [False, True])
def test_under_cron_a_bad_run_says_why(capsys: Capsys, quiet: bool) -> None:
    """One line a stream on stderr, `--quiet` or not, since it is an error."""
    show(run(Outcome.FAILED, "no such host"), quiet=quiet)
    assert capsys.readouterr() == ("", "camdl: in_gate failed: no such host\n")


def test_verbose_shows_the_table_to_nobody_too(capsys: Capsys) -> None:
    """With `-v` the table goes to stdout wherever that is, with the reasons below it."""
    show(run(Outcome.PARTLY, "a bad image"), verbose=True)
    out, err = capsys.readouterr()
    assert "in_gate" in out
    assert "\nin_gate partly: a bad image\n1 stream: 1 new, 1 saved" in out
    assert err == ""


def test_a_person_sees_the_table() -> None:
    """On a terminal a good run is told too."""
    with at_terminal() as terminal:
        show(run())
    assert "1 stream: 1 new, 1 saved, 0 rejected, 0 failed in 0.0 s" in plain(terminal.shown)


def test_a_person_who_wants_quiet_gets_it() -> None:
    """With `-q` a terminal is like cron."""
    with at_terminal() as terminal:
        show(run(), quiet=True)
    assert terminal.shown == ""


def test_a_run_that_ended_at_once_has_no_table() -> None:
    """Without a stream there is nothing to put into it; the error itself is told elsewhere."""
    with at_terminal() as terminal:
        show(run(Outcome.FAILED, streams=False))
    assert "listed" not in terminal.shown


def test_json_is_the_record(capsys: Capsys) -> None:
    """`--json` prints the record, of a good run as of a bad one, and nothing on stderr."""
    record = run(Outcome.FAILED, "no such host")
    show(record, as_json=True, quiet=True)
    out, err = capsys.readouterr()
    assert (json.loads(out), err) == (run_as_dict(record), "")


def test_json_of_a_dry_run_has_what_would_be_fetched(capsys: Capsys) -> None:
    """It is a key more, and there although it is empty."""
    show(run(), [NEW], as_json=True)
    assert json.loads(capsys.readouterr().out)["would_fetch"] == [
        {"stream": "in_gate", "captured_at": "2025-09-08T20:30:00Z", "url": NEW.url}
    ]
    show(run(), [], as_json=True)
    assert json.loads(capsys.readouterr().out)["would_fetch"] == []


def test_a_dry_run_prints_a_line_an_image(capsys: Capsys) -> None:
    """Stream, instant and URL, with tabs between them, wherever it is printed to."""
    show(run(), [NEW])
    assert capsys.readouterr().out == f"in_gate\t2025-09-08T20:30:00Z\t{NEW.url}\n"
    show(run(), [NEW], quiet=True)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("quiet", "as_json"), [(True, False), (False, True)])
def test_no_progress_where_it_is_in_the_way(quiet: bool, as_json: bool) -> None:
    """Neither with `-q` nor with `--json`."""
    with at_terminal():
        screen = Screen(["in_gate"], quiet=quiet, as_json=as_json)
        with screen:
            assert isinstance(screen.progress, NoProgress)


def test_a_person_sees_progress() -> None:
    """Otherwise a terminal shows it, and is given back as it was."""
    with at_terminal() as terminal, Screen(["in_gate"], as_json=False) as screen:
        assert isinstance(screen.progress, RichProgress)
    assert "waiting for the page…" in terminal.shown
    assert plain(terminal.shown).count("waiting") >= 1
    assert terminal.shown.count("\x1b[?25h") == 1


def test_no_progress_under_cron(capsys: Capsys) -> None:
    """Without a terminal there is nothing to draw on."""
    assert isinstance(Screen(["in_gate"], as_json=False).progress, NoProgress)
