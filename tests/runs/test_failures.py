"""What the whole program makes of sites, disks and catalogues that are not as they should be."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from camdl.archive.local import MARKER
from camdl.demo.run import site_config
from tests.support import invariants
from tests.support.gate import PICTURE, Gate
from tests.support.http import RawServer
from tests.support.images import encoded, gate_jpeg, gate_picture

if TYPE_CHECKING:
    from tests.support.program import Program

BAD = {
    "HTML": b"<!doctype html><html><body>the camera is away</body></html>",
    "a PNG image": encoded(gate_picture(2, (640, 360)), "PNG"),
    "cut off": PICTURE[: len(PICTURE) // 2],
    "a thumbnail": gate_jpeg(2, (320, 180)),
}


def no_site() -> Gate:
    """A site that is down."""
    with Gate() as gate:
        return gate


# Pages and images.


def test_a_site_that_is_down(program: Program, gate: Gate) -> None:
    """Nothing could be reached: 69, a line a stream on stderr, and a bad health."""
    program.configure(no_site())
    done = program.run("download")
    assert (done.returncode, done.stdout) == (69, "")
    lines = done.stderr.splitlines()
    assert [line.split(":")[1] for line in lines] == [" in_gate failed", " out_gate failed"]
    assert all("ERR_CONNECTION_REFUSED" in line for line in lines)
    assert program.runs() == [("failed", 69)]
    assert [one["consecutive_failures"] for one in program.health()["streams"]] == [1, 1]


def test_a_site_that_comes_back(program: Program, gate: Gate) -> None:
    """The run after it has everything, and the health is good again."""
    program.configure(no_site())
    program.run("download")
    program.configure(gate)
    assert program.run("download").returncode == 0
    assert program.archived() == gate.all_keys()
    assert program.health()["status"] == "healthy"


def test_bad_images_are_no_captures(program: Program, gate: Gate) -> None:
    """What is no whole, full-size JPEG leaves neither file nor row, and its reason is told."""
    gate.bodies = iter(BAD.values())
    done = program.run("download")
    assert (done.returncode, done.stdout) == (1, "")
    assert all(kind in done.stderr for kind in BAD), done.stderr
    assert program.archived() == []
    assert invariants.files(program.images) == []


def test_bad_images_are_asked_for_again(program: Program, gate: Gate) -> None:
    """The next run fetches them anew, and once they are good they are archived."""
    gate.bodies = iter(BAD.values())
    program.run("download")
    assert len(gate.asked) == 4
    done = program.run("download")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(gate.asked) == 8
    assert program.archived() == gate.all_keys()


def test_one_bad_image_stops_no_other(program: Program, gate: Gate) -> None:
    """The others are archived, the run is partly done, and the health does not call it healthy."""
    gate.bodies = iter([BAD["HTML"]])
    assert program.run("download").returncode == 1
    assert len(program.archived()) == 3
    assert program.runs() == [("partly", 1)]


@pytest.mark.fault(27)
def test_a_page_that_changed(program: Program, gate: Gate) -> None:
    """No image matches: 1, never success, and what the page showed is kept for a look."""
    program.configure(site_config(gate).replace("/images/", "/pictures/"), timeout=4)
    done = program.run("download", "--stream", "in_gate")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"no image on {gate.page.format(stream='in_gate')} matches" in done.stderr
    (kept,) = program.diagnostics.iterdir()
    assert f"kept for a look in {kept}" in done.stderr
    assert {file.name for file in kept.iterdir()} == {"page.html", "screenshot.png", "requests.txt"}
    assert "Demo gate" in (kept / "page.html").read_text()
    assert (kept / "screenshot.png").read_bytes().startswith(b"\x89PNG")
    assert "/api/captures?stream=in_gate" in (kept / "requests.txt").read_text()
    program.configure(gate)
    program.goes_on(gate)


def test_a_page_that_never_answers_is_ended_by_the_deadline(program: Program) -> None:
    """Nothing was reached by the run's deadline: the health is written and no browser is left."""
    with RawServer(lambda conversation: conversation.hold()) as server:
        program.configure(
            "[sites.demo]\n"
            f"page = '{server.origin}/{{stream}}'\n"
            f"image = '{server.origin}/{{time:%s}}-{{stream}}.jpeg'\n"
            "[streams.in_gate]\nsite = 'demo'",
            run_deadline_seconds=3,
            timeout=600,
        )
        began = time.monotonic()
        done = program.run("download")
        assert time.monotonic() - began < 3 + 20
    assert (done.returncode, done.stdout) == (69, "")
    assert "in_gate failed: the run's deadline passed" in done.stderr
    assert program.runs() == [("failed", 69)]
    assert program.health()["streams"][0]["consecutive_failures"] == 1


