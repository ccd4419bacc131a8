"""`camdl config`: show, check, init."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pytest

from camdl.config import Loaded, Settings, load
from camdl.errors import StorageError, UsageError
from camdl.verbs.config import check, init, show

NOW = datetime(2025, 9, 8, 6, 22, 30, 5, tzinfo=UTC)
DATABASE = "postgresql://camdl:hunter2@db.example/camdl?password=hunter2"


@pytest.fixture(autouse=True)
def no_system_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine has no configuration for all its users."""
    monkeypatch.setattr("camdl.config.layers.SYSTEM_FILE", tmp_path / "etc" / "config.toml")


def loaded_from(path: Path, text: str = "", **environ: str) -> Loaded:
    """The configuration of a file with this text."""
    file = path / "camdl.toml"
    file.write_text(text, encoding="utf-8")
    return load({}, file, environ)


def uncommented(text: str) -> str:
    """A generated file in which every key is set."""
    return re.sub(r"^#(?=[a-z\[])", "", text, flags=re.MULTILINE)


def test_what_is_shown_is_toml_that_means_the_same(tmp_path: Path) -> None:
    """Somebody may save it as a file."""
    text = """
        timeout = 2.5
        stream_names = ["b", "in_gate"]
        [sites.port]
        page = "http://127.0.0.1:1/"
        image = "http://127.0.0.1:1/{time:%s}.jpg"
        [streams.b]
        site = "port"
        interval_minutes = 7
        [streams.c]
    """
    before = loaded_from(tmp_path, text)
    after = loaded_from(tmp_path, show(before))
    assert after.settings == before.settings
    assert after.known == before.known


def test_every_key_is_shown_with_where_it_came_from(tmp_path: Path) -> None:
    """One line each."""
    loaded = loaded_from(tmp_path, "timeout = 9\n[streams.a]", CAMDL_BATCH_SIZE="5")
    lines = show(loaded).splitlines()
    assert f"# {loaded.file}" == lines[0]
    assert f"timeout = 9  # {loaded.file}" in lines
    assert "batch_size = 5  # CAMDL_BATCH_SIZE" in lines
    assert 'max_image_bytes = "20 MB"  # default' in lines
    assert 'site = "draydog"  # default' in lines
    document = tomllib.loads(show(loaded))
    assert document.keys() == {field.name for field in fields(Settings)} | {"sites", "streams"}
    assert document["browser_executable"] == ""


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Neither the database's password nor a token in a page's URL."""
    text = "[streams.a]\npage = 'https://u:hunter2@h/?token=hunter2'"
    loaded = loaded_from(tmp_path, text, DATABASE_URL=DATABASE)
    for told in (show(loaded), check(loaded, NOW)):
        assert "hunter2" not in told
    assert '"postgresql://camdl:***@db.example/camdl?password=***"  # DATABASE_URL' in show(loaded)
    assert 'page = "https://u:***@h/?token=***"' in show(loaded)


ALERTS = """
    alert_email_to = ["ops@example.org", "Night <night@example.org>"]
    alert_email_from = "camdl@example.org"
    smtp_host = "mail.example.org"
    smtp_user = "camdl"
    smtp_password = "hunter2"
    alert_webhook_url = "https://hook.example/hunter2"
    alert_apprise_urls = ["tgram://1:hunter2/chat"]
    ping_url = "https://hc.example/hunter2/{job}"
"""


def test_no_secret_of_alerts_is_shown(tmp_path: Path) -> None:
    """What is left tells which server it is."""
    loaded = loaded_from(tmp_path, ALERTS)
    shown = show(loaded)
    assert "hunter2" not in shown + check(loaded, NOW)
    assert 'smtp_password = "***"' in shown
    assert 'alert_webhook_url = "https://hook.example/***"' in shown
    assert 'alert_apprise_urls = ["tgram://***"]' in shown
    assert 'ping_url = "https://hc.example/***"' in shown


def test_a_check_tells_who_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is lacking for it."""
    loaded = loaded_from(tmp_path, ALERTS)
    lines = check(loaded, NOW).splitlines()
    assert lines[lines.index("When something is wrong") :] == [
        "When something is wrong",
        "  mail       ops@example.org, Night <night@example.org> (by mail.example.org)",
        "  web hook   https://hook.example/***",
        "  Apprise    tgram://***",
        "  pings      https://hc.example/***",
    ]
    monkeypatch.setattr("camdl.verbs.config.find_spec", lambda _: None)
    assert "  Apprise    tgram://***; lacking: pip install 'camdl[alerts]'" in check(loaded, NOW)
    loaded = loaded_from(tmp_path, ALERTS.replace('smtp_password = "hunter2"', ""))
    assert "(by mail.example.org); lacking here: smtp_password\n" in check(loaded, NOW)
    assert "When something" not in check(loaded_from(tmp_path), NOW)


