"""Where camdl is said to be, from the settings and the command line."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from camdl.config import Loaded, load
from camdl.errors import ConfigError
from camdl.scheduling.place import HOME, Place
from camdl.wiring import scheduling

PROGRAM = Path("/opt/camdl/bin/camdl")


def loaded(file: Path | None = None, **environment: str) -> Loaded:
    """The defaults, or what `file` says, with these settings."""
    return load({}, file, environment)


def place(settings: Loaded, *, program: Path = PROGRAM, is_users: bool = False) -> Place:
    """Where it is, for the whole machine unless something else is said."""
    return scheduling.place(settings, program=program, directory=None, is_users=is_users)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory without a configuration."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_defaults_are_an_installation_as_it_is_meant() -> None:
    """Nothing is named that is found by itself."""
    assert place(loaded()) == Place()


def test_a_person_has_it_where_they_are(home: Path) -> None:
    """In the current directory, as themselves."""
    mine = place(loaded(), is_users=True)
    assert (mine.user, mine.directory, mine.writes) == (None, home, (home,))


def test_the_program_is_this_one() -> None:
    """That of the Python that runs it."""
    found = scheduling.place(loaded(), program=None, directory=None, is_users=False)
    assert found.program == Path(sys.prefix) / "bin/camdl"
    assert found.program.exists()


def test_a_program_that_is_not_there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who runs camdl from its source has to say what is to be started."""
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(home))
    with pytest.raises(ConfigError, match="has no camdl beside it"):
        scheduling.place(loaded(), program=None, directory=None, is_users=False)


def test_a_configuration_is_named_unless_it_is_found(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its whole path: what starts camdl starts it somewhere else."""
    file = home / "camdl.toml"
    file.write_text("run_deadline_seconds = 300\n")
    found = place(load({}, Path("camdl.toml"), {}))
    assert (found.config, found.deadline) == (file, timedelta(seconds=300))
    monkeypatch.setattr(scheduling, "SYSTEM_FILE", file)
    assert place(loaded(file)).config is None


def test_only_what_is_elsewhere_is_mentioned(home: Path) -> None:
    """Directories to write to that are not in the home of its user, the outermost alone."""
    settings = loaded(
        CAMDL_DOWNLOAD_DIR="/srv/gate/images",
        CAMDL_HEALTH_FILE="/srv/gate/.health",
        CAMDL_LOCK_FILE="/srv/lock/camdl",
        DATABASE_URL="sqlite:////srv/gate/camdl.db",
        CAMDL_DIAGNOSTICS_DIR=f"{HOME}/diagnostics",
        CAMDL_METRICS_FILE="../prometheus/node-exporter/camdl.prom",
        CAMDL_LOG_FILE="log/camdl.log",
    )
    found = place(settings)
    exporters = Path("/var/lib/prometheus/node-exporter")
    assert found.writes == (Path("/srv/gate"), Path("/srv/lock"), exporters)
    assert found.health_file == Path("/srv/gate/.health")


def test_what_the_configuration_needs_is_to_be_read(home: Path) -> None:
    """Itself, certificates, secrets and the browser, and where links to them lead."""
    names = ("camdl.toml", "ca.pem", "secret", "browser/shell")
    for name in names:
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text("")
    (home / "secret").write_text("postgresql://db.example/camdl")
    (home / "links").mkdir()
    for name in names:
        (home / "links" / Path(name).name).symlink_to(home / name)
    (home / "links/camdl.toml").write_text(
        f'alert_ca_file = "{home}/links/ca.pem"\n'
        f'database_url_file = "{home}/other/../links/secret"\n'
        f'browser_executable = "{home}/links/shell"\n'
    )
    (home / "other").mkdir()
    file = home / "links/camdl.toml"
    whole = {home / "links", *(home / name for name in names[:3]), home / "browser"}
    assert set(place(loaded(file)).reads) == whole


def test_what_is_seen_anyway_is_not_mentioned(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is the system's, or is written to; and a browser that is only named is the system's."""
    file = home / "images/camdl.toml"
    file.parent.mkdir()
    file.write_text(f'download_dir = "{home}/images"\nbrowser_executable = "chromium"\n')
    assert place(loaded(file)).reads == ()
    file.write_text("")
    monkeypatch.setattr(scheduling, "_SYSTEMS_OWN", (*scheduling._SYSTEMS_OWN, home))
    assert place(loaded(file)).reads == ()


def test_a_python_of_its_own_is_to_be_read(home: Path) -> None:
    """Where a virtual environment has its Python from, if that is not the system's."""
    own = home / "python/bin/python"
    own.parent.mkdir(parents=True)
    own.write_text("")
    program = home / "venv/bin/camdl"
    program.parent.mkdir(parents=True)
    (program.parent / "python").symlink_to(own)
    assert place(loaded(), program=program).reads == (home / "venv", home / "python")
    (program.parent / "python").unlink()
    (program.parent / "python").symlink_to("/usr/bin/python3")
    assert place(loaded(), program=program).reads == (home / "venv",)
