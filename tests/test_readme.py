"""The README's help texts and example outputs are those of the program."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from camdl.demo.run import STREAMS
from camdl.demo.site import GateSite
from camdl.domain.alerts import Rules, Turn, consider, sights
from camdl.domain.assessment import assess
from camdl.domain.facts import Facts, JobFacts, StreamFacts
from camdl.domain.health import Database as HealthDatabase
from camdl.domain.health import DiskUsage
from camdl.domain.notices import Place, as_json, compose
from camdl.domain.outcomes import JobHistory, Outcome, RunRecord, StreamHistory
from camdl.domain.schedule import jobs
from tests.support.hook import Hook
from tests.support.http import self_signed
from tests.support.images import gate_jpeg
from tests.support.mailbox import PASSWORD, Mailbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import Postgres

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
ELLIPSIS = "…"
# What a day of a stream looks like depends on the hour.
STRIP = re.compile(r"\d\d:\d\d[ █×─·]*")
# What the doctor says of these depends on the machine: each line of theirs is one of these.
_JOBS = r"(?:download|cleanup|health|verify|, | and )+"
_NAME, _BY = r"(?:download|cleanup|health|verify)", r"(?:systemd|your systemd|your crontab|/\S+)"
OF_THE_MACHINE = {
    "camdl": [r"✔ \d+\.\d+\.\d+ with Python \d+\.\d+\.\d+ \(/\S+\) on Linux \d+\.\d+\.\d+\S*"],
    "browser": [
        r"! camdl runs as root, so the browser's sandbox is off: run it as a user of its own",
        r"→ Have it run as a user of its own, which this makes: camdl schedule install",
        r"! the system gives camdl no namespaces of its own, so the browser's sandbox is off: .+",
        r"→ As root: sysctl -w \S+=\d+(?: \S+=\d+)*",
        r"✔ /\S+ \d+\.\d+\.\d+\.\d+ drew a page (?:without|in) its sandbox after \d+\.\d s",
    ],
    "directories": [
        r"✔ /\S+/data/images, /\S+/data, /\S+/data/diagnostics, /\S+: \w+ can write there"
    ],
    "disk": [
        r"[✔!] \d+ % of the disk is used, \d+\.\d GB are free",
        r"[✔!] \d+ % of its inodes are used",
        r"→ See what would go: camdl cleanup --min-free 20 --dry-run",
    ],
    "clock": [
        r"✔ the clock is kept right",
        r"! whether the clock is kept right cannot be asked here",
        r"! nothing keeps this machine's clock right",
        r"→ As root: timedatectl set-ntp true \(or: apt-get install -y systemd-timesyncd\)",
    ],
    "schedule": [
        rf"! {_JOBS}: what starts (?:it|them) was not found, but (?:it|they) ran in time",
        rf"! {_JOBS}: nothing here starts (?:it|them)",
        r"→ Have them started: camdl schedule install",
        rf"! {_NAME}: {_BY} starts it every [\w ]+, and no run of it is recorded yet",
        rf"✔ {_BY} starts {_JOBS}",
        rf"! {_NAME}: {_BY}(?:, {_BY})* and {_BY} start it: twice",
        r"→ Leave one: camdl schedule uninstall",
        r"✔ the last timer fired [\w ]+ ago",
    ],
}
TOTAL = r"\d+ checks: (?:\d+ (?:is|are) worth knowing|all is fine)"
# The day on which the examples were run: what they say of the day before is meant so.
DAY_OF_EXAMPLES = date(2026, 11, 24)
PAGE, UNREACHED = "http://127.0.0.1:8765/gate?stream=", "could not be reached"


@dataclass(frozen=True)
class Example:
    """A command of the README and what it prints there."""

    command: str
    output: str

    def as_of_today(self) -> str:
        """The command with its days as far back as they were."""
        passed = datetime.now(UTC).date() - DAY_OF_EXAMPLES

        def moved(day: re.Match[str]) -> str:
            return str(date.fromisoformat(day[0]) + passed)

        return re.sub(r"\b\d{4}-\d\d-\d\d\b", moved, self.command)


def blocks(kind: str) -> list[str]:
    """The texts of the README's blocks of this kind."""
    return [found["text"] for found in BLOCK.finditer(README) if found["kind"] == kind]


def examples() -> list[Example]:
    """Every command that the README shows with its output."""
    found = []
    for block in blocks("console"):
        command, _, output = block.partition("\n")
        assert command.startswith("$ "), block
        found.append(Example(command.removeprefix("$ "), output))
    return found


HELP = [one for one in examples() if one.command.endswith("--help")]
RUNS = [one for one in examples() if not one.command.endswith("--help")]


