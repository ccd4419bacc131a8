"""Entries for systemd's journal, as they arrive."""

from __future__ import annotations

import os
from collections import deque
from itertools import repeat
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdl.ops import journal
from tests.support.journal import FakeJournal, parsed, stream_of

if TYPE_CHECKING:
    from pathlib import Path

NAMES = st.from_regex(r"[A-Z][A-Z0-9_]{0,20}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.tuples(NAMES, TEXTS)))
def test_an_entry_means_what_was_said(fields: list[tuple[str, str]]) -> None:
    """Whatever letters are in the values, line ends too, and however often a name comes."""
    meant: dict[str, list[str]] = {}
    for name, value in fields:
        meant.setdefault(name, []).append(value)
    assert parsed(journal.entry(fields)) == meant


def test_letters_that_are_none_are_escaped() -> None:
    """A file name of bytes that are no text arrives in letters."""
    assert journal.entry([("MESSAGE", "a\udcff")]) == b"MESSAGE=a\\udcff\n"


def test_an_entry_arrives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a real socket, as a whole."""
    with FakeJournal(tmp_path / "socket") as listening:
        monkeypatch.setattr(journal, "SOCKET", str(listening.place))
        connection = journal.Journal()
        connection.send([("MESSAGE", "all is well"), ("CAMDL_STREAM", "a"), ("CAMDL_STREAM", "b")])
        connection.close()
        assert listening.entries() == [{"MESSAGE": ["all is well"], "CAMDL_STREAM": ["a", "b"]}]


def test_no_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none listens, that is said at once."""
    monkeypatch.setattr(journal, "SOCKET", str(tmp_path / "socket"))
    with pytest.raises(FileNotFoundError):
        journal.Journal()


def test_a_journal_that_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that hangs is given up, so that a run can end."""
    with FakeJournal(tmp_path / "socket") as listening:
        monkeypatch.setattr(journal, "SOCKET", str(listening.place))
        monkeypatch.setattr(journal, "_SECONDS", 0.01)
        connection = journal.Journal()
        sends = repeat([("MESSAGE", "x" * 1000)], 100_000)
        with pytest.raises(TimeoutError):
            deque(map(connection.send, sends), maxlen=0)
        connection.close()


def test_which_stream_leads_to_the_journal() -> None:
    """The one that the variable names, by device and inode, and no other."""
    reader, writer = os.pipe()
    try:
        there = stream_of(writer)
        assert journal.is_behind(writer, there)
        with open(os.devnull, "wb") as elsewhere:  # noqa: PTH123  # its descriptor is wanted
            assert not journal.is_behind(elsewhere.fileno(), there)
        assert not journal.is_behind(writer, {})
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.parametrize("said", ["", ":", "1", "a:b", "1:2:3", "0x1:2"])
def test_a_variable_that_says_nothing(said: str) -> None:
    """It is no reason to fail."""
    assert not journal.is_behind(2, {"JOURNAL_STREAM": said})


def test_a_stream_that_is_closed() -> None:
    """It leads nowhere."""
    reader, writer = os.pipe()
    there = stream_of(writer)
    os.close(reader)
    os.close(writer)
    assert not journal.is_behind(writer, there)
