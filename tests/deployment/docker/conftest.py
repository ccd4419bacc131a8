"""camdl's image, built as its users build it, and an engine that runs it.

Each process builds it anew, so these tests are run by one.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.runs.conftest import gate, site
from tests.support.debian import bootstrap, pip_config
from tests.support.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["gate", "site"]

ROOT = Path(__file__).parents[3]
DOCKER = ROOT / "deployment/docker"
_BUILD_SECONDS = 900


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine whose containers have camdl's profile unless they ask for another."""
    with Engine(tmp_path_factory.mktemp("engine") / "home", DOCKER / "seccomp.json") as engine:
        yield engine


@pytest.fixture(scope="session")
def base(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image that the Dockerfile begins with, as Debian's installer makes it."""
    named = re.search(
        r"^ARG BASE=(\S+:(\w+)-slim)$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE
    )
    assert named
    root = tmp_path_factory.mktemp("base") / "root"
    bootstrap(named[2], root)
    with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as tar:
        assert tar.stdout
        engine.said("import", "-", named[1], stdin=tar.stdout.fileno())
    assert tar.returncode == 0
    subprocess.run(["rm", "-rf", root], check=True)
    return named[1]


@pytest.fixture(scope="session")
def image(engine: Engine, base: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """camdl's image, by the command that its Dockerfile names."""
    assert base
    secret = tmp_path_factory.mktemp("pip") / "pip.conf"
    secret.write_text(pip_config(sys.executable))
    build(
        engine, f"--secret=id=pip.conf,src={secret}", f"--file={DOCKER}/Dockerfile", "camdl", ROOT
    )
    return "camdl"


@pytest.fixture(scope="session")
def database_image(engine: Engine, base: str) -> str:
    """What stands for the official image of PostgreSQL, under its name."""
    name = "docker.io/library/postgres:17"
    build(engine, f"--build-arg=BASE={base}", name, Path(__file__).parent / "postgres")
    return name


def build(engine: Engine, *arguments: str | Path) -> None:
    """Build an image: options, its name and the directory. The engine's own form has everything."""
    *options, name, directory = arguments
    engine.said(
        *(
            "build",
            "--format=docker",
            "--pull=never",
            "--layers=false",
            *options,
            f"--tag={name}",
            directory,
        ),
        seconds=_BUILD_SECONDS,
    )
