"""The command line: its help, what it prints, and the one place that makes errors exit codes."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import camdl
from camdl import cli, wiring
from camdl.catalogue.tables import SCHEMA
from camdl.cli.commands import Commands
from camdl.config.keys import Settings
from camdl.errors import (
    CamdlError,
    CatalogueError,
    ConfigError,
    ExitCode,
    InterruptedRunError,
    LockHeldError,
    StorageError,
    UsageError,
)
from camdl.ops.lock import FileLock
from camdl.scheduling import by_systemd
from camdl.wiring import watching
from tests.support import logs
from tests.support.catalogues import empty_catalogue, sql
from tests.support.hook import Hook
from tests.support.journal import FakeJournal, stream_of
from tests.support.root import needs_root

if TYPE_CHECKING:
    from collections.abc import Iterator

CODE = Path(camdl.__file__).parents[1]
COMM = Path("/proc/self/comm")
PROGRAM = [sys.executable, "-m", "camdl"]
# What other programs and people's fingers rely on.
OPTIONS = {
    "download": [
        *("--stream", "--latest", "--dry-run", "--wait", "--json", "--config"),
        *("-q, --quiet", "-v, --verbose"),
    ],
    "gaps": ["--stream", "--since", "--all", "--json", "--config"],
    "status": ["--watch [SECONDS]", "--json", "--config"],
    "doctor": ["--json", "--config"],
    "runs": ["--failed", "--verb", "--limit", "--json", "--config"],
    "health": ["--json", "--config", "-q, --quiet", "-v, --verbose"],
    "schedule": [
        *("--format", "--user", "--program", "--directory", "--image", "--output", "--json"),
        "--config",
    ],
    "schedule install": [
        *("--systemd / --cron", "--user", "--program", "--directory", "--dry-run", "--force"),
        "--config",
    ],
    "schedule uninstall": ["--systemd / --cron", "--user", "--dry-run", "--force"],
    "demo": ["--frames", "--directory", "--serve", "--port"],
    "alert test": ["--config"],
    "config show": ["--config"],
    "config check": ["--config"],
    "config init": ["--force"],
    "db upgrade": ["--config"],
    "db current": ["--config"],
}


class Answer:
    """What `camdl` answered: its exit code and what it printed."""

    def __init__(self, code: object, printed: tuple[str, str]) -> None:
        self.code = code
        self.out, self.err = printed


class CommandLine:
    """`camdl` as the shell calls it, inside this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Answer:
        """Call it."""
        self._monkeypatch.setattr(sys, "argv", ["camdl", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Answer(ended.value.code, self._capsys.readouterr())


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    """The command line, in an empty directory of a machine without a configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("camdl.config.layers.SYSTEM_FILE", tmp_path / "etc" / "config.toml")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in [*filter(lambda n: n.startswith("CAMDL_"), os.environ), "DATABASE_URL"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    # What the command line does to the whole process is undone.
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setenv("PYDANTIC_DISABLE_PLUGINS", "__all__")
    threshold = gc.get_threshold()
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM)
    handlers = {number: signal.getsignal(number) for number in numbers}
    name = COMM.read_text()
    with logs.kept():
        yield CommandLine(monkeypatch, capsys)
    COMM.write_text(name.strip())
    gc.set_threshold(*threshold)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def in_shell(
    script: str, cwd: Path, pass_fds: tuple[int, ...] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `script` with bash, where "$@" is camdl."""
    usual = {name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        ["bash", "-c", script, "bash", *PROGRAM],
        cwd=cwd,
        env=usual | {"PYTHONPATH": str(CODE), "TMPDIR": str(cwd)} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        pass_fds=pass_fds,
    )


# Help and usage.


@pytest.mark.parametrize("command", OPTIONS)
def test_help_tells_every_option(call: CommandLine, command: str) -> None:
    """Each command's help names its options, and says what it does."""
    answer = call(*command.split(), "--help")
    assert (answer.code, answer.err) == (0, "")
    for option in OPTIONS[command]:
        assert f"\n  {option}" in answer.out, option


def test_help_of_the_whole_program_names_every_command(call: CommandLine) -> None:
    """Commands and groups of commands are all there."""
    out = call("--help").out
    assert all(f"\n  {command.split()[0]} " in out for command in OPTIONS)


def test_help_keeps_what_is_in_brackets(call: CommandLine) -> None:
    """Nothing of the help is taken for markup."""
    assert "[default: all]" in call("download", "--help").out


def test_no_command_is_a_question_for_help(call: CommandLine) -> None:
    """Without arguments the help comes, and it is a wrong command line."""
    answer = call()
    assert answer.code == 2
    assert "Commands:" in answer.out + answer.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["downlod"],
        ["download", "--strem", "a"],
        ["download", "--latest", "0"],
        ["download", "--wait", "-1"],
        ["demo", "--port", "70000"],
        ["config", "init", "a", "b"],
    ],
)
def test_a_wrong_command_line(call: CommandLine, arguments: list[str]) -> None:
    """It is 2, with what is wrong on stderr."""
    answer = call(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert "Error: " in answer.err


def test_version(call: CommandLine) -> None:
    """Data, on stdout."""
    answer = call("--version")
    assert (answer.code, answer.out, answer.err) == (0, f"camdl {camdl.__version__}\n", "")


def test_help_starts_fast(tmp_path: Path) -> None:
    """Nothing heavy is imported for it."""
    program = (
        "import sys\nfrom camdl.cli import app\n"
        "try:\n    app(['download', '--help'])\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'sqlalchemy', 'playwright', 'PIL', 'urllib3', 'alembic', 'backoff'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr == "[]\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["health"],
        ["health", "--config", "camdl.toml", "--quiet"],
        ["cleanup", "--stream", "in_gate", "--dry-run", "--config", "camdl.toml"],
    ],
)
def test_texts_and_what_was_not_given_need_no_conversion(
    tmp_path: Path, arguments: list[str]
) -> None:
    """And a command needs no other one: both took a third of what `camdl health` takes."""
    (tmp_path / "camdl.toml").touch()
    program = (
        "import sys\nfrom camdl.cli import app\n"
        f"try:\n    app({arguments})\n"
        "except SystemExit:\n    pass\n"
        "print(sorted({'pydantic', 'camdl.cli.gaps'} & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CODE)},
    )
    assert done.stderr.splitlines()[-1] == "[]"