def test_images_that_never_come_are_ended_by_the_deadline(program: Program, gate: Gate) -> None:
    """What came in time is archived; the rest is pending, and comes with the next run."""
    program.configure(gate, run_deadline_seconds=6, timeout=600, concurrent_downloads=1)
    may_go = threading.Event()
    gate.meanwhile = lambda: len(gate.asked) > 1 and may_go.wait(60)
    done = program.run("download", "--stream", "in_gate")
    may_go.set()
    assert done.returncode == 1
    assert len(program.archived()) == 1
    assert program.run("download").returncode == 0
    assert program.archived() == gate.all_keys()


# The command line and the configuration.


def test_an_unknown_stream(program: Program) -> None:
    """It is a mistake on the command line: 2, with the streams that there are."""
    done = program.run("download", "--stream", "in_gat")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "camdl: no stream is called 'in_gat'; did you mean in_gate?\n"
        "       The streams are: in_gate, out_gate\n"
    )


def test_a_wrong_configuration(program: Program, gate: Gate) -> None:
    """78, with the file, the key and the one that was meant; nothing is made."""
    program.configure(gate, timeoutt=5)
    done = program.run("download")
    assert (done.returncode, done.stdout) == (78, "")
    assert "camdl.toml: timeoutt: no such key; did you mean timeout?" in done.stderr
    assert not program.images.exists()
    assert not program.lock_file.exists()


def test_no_browser(program: Program, gate: Gate) -> None:
    """78, with what to do; the run is not recorded as a success of anything."""
    program.configure(gate, browser_executable="/nowhere/chromium")
    done = program.run("download")
    assert (done.returncode, done.stdout) == (78, "")
    assert "'/nowhere/chromium' is not an executable file" in done.stderr
    assert program.health()["status"] != "healthy"


def test_a_browser_that_does_not_start(program: Program, gate: Gate) -> None:
    """78 with the first line of its reason, recorded, and no traceback."""
    program.configure(gate, browser_executable="/bin/false")
    done = program.run("download")
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("camdl: ")
    assert "/bin/false cannot be started" in done.stderr
    assert "Traceback" not in done.stderr
    assert program.runs() == [("failed", 78)]


# The disk and the catalogue.


def test_an_empty_catalogue_where_images_are(program: Program, gate: Gate) -> None:
    """It is not taken for a new one: 74, the file stays as it is, and so do the images."""
    program.run("download")
    program.database.write_bytes(b"")
    done = program.run("download")
    assert (done.returncode, done.stdout) == (74, "")
    assert f"the catalogue {program.database} is missing or empty" in done.stderr
    assert program.database.read_bytes() == b""
    assert invariants.files(program.images) == sorted(gate.all_keys())
    assert program.health()["database"] == "disconnected"


def test_a_missing_catalogue_where_images_are(program: Program, gate: Gate) -> None:
    """It is not begun anew; once it is back, the next run is as good as any."""
    program.run("download")
    away = program.database.rename(program.home / "away.db")
    assert program.run("download").returncode == 74
    assert not program.database.exists()
    away.rename(program.database)
    assert program.run("download").returncode == 0
    assert program.archived() == gate.all_keys()


def test_an_archive_that_is_not_mounted(program: Program, gate: Gate) -> None:
    """Into an empty directory, where there should be images, nothing is stored: 74."""
    program.run("download")
    mounted = program.images.rename(program.home / "mounted")
    program.images.mkdir()
    gate.take(1, 5, 15)
    done = program.run("download")
    assert (done.returncode, done.stdout) == (74, "")
    assert "neither camdl's marker nor any image" in done.stderr
    assert [file.name for file in program.images.iterdir()] == [".health"]
    shutil.rmtree(program.images)
    mounted.rename(program.images)
    assert program.run("download").returncode == 0
    assert program.archived() == gate.all_keys()


def test_an_archive_that_is_not_mounted_is_not_marked_by_a_new_stream(
    program: Program, gate: Gate
) -> None:
    """A stream without captures does not make the mount point an archive either."""
    program.run("download", "--stream", "in_gate")
    mounted = program.images.rename(program.home / "mounted")
    program.images.mkdir()
    assert program.run("download", "--stream", "out_gate").returncode == 74
    assert not (program.images / MARKER).exists()
    shutil.rmtree(program.images)
    mounted.rename(program.images)


def test_nobody_reads_the_output(program: Program) -> None:
    """A run whose output goes to a full disk says so: 74, and it has done its work."""
    with Path("/dev/full").open("w") as full:
        done = program.run("download", "--json", stdout=full)
    assert done.returncode == 74
    assert "No space left on device" in done.stderr
    assert program.runs() == [("ok", 0)]
