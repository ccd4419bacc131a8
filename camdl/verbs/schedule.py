"""`camdl schedule install` and `uninstall`: have something start the jobs, or stop that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from camdl.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Starter(Protocol):
    """Something that starts the jobs, such as cron. It tells each thing that it does."""

    name: str

    def is_in_place(self) -> bool:
        """Whether it starts them already."""
        ...

    def put_in_place(self) -> None:
        """Have it start them, as they are now. If that fails, nothing has changed.

        Raises:
            ConfigError: this machine or this user cannot, or it would destroy a person's work.
            StorageError: a file cannot be written.
        """
        ...

    def take_away(self) -> bool:
        """Have it start them no more; False if it did not.

        Raises:
            ConfigError: this user may not, or it would destroy a person's work.
            StorageError: a file cannot be removed.
        """
        ...


def install(starter: Starter, others: Sequence[Starter]) -> None:
    """Have `starter` start the jobs, unless one of the `others` does.

    Raises:
        ConfigError: another does, or it cannot be done here.
        StorageError: a file cannot be written.
    """
    for other in others:
        if other.is_in_place():
            raise ConfigError(
                f"{other.name} starts camdl already",
                advice="First have it stop that, with: camdl schedule uninstall",
            )
    starter.put_in_place()


def uninstall(starters: Sequence[Starter]) -> bool:
    """Have none of `starters` start the jobs; False if none did.

    Raises:
        ConfigError: it cannot be done here.
        StorageError: a file cannot be removed.
    """
    was_any = False
    for starter in starters:
        was_any |= starter.take_away()
    return was_any
