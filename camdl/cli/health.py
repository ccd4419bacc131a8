"""`camdl health`."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from camdl.cli.commands import Command
from camdl.cli.ending import explain, fault_of, let_go_of_output, say
from camdl.cli.options import AsJson, ConfigFile, Quiet, load
from camdl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from camdl.errors import CamdlError

_CRITICAL, _UNKNOWN = 2, 3
# A configuration may list all of its keys; who looks at this line sees the rest on stderr.
_LONGEST_REASON = 300


class _Plugin(Command):
    """A command whose command line, if it is wrong, is unknown to monitoring and not critical."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Understand them."""
        with _or_unknown(as_json="--json" in args, metrics="--metrics" in args):
            try:
                rest: list[str] = super().parse_args(ctx, args)
            except Exception as error:
                # Typer has such errors from click, whose classes are its own affair.
                if not hasattr(error, "format_message"):
                    raise
                raise UsageError(error.format_message()) from error
        return rest


app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(cls=_Plugin)
def health(
    *,
    as_json: AsJson = False,
    metrics: Annotated[
        bool, typer.Option("--metrics", help="Print the metrics, as Prometheus reads them.")
    ] = False,
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            help="Write the health file too, and the metrics_file if it is set; send alerts.",
        ),
    ] = False,
    config: ConfigFile = None,
    quiet: Quiet = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print every check, and what to do.")
    ] = False,
) -> None:
    """Judge the archive as it is now, for a person or for monitoring.

    Looks at the database, the disk, the lock, each stream's newest capture and the last runs of
    each job, never at an old health file. Prints one line, and exits 0 healthy, 1 warning or
    degraded, 2 critical, 3 unknown, and never otherwise unless it is interrupted. Waits for no
    run, and is in no run's way.
    """
    unwritten: CamdlError | None = None
    with _or_unknown(as_json=as_json, metrics=metrics), ExitStack() as stack:
        if as_json and metrics:
            raise UsageError("--json and --metrics cannot both be printed", advice="Leave one out.")
        from camdl.wiring import begin_log, watching

        loaded = load(config)
        if write:
            from camdl.wiring.announcing import announcing

            begin_log(loaded, quiet=quiet, verbose=False)
            told = stack.enter_context(announcing(loaded, "health"))
            told.begin()
            verdict, unwritten = watching.look_and_tell(loaded)
            told.judged(verdict)
        else:
            verdict = watching.health(loaded)
        if metrics:
            say(watching.metrics(loaded, verdict).rstrip())
        elif as_json:
            say(json.dumps(verdict.to_dict(), indent=2))
        elif verbose:
            from rich.console import Console

            from camdl.report.tables import show_health

            show_health(Console(), verdict)
        elif not quiet:
            say(verdict.line())
    if unwritten is not None:
        # What others read of it is not so any more: nothing but critical is worse.
        code = _CRITICAL if verdict.exit_code == _CRITICAL else _UNKNOWN
        explain(unwritten, code)
        raise typer.Exit(code)
    raise typer.Exit(verdict.exit_code)


@contextmanager
def _or_unknown(*, as_json: bool, metrics: bool) -> Iterator[None]:
    """Have whatever comes up inside, but a signal, be told as unknown in the form asked for.

    Monitoring knows no other codes, and takes 1 and 2 for what a verdict says.

    Raises:
        typer.Exit: something came up, a command that needs no verdict has ended, or the output
            found no reader.
    """
    try:
        yield
        sys.stdout.flush()
    except typer.Exit:  # after --help
        raise
    except BrokenPipeError as error:  # whoever read our output has left
        let_go_of_output()
        raise typer.Exit(_UNKNOWN) from error
    except Exception as error:
        fault = fault_of(error)
        explain(fault, _UNKNOWN)
        try:
            say(_without_verdict(fault, as_json=as_json, metrics=metrics))
            sys.stdout.flush()
        except OSError:  # it is the output that is out of order
            let_go_of_output()
        raise typer.Exit(_UNKNOWN) from error


def _without_verdict(fault: CamdlError, *, as_json: bool, metrics: bool) -> str:
    """What is told instead of a verdict, which `fault` has prevented."""
    from camdl import __version__
    from camdl.domain.health import unjudged
    from camdl.domain.text import one_line
    from camdl.wiring import utc_now

    reason = one_line(str(fault), _LONGEST_REASON)
    unknown = unjudged(reason, fault.advice, utc_now(), __version__)
    if as_json:
        return json.dumps(unknown.to_dict(), indent=2)
    # Among metrics, a comment.
    return f"# {unknown.line()}" if metrics else unknown.line()
