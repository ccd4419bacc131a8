"""What has to be so on a machine before something is put in place there."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from camdl.errors import ConfigError
from camdl.scheduling.place import HOME, USER

if TYPE_CHECKING:
    from camdl.scheduling.hands import Hands
    from camdl.scheduling.place import Place

LEFT = (
    f"left       {HOME} and the user {USER}; to be rid of them, archive and all: "
    f"userdel {USER} && rm -r {HOME}"
)

_PATH = "PATH=/usr/local/bin:/usr/bin:/bin"


def must_be_root() -> None:
    """Refuse to go on as another user.

    Raises:
        ConfigError: this is one.
    """
    if os.geteuid():
        raise ConfigError(
            "only root may do that for the whole machine",
            advice="Run it as root, or with --user to have it run as yourself.",
        )


def check_as(user: str, place: Place, hands: Hands) -> None:
    """See whether `user` can run the program there, and read its configuration.

    Raises:
        ConfigError: it cannot, with what came of it.
    """
    for path in place.writes:
        if not path.is_dir():
            raise ConfigError(
                f"{path} is to be written to, and is not there",
                advice=f"Make it: install -d -o {user} -g {user} -m 750 {shlex.quote(str(path))}",
            )
    command = place.line("config", "check")
    where = ("env", "-i", f"--chdir={place.directory}", _PATH, f"HOME={place.directory}")
    try:
        hands.run("runuser", "-u", user, "--", *where, *command)
    except ConfigError as error:
        raise ConfigError(
            str(error),
            advice=f"The user {user} must be able to run {place.program} and to read all of its "
            "configuration. Install camdl where everybody may read, such as /opt/camdl.",
        ) from error
