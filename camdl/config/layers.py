"""Where settings are given, from the file that is found to the flags, and what is wrong there."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from camdl.config.keys import Key, Settings, Site, keys
from camdl.config.kinds import NotAllowedError, path, shown
from camdl.domain.text import one_line
from camdl.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PREFIX = "CAMDL_"
SYSTEM_FILE = Path("/etc/camdl/config.toml")
SECRETS = tuple(name for name, key in keys(Settings).items() if key.secret)
SECRET_FILES = {f"{name}_file": name for name in SECRETS}
# What may be given at the top: the keys, and the names of files with secrets. The path of a secret
# file is not shown either: people put the secret itself there.
TOP: Mapping[str, Key] = {
    **keys(Settings),
    **{
        name: Key(path, f"The file that holds {secret}.", secret=True)
        for name, secret in SECRET_FILES.items()
    },
}

_ADVICE = "Every key is explained in the file that this writes: camdl config init FILE"
_BARE = ("database_url", "retention_days", "download_interval_minutes")
# The first names the file; the second tells the tests where real photos are.
_NO_SETTINGS = frozenset({"CAMDL_CONFIG", "CAMDL_REAL_FRAMES"})


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it was given. `where` is its origin in words, `label` the place and the key.

    What `is_text` comes from where everything is text, such as an environment variable.
    """

    value: object
    where: str
    label: str
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Value:
    """A setting and where it came from, in words; `label` is how an error names it.

    `file` is the one that it was read from, if it has one of its own, as a secret may.
    """

    value: Any
    where: str
    label: str
    file: Path | None = None


def unset(name: str, value: object) -> Value:
    """The default `value` of the key `name`."""
    return Value(value, "default", name)


class Problems:
    """Everything that is wrong with a configuration, so that it is told at once."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, label: str, told: str) -> None:
        """Note a problem with what `label` names."""
        self._lines.append(one_line(f"{label}: {told}", 1000))

    def __bool__(self) -> bool:
        return bool(self._lines)

    def unknown(self, label: str, name: str, known: Iterable[str], what: str = "key") -> None:
        """Note a name that is none of `known`."""
        there_are = sorted(known)
        said = meant(name, there_are) or f"known are {', '.join(there_are) or 'none'}"
        self.add(label, f"no such {what}; {said}")

    def raise_any(self) -> None:
        """Raise what was noted.

        Raises:
            ConfigError: something was.
        """
        if len(self._lines) == 1:
            raise ConfigError(self._lines[0], advice=_ADVICE)
        if self._lines:
            lines = "".join(f"\n  - {line}" for line in self._lines)
            raise ConfigError(
                f"{len(self._lines)} problems in the configuration:{lines}", advice=_ADVICE
            )


def meant(name: str, known: Iterable[str]) -> str:
    """The question for the name that was probably meant, empty if none is near."""
    from difflib import get_close_matches

    by_lower = {one.lower(): one for one in sorted(known)}
    near = get_close_matches(name.lower(), by_lower, 1)
    return f"did you mean {by_lower[near[0]]}?" if near else ""


def read(key: Key, given: Given, problems: Problems) -> Value | None:
    """What `given` says, or None and a problem more."""
    try:
        value = key.kind.of_text(str(given.value).strip()) if given.is_text else given.value
        return Value(key.kind.read(value), given.where, given.label)
    except ValueError as error:
        # Other errors quote the value, which may be secret.
        reason = str(error) if isinstance(error, NotAllowedError) else ""
        value = "" if key.secret else f" = {shown(given.value)}"
        problems.add(f"{given.label}{value}", reason or f"must be {key.kind.allowed}")
        return None


def read_all(
    known: Mapping[str, Key], given: Mapping[str, Given], problems: Problems
) -> dict[str, Value]:
    """What is right in `given`; every name of it is one of `known`."""
    values = {name: read(known[name], one, problems) for name, one in given.items()}
    return {name: value for name, value in values.items() if value}


def find_file(config_file: Path | None, environ: Mapping[str, str], cwd: Path) -> Path | None:
    """The configuration file to read, or None for the built-in defaults.

    Raises:
        ConfigError: a file that was named explicitly is not there.
    """
    asked = config_file or environ.get("CAMDL_CONFIG", "")
    if asked:
        file = cwd / asked
        if not _is_there(file):
            by = "--config" if config_file else "CAMDL_CONFIG"
            raise ConfigError(f"{file}: no such file (given by {by})")
        return file
    return next(filter(_is_there, _usual_places(environ, cwd)), None)


def _usual_places(environ: Mapping[str, str], cwd: Path) -> Iterator[Path]:
    yield cwd / "camdl.toml"
    home = environ.get("HOME", "")
    # The standard wants relative paths in the variable to be ignored.
    base = Path(environ.get("XDG_CONFIG_HOME", ""))
    if base.is_absolute():
        yield base / "camdl/config.toml"
    elif home:
        yield Path(home) / ".config/camdl/config.toml"
    yield SYSTEM_FILE


def _is_there(file: Path) -> bool:
    try:
        file.stat()
    except OSError:  # also a home directory that a service may not look into
        return False
    return True


def read_file(file: Path) -> dict[str, Any]:
    """The TOML document in `file`.

    Raises:
        ConfigError: it cannot be read or is not TOML; the message names the line.
    """
    try:
        # Some editors put a byte order mark at the beginning.
        text = file.read_text("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file}: not UTF-8 text (at line {line})") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        end = f"at line {len(text.splitlines())}, the end of the file"
        told = str(error).replace("at end of document", end)
        raise ConfigError(one_line(f"{file}: not valid TOML: {told}")) from error


def of_table(
    table: Mapping[str, object],
    known: Mapping[str, Key],
    place: str,
    problems: Problems,
    prefix: str = "",
) -> dict[str, Given]:
    """What a table of a file gives; `prefix` is the table's name with a dot."""
    given: dict[str, Given] = {}
    for name, value in table.items():
        label = f"{place}: {prefix}{name}"
        if name in known:
            given[name] = Given(value, place, label)
        elif prefix and name in TOP:
            problems.add(label, "no such key here; it belongs above the first [table]")
        elif not prefix and name in keys(Site):
            told = "no such key here; it belongs below a line [sites.NAME] or [streams.NAME]"
            problems.add(label, told)
        else:
            problems.unknown(label, name, known)
    return given


