"""Which browser is taken, and which hosts exist for it."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from camdl.domain.templates import UrlTemplate
from camdl.errors import BrowserMissingError
from camdl.sources.browser import find, resolver_rules, sandbox_off
from tests.support.pages import plain

if TYPE_CHECKING:
    from pathlib import Path

SHELL = "chromium-headless-shell"
DOWNLOADS = {
    "shell": "chromium_headless_shell-{}/chrome-linux/headless_shell",
    "browser": "chromium-{}/chrome-linux/chrome",
}


@pytest.fixture
def bin_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory with programs, and no downloads of Playwright's."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("PLAYWRIGHT_BROWSERS_PATH", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return directory


def executable(file: Path) -> Path:
    """`file`, as an executable."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o755)
    return file


def test_the_headless_shell_comes_first(bin_directory: Path) -> None:
    """It is the fastest, unless a person wants to watch."""
    shell = executable(bin_directory / SHELL)
    chromium = executable(bin_directory / "chromium")
    assert find().executable == shell
    assert find(headless=False).executable == chromium


def test_configured_browser_beats_all_others(bin_directory: Path, tmp_path: Path) -> None:
    """A path or a name of the settings is what is taken."""
    executable(bin_directory / SHELL)
    named = executable(bin_directory / "my-browser")
    elsewhere = executable(tmp_path / "elsewhere" / "chrome")
    assert find("my-browser").executable == named
    assert find(str(elsewhere)).executable == elsewhere


def test_configured_browser_that_is_none_is_an_error(bin_directory: Path, tmp_path: Path) -> None:
    """A file that is missing or not executable is named, and no other browser is taken."""
    executable(bin_directory / SHELL)
    (tmp_path / "text").touch(mode=0o644)
    for configured in ("missing", str(tmp_path / "text")):
        with pytest.raises(BrowserMissingError, match=f"browser_executable: '{configured}'"):
            find(configured)


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS keeps them elsewhere")
@pytest.mark.parametrize("kind", ["shell", "browser"])
def test_newest_download_of_playwright_is_the_last_resort(
    bin_directory: Path, tmp_path: Path, kind: str
) -> None:
    """Where the system has none, the one that Playwright has downloaded is taken."""
    downloads = tmp_path / ".cache" / "ms-playwright"
    for number in (1181, 1187, 1184):
        executable(downloads / DOWNLOADS[kind].format(number))
    (downloads / DOWNLOADS[kind].format(1187)).chmod(0o644)  # its download was broken off
    assert find().executable == downloads / DOWNLOADS[kind].format(1184)


def test_no_browser_is_an_error_with_advice(bin_directory: Path) -> None:
    """It says what to install."""
    with pytest.raises(BrowserMissingError, match="no browser was found") as missing:
        find()
    assert "apt-get install" in missing.value.advice


def test_sandbox_is_off_for_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chromium cannot have it as root, which is told; another user has it on this system."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "root" in sandbox_off()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert sandbox_off() == ""


@pytest.fixture
def unshare(bin_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is asked whether namespaces can be made, for a user who is not root."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("camdl.sources.browser._SANDBOX_HELPERS", (bin_directory / "helper",))
    return bin_directory / "unshare"


def test_sandbox_is_off_without_namespaces(unshare: Path, bin_directory: Path) -> None:
    """Where the system refuses them, as in many containers, that is told with what to do."""
    executable(unshare).write_text("#!/bin/sh\nexit 1\n")
    assert "seccomp profile" in sandbox_off()
    executable(bin_directory / SHELL)
    assert find().sandbox_off == sandbox_off()


def test_sandbox_is_on_with_a_helper(unshare: Path, bin_directory: Path) -> None:
    """Chromium's own helper that is root makes the namespaces that a user may not make."""
    executable(unshare).write_text("#!/bin/sh\nexit 1\n")
    executable(bin_directory / "helper")
    assert sandbox_off() == ""


def test_sandbox_is_on_if_nobody_can_tell(unshare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the program that is asked, or an answer from it, Chromium is left to see."""
    assert not unshare.exists()
    assert sandbox_off() == ""
    monkeypatch.setattr("camdl.sources.browser._NAMESPACE_SECONDS", 0.1)
    executable(unshare).write_text("#!/bin/sh\nwhile :; do :; done\n")
    assert sandbox_off() == ""


def test_only_the_streams_hosts_have_addresses() -> None:
    """Page, images and thumbnails are there on their own ports, `page_hosts` on any."""
    gate = replace(
        plain.stream("https://gate.example", page_hosts=("api.example", "*.cdn.example")),
        image=UrlTemplate("https://img.example/{time:%s}-{stream}.jpeg"),
        thumbnail=None,
    )
    other = plain.stream("http://127.0.0.1:8765")
    assert resolver_rules([gate, other]).split(", ") == [
        "MAP 127.0.0.1:8765 127.0.0.1:8765",
        "MAP gate.example:443 gate.example:443",
        "MAP img.example:443 img.example:443",
        "EXCLUDE *.cdn.example",
        "EXCLUDE api.example",
        "MAP * ~NOTFOUND",
    ]
