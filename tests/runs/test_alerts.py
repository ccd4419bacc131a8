"""What people get to hear of real runs, each a process of its own."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from camdl.ops.lock import FileLock
from tests.support.aged import age, begin
from tests.support.hook import Hook
from tests.support.http import self_signed
from tests.support.mailbox import Mailbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.gate import Gate
    from tests.support.program import Program


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A web hook at `/hook`, and a dead man's switch at `/ping`."""
    with Hook() as server:
        yield server


def configure(program: Program, gate: Gate, hook: Hook, **settings: object) -> None:
    """Have the program tell `hook`."""
    urls = {"alert_webhook_url": f"{hook.origin}/hook", "ping_url": f"{hook.origin}/ping/{{job}}"}
    program.configure(gate, **urls | settings)


def alerts(hook: Hook) -> list[tuple[str, list[str]]]:
    """What was told: the event, and the names of its subjects."""
    told: list[Any] = [post.json for post in hook.posts if post.path == "/hook"]
    return [(one["event"], [subject["name"] for subject in one["subjects"]]) for one in told]


def pings(hook: Hook) -> list[str]:
    """Which pings came."""
    return [path.removeprefix("/ping/") for path in hook.paths() if path.startswith("/ping/")]


def test_an_archive_that_ages_is_told_of_once(program: Program, gate: Gate, hook: Hook) -> None:
    """After three runs, and its recovery with the first that finds it well; exit codes stay."""
    configure(program, gate, hook)
    begin(program, 120)
    for _ in range(5):
        done = program.run("cleanup")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    age(program, 1)
    for _ in range(2):
        assert program.run("cleanup").returncode == 0
    assert alerts(hook) == [
        ("alert", ["in_gate", "out_gate"]),
        ("recovery", ["in_gate", "out_gate"]),
    ]
    assert pings(hook) == ["cleanup/start", "cleanup"] * 7


def test_a_catalogue_that_is_lost_is_told_of(program: Program, gate: Gate, hook: Hook) -> None:
    """Which is when there is nowhere to remember it; and again when it is back."""
    configure(program, gate, hook)
    begin(program, 1)
    assert program.run("cleanup").returncode == 0
    whole = program.database.read_bytes()
    program.database.write_bytes(b"damaged " * 4096)
    for _ in range(5):
        assert program.run("cleanup").returncode == 74
    program.database.write_bytes(whole)
    for _ in range(2):
        assert program.run("cleanup").returncode == 0
    assert alerts(hook) == [("alert", ["catalogue"]), ("recovery", ["catalogue"])]
    good, bad = ["cleanup/start", "cleanup"], ["cleanup/start", "cleanup/fail"]
    assert pings(hook) == good + 5 * bad + 2 * good
    (account, *_) = [post.body for post in hook.posts if post.path.endswith("/fail")]
    assert "exit code 74" in account.splitlines()[0]
    assert "file is not a database" in account


def test_processes_at_once_tell_once(program: Program, gate: Gate, hook: Hook) -> None:
    """Verifications take no lock, and all of them see the same."""
    configure(program, gate, hook, alert_after=1)
    begin(program, 120)
    with ExitStack() as stack:
        runs = [stack.enter_context(program.start("verify")) for _ in range(4)]
        said = [run.communicate(timeout=120) for run in runs]
    assert [run.returncode for run in runs] == [0] * 4, said
    ((event, subjects),) = alerts(hook)
    assert (event, subjects[:2]) == ("alert", ["in_gate", "out_gate"])


def test_a_reminder_comes_each_so_many_hours(program: Program, gate: Gate, hook: Hook) -> None:
    """As `alert_repeat_hours` says, as long as it is bad, and no more often."""
    configure(program, gate, hook, alert_after=1, alert_repeat_hours=1, jobs=["cleanup"])
    begin(program, 120)
    began = datetime.now(UTC)
    for minutes in (0, 59, 61, 122):
        done = program.run("cleanup", at=began + timedelta(minutes=minutes))
        assert done.returncode == 0
    both = ["in_gate", "out_gate"]
    assert alerts(hook) == [("alert", both), ("reminder", both), ("reminder", both)]
    told = [datetime.fromisoformat(post.json["at"]) for post in hook.posts if post.path == "/hook"]
    assert [round((at - began) / timedelta(minutes=1)) for at in told] == [0, 61, 122]


