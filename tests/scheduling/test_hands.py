"""Files that are put in place: told, undone, and never over a person's."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdl.errors import ConfigError, StorageError
from camdl.scheduling.hands import Hands, State, ask, is_sealed, sealed, state
from tests.support.root import as_nobody

TEXT = "[Timer]\nOnCalendar=daily\n"
OTHER = "[Timer]\nOnCalendar=hourly\n"


@given(st.text())
def test_a_seal_tells_whether_a_text_was_changed(text: str) -> None:
    """Each text is as it was when it was sealed, and nothing that was changed is."""
    assert is_sealed(sealed(text))
    assert not is_sealed(f"{sealed(text)}.")
    assert not is_sealed(text)


def test_states(tmp_path: Path) -> None:
    """What is there is told apart: wanted, put there earlier, or a person's."""
    file = tmp_path / "x.timer"
    assert state(file, TEXT) is State.ABSENT
    for content, expected in [
        (sealed(TEXT), State.SAME),
        (TEXT, State.SAME),
        (sealed(OTHER), State.OURS),
        (OTHER, State.FOREIGN),
        (sealed(TEXT) + "#\n", State.FOREIGN),
    ]:
        file.write_text(content)
        assert state(file, TEXT) is expected
    assert state(tmp_path, TEXT) is State.FOREIGN
    link = tmp_path / "link"
    link.symlink_to(file)
    assert state(link, TEXT) is State.FOREIGN
    file.write_bytes(b"\xff")
    assert state(file) is State.FOREIGN


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """Nothing is taken for absent only because it may not be looked at."""
    file = tmp_path / "x"
    file.write_text(TEXT)
    file.chmod(0)
    with as_nobody(), pytest.raises(StorageError, match=r"x cannot be read"):
        state(file, TEXT)


def test_each_thing_is_told(tmp_path: Path) -> None:
    """And done: directories are made, what is so already stays."""
    told: list[str] = []
    new, same = tmp_path / "a/b/new", tmp_path / "same"
    same.write_text(sealed(TEXT))
    with Hands(told.append) as hands:
        hands.write({new: TEXT, same: TEXT})
        hands.run("true")
    assert new.read_text() == sealed(TEXT)
    assert told == [f"write      {new}", f"unchanged  {same}", "run        true"]
    assert new.stat().st_mode & 0o777 == 0o644


def test_a_dry_run_only_tells(tmp_path: Path) -> None:
    """Nothing is written, removed or run, and nothing undone."""
    told: list[str] = []
    new, ours = tmp_path / "new", tmp_path / "ours"
    ours.write_text(sealed(TEXT))

    def fail() -> None:
        with Hands(told.append, dry_run=True) as hands:
            hands.write({new: TEXT})
            hands.undo_with("touch", str(tmp_path / "undone"))
            hands.run("touch", str(tmp_path / "touched"))
            hands.remove([ours])
            raise ConfigError("now")

    with pytest.raises(ConfigError, match="now"):
        fail()
    assert told == [
        f"would write      {new}",
        f"would run        touch {tmp_path / 'touched'}",
        f"would remove     {ours}",
    ]
    assert list(tmp_path.iterdir()) == [ours]


def test_a_failure_undoes_what_came_before(tmp_path: Path) -> None:
    """In reverse: what was new is gone, what was replaced or removed is back."""
    told: list[str] = []
    new, old, gone = tmp_path / "new", tmp_path / "old", tmp_path / "gone"
    old.write_text(sealed(OTHER))
    gone.write_text(sealed(OTHER))
    undone = tmp_path / "undone"

    def fail() -> None:
        with Hands(told.append) as hands:
            hands.undo_with("sh", "-c", f"test ! -e {new} && test -e {gone} && touch {undone}")
            hands.undo_with("false")
            hands.write({new: TEXT, old: TEXT})
            hands.remove([gone])
            hands.run("false")

    with pytest.raises(ConfigError, match="false failed"):
        fail()
    assert not new.exists()
    assert old.read_text() == gone.read_text() == sealed(OTHER)
    assert undone.exists()
    assert told[-1] == "undone     files, units and timers are as they were before"


def test_a_failure_at_once_undoes_nothing(tmp_path: Path) -> None:
    """Where nothing was done, nothing is said of it."""
    told: list[str] = []
    with pytest.raises(ConfigError), Hands(told.append) as hands:
        hands.run("false")
    assert told == ["run        false"]


def test_a_persons_file_stays(tmp_path: Path) -> None:
    """All such files are named at once, and nothing is written beside them."""
    files = {tmp_path / name: TEXT for name in ("a", "b", "c")}
    for name in ("b", "c"):
        (tmp_path / name).write_text(OTHER)
    with pytest.raises(ConfigError, match=r"/b, .*/c$"), Hands(print) as hands:
        hands.write(files)
    assert not (tmp_path / "a").exists()
    assert (tmp_path / "b").read_text() == OTHER


def test_force_keeps_a_persons_file_beside(tmp_path: Path) -> None:
    """What is replaced by force is not lost."""
    told: list[str] = []
    file, original = tmp_path / "a", tmp_path / "a.orig"
    file.write_text(OTHER)
    with Hands(told.append, force=True) as hands:
        hands.write({file: TEXT})
    assert (file.read_text(), original.read_text()) == (sealed(TEXT), OTHER)
    assert f"kept       what was there as {original}" in told


def test_only_what_is_ours_is_removed(tmp_path: Path) -> None:
    """What a person has changed stays, unless it is forced; what is not there is no fault."""
    told: list[str] = []
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.write_text(sealed(TEXT))
    theirs.write_text(OTHER)
    with Hands(told.append) as hands:
        assert hands.remove([ours, theirs, tmp_path / "none"])
        assert not hands.remove([tmp_path / "none"])
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]
    assert told[1].startswith(f"kept       {theirs}")
    with Hands(told.append, force=True) as hands:
        assert hands.remove([theirs])
    assert list(tmp_path.iterdir()) == []


def test_what_the_system_refuses_is_told() -> None:
    """A file that cannot be written is named, with the reason."""
    nowhere = Path("/proc/camdl.timer")
    with pytest.raises(StorageError, match=r"timer cannot be written: "), Hands(print) as hands:
        hands.write({nowhere: TEXT})


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("sh", "-c", "echo oh no >&2; exit 3"), r"failed \(3\): oh no"),
        (("sh", "-c", "echo no; exit 1"), r"failed \(1\): no"),
        (("/no/such/program",), "No such file"),
    ],
)
def test_what_a_command_says_is_told(command: tuple[str, ...], told: str) -> None:
    """An error names the command and what came of it."""
    with pytest.raises(ConfigError, match=told):
        ask(*command)


def test_an_answer() -> None:
    """What a command prints comes back, and what it is to read goes in."""
    assert ask("cat", stdin="hello\n") == "hello\n"


def test_what_only_root_runs_is_found_with_a_persons_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """As root has after `su`."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert ask("runuser", "--version").startswith("runuser from util-linux")
