"""Which checks there are, and what each makes of a set-up that is not right."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from camdl.demo.run import site_config
from camdl.domain.examination import Finding, Grade
from camdl.ops.lock import FileLock
from camdl.wiring import examining
from camdl.wiring.examining import checks
from tests.support.catalogues import empty_catalogue, sql
from tests.support.gate import Gate
from tests.support.mailbox import Mailbox

if TYPE_CHECKING:
    from collections.abc import Iterator

USUAL = [
    *("camdl", "configuration", "time zones", "browser", "catalogue", "archive", "directories"),
    *("lock", "disk", "clock", "schedule", "alerts", "proxy", "page"),
]


@pytest.fixture(scope="module")
def gate() -> Iterator[Gate]:
    """A site that answers."""
    with Gate() as site:
        yield site


class SetUp:
    """A configuration in the current directory, and what is found out about it."""

    def __init__(self, tables: str) -> None:
        self.tables = tables
        self.write()

    def write(self, *lines: str) -> None:
        """Have the configuration begin with these lines."""
        Path("camdl.toml").write_text("\n".join([*lines, self.tables, ""]), encoding="utf-8")

    def names(self, **environ: str) -> list[str]:
        """The names of the checks."""
        return [one.name for one in checks(None, environ)]

    def look(self, name: str, **environ: str) -> list[Finding]:
        """What this check finds."""
        (check,) = (one for one in checks(None, environ) if one.name == name)
        return list(check.look())


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gate: Gate) -> SetUp:
    """A set-up for the gate's site."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("camdl.config.layers.SYSTEM_FILE", tmp_path / "etc" / "config.toml")
    return SetUp(site_config(gate))


def grades(found: list[Finding]) -> list[Grade]:
    """The grade of each."""
    return [one.grade for one in found]


def test_all_checks(here: SetUp) -> None:
    """In the order in which they are told."""
    assert here.names() == USUAL


def test_a_site_with_its_images_elsewhere(here: SetUp) -> None:
    """Each host has a check of its own."""
    here.tables = here.tables.replace('image = "http://127.0.0.1', 'image = "http://127.0.0.2')
    here.write()
    assert here.names() == [*USUAL, "images"]


def test_all_is_fine_before_the_first_run(here: SetUp) -> None:
    """Nothing is there yet, and nothing is wrong; what the machine is like does not matter."""
    for name in ("camdl", "configuration", "time zones", "catalogue", "archive", "directories"):
        assert grades(here.look(name)) == [Grade.FINE], name
    for name in ("lock", "proxy", "page"):
        assert grades(here.look(name)) == [Grade.FINE], name
    assert [str(one) for one in Path().iterdir()] == ["camdl.toml"]


def test_a_configuration_that_is_wrong(here: SetUp) -> None:
    """Each mistake is told; what does not need it is looked at all the same."""
    here.write('timeout = "soon"', "stream_nmaes = []")
    assert here.names() == ["camdl", "configuration", "time zones", "browser", "clock", "proxy"]
    name, timeout = here.look("configuration")
    assert grades([name, timeout]) == [Grade.BAD] * 2
    assert name.said == "camdl.toml: stream_nmaes: no such key; did you mean stream_names?"
    assert timeout.said == 'camdl.toml: timeout = "soon": must be a number from 1 to 600'
    assert "camdl config check" in timeout.remedy
    here.write('timeout = "soon"')
    assert here.look("configuration") == [timeout]
    assert grades(here.look("time zones")) == [Grade.FINE]


def test_no_configuration(here: SetUp) -> None:
    """It works, for the site that is built in."""
    Path("camdl.toml").unlink()
    (one,) = here.look("configuration")
    assert (one.grade, one.remedy) == (Grade.NOTE, "camdl config init")


def test_secrets_that_others_may_read(here: SetUp, tmp_path: Path) -> None:
    """In a file of their own, or in the configuration."""
    secret = tmp_path / "secret"
    secret.write_text("postgresql://camdl:hunter2@127.0.0.1/camdl")
    secret.chmod(0o644)
    here.write(f'database_url_file = "{secret}"')
    _, one = here.look("configuration")
    assert (one.grade, one.remedy) == (Grade.BAD, f"chmod 600 {secret}")
    secret.chmod(0o600)
    assert grades(here.look("configuration")) == [Grade.FINE]
    here.write('database_url = "postgresql://camdl:hunter2@127.0.0.1/camdl"')
    Path("camdl.toml").chmod(0o640)
    _, one = here.look("configuration")
    assert one.remedy == "chmod 600 camdl.toml"
    assert "hunter2" not in f"{one}"
    here.write('alert_webhook_url = "https://hook.example/hunter2"')
    _, one = here.look("configuration")
    assert one.said == "others may read camdl.toml, which holds alert_webhook_url"
    here.write('database_url = "postgresql://camdl@127.0.0.1/camdl"')
    assert grades(here.look("configuration")) == [Grade.FINE]