def camdl(command: str, cwd: Path, columns: int = 80) -> subprocess.CompletedProcess[str]:
    """Run a command line that begins with `camdl`, as at a terminal that is `columns` wide."""
    program, *arguments = shlex.split(command)
    assert program == "camdl"
    environ = {name: text for name, text in os.environ.items() if not name.startswith("CAMDL_")}
    return subprocess.run(
        [sys.executable, "-m", "camdl", *arguments],
        cwd=cwd,
        env={**environ, "COLUMNS": str(columns), "NO_COLOR": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def masked(line: str) -> str:
    """`line` with numbers and their padding made alike, since those differ from run to run."""
    if STRIP.fullmatch(line):
        return "a strip"
    line = re.sub(r"\d+T\d+Z-[0-9a-f]{6,8}", "N", line)  # a run's id
    line = re.sub(r"\d+ h(?: \d+ min)?|\d+ min|\d+ s\b", "N s", line)
    line = re.sub(r"[0-9][0-9a-f.:T-]*Z?|none", "N", line)
    return re.sub(r"[─━]+", "─", re.sub(r"\s+", " ", line)).strip()


def agrees(shown: str, printed: str) -> bool:
    """Whether `printed` is what is `shown`; a line `…` stands for any lines."""
    parts = [re.escape(masked(line)) if line != ELLIPSIS else None for line in shown.splitlines()]
    pattern = "".join(r"(?:.*\n)*?" if part is None else f"{part}\n" for part in parts)
    text = "".join(f"{masked(line)}\n" for line in printed.splitlines())
    return re.fullmatch(pattern, text) is not None


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with the README's own configuration, and the site that it describes."""
    directory = tmp_path_factory.mktemp("home")
    picture = lru_cache(lambda _stream, _moment: gate_jpeg())
    with GateSite(STREAMS, picture, lambda: datetime.now(UTC)) as site:
        config, _ = blocks("toml")
        (directory / "camdl.toml").write_text(config.replace(":8765", f":{site.port}"))
        yield directory


@pytest.fixture(scope="module")
def told_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with the README's configuration of alerts, and those that it tells."""
    directory = tmp_path_factory.mktemp("told")
    certificate = self_signed(directory)
    with Mailbox("starttls", certificate) as box, Hook(certificate) as hook:
        _, config = blocks("toml")
        (directory / "smtp_password").write_text(PASSWORD)
        (directory / "alert_webhook_url").write_text(f"{hook.origin}/secret")
        (directory / "ping_url").write_text(f"{hook.origin}/{{job}}")
        more = f"smtp_port = {box.port}\nalert_ca_file = '{certificate}'\n"
        here = config.replace("mail.example.org", "127.0.0.1").replace("/etc/camdl", str(directory))
        (directory / "camdl.toml").write_text(here + more)
        yield directory


@pytest.mark.parametrize("example", HELP, ids=lambda one: one.command)
def test_help_texts_are_the_programs(example: Example, tmp_path: Path) -> None:
    """Every help text stands in the README as the program prints it."""
    assert camdl(example.command, tmp_path).stdout == example.output


def test_every_command_is_explained(tmp_path: Path) -> None:
    """No command is missing from the README."""

    def subcommands(command: str) -> list[str]:
        _, _, listed = camdl(f"{command} --help", tmp_path).stdout.partition("\nCommands:\n")
        names = re.findall(r"^  (\S+)", listed, re.MULTILINE)
        found = [f"{command} {name}" for name in names]
        return found + [deeper for one in found for deeper in subcommands(one)]

    shown = {one.command.removesuffix(" --help") for one in HELP}
    assert shown == {"camdl", *subcommands("camdl")}


@pytest.mark.xdist_group("readme")
def test_examples_print_what_they_show(home: Path, told_home: Path) -> None:
    """Each example, run in the order of the README, prints what is shown, numbers apart."""
    for example in RUNS:
        shows_table = example.command == "camdl download"
        where = told_home if example.command.startswith("camdl alert") else home
        done = camdl(f"{example.as_of_today()}{' -v' if shows_table else ''}", where)
        printed = (done.stdout or done.stderr).replace(str(home), "/srv/camdl")
        if where == told_home:
            printed = printed.replace("webhook: sent: 127.0.0.1", "webhook: sent: hook.example.org")
            printed = printed.replace("127.0.0.1", "mail.example.org")
        if example.command == "camdl doctor":
            assert done.returncode == 0, printed
            assert findings(example.output) == findings(printed)
            continue
        assert agrees(example.output, printed), (example.command, printed, done.stderr)


def findings(text: str) -> list[tuple[str, list[str]]]:
    """The checks of an examination in their order, with what was found and what to do about it.

    But for what depends on the machine, which has one of its forms.
    """
    found: list[tuple[str, list[str]]] = []
    *lines, total = text.splitlines()
    for line in lines:
        is_remedy = line.startswith("  →")
        if not is_remedy and (name := line[2:15].strip()):
            found.append((name, []))
        check, told = found[-1]
        said = line.strip() if is_remedy else f"{line[0]} {line[16:]}"
        if forms := OF_THE_MACHINE.get(check):
            assert any(re.fullmatch(form, said) for form in forms), (check, said)
        else:
            told.append(masked(said))
    assert re.fullmatch(TOTAL, total), total
    assert int(total.split()[0]) == len(found)
    return found


@pytest.mark.xdist_group("readme")
def test_health_file_has_the_form_that_is_shown(home: Path) -> None:
    """The keys of the health file are those of the README's."""
    shown, _ = (json.loads(text) for text in blocks("json"))
    camdl("camdl download", home)
    written = json.loads((home / "data/images/.health").read_text())
    assert shape(written) == shape(shown)


def test_the_mail_and_the_hook_shown_are_those_that_come(tmp_path: Path) -> None:
    """An alert of two streams whose page cannot be reached."""
    now, interval = datetime(2026, 11, 24, 20, 40, 12, tzinfo=UTC), timedelta(minutes=10)
    sites = {"in_gate": "demo", "out_gate": "demo"}
    rules, place = Rules(sites=sites), Place("gate1", "/srv/camdl/camdl.toml")
    run = RunRecord("r", "download", now, now, Outcome.FAILED, 69)
    (job, *_) = jobs(10)
    streams = tuple(
        StreamFacts(
            name, interval, StreamHistory(name, now, 3, f"{PAGE}{name} {UNREACHED}"), site="demo"
        )
        for name in sites
    )
    done = (JobFacts(job, interval, JobHistory(run, run)),)
    facts = Facts("1", streams, done, HealthDatabase.CONNECTED, DiskUsage(1, 10**9, 1))
    seen, turn = sights(assess(facts, now), rules), Turn({})
    for ago in (2, 1, 0):
        turn = consider(turn.book, seen, rules, now - ago * interval, is_new=True)
    notice = compose(turn, seen, rules, place, now=now, notice_id="n")
    assert notice
    assert f"its subject is `{notice.title}`" in README
    (mail,) = blocks("text")
    assert notice.body == mail
    _, shown = (json.loads(text) for text in blocks("json"))
    assert shape(as_json(notice, "gate1")) == shape(shown)


def shape(value: object) -> object:
    """The keys of `value` and of the first of each list in it."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(value[0])]
    return ""


def test_configuration_shown_is_sound(home: Path) -> None:
    """The README's configuration is accepted."""
    assert camdl("camdl config check", home).returncode == 0


def test_postgresql_needs_no_more_than_is_shown(
    home: Path, tmp_path: Path, postgres: Postgres
) -> None:
    """The commands of its section make the catalogue, and everything else stays as it is."""
    (shown,) = (block for block in blocks("sh") if "DATABASE_URL" in block)
    camdl_here = tmp_path / "camdl"
    camdl_here.write_text(f'#!/bin/sh\nexec {sys.executable} -m camdl "$@"\n')
    camdl_here.chmod(0o755)
    (tmp_path / "camdl.toml").write_text((home / "camdl.toml").read_text())
    environ = {name: text for name, text in os.environ.items() if not name.startswith("CAMDL_")}
    with postgres.database() as store:
        commands = re.sub(r"postgresql://\S+", lambda _: f"'{store.url}'", shown)
        done = subprocess.run(
            ["bash", "-ec", f"{commands}camdl download --stream in_gate --latest 2"],
            cwd=tmp_path,
            env={**environ, "PATH": f"{tmp_path}:{environ['PATH']}", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert store.sql("SELECT count(*) FROM captures") == [(2,)]


def test_ci_runs_both_front_doors() -> None:
    """The two commands that the README begins with are those that are checked."""
    checked = (ROOT / ".ci/run").read_text()
    for command in blocks("sh")[:2]:
        assert command in checked


def test_a_difference_is_noticed() -> None:
    """The comparison of examples bites: other words differ, other numbers do not."""
    assert agrees("2 streams: 4 new in 2.0 s\n", "2 streams: 12 new in 3.5 s\n")
    assert agrees("a\n…\nb 1\n", "a\nwhatever\nmore\nb 2\n")
    assert not agrees("2 streams: 4 new\n", "2 streams: 4 old\n")
    assert not agrees("a\nb\n", "a\n")


@pytest.mark.parametrize(
    ("is_so", "was_so"),
    [
        ("nothing keeps this machine's clock right", "nobody keeps this machine's clock right"),
        ("timedatectl set-ntp true", "timedatectl set-ntp yes"),
        ("worth knowing", "worth a look"),
        ("14 checks", "13 checks"),
    ],
)
def test_an_old_word_of_the_doctor_is_noticed(is_so: str, was_so: str) -> None:
    """What depends on the machine may differ, and is held to the words that there are."""
    (shown,) = (one.output for one in RUNS if one.command == "camdl doctor")
    assert findings(shown)
    assert is_so in shown
    with pytest.raises(AssertionError):
        findings(shown.replace(is_so, was_so))


def test_an_old_remedy_of_the_doctor_is_noticed() -> None:
    """Also where it is the same everywhere."""
    (shown,) = (one.output for one in RUNS if one.command == "camdl doctor")
    assert findings(shown.replace("camdl alert test", "camdl alert try")) != findings(shown)
