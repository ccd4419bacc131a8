"""One tree of errors: each class knows its exit code and what the user can do next.

Raised only for faults of the run as a whole. One image or one stream that fails is a value
(see `camdl.domain.outcomes`), because it must never stop the others.
"""

from __future__ import annotations

from enum import IntEnum

from camdl.domain.failures import FailureKind


class ExitCode(IntEnum):
    """What `download`, `backfill`, `cleanup` and `verify` exit with; the numbers of sysexits.h."""

    OK = 0
    PARTLY = 1
    USAGE = 2
    UNREACHABLE = 69
    BUG = 70
    STORAGE = 74
    LOCKED = 75
    CONFIG = 78
    SIGINT = 130
    SIGTERM = 143


class CamdlError(Exception):
    """A fault of the run. `str(error)` says what and where; `advice` says what to do next."""

    exit_code = ExitCode.BUG
    advice = ""

    def __init__(self, message: str, *, advice: str | None = None) -> None:
        super().__init__(message)
        if advice is not None:
            self.advice = advice


class UsageError(CamdlError):
    """The command line asks for something that cannot be, such as an unknown stream."""

    exit_code = ExitCode.USAGE
    advice = "See the command's --help."


class ConfigError(CamdlError):
    """The configuration, the schema or the platform does not allow the run."""

    exit_code = ExitCode.CONFIG
    advice = "Check it with: camdl config check"


class BrowserMissingError(ConfigError):
    """No browser could be found or started."""

    advice = "Install one as root with: apt-get install -y chromium-headless-shell"


class CleanupRefusedError(ConfigError):
    """A clean-up would delete what it should not; nothing was deleted."""

    advice = "Look at camdl cleanup --dry-run --force; if that is what you want, use --force."


class StorageError(CamdlError):
    """An image cannot be stored: disk full, read-only, no permission."""

    exit_code = ExitCode.STORAGE
    advice = "Check the disk's free space and inodes, and that this user may write there."


class CatalogueError(CamdlError):
    """The database cannot be read or written: unreachable, locked, corrupt."""

    exit_code = ExitCode.STORAGE
    advice = "Check that the database can be reached and written, then run again."


class LockHeldError(CamdlError):
    """Another run holds the lock."""

    exit_code = ExitCode.LOCKED
    advice = "Try again later, or wait for it with --wait SECONDS."


class InterruptedRunError(BaseException):
    """A signal asked the run to end. It comes up anywhere, told like a `CamdlError`.

    No `Exception`, as libraries handle those in the middle of their work and go on.
    """

    advice = "The next run continues where this one stopped."

    def __init__(self, signal_name: str, exit_code: ExitCode) -> None:
        super().__init__(f"interrupted by {signal_name}")
        self.exit_code = exit_code


class PassingFaultError(Exception):
    """A fault of one request that may pass by itself, so that it is worth calling again.

    `wait_seconds` is how long the server asked to be left alone (`Retry-After`), None if it did
    not. Adapters raise it inside the retry decorator only, and turn what is left of it into a
    value of that `kind`.
    """

    def __init__(
        self,
        message: str,
        *,
        wait_seconds: float | None = None,
        kind: FailureKind = FailureKind.UNREACHABLE,
    ) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds
        self.kind = kind


EndOfRun = CamdlError | InterruptedRunError
END_OF_RUN = (CamdlError, InterruptedRunError)  # for `except`, which takes no union
