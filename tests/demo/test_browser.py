"""How a browser comes to a machine that has none, with small programs in place of installers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from camdl.demo import browser
from camdl.demo.browser import Machine, provide
from camdl.errors import BrowserMissingError

if TYPE_CHECKING:
    from pathlib import Path

DEBIAN = {"ID": "debian", "VERSION_ID": "12"}
UBUNTU = {"ID": "ubuntu", "ID_LIKE": "debian"}
FEDORA = {"ID": "fedora"}
STARTS = "echo Chromium 1.2.3"
LACKS_LIBRARY = "echo 'error while loading shared libraries: libnss3.so' >&2; exit 127"


class Shop:
    """A directory of made-up programs; `log` has what was asked of the installers."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bin = root / "bin"
        self.downloads = root / "downloads" / "chromium_headless_shell-1"
        self.system_browser = self.bin / "chromium-headless-shell"
        self.said: list[str] = []
        self.made = 0
        self.bin.mkdir()

    def program(self, path: Path, script: str) -> Path:
        """An executable that runs `script`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        # Another name first: a program that is being written cannot be started.
        fresh = path.with_suffix(".new")
        fresh.write_text(f"#!/bin/sh\n{script}\n")
        fresh.chmod(0o755)
        return fresh.rename(path)

    def playwright(self, install: str, install_deps: str = "exit 1") -> None:
        """A Python whose Playwright does `install` and `install_deps`."""
        self.program(
            self.bin / "python",
            f"""echo "playwright $*" >> {self.root}/log
            case "$*" in
            *install-deps*) {install_deps} ;;
            *--dry-run*) echo '  Install location:    {self.downloads}' ;;
            *) {install} ;;
            esac""",
        )

    def puts(self, path: Path, script: str) -> str:
        """A piece of an installer's script that makes `path` a program."""
        self.made += 1
        made = self.program(self.root / f"made-{self.made}", script)
        return f"mkdir -p {path.parent}; cp {made} {path}"

    @property
    def downloaded(self) -> Path:
        """Where a download puts its browser."""
        return self.downloads / "chrome-linux" / "headless_shell"

    @property
    def log(self) -> list[str]:
        """What was asked of the installers, questions left out."""
        lines = (self.root / "log").read_text().splitlines()
        return [line for line in lines if "--dry-run" not in line]

    def find(self) -> Path | None:
        """As camdl's own finder: the system's browser."""
        return self.system_browser if self.system_browser.exists() else None

    def provide(self, system: dict[str, str], *, root: bool = False) -> Path:
        """Provide a browser here."""
        machine = Machine(str(self.bin / "python"), system, is_root=root)
        return provide(self.find, self.said.append, machine)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop whose programs come first on the PATH."""
    shop = Shop(tmp_path)
    monkeypatch.setenv("PATH", f"{shop.bin}:/usr/bin:/bin")
    return shop


def test_found_browser_is_taken_as_it_is(shop: Shop) -> None:
    """Nothing is installed or said where there is a browser that starts."""
    shop.program(shop.system_browser, STARTS)
    assert shop.provide(DEBIAN) == shop.system_browser
    assert shop.said == []


def test_playwright_downloads_its_own(shop: Shop) -> None:
    """Without a browser, Playwright's headless shell is downloaded, and only that."""
    shop.playwright(shop.puts(shop.downloaded, STARTS))
    assert shop.provide(DEBIAN) == shop.downloaded
    assert shop.log == ["playwright -m playwright install chromium-headless-shell"]
    assert "download" in shop.said[0]


def test_earlier_download_is_used_again(shop: Shop) -> None:
    """What Playwright downloaded before, and has nothing to add to, is taken."""
    shop.playwright("exit 0")
    shop.program(shop.downloaded, STARTS)
    assert shop.provide(UBUNTU) == shop.downloaded


def test_browser_that_does_not_start_is_told_and_passed_over(shop: Shop) -> None:
    """A stub that only leads to a snap is no browser."""
    shop.program(shop.system_browser, "echo 'requires the chromium snap'; exit 1")
    shop.playwright(shop.puts(shop.downloaded, STARTS))
    assert shop.provide(UBUNTU) == shop.downloaded
    assert "requires the chromium snap" in shop.said[0]


def test_root_on_debian_gets_the_package(shop: Shop) -> None:
    """Where the download fails, root on Debian gets the distribution's package."""
    shop.playwright("echo 'Error: getaddrinfo ENOTFOUND' >&2; exit 1")
    put = shop.puts(shop.system_browser, STARTS)
    shop.program(shop.bin / "apt-get", f"echo apt-get $* >> {shop.root}/log; {put}")
    assert shop.provide(DEBIAN, root=True) == shop.system_browser
    assert shop.log[1:] == ["apt-get install -y --no-install-recommends chromium-headless-shell"]
    assert any("ENOTFOUND" in line for line in shop.said)


def test_package_lists_are_fetched_when_they_are_missing(shop: Shop) -> None:
    """A slim image has no lists of packages: they are fetched, then it is tried once more."""
    shop.playwright("exit 1")
    put = shop.puts(shop.system_browser, STARTS)
    lists = shop.root / "lists"
    shop.program(
        shop.bin / "apt-get",
        f"""[ $1 = update ] && exec touch {lists}
        [ -e {lists} ] || {{ echo 'E: Unable to locate package' >&2; exit 100; }}
        {put}""",
    )
    assert shop.provide(DEBIAN, root=True) == shop.system_browser


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo noise; echo 'E: Unable to locate package' >&2; exit 100", "E: Unable to locate"),
        ("exit 0", "it was not found"),
    ],
)
def test_failed_package_is_told_with_its_reason(shop: Shop, script: str, reason: str) -> None:
    """When root's package fails too, its own words are in the error."""
    shop.playwright("exit 1")
    shop.program(shop.bin / "apt-get", script)
    with pytest.raises(BrowserMissingError, match=reason) as missing:
        shop.provide(DEBIAN, root=True)
    assert "noise" not in str(missing.value)


