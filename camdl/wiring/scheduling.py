"""What starts camdl, as the settings and the command line say."""

from __future__ import annotations

import os
import sys
import sysconfig
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from camdl import wiring
from camdl.config.keys import Settings
from camdl.config.layers import SECRETS, SYSTEM_FILE
from camdl.domain import schedule
from camdl.domain.schedule import Format
from camdl.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from camdl.config import Loaded
    from camdl.domain.schedule import Due, Job
    from camdl.scheduling.place import Place
    from camdl.verbs.schedule import Starter

# What every service sees anyway.
_SYSTEMS_OWN = tuple(map(Path, ("/usr", "/etc", "/opt", "/bin", "/lib", "/sbin")))


def jobs(loaded: Loaded) -> tuple[Job, ...]:
    """What is to be started."""
    return schedule.jobs(loaded.settings.download_interval_minutes)


def due(loaded: Loaded) -> tuple[Due, ...]:
    """When each job starts next."""
    from camdl.ops.local_zone import local_zone

    return schedule.due(jobs(loaded), wiring.utc_now(), local_zone())


def place(loaded: Loaded, *, program: Path | None, directory: Path | None, is_users: bool) -> Place:
    """Where camdl is and runs: for the whole machine, or as whoever this is.

    Raises:
        ConfigError: the program is not where it would be looked for.
    """
    from camdl.scheduling.place import HOME, USER, Place

    where = (directory or (Path() if is_users else HOME)).absolute()
    executable = (program or _program()).absolute()
    writes = _outermost(path for path in _written(loaded, where) if not _is_in(path, HOME))
    seen = (*_SYSTEMS_OWN, HOME, *writes)
    named = (path for path in _named(loaded, where) if not any(_is_in(path, one) for one in seen))
    return Place(
        program=executable,
        config=_config(loaded),
        directory=where,
        user=None if is_users else USER,
        writes=writes,
        reads=_outermost([*_read(executable), *named]),
        health_file=where / loaded.settings.health_file,
        deadline=timedelta(seconds=loaded.settings.run_deadline_seconds),
    )


def rendered(loaded: Loaded, form: Format, where: Place, image: str) -> Mapping[str, str]:
    """The texts by their names that have `form` start the jobs."""
    todo = jobs(loaded)
    if form is Format.CRONTAB:
        from camdl.scheduling.crontab import crontab

        return {"crontab": crontab(todo, where)}
    if form is Format.KUBERNETES:
        from camdl.scheduling import kubernetes

        minutes = loaded.settings.download_interval_minutes
        manifest = kubernetes.manifest(todo, where, image or kubernetes.IMAGE, minutes)
        return {"camdl.yaml": manifest}
    from camdl.scheduling import systemd

    accounts = {"camdl.sysusers": systemd.sysusers(), "camdl.tmpfiles": systemd.tmpfiles()}
    return {**systemd.units(todo, where), **(accounts if where.user else {})}


def write(texts: Mapping[str, str], directory: Path) -> None:
    """Write each of `texts` under its name into `directory`, whatever is there.

    Raises:
        StorageError: one cannot be written.
    """
    from camdl import durable

    try:
        durable.make_directory(directory)
        for name, text in texts.items():
            durable.replace(directory / name, text.encode())
    except OSError as error:
        raise StorageError(f"{directory} cannot be written to: {error.strerror}") from error


def starters(
    todo: Sequence[Job], where: Place, tell: Callable[[str], None], *, dry_run: bool, force: bool
) -> tuple[Starter, Starter]:
    """systemd and cron, for the whole machine or for whoever this is."""
    from camdl.scheduling.by_cron import ByCronFile, ByCrontab
    from camdl.scheduling.by_systemd import BySystemd, ByUsersSystemd
    from camdl.scheduling.hands import Hands

    hands = Hands(tell, dry_run=dry_run, force=force)
    if where.user:
        return BySystemd(todo, where, hands), ByCronFile(todo, where, hands)
    return ByUsersSystemd(todo, where, hands), ByCrontab(todo, where, hands, force=force)


def installed(
    *, is_users: bool, tell: Callable[[str], None], dry_run: bool, force: bool
) -> tuple[Starter, Starter]:
    """systemd and cron, to have either start nothing any more: no setting matters for that."""
    from camdl.scheduling.place import USER, Place

    where = Place(user=None if is_users else USER)
    todo = schedule.jobs(Settings().download_interval_minutes)
    return starters(todo, where, tell, dry_run=dry_run, force=force)


def systemd_is_running() -> bool:
    """Whether systemd has started this machine."""
    from camdl.scheduling.by_systemd import is_running

    return is_running()


def _program() -> Path:
    """The executable of this installation."""
    found = Path(sysconfig.get_path("scripts")) / "camdl"
    if not found.is_file():
        raise ConfigError(
            f"{sys.executable} has no camdl beside it", advice="Say where it is with --program."
        )
    return found


def _config(loaded: Loaded) -> Path | None:
    """The configuration, unless it is found by itself wherever camdl is started."""
    if loaded.file is None or loaded.file == SYSTEM_FILE:
        return None
    return loaded.file.absolute()


def _written(loaded: Loaded, directory: Path) -> Iterator[Path]:
    """The directories that camdl writes to when it runs in `directory`, which is one of them."""
    from camdl.catalogue.database import Database

    settings = loaded.settings
    yield directory
    yield _at(directory, settings.download_dir)
    yield _at(directory, settings.diagnostics_dir)
    files = (
        *(settings.health_file, settings.lock_file, settings.log_file, settings.metrics_file),
        Database(settings.database_url).file,
    )
    for file in files:
        if file:
            yield _at(directory, file).parent


def _read(program: Path) -> Iterator[Path]:
    """Where the program and its Python are, if that is no place of the system's."""
    python = (program.parent / "python").resolve()
    for prefix in (program.parents[1], python.parents[1]):
        if not any(_is_in(prefix, own) for own in _SYSTEMS_OWN):
            yield prefix


def _named(loaded: Loaded, directory: Path) -> Iterator[Path]:
    """What the settings say is to be read when it runs in `directory`, and where links lead."""
    settings = loaded.settings
    secrets = (loaded.values[name].file for name in SECRETS)
    files = [_at(directory, one) for one in (loaded.file, settings.alert_ca_file, *secrets) if one]
    for file in files:
        yield from (file, file.resolve())
    # A browser that is named has its own files beside it; one that is found is the system's.
    browser = settings.browser_executable
    if browser and os.sep in browser:
        executable = _at(directory, browser)
        yield from (executable.parent, executable.resolve().parent)


def _at(directory: Path, path: Path | str) -> Path:
    """`path`, as seen from `directory`, and without the `..` that systemd takes in no list."""
    return Path(os.path.normpath(directory / path))


def _outermost(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Each of `paths` that is in no other."""
    found = list(dict.fromkeys(paths))
    return tuple(
        path for path in found if not any(_is_in(path, other) for other in found if other != path)
    )


def _is_in(path: Path, directory: Path) -> bool:
    return path.is_relative_to(directory)