def test_what_is_told_may_begin_with_critical(program: Program, gate: Gate, hook: Hook) -> None:
    """As `alert_on` says: what is milder tells nobody, and ends what was told."""
    configure(program, gate, hook, alert_after=1, alert_on="critical")
    begin(program, 45)
    assert program.run("cleanup").returncode == 0
    assert (program.health()["status"], alerts(hook)) == ("warning", [])
    both = ["in_gate", "out_gate"]
    age(program, 120)
    assert program.run("cleanup").returncode == 0
    assert (program.health()["status"], alerts(hook)) == ("critical", [("alert", both)])
    age(program, 45)
    assert program.run("cleanup").returncode == 0
    assert program.health()["status"] == "warning"
    assert alerts(hook) == [("alert", both), ("recovery", both)]


def test_what_could_not_be_sent_is_sent_by_the_next_run(
    program: Program, gate: Gate, hook: Hook
) -> None:
    """Once, as it was to be told then; the run that could not is as good as any other."""
    configure(program, gate, hook, alert_after=1)
    begin(program, 120)
    hook.status = 500
    refused = program.run("cleanup", "-v")
    assert refused.returncode == 0
    assert refused.stderr.count("the next run tries again") == 1
    tried = [post.json for post in hook.posts if post.path == "/hook"]
    assert {one["event"] for one in tried} == {"alert"}
    hook.posts.clear()
    hook.status = 200
    for _ in range(2):
        done = program.run("cleanup")
        assert (done.returncode, done.stderr) == (0, "")
    (sent,) = [post.json for post in hook.posts if post.path == "/hook"]
    assert sent == tried[0]


def test_a_timer_that_only_looks_tells_too(program: Program, gate: Gate, hook: Hook) -> None:
    """With `--write`, which is for timers; a person who looks sends nothing."""
    configure(program, gate, hook, alert_after=1)
    begin(program, 120)
    assert program.run("health").returncode == 2
    assert hook.posts == []
    for _ in range(2):
        done = program.run("health", "--write", "--quiet")
        assert (done.returncode, done.stdout, done.stderr) == (2, "", "")
    assert alerts(hook) == [("alert", ["in_gate", "out_gate"])]
    assert pings(hook) == ["health/start", "health"] * 2


def test_what_is_no_run_is_not_told(program: Program, gate: Gate, hook: Hook) -> None:
    """A lock that is held, a dry run, a wrong command line."""
    configure(program, gate, hook, alert_after=1)
    begin(program, 120)
    with FileLock(program.lock_file, "download").hold(0):
        assert program.run("cleanup").returncode == 75
    assert program.run("cleanup", "--dry-run").returncode == 0
    assert program.run("cleanup", "--stream", "nope").returncode == 2
    assert hook.posts == []


def test_no_secret_is_told_anywhere(
    program: Program, gate: Gate, hook: Hook, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Neither in what is shown, nor in what is kept, however much goes wrong."""
    secret = "hunter2squirrel"  # noqa: S105  # of nothing
    certificate = self_signed(tmp_path_factory.mktemp("tls"))
    hook.status = 500
    with Mailbox("starttls", certificate) as box:
        program.configure(
            gate,
            alert_after=1,
            alert_webhook_url=f"{hook.origin}/{secret}?token={secret}",
            alert_apprise_urls=[hook.origin.replace("http:", "json:") + f"/{secret}"],
            alert_email_to=["ops@example.org"],
            alert_email_from="camdl@example.org",
            alert_ca_file=str(certificate),
            smtp_host="127.0.0.1",
            smtp_port=box.port,
            smtp_user="camdl",
            smtp_password=secret,
            ping_url=f"{hook.origin}/{secret}/{{job}}",
        )
        begin(program, 120)
        done = program.run("cleanup", "-v")
        tried = program.run("alert", "test")
    assert (done.returncode, tried.returncode) == (0, 1)
    assert done.stderr.count("could not be sent by") == 3
    assert tried.stdout.count("NOT sent") == 3
    assert "535" in tried.stdout
    kept = [file for file in program.home.rglob("*") if file.is_file()]
    assert program.images / ".health.alerts" in kept
    for told in (done.stdout, done.stderr, tried.stdout, tried.stderr):
        assert secret not in told
    for file in kept:
        assert secret.encode() not in file.read_bytes() or file.name == "camdl.toml", file


def test_a_download_tells_the_switch(program: Program, gate: Gate, hook: Hook) -> None:
    """That it began, and how it ended; all is well, so nobody else hears of it."""
    configure(program, gate, hook)
    assert program.run("download").returncode == 0
    assert pings(hook) == ["download/start", "download"]
    assert alerts(hook) == []