def test_commands_are_those_of_a_mapping() -> None:
    """What typer expects of the commands of a program."""
    commands = Commands().commands
    assert len(commands) == len(list(commands))
    kept = commands["gaps"]
    assert commands["gaps"] is kept
    commands["also"] = kept
    del commands["gaps"]
    assert "gaps" not in commands
    assert commands["also"] is kept


# Errors.


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("what and where"), 2),
        (ConfigError("what and where"), 78),
        (StorageError("what and where"), 74),
        (CatalogueError("what and where"), 74),
        (LockHeldError("what and where"), 75),
        (InterruptedRunError("SIGTERM", ExitCode.SIGTERM), 143),
        (InterruptedRunError("SIGINT", ExitCode.SIGINT), 130),
    ],
)
def test_an_error_is_told_with_its_advice(
    call: CommandLine, monkeypatch: pytest.MonkeyPatch, error: CamdlError, code: int
) -> None:
    """Two lines on stderr, what happened and what to do, and the error's exit code."""
    monkeypatch.setattr(wiring, "schema", _raising(error))
    answer = call("db", "current")
    assert (answer.code, answer.out) == (code, "")
    assert answer.err == f"camdl: {error}\n       {error.advice}\n"


def test_an_error_without_advice_is_one_line(
    call: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is nothing to advise, nothing is."""
    monkeypatch.setattr(wiring, "schema", _raising(ConfigError("what and where", advice="")))
    assert call("db", "current").err == "camdl: what and where\n"


def test_a_bug_is_told_in_a_line_and_kept_in_a_file(
    call: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """70, no traceback on the screen, and all of it where the message says."""
    monkeypatch.setattr(wiring, "schema", _raising(ZeroDivisionError("by zero")))
    answer = call("db", "current")
    assert (answer.code, answer.out) == (70, "")
    kept = kept_traceback(tmp_path)
    assert answer.err == (
        f"camdl: a bug (ZeroDivisionError); its traceback went to {kept}\n"
        "       Please report it with that file.\n"
    )


def kept_traceback(directory: Path) -> Path:
    """The file with the traceback of a division by zero, which nobody else may read."""
    (kept,) = directory.glob("camdl-bug-*.txt")
    text = kept.read_text()
    assert text.startswith("Traceback")
    assert text.endswith("ZeroDivisionError: by zero\n")
    assert kept.stat().st_mode & 0o077 == 0
    return kept


def test_a_bug_where_nothing_can_be_kept(
    call: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is still 70, and told."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    monkeypatch.setattr(wiring, "schema", _raising(ZeroDivisionError()))
    answer = call("db", "current")
    assert answer.code == 70
    assert "nowhere: it could not be written" in answer.err


@pytest.mark.parametrize(
    ("error", "code"), [(OSError(24, "Too many open files"), 74), (TimeoutError("late"), 70)]
)
def test_what_the_system_refuses_is_no_bug(
    call: CommandLine, monkeypatch: pytest.MonkeyPatch, error: OSError, code: int
) -> None:
    """It is 74 with the system's words; an OSError that a library made up is a bug."""
    monkeypatch.setattr(wiring, "schema", _raising(error))
    answer = call("db", "current")
    assert answer.code == code
    assert ("Too many open files" in answer.err) is (code == 74)


# What monitoring is told where there is no verdict.


UNREADABLE = "nope.toml: no such file (given by --config)"


@pytest.mark.parametrize(
    ("arguments", "reason", "said"),
    [
        (["--config", "nope.toml"], UNREADABLE, UNREADABLE),
        (["--config", "nope.toml", "--quiet"], UNREADABLE, UNREADABLE),
        (["--config", "nope.toml", "--verbose"], UNREADABLE, UNREADABLE),
        (["--config", "nope.toml", "--write"], UNREADABLE, UNREADABLE),
        (["--wite"], "No such option: --wite", "--wite"),
        (["all"], "unexpected extra argument", "(all)"),
        (["--config"], "Option '--config' requires an argument.", "requires an argument"),
    ],
)
def test_monitoring_is_told_that_nothing_can_be_known(
    call: CommandLine, arguments: list[str], reason: str, said: str
) -> None:
    """3 in one line on stdout, whatever is wrong; on stderr all of it, and what to do."""
    answer = call("health", *arguments)
    assert answer.code == 3
    assert answer.out.startswith("camdl UNKNOWN - ")
    assert reason in answer.out
    assert answer.out.count("\n") == 1
    first, advice = answer.err.splitlines()
    assert first.startswith("camdl: ")
    assert said in first
    assert advice.startswith("       ")


@pytest.mark.parametrize("arguments", [["--config", "nope.toml"], ["--nope"], ["--metrics"]])
def test_a_program_is_told_the_same_in_its_form(call: CommandLine, arguments: list[str]) -> None:
    """`--json` has the form of every verdict, with what to do; among metrics it is a comment."""
    answer = call("health", "--json", *arguments)
    assert answer.code == 3
    found = json.loads(answer.out)
    assert list(found) == list(json.loads(call("health", "--json").out))
    (check,) = found["checks"]
    assert (found["status"], check["status"]) == ("unknown", "unknown")
    assert check["reason"] in answer.err
    assert check["advice"] in answer.err
    if "--metrics" not in arguments:
        as_metrics = call("health", "--metrics", *arguments)
        assert as_metrics.code == 3
        assert as_metrics.out == f"# camdl UNKNOWN - {check['reason']}\n"


def test_monitoring_is_told_a_line_that_fits(call: CommandLine, tmp_path: Path) -> None:
    """A key that is like none has all of them listed, on stderr."""
    (tmp_path / "camdl.toml").write_text("zzzzzzzz = 1\n")
    answer = call("health")
    assert (answer.code, answer.out.count("\n")) == (3, 1)
    assert answer.out.startswith("camdl UNKNOWN - camdl.toml: zzzzzzzz: no such key; known are ")
    assert len(answer.out) < 330
    assert "timeout" in answer.err
    assert "camdl config init" in answer.err


def test_monitoring_is_told_of_a_bug(
    call: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Unknown with its name, not critical; its traceback is kept as that of any other."""
    monkeypatch.setattr(watching, "health", _raising(ZeroDivisionError("by zero")))
    answer = call("health")
    said = f"a bug (ZeroDivisionError); its traceback went to {kept_traceback(tmp_path)}"
    assert (answer.code, answer.out) == (3, f"camdl UNKNOWN - {said}\n")
    assert answer.err == f"camdl: {said}\n       Please report it with that file.\n"


def test_monitoring_is_told_what_the_system_refuses(
    call: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is no bug."""
    monkeypatch.setattr(watching, "health", _raising(OSError(24, "Too many open files")))
    answer = call("health")
    assert answer.code == 3
    assert answer.out.startswith("camdl UNKNOWN - the system refused something: [Errno 24] Too")
    assert list(tmp_path.iterdir()) == []


def test_a_signal_ends_a_verdict_with_its_own_code(
    call: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sent it knows."""
    monkeypatch.setattr(
        watching, "health", _raising(InterruptedRunError("SIGTERM", ExitCode.SIGTERM))
    )
    answer = call("health")
    assert (answer.code, answer.out) == (143, "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_verdict_that_cannot_be_printed(tmp_path: Path, unbuffered: str) -> None:
    """It is unknown to whoever was to read it."""
    done = in_shell('"$@" health >/dev/full', tmp_path, PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 3
    assert done.stderr.startswith("camdl: the system refused something: [Errno 28] No space left")
    assert done.stderr.count("\n") == 2


def _raising(error: BaseException) -> object:
    def fail(_: object) -> None:
        raise error

    return fail


# Output.


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("command", "code"),
    [("--version", 1), ("--help", 1), ("config show", 1), ("health --json", 3)],
)
def test_a_reader_that_has_left(tmp_path: Path, command: str, code: int, unbuffered: str) -> None:
    """Output into a pipe that nobody reads any more ends quietly; a verdict is unknown then."""
    reader, writer = os.pipe()
    os.close(reader)
    script = f'"$@" {command} >&{writer}'
    done = in_shell(script, tmp_path, pass_fds=(writer,), PYTHONUNBUFFERED=unbuffered)
    os.close(writer)
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["--version", "config show"])
def test_output_that_finds_no_room(tmp_path: Path, command: str, unbuffered: str) -> None:
    """Output that is redirected to a full disk is 74, and not lost in silence."""
    done = in_shell(f'"$@" {command} >/dev/full', tmp_path, PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 74
    assert done.stderr.startswith("camdl: the system refused something: [Errno 28] No space left")
    assert done.stderr.count("\n") == 2


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed(tmp_path: Path, closed: str) -> None:
    """Whatever starts camdl without standard streams gets its exit code all the same."""
    assert in_shell(f'"$@" config show {closed}', tmp_path).returncode == 0
    assert in_shell(f'"$@" download --stream nope {closed}', tmp_path).returncode == 2


def test_no_file_of_ours_becomes_a_standard_stream(tmp_path: Path) -> None:
    """With its streams closed, the next file that is opened does not get their numbers."""
    program = (
        "import os, sys; from camdl import cli\n"
        "cli._prepare_output(); cli._prepare_output()\n"
        "open('number', 'w').write(str(os.open('file', os.O_CREAT)))\n"
        "print('to nobody'); print('to nobody', file=sys.stderr)\n"
    )
    (tmp_path / "program.py").write_text(program)
    done = in_shell(f"{sys.executable} program.py <&- >&- 2>&-", tmp_path)
    assert done.returncode == 0
    assert int((tmp_path / "number").read_text()) > 2


def test_letters_that_the_output_cannot_take(tmp_path: Path) -> None:
    """They are escaped: a terminal of the last century ends no command."""
    (tmp_path / "é.toml").write_text("")
    done = in_shell('"$@" config show --config é.toml', tmp_path, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert done.stdout.startswith("# \\xe9.toml\n")


# The commands that are quick.


def test_config_show(call: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It prints what is in effect, with where it came from and without secrets."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://camdl:hunter2@db/camdl")
    answer = call("config", "show")
    assert (answer.code, answer.err) == (0, "")
    assert "timeout = 30  # default" in answer.out
    assert "hunter2" not in answer.out


def test_config_check(call: CommandLine, tmp_path: Path) -> None:
    """It says that all is right, or what is not."""
    (tmp_path / "camdl.toml").write_text("timeout = 5\n")
    answer = call("config", "check")
    assert answer.code == 0
    assert answer.out.startswith("camdl.toml: all right\n")
    (tmp_path / "camdl.toml").write_text("timeout = 0\n")
    answer = call("config", "check")
    assert (answer.code, answer.out) == (78, "")
    assert "camdl.toml: timeout = 0: must be" in answer.err


def test_config_init(call: CommandLine, tmp_path: Path) -> None:
    """It writes a file that is accepted, and replaces none without being told to."""
    assert call("config", "init").out.startswith("Wrote camdl.toml.")
    assert call("config", "check").code == 0
    (tmp_path / "camdl.toml").write_text("timeout = 5\n")
    assert call("config", "init").code == 2
    assert (tmp_path / "camdl.toml").read_text() == "timeout = 5\n"
    assert call("config", "init", "--force").code == 0


@pytest.mark.parametrize(
    "command", [["config", "show"], ["config", "check"], ["download"], ["db", "current"]]
)
def test_a_configuration_that_is_not_there(call: CommandLine, command: list[str]) -> None:
    """A file that was named is needed: 78 with its name, whatever the command."""
    answer = call(*command, "--config", "nope.toml")
    assert (answer.code, answer.out) == (78, "")
    assert answer.err.startswith("camdl: nope.toml: no such file (given by --config)\n")


def test_alert_test(call: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what each way has answered, and exits by that; nobody to tell is 78."""
    answer = call("alert", "test")
    assert (answer.code, answer.out) == (78, "")
    assert answer.err.startswith("camdl: there is nobody to tell\n")
    with Hook() as hook:
        monkeypatch.setenv("CAMDL_ALERT_WEBHOOK_URL", f"{hook.origin}/hunter2")
        answer = call("alert", "test")
        assert (answer.code, answer.err) == (0, "")
        assert answer.out == "webhook: sent: 127.0.0.1: 200 OK thank you\n"
        hook.status = 500
        answer = call("alert", "test")
        assert (answer.code, answer.err) == (1, "")
        assert answer.out.startswith("webhook: NOT sent: 127.0.0.1: 500 ")


def test_db(call: CommandLine, tmp_path: Path) -> None:
    """`db current` looks, `db upgrade` makes and does nothing the second time."""
    name = Settings().database_url.removeprefix("sqlite:///")
    assert call("db", "current").out == (
        f"{name}: no catalogue yet; this version needs schema {SCHEMA}\n"
    )
    assert not (tmp_path / name).exists()
    assert call("db", "upgrade").out == f"{name}: schema none -> {SCHEMA}\n"
    assert call("db", "upgrade").out == f"{name}: schema {SCHEMA} already\n"
    assert call("db", "current").out == f"{name}: schema {SCHEMA}, which is this version's\n"


def test_db_upgrade_waits_for_no_run(call: CommandLine, tmp_path: Path) -> None:
    """While a run is going on it is refused, and nothing is made."""
    with FileLock(tmp_path / Settings().lock_file).hold(0):
        assert call("db", "upgrade").code == 75
    assert not (tmp_path / "data/camdl.db").exists()


def test_gaps_before_the_first_run(call: CommandLine, tmp_path: Path) -> None:
    """Nothing is missing yet, in each form, and nothing is made by looking."""
    answer = call("gaps")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == "No captures are known to be missing.\n"
    assert json.loads(call("gaps", "--all", "--json").out) == []
    assert list(tmp_path.iterdir()) == []


def test_gaps_that_are_open(call: CommandLine, tmp_path: Path) -> None:
    """They are told in each form, and exit 1; what ended before --since is none of the answer."""
    file = tmp_path / Settings().database_url.removeprefix("sqlite:///")
    file.parent.mkdir()
    sql(
        empty_catalogue(file),
        "INSERT INTO captures VALUES ('in_gate', '2025-09-08 12:00:00.000000', 'k', 's', 1, 1, "
        "1, 'u', '2025-09-08 12:00:00.000000', 'r', NULL)",
    )
    answer = call("gaps", "--stream", "in_gate")
    assert (answer.code, answer.err) == (1, "")
    assert answer.out.endswith(" captures missing in 1 gap\n")
    (gap,) = json.loads(call("gaps", "--json").out)
    assert (gap["from"], gap["state"]) == ("2025-09-08T12:10:00Z", "open")
    assert gap["cause_in_words"] == "camdl did not run"
    assert json.loads(call("gaps", "--json", "--since", "2999-01-01").out) == []
    assert call("gaps", "--stream", "out_gate").code == 0


@pytest.mark.parametrize("arguments", [["--since", "soon"], ["--since", ""], ["--stream", "nope"]])
def test_gaps_of_nothing_there_is(call: CommandLine, arguments: list[str]) -> None:
    """A time or a stream that is none is a wrong command line."""
    assert call("gaps", *arguments).code == 2


def test_health_before_the_first_run(call: CommandLine, tmp_path: Path) -> None:
    """It is unknown in each form, and nothing is made by looking."""
    assert call("health").code == 3
    line = call("health").out
    assert line.startswith("camdl UNKNOWN - ")
    assert line.count("\n") == 1
    assert json.loads(call("health", "--json").out)["status"] == "unknown"
    assert "camdl is unknown" in call("health", "-v").out
    quiet = call("health", "-q")
    assert (quiet.code, quiet.out, quiet.err) == (3, "", "")
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_cannot_begin(call: CommandLine, tmp_path: Path) -> None:
    """An unknown stream is told before anything is made."""
    answer = call("download", "--stream", "gate")
    assert (answer.code, answer.out) == (2, "")
    assert "did you mean in_gate?" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_python_m_camdl_is_the_same_program(tmp_path: Path) -> None:
    """`python -m camdl` works without an installed script."""
    done = in_shell('"$@" --version', tmp_path)
    assert done.stdout == f"camdl {camdl.__version__}\n"


# What starts camdl.


def test_schedule_shows_when_jobs_are_due(call: CommandLine) -> None:
    """A table for a person, JSON for a program."""
    assert "camdl cleanup --wait 600" in call("schedule").out
    found = json.loads(call("schedule", "--json").out)
    assert [one["id"] for one in found] == ["download", "health", "cleanup", "verify"]


def test_schedule_is_that_of_the_settings(
    call: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interval that no cron line can say is told, beside what is printed."""
    monkeypatch.setenv("DOWNLOAD_INTERVAL_MINUTES", "25")
    answer = call("schedule", "--format", "crontab", "--user", "--program", "/opt/camdl")
    assert "2-59/20 * * * * cd " in answer.out
    assert "every 20 minutes instead" in answer.err
    assert answer.code == 0


@pytest.mark.parametrize("form", ["crontab", "kubernetes", "systemd"])
def test_schedule_prints_or_writes_the_shipped_files(
    call: CommandLine, tmp_path: Path, form: str
) -> None:
    """Those are made by this command, and nothing is printed beside what they are."""
    options = ("--format", form, "--program", "/opt/camdl/bin/camdl")
    printed = call("schedule", *options).out
    assert call("schedule", *options, "--output", str(tmp_path / "out")).out == ""
    shipped = {
        "crontab": CODE / "crontab.example",
        "camdl.yaml": CODE / "deployment/kubernetes/camdl.yaml",
    }
    written = list((tmp_path / "out").iterdir())
    assert written
    for file in written:
        there = shipped.get(file.name, CODE / "deployment/systemd" / file.name)
        assert file.read_text() == there.read_text()
        assert file.read_text() in printed
    if len(written) == 1:
        assert printed == written[0].read_text()


def test_schedule_says_where_it_cannot_write(call: CommandLine) -> None:
    """With 74, as for any file."""
    answer = call("schedule", "--format", "crontab", "--output", "/proc/nowhere")
    assert answer.code == ExitCode.STORAGE
    assert "/proc/nowhere cannot be written to" in answer.err


@needs_root
def test_what_starts_camdl_is_chosen(call: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd where it runs the machine, unless cron is asked for, or the other way round."""
    program = ("--program", "/opt/camdl/bin/camdl")
    for runs_systemd in (True, False):
        monkeypatch.setattr(by_systemd, "is_running", lambda *_, on=runs_systemd: on)
        by_itself = call("schedule", "install", "--dry-run", *program)
        chosen = call("schedule", "install", "--dry-run", "--cron", *program)
        assert ("systemctl" in by_itself.out) == runs_systemd
        assert "systemctl" not in chosen.out


def test_nothing_to_take_away(call: CommandLine) -> None:
    """It is no fault."""
    for options in ((), ("--cron",), ("--systemd",)):
        answer = call("schedule", "uninstall", "--user", "--dry-run", *options)
        assert (answer.code, answer.out) == (0, "Nothing was put in place here.\n")


# What others see of it.


def test_the_process_is_called_as_the_command(call: CommandLine) -> None:
    """So that `top` tells a download from a backfill."""
    call("config", "show")
    assert COMM.read_text() == "camdl config\n"


def test_what_went_wrong_before_a_run_is_in_the_journal(
    call: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to do about it, and in one line; nobody reads stderr there."""
    monkeypatch.setattr("camdl.ops.journal.SOCKET", str(tmp_path / "socket"))
    monkeypatch.setenv("JOURNAL_STREAM", stream_of(2)["JOURNAL_STREAM"])
    monkeypatch.setenv("CAMDL_TIMEOUT", "soon")
    with FakeJournal(tmp_path / "socket") as journal:
        answer = call("config", "check")
        assert (answer.code, answer.err) == (78, "")
        (entry,) = journal.entries()
        monkeypatch.delenv("JOURNAL_STREAM")
        call("config", "check")  # lets go of the journal
    assert entry["PRIORITY"] == ["3"]
    assert entry["CAMDL_EXIT_CODE"] == ["78"]
    assert "CAMDL_TIMEOUT" in entry["MESSAGE"][0]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--watch"], 2),
        (["--watch", "5"], 2),
        (["--watch=5"], 2),
        (["--watch", "1"], 2),
        (["--watch", "--json"], 2),
        (["--json", "--watch", "5"], 2),
        ([], 0),
        (["--json"], 0),
    ],
)
def test_status_of_nothing(call: CommandLine, arguments: list[str], code: int) -> None:
    """Before anything was archived there is an overview; without a terminal none to watch."""
    answer = call("status", *arguments)
    assert answer.code == code
    if "1" in arguments:
        assert "greater than or equal to 2" in answer.err
    elif code:
        assert "--watch needs a terminal" in answer.err
    else:
        assert "unknown" in answer.out


def test_runs_of_nothing(call: CommandLine) -> None:
    """It is no fault that there are none yet."""
    answer = call("runs")
    assert (answer.code, answer.out, answer.err) == (0, "No such run is recorded.\n", "")
    assert call("runs", "--json").out == "[]\n"
