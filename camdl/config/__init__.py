"""The configuration: file, environment and flags become settings and streams, or one error.

Flags beat the environment, which beats the file, which beats systemd's credentials and the
defaults. `camdl.config.keys` is the table of all keys, `camdl.config.kinds` what each may be,
`camdl.config.layers` the places where they are given, and `camdl.config.tables` the sites and
streams of a file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from camdl.config.keys import Settings, conflicts, defaults, fitting_deadline
from camdl.config.kinds import shown
from camdl.config.layers import (
    TOP,
    Problems,
    Value,
    find_file,
    meant,
    of_bare_environment,
    of_credentials,
    of_environment,
    of_flags,
    of_table,
    read_file,
    strongest,
    unset,
)
from camdl.config.secrets import mask_url
from camdl.config.tables import Tables, build_streams, read_tables
from camdl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from camdl.domain.sites import Stream

__all__ = ["Loaded", "Settings", "load", "mask_url"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """The configuration in effect. `file` is None if there is none.

    `values` holds every key, dotted where it is in a table, with where it came from; secrets
    among them are as they are. `known` are all streams, those that are not collected too.
    """

    settings: Settings
    file: Path | None
    values: Mapping[str, Value] = field(repr=False)
    known: Mapping[str, Stream] = field(repr=False)

    @property
    def sources(self) -> Mapping[str, str]:
        """Where the value of each key came from, in words."""
        return {key: value.where for key, value in self.values.items()}

    def streams(self, names: Sequence[str] = ()) -> tuple[Stream, ...]:
        """The streams of these names, each once, or all that are collected.

        Raises:
            UsageError: there is no stream of such a name.
        """
        for name in names:
            if name not in self.known:
                question = meant(name, self.known)
                raise UsageError(
                    f"no stream is called {name!r}" + (f"; {question}" if question else ""),
                    advice=f"The streams are: {', '.join(sorted(self.known))}",
                )
        return tuple(
            self.known[name] for name in dict.fromkeys(names or self.settings.stream_names)
        )


def load(
    flags: Mapping[str, object],
    config_file: Path | None,
    environ: Mapping[str, str],
    cwd: Path | None = None,
) -> Loaded:
    """Read the configuration that these name.

    `flags` are settings by key, None for one that was not given; `config_file` is that of
    `--config`. In `cwd` (the current directory) a `camdl.toml` is looked for.

    Raises:
        ConfigError: anything in it is wrong; all of it is told at once.
    """
    problems = Problems()
    file = find_file(config_file, environ, cwd or Path())
    document = read_file(file) if file else {}
    sites, streams = document.pop("sites", {}), document.pop("streams", {})
    layers = (
        of_credentials(environ),
        of_table(document, TOP, str(file), problems),
        of_bare_environment(environ),
        of_environment(environ, problems),
        of_flags(flags),
    )
    given = strongest(layers, problems)
    tables = read_tables(str(file), sites, streams, problems)
    values = _with_defaults(given, tables)
    settings = Settings(**{name: value.value for name, value in values.items()})
    _check_together(settings, values, problems)
    names = dict.fromkeys([*tables.streams, *settings.stream_names])
    known = build_streams(tables, names, settings.download_interval_minutes, problems)
    problems.raise_any()
    return Loaded(settings, file, values | tables.values(names), known)


def _with_defaults(given: Mapping[str, Value], tables: Tables) -> dict[str, Value]:
    """A value for every key, in the order of the table of keys."""
    values = {name: unset(name, default) for name, default in defaults(Settings).items()}
    if tables.streams:
        where = f"the [streams.NAME] tables of {tables.place}"
        values["stream_names"] = Value(tuple(tables.streams), where, "stream_names")
    values |= given
    deadline = fitting_deadline(values["download_interval_minutes"].value)
    if "run_deadline_seconds" not in given and deadline < values["run_deadline_seconds"].value:
        where = "80 % of download_interval_minutes"
        values["run_deadline_seconds"] = Value(deadline, where, "run_deadline_seconds")
    return values


def _check_together(settings: Settings, values: Mapping[str, Value], problems: Problems) -> None:
    """Note what does not go together, once every value is right by itself."""
    if problems:
        return
    for name, other, told in conflicts(settings):
        value, key = values[name], TOP[name]
        label = f"{value.label} = {shown(key.hide(key.kind.written(value.value)))}"
        problems.add(label, f"{told}, from {values[other].where}" if other else told)
