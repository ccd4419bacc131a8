"""The demo as a whole, with a small program in place of `camdl download`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from camdl.demo import run as demo
from camdl.errors import ConfigError, StorageError, UsageError

# Fetches the newest image of each stream, and says so as the real download does.
DOWNLOAD = """
import json, os, sys, tomllib, urllib.request
from pathlib import Path
config = tomllib.loads(Path(sys.argv[2]).read_text())
images = Path(config["download_dir"])
origin = config["sites"]["demo"]["page"].split("/gate")[0]
seen = {"config": config, "arguments": sys.argv[1:], "cwd": os.getcwd(), "streams": {}}
seen["foreign"] = sorted(set(os.environ) & {"DATABASE_URL", "CAMDL_DOWNLOAD_DIR"})
for stream in config["streams"]:
    with urllib.request.urlopen(f"{origin}/api/captures?stream={stream}") as answer:
        newest = json.load(answer)["captures"][0]
    seen["streams"][stream] = newest["captured_at"]
    with urllib.request.urlopen(origin + newest["image"]) as answer:
        file = images / stream / newest["captured_at"][:10] / (newest["captured_at"] + ".jpg")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(answer.read())
with open("seen", "a") as log:
    print(json.dumps(seen), file=log)
Path(config["health_file"]).write_text('{"status": "healthy"}')
"""
BROWSER_SCRIPT = "#!/bin/sh\necho Chromium 1\n"


@pytest.fixture
def browser(tmp_path: Path) -> Path:
    """A program that starts, for those who only ask for that."""
    program = tmp_path / "a browser"
    program.write_text(BROWSER_SCRIPT)
    program.chmod(0o755)
    return program


def show(
    browser: Path, home: Path | None, script: str = DOWNLOAD, photos: Path | None = None
) -> int:
    """Run the demo with `script` in place of the download."""
    return demo.run(
        lambda: browser, frames=photos, directory=home, download=[sys.executable, "-c", script]
    )


def seen(home: Path) -> list[dict[str, Any]]:
    """What each of the downloads saw."""
    return [json.loads(line) for line in (home / "seen").read_text().splitlines()]


def test_two_downloads_with_time_moving_on_between(
    browser: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The real command runs twice, 25 minutes of the site's time apart; then all is shown."""
    home = tmp_path / "demo"
    started = datetime.now(UTC)
    assert show(browser, home) == 0
    first, second = seen(home)
    assert first["arguments"] == ["--config", str(home / "camdl.toml"), "-v"]
    assert first["cwd"] == str(home)
    for stream in ("in_gate", "out_gate"):
        before, after = (datetime.fromisoformat(s["streams"][stream]) for s in (first, second))
        assert before <= started - timedelta(minutes=25) + timedelta(minutes=1)
        assert timedelta(minutes=12) < after - before < timedelta(minutes=38)
    printed = capfd.readouterr().out
    assert '{"status": "healthy"}' in printed
    assert f"4 images below    {home}/images" in printed
    assert f"camdl health --config {home}/camdl.toml" in printed


def test_configuration_keeps_everything_in_the_demos_directory(
    browser: Path, tmp_path: Path
) -> None:
    """Every place is absolute and below it, and the browser is the one that was provided."""
    home = tmp_path / 'de"mo é'
    assert show(browser, home) == 0
    config = tomllib.loads((home / "camdl.toml").read_text(encoding="utf-8"))
    assert config["browser_executable"] == str(browser)
    assert config["database_url"] == f"sqlite:///{home}/camdl.db"
    for key in ("download_dir", "health_file", "lock_file", "diagnostics_dir"):
        assert Path(config[key]).is_relative_to(home)
    assert config["stream_names"] == list(config["streams"]) == ["in_gate", "out_gate"]
    assert config["streams"]["in_gate"] == {"site": "demo"}
    assert set(config["sites"]["demo"]) == {
        "page",
        "image",
        "thumbnail",
        "timezone",
        "date_picker",
        "min_image_size",
    }


def test_settings_of_the_users_own_archive_do_not_reach_the_demo(
    browser: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables that would point the demo at a real archive are taken away from it."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://real/archive")
    monkeypatch.setenv("CAMDL_DOWNLOAD_DIR", "/srv/archive")
    assert show(browser, tmp_path / "demo") == 0
    assert [one["foreign"] for one in seen(tmp_path / "demo")] == [[], []]


def test_photos_reach_the_archive_unchanged(browser: Path, tmp_path: Path) -> None:
    """With a directory of photos, their very bytes are what is downloaded."""
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "gate.jpg").write_bytes(b"a photo")
    assert show(browser, tmp_path / "demo", photos=photos) == 0
    archived = list((tmp_path / "demo" / "images").glob("*/*/*.jpg"))
    assert {file.read_bytes() for file in archived} == {b"a photo"}


