"""Alerts of the whole program when mail servers, web hooks and names hang, and when runs fail."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from camdl.demo.run import site_config
from tests.support import invariants
from tests.support.aged import begin
from tests.support.hook import Hook
from tests.support.http import RawServer, self_signed
from tests.support.mailbox import PASSWORD, USER, Mailbox
from tests.support.processes import await_that
from tests.support.root import needs_root, remount, tmpfs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.gate import Gate
    from tests.support.http import Conversation
    from tests.support.program import Program

# What a run may take longer because of those that it tells.
LIMIT = 10.0


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A web hook."""
    with Hook() as server:
        yield server


def events(hook: Hook) -> list[tuple[str, list[str]]]:
    """What was told: the event, and the names of its subjects."""
    told = [post.json for post in hook.posts]
    return [(one["event"], [subject["name"] for subject in one["subjects"]]) for one in told]


# A site that is down.


def test_six_failing_runs_and_a_recovery(
    program: Program, gate: Gate, hook: Hook, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Exactly one alert and one recovery, by each way, although each run is a new process.

    Both streams fail, so does the job; and all of it is told in one message.
    """
    certificate = self_signed(tmp_path_factory.mktemp("tls"))
    with Mailbox("starttls", certificate) as box, socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
        closed.close()
        settings = {
            "alert_webhook_url": f"{hook.origin}/hook",
            "alert_apprise_urls": [hook.origin.replace("http:", "json:") + "/apprise"],
            "alert_email_to": ["ops@example.org"],
            "alert_email_from": "camdl@example.org",
            "alert_ca_file": str(certificate),
            "smtp_host": "127.0.0.1",
            "smtp_port": box.port,
            "smtp_user": USER,
            "smtp_password": PASSWORD,
        }
        down = site_config(gate).replace(f":{gate.port}", f":{port}")
        program.configure(down, **settings)
        for _ in range(6):
            assert program.run("download").returncode == 69
        program.configure(gate, **settings)
        for _ in range(2):
            assert program.run("download").returncode == 0
    assert [message["Subject"].partition("] ")[2] for message in box.messages] == [
        "CRITICAL: in_gate, out_gate",
        "recovered: in_gate, out_gate",
    ]
    assert [post.json["event"] for post in hook.posts if post.path == "/hook"] == [
        "alert",
        "recovery",
    ]
    assert len([post for post in hook.posts if post.path == "/apprise"]) == 2
    text = box.messages[0].get_content()
    assert "in_gate: critical since " in text
    assert "Tried 3 times in a row, the last at " in text
    assert "What to do: " in text


@pytest.mark.fault(22)
def test_a_name_that_leads_nowhere_is_told_once(program: Program, gate: Gate, hook: Hook) -> None:
    """However many runs cannot reach the site; and once more when one can."""
    settings = {"alert_webhook_url": f"{hook.origin}/hook", "run_deadline_seconds": 20}
    nowhere = site_config(gate).replace(gate.origin, "http://gate.invalid")
    program.configure(nowhere, **settings)
    for _ in range(4):
        done = program.run("download")
        assert done.returncode == 69
        assert done.stderr.count("ERR_NAME_NOT_RESOLVED") == len(gate.streams)
    program.configure(gate, **settings)
    program.goes_on(gate)
    assert [event for event, _ in events(hook)] == ["alert", "recovery"]


# Servers that hang.


def dripping(conversation: Conversation) -> None:
    """A banner of one byte now and then, which no timeout of a socket would end."""
    conversation.drip(b"220-", 0.5)


@pytest.mark.fault(33)
@pytest.mark.parametrize("way", ["mail", "mail tls", "webhook", "apprise", "ping", "all"])
def test_a_tarpit_delays_no_run_for_long(program: Program, gate: Gate, way: str) -> None:
    """Once it is recorded the process is gone in a few seconds, and its exit code is the same."""
    with RawServer(dripping) as server:
        address = server.origin.partition("//")[2]
        port = int(address.rpartition(":")[2])
        mail = {
            "alert_email_to": ["ops@example.org"],
            "alert_email_from": "camdl@example.org",
            "smtp_host": "127.0.0.1",
            "smtp_port": port,
            "smtp_security": "tls" if way == "mail tls" else "starttls",
        }
        settings: dict[str, object] = {"alert_after": 1}
        if way in ("mail", "mail tls", "all"):
            settings |= mail
        if way in ("webhook", "all"):
            settings["alert_webhook_url"] = f"{server.origin}/hook"
        if way in ("apprise", "all"):
            settings["alert_apprise_urls"] = [f"json://{address}/?rto=90&cto=90"]
        if way in ("ping", "all"):
            settings["ping_url"] = f"{server.origin}/{{job}}"
        begin(program, 120)
        program.configure(gate, **settings)
        done = program.run("cleanup")
        gone_at = datetime.now(UTC)
        assert server.connections > 0
    assert (done.returncode, done.stdout) == (0, "")
    assert "Traceback" not in done.stderr
    assert program.runs() == [("ok", 0)]
    ((recorded,),) = invariants.rows(program.database, "SELECT ended_at FROM runs")
    ended_at = datetime.fromisoformat(recorded).replace(tzinfo=UTC)
    assert gone_at - ended_at < timedelta(seconds=LIMIT)


_NAMELESS = """
import socket, subprocess, sys
silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 53))
sys.exit(subprocess.run([sys.executable, "-m", "camdl", "cleanup"]).returncode)
"""


@needs_root
def test_names_that_nobody_tells(program: Program, gate: Gate) -> None:
    """A name server that is silent: the look-up cannot be cut, and is left behind."""
    begin(program, 120)
    program.configure(
        gate,
        alert_after=1,
        alert_email_to=["ops@example.org"],
        alert_email_from="camdl@example.org",
        smtp_host="mail.example.org",
        alert_webhook_url="https://hook.example.org/",
        ping_url="https://hc.example.org/{job}",
    )
    resolver = program.home / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\noptions timeout:30 attempts:5\n")
    script = (
        f"mount --bind {resolver} /etc/resolv.conf && ip link set lo up && "
        f"exec {sys.executable} -c '{_NAMELESS}'"
    )
    began = time.monotonic()
    done = subprocess.run(
        ["unshare", "--net", "--mount", "bash", "-c", script],
        cwd=program.home,
        env=program.environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    took = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    assert "could not be sent by mail: mail.example.org:587 did not answer in time" in done.stderr
    assert took < LIMIT + 10


# Signals.


def test_a_signal_while_people_are_told(program: Program, gate: Gate) -> None:
    """The run has ended already: the process is gone within ten seconds, with its exit code."""
    with RawServer(dripping) as server:
        program.configure(gate, alert_after=1, alert_webhook_url=f"{server.origin}/hook")
        begin(program, 120)
        with program.start("cleanup") as run:
            assert await_that(lambda: server.connections > 0, 60)
            run.send_signal(signal.SIGTERM)
            began = time.monotonic()
            run.communicate(timeout=60)
            assert time.monotonic() - began < LIMIT
    assert run.returncode == 0
    assert program.runs() == [("ok", 0)]


def test_an_interrupted_run_tells_nothing_and_the_next_does(
    program: Program, gate: Gate, hook: Hook
) -> None:
    """It ends within ten seconds, as ever."""
    may_go = threading.Event()
    gate.take(200, 210)
    gate.meanwhile = lambda: may_go.wait(60)
    ping = f"{hook.origin}/ping/{{job}}"
    urls = {"alert_webhook_url": f"{hook.origin}/hook", "ping_url": ping}
    program.configure(gate, alert_after=1, **urls)
    with program.start("download") as run:
        assert await_that(lambda: bool(gate.asked), 60)
        run.send_signal(signal.SIGTERM)
        began = time.monotonic()
        run.communicate(timeout=60)
        assert time.monotonic() - began < LIMIT
    may_go.set()
    assert run.returncode == 143
    assert hook.paths() == ["/ping/download/start"]
    gate.meanwhile = lambda: None
    assert program.run("download").returncode == 0
    assert sorted(hook.paths()[1:]) == ["/hook", "/ping/download", "/ping/download/start"]
    told = [post.json for post in hook.posts if post.path == "/hook"]
    assert [one["event"] for one in told] == ["alert"]


# Disks.


@pytest.fixture
def disk(program: Program, gate: Gate, hook: Hook) -> Iterator[Path]:
    """A small disk with all of an archive on it that is well."""
    disk = program.home / "disk"
    with tmpfs(disk, "size=4m"):
        program.images, program.database = disk / "images", disk / "camdl.db"
        program.health_file, program.lock_file = program.images / ".health", disk / "camdl.lock"
        program.configure(gate, alert_webhook_url=f"{hook.origin}/hook", jobs=["verify"])
        begin(program)
        assert program.run("verify").returncode == 0
        yield disk


@needs_root
def test_a_full_disk_is_told(program: Program, hook: Hook, disk: Path) -> None:
    """Once, although the catalogue takes nothing more; and that there is room again."""
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    (disk / "filler").write_bytes(b"\0" * free)
    for _ in range(5):
        assert program.run("verify").returncode == 74
    (disk / "filler").unlink()
    for _ in range(2):
        assert program.run("verify").returncode == 0
    assert events(hook) == [("alert", ["disk"]), ("recovery", ["disk"])]


@needs_root
def test_a_disk_that_became_read_only_is_told(program: Program, hook: Hook, disk: Path) -> None:
    """Once, although nothing can be remembered anywhere: by the run that is due to."""
    remount(disk, "ro")
    began = datetime.now(UTC)
    for minutes in range(10, 100, 10):
        done = program.run("verify", at=began + timedelta(minutes=minutes))
        assert done.returncode == 74, done.stderr
    assert events(hook) == [("alert", ["archive"])]