def of_environment(environ: Mapping[str, str], problems: Problems) -> dict[str, Given]:
    """What the `CAMDL_…` variables give. An empty one gives nothing, as if it were not set."""
    keys_by_name = {f"{PREFIX}{key.upper()}": key for key in TOP}
    given: dict[str, Given] = {}
    for name, text in environ.items():
        if not name.startswith(PREFIX) or name in _NO_SETTINGS or not text.strip():
            continue
        if name in keys_by_name:
            given[keys_by_name[name]] = Given(text, name, name, is_text=True)
        else:
            problems.unknown(name, name, {*keys_by_name, "CAMDL_CONFIG"}, "setting")
    return given


def of_bare_environment(environ: Mapping[str, str]) -> dict[str, Given]:
    """What the few variables give that are accepted without the prefix."""
    names = {key: key.upper() for key in _BARE}
    return {
        key: Given(environ[name], name, name, is_text=True)
        for key, name in names.items()
        if environ.get(name, "").strip()
    }


def of_credentials(environ: Mapping[str, str]) -> dict[str, Given]:
    """The secrets that systemd hands over as files in `$CREDENTIALS_DIRECTORY`."""
    if not (directory := environ.get("CREDENTIALS_DIRECTORY", "")):
        return {}
    files = {name: Path(directory) / secret for name, secret in SECRET_FILES.items()}
    where = "$CREDENTIALS_DIRECTORY"
    return {name: Given(str(file), where, where) for name, file in files.items() if _is_there(file)}


def of_flags(flags: Mapping[str, object]) -> dict[str, Given]:
    """What the command line gives; None is a flag that was not given."""
    names = {key: f"--{key.replace('_', '-')}" for key in flags} | {"stream_names": "--stream"}
    return {
        key: Given(value, names[key], names[key])
        for key, value in flags.items()
        if value is not None
    }


def strongest(layers: Iterable[Mapping[str, Given]], problems: Problems) -> dict[str, Value]:
    """The values of the last layer that gives each; all layers are checked."""
    values: dict[str, Value] = {}
    for layer in layers:
        for file, secret in SECRET_FILES.items():
            if file in layer and secret in layer:
                problems.add(layer[file].label, f"{secret} is given too; give one of the two")
        read_here = read_all(TOP, layer, problems)
        for file, secret in SECRET_FILES.items():
            if layer.keys() & {file, secret}:
                values.pop(file, None)
                values.pop(secret, None)
        values |= read_here
    for file, secret in SECRET_FILES.items():
        if file in values and (value := _read_secret(values.pop(file), TOP[secret], problems)):
            values[secret] = value
    return values


def _read_secret(file: Value, key: Key, problems: Problems) -> Value | None:
    try:
        text = file.value.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        problems.add(file.label, f"{file.value} cannot be read: {why}")
        return None
    where, label = f"{file.value} ({file.where})", f"{file.label}: {file.value}"
    value = read(key, Given(text, where, label, is_text=True), problems)
    return value and replace(value, file=file.value)