def test_again_in_the_same_directory(browser: Path, tmp_path: Path) -> None:
    """The demo replaces a configuration of its own, whose port is gone."""
    assert show(browser, tmp_path / "demo") == 0
    assert show(browser, tmp_path / "demo") == 0
    assert len(seen(tmp_path / "demo")) == 4


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("raise SystemExit(74)", 74),
        ("import os; os.kill(os.getpid(), 9)", 137),
        ("import pathlib as p; f = p.Path('once'); f.touch() if not f.exists() else exit(1)", 1),
    ],
)
def test_exit_code_is_that_of_the_first_failing_download(
    browser: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], script: str, code: int
) -> None:
    """A download that fails is not hidden; what there is of health is shown anyway."""
    assert show(browser, tmp_path / "demo", script) == code
    printed = capfd.readouterr().out
    assert "It cannot be read: No such file" in printed
    assert "0 images below" in printed


def test_new_directory_by_default(
    browser: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a directory each demo makes its own among the temporary files, and keeps it."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert show(browser, None) == 0
    assert show(browser, None) == 0
    assert len(list(tmp_path.glob("camdl-demo-*/images/.health"))) == 2


def test_configuration_of_ones_own_is_never_replaced(browser: Path, tmp_path: Path) -> None:
    """A directory with a configuration that the demo did not write is refused."""
    own = tmp_path / "camdl.toml"
    own.write_text("timeout = 5\n")
    with pytest.raises(UsageError, match=r"camdl\.toml was not written by camdl demo"):
        show(browser, tmp_path)
    assert own.read_text() == "timeout = 5\n"


def test_directory_that_cannot_be_is_told(browser: Path, tmp_path: Path) -> None:
    """A file in the directory's place is named, with the reason."""
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file/demo cannot be used: Not a directory"):
        show(browser, tmp_path / "file" / "demo")


def test_configuration_that_cannot_be_written_is_told(browser: Path, tmp_path: Path) -> None:
    """Where the file cannot be made, the error names it."""
    (tmp_path / "camdl.toml").symlink_to(tmp_path / "missing" / "camdl.toml")
    with pytest.raises(StorageError, match=r"camdl\.toml cannot be written"):
        show(browser, tmp_path)


class DemoProcess:
    """A demo in a process of its own, with camdl's signal handling."""

    def __init__(self, call: str) -> None:
        program = (
            "import sys; from pathlib import Path; from camdl.ops.signals import Signals; "
            f"Signals().install(); from camdl.demo.run import run, serve; sys.exit({call})"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(demo.__file__).parents[2],
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )

    def __enter__(self) -> DemoProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def printed_until(self, end: str) -> str:
        """What it printed up to the line that contains `end`."""
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if end in line:
                return "".join(lines)
        raise AssertionError(f"it ended after {lines}")

    def ended_by(self, number: signal.Signals) -> int:
        """The exit code after a signal."""
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_keeps_the_site_up_until_a_signal(number: signal.Signals) -> None:
    """It prints a configuration that is TOML as it stands, serves, and ends with 0."""
    with DemoProcess("serve(port=0)") as serving:
        printed = serving.printed_until("[streams.out_gate]") + serving.printed_until("site =")
        site = tomllib.loads(printed)["sites"]["demo"]
        page = site["page"].format(stream="in_gate")
        with urllib.request.urlopen(page, timeout=30) as answer:  # noqa: S310  # it is http:
            assert answer.status == 200
        assert serving.ended_by(number) == 0


def test_serve_says_when_its_port_is_taken() -> None:
    """Two sites on one port cannot be."""
    with DemoProcess("serve(port=0)") as serving:
        printed = serving.printed_until("Ctrl-C")
        port = int(printed.split("127.0.0.1:")[1].split("/")[0])
        with pytest.raises(ConfigError, match=str(port)):
            demo.serve(port=port)


@pytest.mark.parametrize(
    ("on_term", "told"), [("sys.exit('bye')", True), ("pass", False)], ids=["kind", "deaf"]
)
def test_interrupted_demo_has_its_download_end_first(
    browser: Path, tmp_path: Path, on_term: str, told: bool
) -> None:
    """A signal to the demo ends the download too: kindly, or by force if it does not listen."""
    script = (
        "import os, signal, sys, time\n"
        "def end(*_):\n"
        "    open('told', 'w').close()\n"
        f"    {on_term}\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('pid', os.getpid(), 'runs', flush=True)\n"
        "while True: time.sleep(60)\n"
    )
    home = tmp_path / "demo"
    call = (
        f"run(lambda: Path({str(browser)!r}), directory=Path({str(home)!r}), "
        f"download=[sys.executable, '-c', {script!r}])"
    )
    patience = "" if told else "import camdl.demo.run as r; r._GOODBYE_SECONDS = 1; "
    with DemoProcess(f"exec({patience!r}) or {call}") as running:
        line = running.printed_until("runs").splitlines()[-1]
        assert running.ended_by(signal.SIGTERM) != 0
        assert (home / "told").exists()
        assert not Path(f"/proc/{line.split()[1]}").exists()