def test_a_check_shows_each_streams_page_and_urls(tmp_path: Path) -> None:
    """A person sees whether the templates make URLs like those of the site."""
    text = "stream_names = ['in_gate']\n[streams.b]\nthumbnail = ''"
    lines = check(loaded_from(tmp_path, text), NOW).splitlines()
    stem = "https://cdn.draydog.com/apm/2025-09-08/6/2025-09-08T06:22:30"
    assert lines[0] == f"{tmp_path / 'camdl.toml'}: all right"
    assert f"  image      {stem}-in_gate.jpeg" in lines
    assert f"  thumbnail  {stem}-in_gate-thumbnail.jpeg" in lines
    assert "b (only with --stream b)" in lines
    assert sum(line.startswith("  thumbnail") for line in lines) == 1


def test_a_check_says_when_there_is_no_file(tmp_path: Path) -> None:
    """The defaults are all right as well."""
    told = check(load({}, None, {}, tmp_path), NOW)
    assert told.startswith("no configuration file, the built-in defaults: all right\n\nin_gate\n")


def test_a_new_file_sets_nothing(tmp_path: Path) -> None:
    """It only explains."""
    file = tmp_path / "new" / "camdl.toml"
    assert str(file) in init(file, force=False)
    assert tomllib.loads(file.read_text("utf-8")) == {}
    assert [path.name for path in file.parent.iterdir()] == ["camdl.toml"]


def test_a_new_file_with_everything_set_is_the_defaults(tmp_path: Path) -> None:
    """What it says of the defaults is true, and it knows every key."""
    file = tmp_path / "camdl.toml"
    init(file, force=False)
    text = uncommented(file.read_text("utf-8"))
    loaded = loaded_from(tmp_path, text)
    bare = load({}, None, {}, tmp_path / "none")
    assert loaded.settings == bare.settings
    assert loaded.known == bare.known
    document = tomllib.loads(text)
    assert document.keys() == {field.name for field in fields(Settings)} | {"sites", "streams"}
    assert {key for key in bare.values if key.startswith("sites.")} == {
        f"sites.draydog.{key}" for key in document["sites"]["draydog"]
    }


def test_a_new_file_can_be_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no file can be written, as in a container, its text is to be had."""
    monkeypatch.chdir(tmp_path)
    init(tmp_path / "camdl.toml", force=False)
    written = (tmp_path / "camdl.toml").read_text("utf-8")
    assert f"{init(Path('-'), force=False)}\n" == written
    assert [path.name for path in tmp_path.iterdir()] == ["camdl.toml"]


def test_every_key_of_a_new_file_is_explained(tmp_path: Path) -> None:
    """Two comments at least stand above each: what it is for, and what is allowed."""
    file = tmp_path / "camdl.toml"
    init(file, force=False)
    blocks = file.read_text("utf-8").split("\n\n")
    keys = [block for block in blocks if re.search(r"^#[a-z_]+ = ", block, re.MULTILINE)]
    explained = [block for block in keys if block.startswith("# ") and "\n# Allowed: " in block]
    assert len(explained) >= len(fields(Settings)) + 7
    assert all(len(line) <= 100 or " = " in line for line in "\n".join(blocks).splitlines())


def test_a_file_is_not_replaced_by_accident(tmp_path: Path) -> None:
    """Only with --force; a dangling link is a file too."""
    file = tmp_path / "camdl.toml"
    file.write_text("timeout = 9")
    link = tmp_path / "link.toml"
    link.symlink_to(tmp_path / "nowhere")
    for path in (file, link):
        with pytest.raises(UsageError, match="exists already") as caught:
            init(path, force=False)
        assert "--force" in caught.value.advice
    assert file.read_text() == "timeout = 9"
    init(file, force=True)
    assert file.read_text("utf-8").startswith("# ")


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    """The name is a directory's, or the directory is a file's."""
    (tmp_path / "taken").mkdir()
    with pytest.raises(StorageError, match="taken cannot be written"):
        init(tmp_path / "taken", force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="cannot be written"):
        init(tmp_path / "file" / "camdl.toml", force=False)
