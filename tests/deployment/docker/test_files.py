"""The files of deployment/docker, looked at by the tools that know their kinds."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

import camdl
from camdl.config.layers import SECRETS
from tests.deployment.docker.locks import DOCKER, requirements

ROOT = DOCKER.parents[1]
_TOOLS = Path(sys.executable).parent
_JOBS = ("download", "cleanup", "verify", "health")
_OURS = {*_JOBS, "camdl", "upgrade"}


def run(*command: str | Path, **environment: str) -> str:
    """What a tool prints that is content with the files."""
    done = subprocess.run(
        command,
        cwd=DOCKER,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    """The services of compose.yaml, as Compose itself understands them."""
    told = yaml.safe_load(run("docker-compose", "--profile=command", "config"))
    found = told["services"]
    assert isinstance(found, dict)
    return found


# What is pinned


def test_the_lock_satisfies_what_camdl_needs() -> None:
    """Each dependency of camdl and of the extras that work needs, in a version that it allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *extras["alerts"], *extras["postgres"]]
    lock = requirements("requirements.lock")
    assert not unsatisfied(needed, lock)
    assert "psycopg-binary" in lock


def test_the_lock_of_the_build_satisfies_it() -> None:
    """What builds camdl comes in by its hash too."""
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert not unsatisfied(needed, requirements("build-requirements.lock"))


def unsatisfied(needed: list[str], lock: dict[str, Requirement]) -> list[str]:
    """Those of the requirements that the lock lacks or has in another version."""

    def is_met(one: Requirement) -> bool:
        (version,) = lock[one.name].specifier if one.name in lock else (None,)
        return version is not None and version.version in one.specifier

    return [text for text in needed if not is_met(Requirement(text))]


def test_a_lock_that_falls_behind_is_noticed() -> None:
    """The comparison bites: a package that is missing or too old, and one without a hash."""
    lock = {"pillow": Requirement("pillow==11.0.0")}
    assert unsatisfied(["pillow>=11"], lock) == []
    assert unsatisfied(["pillow>=11.1", "rich>=14"], lock) == ["pillow>=11.1", "rich>=14"]


# The Dockerfile


def test_the_dockerfile_is_sound() -> None:
    """hadolint has nothing to say of it, and its version is camdl's."""
    run(_TOOLS / "hadolint", "Dockerfile")
    (version,) = re.findall(
        r"^ARG VERSION=(\S+)$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE
    )
    assert version == camdl.__version__


# Compose


def test_compose_takes_the_file() -> None:
    """It fits the standard's schema, and the interval that is set is the timer's too."""
    run(_TOOLS / "check-jsonschema", "--builtin-schema=vendor.compose-spec", "compose.yaml")
    told = yaml.safe_load(run("docker-compose", "config", DOWNLOAD_INTERVAL_MINUTES="15"))
    download = told["services"]["download"]
    assert download["command"] == ["-H*", "-M2/15", "camdl", "download"]
    assert download["environment"]["CAMDL_DOWNLOAD_INTERVAL_MINUTES"] == "15"


def test_no_service_may_do_more_than_it_needs(services: dict[str, dict[str, Any]]) -> None:
    """None has a capability, can gain one, writes into its image or takes all of the machine."""
    assert services.keys() == _OURS | {"database"}
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service["read_only"] is True, name
        assert service.keys() >= {"mem_limit", "pids_limit", "cpus", "logging"}, name
        assert not service.keys() & {"cap_add", "privileged", "ports", "devices"}, name
        assert all("docker.sock" not in one for one in service["volumes"]), name
    for name in _OURS:
        assert "seccomp:./seccomp.json" in services[name]["security_opt"], name


def test_passwords_are_in_no_environment(services: dict[str, dict[str, Any]]) -> None:
    """They come from files, each to the services that need it."""
    given = {name: [one["source"] for one in it["secrets"]] for name, it in services.items()}
    assert given.pop("database") == ["database_password"]
    assert all(secrets == ["database_url"] for secrets in given.values())
    environment = json.dumps([service["environment"] for service in services.values()])
    assert not re.search(r"://|PASSWORD\"", environment)


def test_other_secrets_may_be_there(services: dict[str, dict[str, Any]]) -> None:
    """Each of camdl's containers looks for them in a directory, in which there need be none."""
    assert (DOCKER / "secrets/camdl").is_dir()
    for name in _OURS:
        service = services[name]
        place = service["environment"]["CREDENTIALS_DIRECTORY"]
        assert f"{DOCKER}/secrets/camdl:{place}:ro" in service["volumes"], name
    assert "secrets" not in "".join(services["database"]["volumes"])


def test_the_order_of_the_start(services: dict[str, dict[str, Any]]) -> None:
    """The database first, then its schema, then the jobs, which come back by themselves."""
    healthy, done = (
        {"condition": "service_healthy"},
        {"condition": "service_completed_successfully"},
    )
    assert services["upgrade"]["depends_on"] == {"database": healthy}
    assert "restart" not in services["upgrade"]
    for job in _JOBS:
        assert services[job]["depends_on"] == {"database": healthy, "upgrade": done}
        assert services[job]["restart"] == "unless-stopped"
    assert services["database"]["restart"] == "unless-stopped"


def test_the_one_that_tells_how_healthy_all_is(services: dict[str, dict[str, Any]]) -> None:
    """It is no job that ends: a container's health is forgotten when it is started again."""
    checked = [name for name in _OURS if services[name]["healthcheck"]["test"] != ["NONE"]]
    assert checked == ["health"]
    assert services["health"]["healthcheck"]["test"] == ["CMD", "camdl", "health", "--write"]
    assert services["health"]["healthcheck"]["interval"] == "5m"
    assert services["health"]["command"] == ["infinity"]


# Secrets


def test_secrets_are_made(tmp_path: Path) -> None:
    """A password in two files, in a directory for its owner alone; replaced only if asked."""
    script = tmp_path / "new-secrets.sh"
    script.write_bytes((DOCKER / "new-secrets.sh").read_bytes())
    first = made_by(script)
    refused = subprocess.run(["sh", script], capture_output=True, text=True, check=False)
    assert (refused.returncode, "already" in refused.stderr) == (1, True)
    assert (tmp_path / "secrets/database_password").read_text() == first
    assert made_by(script, "--replace") != first
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    names = {file.name for file in (tmp_path / "secrets").iterdir()}
    assert names == {"camdl", "database_password", "database_url"}
    assert stat.S_IMODE((tmp_path / "secrets/camdl").stat().st_mode) == 0o755


def made_by(script: Path, *arguments: str) -> str:
    """The password that the script has made."""
    run("sh", script, *arguments)
    secrets = script.parent / "secrets"
    password = (secrets / "database_password").read_text()
    assert re.fullmatch(r"[0-9a-f]{48}", password)
    url = f"postgresql://camdl:{password}@database/camdl\n"
    assert (secrets / "database_url").read_text() == url
    return password


def test_secrets_are_never_committed() -> None:
    """git does not see what is made here."""
    own = [f"secrets/camdl/{name}" for name in SECRETS]
    private = ["secrets/database_url", "secrets/database_password", *own, "config/config.toml"]
    assert run("git", "check-ignore", *private).split() == private
