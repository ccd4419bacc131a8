"""The commands by their names, each imported and made when it is asked for.

typer makes every command of a program before it looks at the first argument, and loads pydantic to
convert the value of any option, also of one that nobody has given. Monitoring starts `camdl health`
every few minutes: both together were a third of its time.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

if TYPE_CHECKING:
    from collections.abc import Iterator

# The module of each command, in the order of the help. It has a function of the command's name,
# or for a group of commands an `app`.
_MODULES = {
    "download": "download",
    "verify": "verify",
    "cleanup": "cleanup",
    "pin": "pins",
    "unpin": "pins",
    "backfill": "backfill",
    "gaps": "gaps",
    "status": "status",
    "health": "health",
    "runs": "runs",
    "doctor": "doctor",
    "alert": "alert",
    "demo": "demo",
    "schedule": "schedule",
    "config": "config",
    "db": "db",
}


class _Option(TyperOption):
    """An option whose value is made without pydantic where there is nothing to check."""

    def process_value(self, ctx: Any, value: Any) -> Any:
        """The value for the command."""
        kind, checks = self.type_descriptor.annotation, self.type_descriptor.parameter_info
        if self.required:
            return super().process_value(ctx, value)
        if value is None:
            value = () if self.multiple else None
        elif kind is Path and not checks.exists:
            value = Path(value)
        elif kind == list[str]:
            value = list(value)
        elif type(value) is not kind:  # a text, and no text is wanted
            return super().process_value(ctx, value)
        return self.callback(ctx, self, value) if self.callback else value


class _Light:
    """Beside a command's class: its options are such as `_Option`, that of the help too."""

    def get_params(self, ctx: Any) -> Any:
        """All of the command's options and arguments."""
        parameters = super().get_params(ctx)  # type: ignore[misc]  # that of the other class
        for one in parameters:
            if type(one) is TyperOption:
                one.__class__ = _Option
        return parameters


class Command(_Light, TyperCommand):
    """A command."""


class Group(_Light, TyperGroup):
    """A group of commands."""


class Commands(Group):
    """The program's commands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Lazy(dict.fromkeys(_MODULES))


class _Lazy(MutableMapping[str, Any]):
    """Commands by their names; those that nobody has asked for yet are None in `made`."""

    def __init__(self, made: dict[str, Any]) -> None:
        self._made = made

    def __getitem__(self, name: str) -> Any:
        if self._made[name] is None:
            self._made[name] = _make(name)
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


def _make(name: str) -> Any:
    module = import_module(f"camdl.cli.{_MODULES[name]}")
    app = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name, cls=Command)(getattr(module, name))
    command = typer.main.get_command(app)
    command.name = name
    return command