def test_package_that_does_not_start_is_told(shop: Shop) -> None:
    """An installed package whose program is broken is no browser."""
    shop.playwright("exit 1")
    put = shop.puts(shop.system_browser, LACKS_LIBRARY)
    shop.program(shop.bin / "apt-get", put)
    with pytest.raises(BrowserMissingError, match=r"was installed, but .*libnss3"):
        shop.provide(DEBIAN, root=True)


@pytest.mark.parametrize(
    ("system", "advice"),
    [
        (DEBIAN, "Run once as root: apt-get update && apt-get install -y chromium-headless-shell"),
        (UBUNTU, "Run once as root: snap install chromium"),
        (FEDORA, "Install Chromium or Chrome with the system's package manager"),
    ],
)
def test_user_is_told_the_one_command(shop: Shop, system: dict[str, str], advice: str) -> None:
    """A user whose download failed reads why, and what root must run; apt-get is not touched."""
    shop.playwright("echo 'Error: getaddrinfo ENOTFOUND cdn' >&2; exit 1")
    shop.program(shop.bin / "apt-get", f"touch {shop.root}/touched")
    with pytest.raises(BrowserMissingError, match="ENOTFOUND cdn") as missing:
        shop.provide(system)
    assert missing.value.advice.startswith(advice)
    assert not (shop.root / "touched").exists()


@pytest.mark.parametrize("system", [DEBIAN, UBUNTU])
def test_user_is_told_how_to_get_missing_libraries(shop: Shop, system: dict[str, str]) -> None:
    """A download that lacks libraries names one, and the command that installs them all."""
    shop.playwright(shop.puts(shop.downloaded, LACKS_LIBRARY))
    with pytest.raises(BrowserMissingError, match=r"libnss3\.so") as missing:
        shop.provide(system)
    assert missing.value.advice == (
        f"Run once as root: {shop.bin}/python -m playwright install-deps chromium-headless-shell"
    )


def test_root_on_ubuntu_gets_the_libraries(shop: Shop) -> None:
    """On Ubuntu, whose package is a stub, root gets the download's libraries."""
    shop.playwright(shop.puts(shop.downloaded, LACKS_LIBRARY), shop.puts(shop.downloaded, STARTS))
    assert shop.provide(UBUNTU, root=True) == shop.downloaded
    assert shop.log[-1].endswith("install-deps chromium-headless-shell")


def test_root_on_debian_prefers_the_package_to_missing_libraries(shop: Shop) -> None:
    """A download that lacks libraries gives way to Debian's package, which brings its own."""
    shop.playwright(shop.puts(shop.downloaded, LACKS_LIBRARY))
    put = shop.puts(shop.system_browser, STARTS)
    shop.program(shop.bin / "apt-get", put)
    assert shop.provide(DEBIAN, root=True) == shop.system_browser


def test_download_that_leaves_nothing_is_told(shop: Shop) -> None:
    """An installer that says it is done and is not does not go unnoticed."""
    shop.playwright("exit 0")
    with pytest.raises(BrowserMissingError, match="left no browser behind"):
        shop.provide(FEDORA)


def test_changed_installer_is_told(shop: Shop) -> None:
    """An installer that names no location is as good as none."""
    shop.program(shop.bin / "python", "exit 0")
    with pytest.raises(BrowserMissingError, match="left no browser behind"):
        shop.provide(FEDORA)


def test_python_without_playwright_is_told(shop: Shop) -> None:
    """A Python that is not there at all is told like any other fault."""
    with pytest.raises(BrowserMissingError, match="No such file"):
        shop.provide(FEDORA)


def test_silent_installer_is_ended_with_all_that_it_started(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A download that hangs is cut off, and leaves no process behind."""
    monkeypatch.setattr(browser, "_DOWNLOAD_SECONDS", 0.5)
    shop.playwright(f"sleep 600 & echo $! > {shop.root}/pid; wait")
    with pytest.raises(BrowserMissingError, match=r"took more than 0\.5 s"):
        shop.provide(FEDORA)
    child = int((shop.root / "pid").read_text())
    ends = time.monotonic() + 10
    while is_running(child):
        assert time.monotonic() < ends, f"process {child} is still there"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether `pid` is a process that has not ended."""
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return bool(state.strip()) and not state.startswith("Z")


def test_this_machine_describes_itself() -> None:
    """By default it is the Python, the user and the system that camdl runs on."""
    machine = Machine()
    assert machine.python == sys.executable
    assert machine.is_root is (os.geteuid() == 0)
    assert machine.playwright("install") == [sys.executable, "-m", "playwright", "install"]


def test_system_without_a_description_is_nobodys(tmp_path: Path) -> None:
    """A system that does not say what it is gets no command of another's."""
    machine = Machine(os_release=browser.os_release(tmp_path / "none"))
    assert (machine.has_deb, machine.is_ubuntu) == (False, False)


def test_description_of_the_system_is_read_with_or_without_quotes(tmp_path: Path) -> None:
    """Both ways of writing a value are common."""
    file = tmp_path / "os-release"
    file.write_text("ID=\"linuxmint\"\n\nID_LIKE='ubuntu debian'\nNAME=Mint\n")
    machine = Machine(os_release=browser.os_release(file))
    assert machine.is_ubuntu
    assert not machine.has_deb
