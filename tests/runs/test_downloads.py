"""The whole program, from its command line to its exit code, on a site where all is well."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from camdl import __version__
from camdl.ops.lock import FileLock
from tests.support.gate import PICTURE
from tests.support.processes import carriers

if TYPE_CHECKING:
    from tests.support.gate import Gate
    from tests.support.program import Program


def test_two_runs_in_a_row(program: Program, gate: Gate) -> None:
    """The first archives everything, the second fetches nothing; both succeed without a word."""
    first = program.run("download")
    assert (first.returncode, first.stdout, first.stderr) == (0, "", "")
    assert len(gate.asked) == len(set(gate.asked)) == 4
    assert program.archived() == gate.all_keys()
    gate.asked.clear()
    second = program.run("download")
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert gate.asked == []
    assert program.archived() == gate.all_keys()
    assert program.runs() == [("ok", 0), ("ok", 0)]
    assert not program.diagnostics.exists()


def test_one_capture_more_is_one_image_more(program: Program, gate: Gate) -> None:
    """When the site has moved on, what came since is fetched and nothing else."""
    program.run("download")
    gate.asked.clear()
    gate.take(1, 5, 15, streams=("in_gate",))
    assert program.run("download").returncode == 0
    assert len(gate.asked) == 1
    assert program.archived() == gate.all_keys()


def test_one_browser_for_all_streams(program: Program, gate: Gate) -> None:
    """Browsers are told apart by their profiles."""
    seen: list[str] = []
    gate.meanwhile = lambda: seen.extend(carriers(program.mark).values())
    assert program.run("download").returncode == 0
    assert len(gate.asked) == 4
    profiles = {match for command in seen for match in re.findall(r"--user-data-dir=\S+", command)}
    assert len(profiles) == 1, seen


def test_only_the_named_stream(program: Program, gate: Gate) -> None:
    """`--stream` reads, fetches and records that one only."""
    assert program.run("download", "--stream", "out_gate").returncode == 0
    assert program.archived() == [key for key in gate.all_keys() if key.startswith("out_gate")]
    assert len(gate.asked) == 2


def test_only_the_newest_of_each_stream(program: Program, gate: Gate) -> None:
    """`--latest 1` fetches the newest capture of each stream, and the next run the rest."""
    assert program.run("download", "--latest", "1").returncode == 0
    assert program.archived() == gate.all_keys()[-2:]
    assert program.run("download").returncode == 0
    assert program.archived() == gate.all_keys()


def test_a_dry_run_lists_and_changes_nothing(program: Program, gate: Gate) -> None:
    """It prints stream, instant and URL of what would be fetched, and makes no file at all."""
    before = sorted(program.home.rglob("*"))
    done = program.run("download", "--dry-run", "--latest", "1")
    assert (done.returncode, done.stderr, gate.asked) == (0, "", [])
    newest = gate.taken["in_gate"][-1]
    lines = sorted(done.stdout.splitlines())
    assert [line.split("\t")[:2] for line in lines] == [
        [stream, f"{newest:%Y-%m-%dT%H:%M:%SZ}"] for stream in gate.streams
    ]
    assert all(line.split("\t")[2].startswith(f"{gate.origin}/images/") for line in lines)
    assert sorted(program.home.rglob("*")) == before


def test_the_record_as_json(program: Program, gate: Gate) -> None:
    """`--json` prints the run's record, every key of it, and nothing else."""
    done = program.run("download", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    record = json.loads(done.stdout)
    counts = {"listed": 2, "new": 2, "saved": 2, "duplicate": 0, "rejected": 0, "failed": 0}
    counts |= {"deleted": 0, "freed_bytes": 0, "saved_bytes": 2 * len(PICTURE)}
    streams = record.pop("streams")
    started, ended = (datetime.fromisoformat(record.pop(k)) for k in ("started_at", "ended_at"))
    assert gate.now <= started <= ended <= datetime.now(UTC)
    assert record.pop("id").startswith(f"{started:%Y%m%dT%H%M%SZ}-")
    assert record == {
        "verb": "download",
        "outcome": "ok",
        "exit_code": 0,
        "error": "",
        "clock_offset_seconds": pytest.approx(0, abs=30),
        "counts": {name: 2 * count for name, count in counts.items()},
    }
    for stream, name in zip(streams, gate.streams, strict=True):
        assert 0 < stream.pop("seconds") < 60
        assert stream == {
            "stream": name,
            "outcome": "ok",
            "counts": counts,
            "newest": f"{gate.taken[name][-1]:%Y-%m-%dT%H:%M:%SZ}",
            "reason": "",
            "unreachable": False,
            "failures": {},
        }


def test_a_dry_run_as_json(program: Program, gate: Gate) -> None:
    """With `--json` what would be fetched is part of the record."""
    done = program.run("download", "--dry-run", "--json", "--stream", "in_gate")
    newest, oldest = reversed(gate.taken["in_gate"])
    assert [one["captured_at"] for one in json.loads(done.stdout)["would_fetch"]] == [
        f"{newest:%Y-%m-%dT%H:%M:%SZ}",
        f"{oldest:%Y-%m-%dT%H:%M:%SZ}",
    ]


def test_verbose_shows_the_table_to_nobody_in_particular(program: Program) -> None:
    """With `-v` the table comes without a terminal too, and what is done is told on stderr."""
    done = program.run("download", "-v")
    assert "stream    listed  new  saved" in done.stdout
    assert "2 streams: 4 new, 4 saved, 0 rejected, 0 failed in" in done.stdout
    assert f"camdl: Making the catalogue {program.database}\n" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_just_after_midnight_the_evening_is_archived_too(program: Program, gate: Gate) -> None:
    """At three past midnight the shown day has one capture; the day before is picked as well."""
    gate.begin(datetime(2025, 9, 9, 0, 3, tzinfo=UTC))
    gate.take(1, 11, 21, 31, 41, 51, 61, streams=("in_gate",))
    done = program.run("download", "--stream", "in_gate", at=gate.now)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(gate.live("in_gate")) < 7
    assert program.archived() == gate.all_keys()


def test_the_health_file_of_a_good_run(program: Program, gate: Gate) -> None:
    """It has every key that other programs rely on, and says healthy."""
    program.run("download")
    said = program.health()
    newest = f"{gate.taken['in_gate'][-1]:%Y-%m-%dT%H:%M:%SZ}"
    assert (said["status"], said["version"]) == ("healthy", __version__)
    assert list(said) == [
        *("status", "timestamp", "version", "database"),
        *("disk_usage_percent", "jobs", "streams", "checks"),
    ]
    assert said["database"] == "connected"
    assert 0 <= said["disk_usage_percent"] <= 100
    assert [job["id"] for job in said["jobs"]] == ["download", "health", "cleanup", "verify"]
    job = said["jobs"][0]
    assert job["outcome"] == "ok"
    assert job["last_run"] == job["last_good_run"] < job["next_run"]
    assert all(job["next_run"] > said["timestamp"] for job in said["jobs"])
    assert [(one["name"], one["status"], one["newest_capture"]) for one in said["streams"]] == [
        (name, "healthy", newest) for name in gate.streams
    ]
    assert all(check["reason"] for check in said["checks"])


def test_the_lock_is_free_after_a_run(program: Program) -> None:
    """Whoever comes next gets it at once, and its file stays."""
    program.run("download")
    with FileLock(program.lock_file).hold(0):
        pass
