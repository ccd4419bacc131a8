"""A later version and the way back from it, as the runbook says, on a machine of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import camdl
from camdl.catalogue.tables import SCHEMA
from camdl.errors import ExitCode
from tests.support.installation import Installation
from tests.support.machine import PROGRAM, PYTHON
from tests.support.root import needs_root
from tests.support.runbook import RUNBOOK, commands, steps

if TYPE_CHECKING:
    from tests.support.gate import Gate
    from tests.support.machine import Machine

pytestmark = needs_root

ROOT = Path(camdl.__file__).parents[1]
THIS, NEXT = Path("/srv/camdl-this"), Path("/srv/camdl-next")
WHEELS = Path("/srv/wheels")
# The machine's network has nothing but the site, so packages come from a directory.
ENVIRONMENT = (
    *(f"PATH={PROGRAM.parent}:/usr/sbin:/usr/bin:/sbin:/bin", "PIP_CONFIG_FILE=/dev/null"),
    *("PIP_NO_INDEX=1", f"PIP_FIND_LINKS={WHEELS}"),
)
NEXT_SCHEMA = f"{int(SCHEMA) + 1:04}"
CRON_FILE = "/etc/cron.d/camdl"
MIGRATION = f"""\
import sqlalchemy as sa
from alembic import op
revision = "{NEXT_SCHEMA}"
down_revision = "{SCHEMA}"
branch_labels = None
depends_on = None
def upgrade():
    op.create_table("novelties", sa.Column("id", sa.Integer(), primary_key=True))
def downgrade():
    op.drop_table("novelties")
"""
PIP = f"""\
#!{PYTHON}
import sys
from pip._internal.cli.main import main
sys.exit(main())
"""


class Administrator:
    """Somebody who does what the runbook says: as root what needs it, all else as camdl."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        (prefix,) = re.findall(r"^    (runuser .*) /opt/camdl/bin/camdl", RUNBOOK, re.MULTILINE)
        self._as_user = prefix.split()

    def does(self, command: str, files: Path = Path("/"), *, code: int = 0) -> str:
        """Do it; `files` are those of the version that is to be installed. What it says."""
        command = command.replace("DAY", f"{datetime.now(UTC):%Y-%m-%d}")
        is_roots = command.startswith(("/opt/camdl/bin/pip ", "camdl schedule "))
        as_whom = ["env", f"--chdir={files}"] if is_roots else self._as_user
        done = self._machine.run(*as_whom, *ENVIRONMENT, "bash", "-c", command, check=False)
        assert done.returncode == code, (command, done.stdout, done.stderr)
        return done.stdout + done.stderr


@pytest.fixture
def camdl_there(machine: Machine, tmp_path: Path) -> Installation:
    """This version, scheduled on a machine that has pip, and what builds camdl for it.

    The files of this version and of one to come are there too.
    """
    copy_code(machine.changed(THIS))
    make_next(machine.changed(NEXT))
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    wheels = machine.changed(WHEELS)
    download = (sys.executable, "-m", "pip", "download", "--quiet", f"--dest={wheels}", *needed)
    subprocess.run(download, cwd=tmp_path, check=True, timeout=120)
    machine.write(PROGRAM.with_name("pip"), PIP, 0o755)
    machine.start("sleep", "infinity")  # no run but those of the test
    found = Installation(machine)
    found.schedule("install")
    return found


def copy_code(place: Path) -> None:
    """Have the files in `place` that camdl is built from."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "camdl", place / "camdl", ignore=ignored)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, place)


def make_next(place: Path) -> None:
    """Have a version there whose catalogue has one table more."""
    copy_code(place)
    for name, now, then in (
        ("__init__.py", f'"{camdl.__version__}"', '"99.0"'),
        ("catalogue/tables.py", f'SCHEMA = "{SCHEMA}"', f'SCHEMA = "{NEXT_SCHEMA}"'),
    ):
        file = place / "camdl" / name
        assert file.read_text().count(now) == 1, name
        file.write_text(file.read_text().replace(now, then))
    (place / f"camdl/catalogue/migrations/versions/{NEXT_SCHEMA}_next.py").write_text(MIGRATION)


def test_there_and_back(camdl_there: Installation, machine: Machine, gate: Gate) -> None:
    """Nothing that was archived before, between and after is lost or fetched a second time."""
    person = Administrator(machine)
    person.does("camdl download")
    assert camdl_there.archived() == gate.all_keys()

    person.does("mkdir backups")
    (backs_up,) = commands("Back up", "SQLite")
    person.does(backs_up)
    installs, checks, upgrades, schedules, looks = steps("Upgrade")
    person.does(installs, NEXT)
    assert person.does("camdl --version") == "camdl 99.0\n"
    person.does(checks)
    assert f"schema {SCHEMA} -> {NEXT_SCHEMA}" in person.does(upgrades)
    person.does(schedules)
    assert person.does(looks).startswith("camdl is healthy\n")
    gate.take(2, 5, 15)
    person.does("camdl download")
    assert camdl_there.archived() == gate.all_keys()

    unschedules, installs, checks, asks, mends, schedules, looks = steps("Roll back")
    person.does(unschedules)
    assert not machine.file(CRON_FILE).exists()
    waits, *_, puts_back = commands("Restore", "SQLite")
    person.does(waits)
    person.does(installs, THIS)
    assert person.does("camdl --version") == f"camdl {camdl.__version__}\n"
    person.does(checks)
    assert f"schema {NEXT_SCHEMA}; this version needs {SCHEMA}" in person.does(asks)
    assert "is of a newer camdl" in person.does("camdl download", code=ExitCode.CONFIG)
    person.does("mv data/camdl.db data/camdl.db.newer")
    person.does(puts_back)
    gate.asked.clear()
    person.does(mends)
    person.does(schedules)
    assert machine.file(CRON_FILE).exists()
    assert person.does(looks).startswith("camdl is healthy\n")
    person.does("camdl download")
    assert gate.asked == []
    assert camdl_there.archived() == gate.all_keys()
