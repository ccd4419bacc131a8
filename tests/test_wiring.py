"""Which adapters stand behind the settings, and what they make of the disk."""

from __future__ import annotations

import logging
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import pytest

from camdl import wiring
from camdl.archive.local import MARKER
from camdl.config import Loaded, load
from camdl.deadline import Deadline
from camdl.domain.captures import Capture, ListedCapture
from camdl.domain.outcomes import Saved, StoredImage
from camdl.errors import BrowserMissingError, CatalogueError, StorageError, UsageError
from camdl.ops.signals import Signals
from camdl.report.screen import NoProgress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from camdl.ports import Catalogue
    from camdl.verbs.download import Order


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Logging belongs to the whole process."""
    root = logging.getLogger()
    handlers = list(root.handlers)
    yield
    root.handlers[:] = handlers
    logging.getLogger("camdl").setLevel(logging.NOTSET)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where relative paths of the settings are."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def loaded(**environment: str) -> Loaded:
    """The defaults, with these settings. The browser starts and ends at once."""
    browser = {"CAMDL_BROWSER_EXECUTABLE": "/bin/true"}
    return load({}, None, browser | environment)


def an_order(settings: Loaded, *names: str, dry_run: bool = False) -> Order:
    """To download `names`, or all."""
    return wiring.order(settings, names, latest=None, dry_run=dry_run, wait_seconds=0)


def workshop(settings: Loaded) -> wiring.Workshop:
    """The tools of a run."""
    return wiring.Workshop(settings, Signals(), NoProgress())


def remember_an_image(catalogue: Catalogue, stream: str) -> None:
    """Record a capture, as a run that stored it would."""
    capture = Capture(wiring.utc_now().replace(microsecond=0), stream)
    image = StoredImage(capture, capture.key, "0" * 64, 1, 1, 1, "http://x/", wiring.utc_now())
    catalogue.record("1", [(ListedCapture(capture, "http://x/"), Saved(image))], wiring.utc_now())


def test_an_order_is_what_the_settings_say(home: Path) -> None:
    """Every limit of a run comes from its key."""
    settings = loaded(
        CAMDL_RUN_DEADLINE_SECONDS="99",
        CAMDL_RETENTION_DAYS="7",
        CAMDL_CONCURRENT_DOWNLOADS="3",
        CAMDL_BATCH_SIZE="11",
    )
    order = wiring.order(settings, (), latest=4, dry_run=True, wait_seconds=1.5)
    assert [one.name for one in order.streams] == ["in_gate", "out_gate"]
    assert (order.latest, order.dry_run, order.wait_seconds) == (4, True, 1.5)
    assert (order.deadline_seconds, order.retention) == (99, timedelta(days=7))
    assert (order.concurrent, order.batch_size) == (3, 11)


def test_an_order_for_an_unknown_stream(home: Path) -> None:
    """It cannot be given."""
    with pytest.raises(UsageError, match="no stream is called 'gate'"):
        an_order(loaded(), "gate")


def test_time_is_utc() -> None:
    """Naive or local instants never get in."""
    assert wiring.utc_now().tzinfo is UTC


@pytest.mark.parametrize(
    ("quiet", "verbose", "level"),
    [(False, False, logging.WARNING), (False, True, logging.INFO), (True, True, logging.ERROR)],
)
def test_how_much_is_said(quiet: bool, verbose: bool, level: int) -> None:
    """Warnings by default, more with `-v`, and `-q` wins."""
    wiring.begin_log(loaded(), quiet=quiet, verbose=verbose)
    assert logging.getLogger("camdl").level == level


def test_a_run_marks_its_archive_and_makes_its_catalogue(home: Path) -> None:
    """On the first run everything is made below the settings' places."""
    settings = loaded()
    with workshop(settings).open(an_order(settings), Deadline.after(30)):
        assert (home / "data/images" / MARKER).is_file()
        assert (home / "data/camdl.db").is_file()


def test_a_dry_run_makes_nothing(home: Path) -> None:
    """Neither archive nor catalogue; it has an empty one in memory."""
    settings = loaded()
    with workshop(settings).open(an_order(settings, dry_run=True), Deadline.after(30)) as ports:
        assert ports.catalogue.newest("in_gate") is None
    assert list(home.iterdir()) == []


def test_a_dry_run_knows_the_catalogue(home: Path) -> None:
    """Where there is one it is read, so that only what is new is listed."""
    settings = loaded()
    with workshop(settings).open(an_order(settings), Deadline.after(30)) as ports:
        remember_an_image(ports.catalogue, "in_gate")
    with workshop(settings).open(an_order(settings, dry_run=True), Deadline.after(30)) as ports:
        assert ports.catalogue.newest("in_gate") is not None


@pytest.mark.parametrize("wanted", ["in_gate", "out_gate"])
def test_an_empty_mount_point_is_not_marked(home: Path, wanted: str) -> None:
    """The catalogue knows of images, whichever stream's: the archive's disk is not mounted."""
    settings = loaded()
    with workshop(settings).open(an_order(settings), Deadline.after(30)) as ports:
        remember_an_image(ports.catalogue, "in_gate")
    (home / "data/images" / MARKER).unlink()
    with (
        pytest.raises(StorageError, match="neither camdl's marker nor any image"),
        workshop(settings).open(an_order(settings, wanted), Deadline.after(30)),
    ):
        pass
    assert not (home / "data/images" / MARKER).exists()


def test_no_browser_ends_a_run_before_anything_is_made(home: Path) -> None:
    """The error says which setting, and there is neither archive nor catalogue."""
    settings = loaded(CAMDL_BROWSER_EXECUTABLE="/nowhere")
    with (
        pytest.raises(BrowserMissingError, match="browser_executable"),
        workshop(settings).open(an_order(settings), Deadline.after(30)),
    ):
        pass
    assert list(home.iterdir()) == []


def test_the_end_of_a_run_turns_signals_off(home: Path) -> None:
    """The workshop passes it on to whoever handles the process's signals."""
    signals = Signals()
    wiring.Workshop(loaded(), signals, NoProgress()).is_ending()
    assert signals._is_ending


def test_a_schema_of_a_database_that_cannot_be_had(home: Path) -> None:
    """A directory in the catalogue's place is told as what it is."""
    (home / "data/camdl.db").mkdir(parents=True)
    with (
        wiring.schema(loaded()) as schema,
        pytest.raises(CatalogueError, match=r"data/camdl\.db"),
    ):
        schema.revision()


def test_no_browser_is_found_where_there_is_none(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo is told so, instead of getting an error."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(home))
    assert wiring.found_browser() is None


def test_gaps_need_the_catalogue_of_the_images(home: Path) -> None:
    """Where it was lost nobody is told that nothing is missing."""
    settings = loaded()
    with wiring.stocktaking(settings) as stock:
        assert stock is None
    day = home / "data/images/in_gate/2025-09-08"
    day.mkdir(parents=True)
    (day / "20250908T200000Z_in_gate.jpg").write_bytes(b"x")
    with pytest.raises(CatalogueError, match="is missing"), wiring.stocktaking(settings):
        pass