def test_secrets_that_were_handed_over(
    here: SetUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What shows them to camdl alone has its own ways to keep others away."""
    secret = tmp_path / "run/secrets/database_url"
    secret.parent.mkdir(parents=True)
    secret.write_text("postgresql://camdl:hunter2@127.0.0.1/camdl")
    secret.chmod(0o644)
    here.write(f'database_url_file = "{secret}"')
    assert grades(here.look("configuration")) == [Grade.FINE, Grade.BAD]
    monkeypatch.setattr(examining, "_HANDED_OVER", (secret.parent,))
    assert grades(here.look("configuration")) == [Grade.FINE]


def test_an_archive_that_is_not_mounted(here: SetUp) -> None:
    """The catalogue knows of images, and there are none."""
    Path("data/images").mkdir(parents=True)
    catalogue = empty_catalogue(Path("data/camdl.db"))
    assert grades(here.look("archive")) == [Grade.FINE]
    names = "stream, key, sha256, bytes, width, height, source_url, run_id, captured_at, fetched_at"
    values = "'in_gate', '', '', 1, 1, 1, '', '', '2025-09-08', '2025-09-08'"
    sql(catalogue, f"INSERT INTO captures ({names}) VALUES ({values})")  # noqa: S608  # constants
    (one,) = here.look("archive")
    assert one.grade is Grade.BAD
    Path("data/camdl.db").write_bytes(b"no database" * 1000)
    assert grades(here.look("archive")) == [Grade.FINE]  # the catalogue's own check tells


def test_who_has_the_lock(here: SetUp) -> None:
    """It is no fault that a run goes on."""
    with FileLock(Path("data/camdl.lock"), "backfill").hold(0):
        _, one = here.look("lock")
    assert (one.grade, one.said) == (Grade.FINE, f"backfill has it (pid {os.getpid()})")


@pytest.mark.parametrize(
    ("warning", "critical", "grade"),
    [(99.5, 99.9, Grade.FINE), (1, 99.9, Grade.NOTE), (1, 1.5, Grade.BAD)],
)
def test_a_disk_that_is_full(here: SetUp, warning: float, critical: float, grade: Grade) -> None:
    """By the limits of the configuration."""
    here.write(f"disk_warning_percent = {warning}", f"disk_critical_percent = {critical}")
    disk, _ = here.look("disk")
    assert disk.grade is grade
    assert ("camdl cleanup" in disk.remedy) == (grade is not Grade.FINE)


def test_directories_of_every_setting(here: SetUp) -> None:
    """Those of the log and the metrics too, and that of the database if it is a file."""
    here.write('log_file = "log/camdl.log"', 'metrics_file = "prom/camdl.prom"')
    (one,) = here.look("directories")
    assert f"{Path.cwd()}/log" in one.said
    assert f"{Path.cwd()}/prom" in one.said
    here.write('database_url = "postgresql://127.0.0.1:1/camdl"', 'lock_file = "a/camdl.lock"')
    (one,) = here.look("directories")
    assert f"{Path.cwd()}/data, " not in one.said


def test_what_starts_the_jobs(here: SetUp) -> None:
    """Whatever this machine has; a catalogue that cannot be read is no hindrance."""
    without = here.look("schedule")
    Path("data").mkdir()
    empty_catalogue(Path("data/camdl.db"))
    assert here.look("schedule") == without
    Path("data/camdl.db").write_bytes(b"no database" * 1000)
    assert grades(here.look("schedule")) == grades(without)


def test_nobody_is_told(here: SetUp) -> None:
    """That is worth knowing."""
    (told,) = here.look("alerts")
    assert (told.grade, told.said) == (Grade.NOTE, "nobody is told when something turns bad")


def test_a_mail_server(here: SetUp) -> None:
    """It is asked; what is really sent is only told by what sends it."""
    mail = ('alert_email_to = ["a@b.example"]', 'alert_email_from = "c@d.example"')
    with Mailbox("none", wants_login=False) as box:
        server = ('smtp_host = "127.0.0.1"', f"smtp_port = {box.port}", 'smtp_security = "none"')
        here.write(*mail, *server, 'alert_webhook_url = "http://127.0.0.1:1/hook"')
        told, rest = here.look("alerts")
    assert told.said == f"127.0.0.1:{box.port} answers, no encryption"
    assert rest.said == "try the other ways with: camdl alert test"
    assert grades([told, rest]) == [Grade.FINE] * 2
    here.write(*mail, *server)
    (told,) = here.look("alerts")
    assert told.grade is Grade.BAD
    assert told.said.startswith(f"no mail goes out: 127.0.0.1:{box.port}")


def test_a_proxy(here: SetUp) -> None:
    """camdl uses none, which a user may not expect."""
    (one,) = here.look("proxy", HTTPS_PROXY="http://proxy.example:3128")
    assert (one.grade, one.said) == (
        Grade.NOTE,
        "HTTPS_PROXY: camdl uses no proxy, and goes to sites directly",
    )


def test_a_site_that_is_down(here: SetUp) -> None:
    """Its page's check says so."""
    with Gate() as gone:
        here.tables = site_config(gone)
    here.write()
    (one,) = here.look("page")
    assert "Connection refused" in one.said
