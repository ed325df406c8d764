"""The commands, and the one place where errors become words and exit codes.

Commands import what they need when they run, so that help answers at once.
"""

import logging
import os
import signal
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cellwright import __version__
from cellwright.account import complete_account
from cellwright.cli import (
    cluster,
    deciding,
    kubeflow,
    lifecycle,
    options,
    predicting,
    processes,
    report,
    reproducing,
    runs,
    serving,
    show,
    specs,
    starting,
    streams,
    trial,
    verify,
    watching,
)

_INTERRUPTED = 130


class _Commands(TyperGroup):
    """Ends a command with one line for an error that the user can fix, and with a traceback for a bug.

    Of several processes the one that fails first says so; what the others run into follows from it.
    """

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command line; an error in it is one line, too."""
        from typer._click.exceptions import NoArgsIsHelpError, UsageError

        try:
            sys.exit(super().main(*args, **{**options, "standalone_mode": False}))
        except NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except UsageError as error:
            command = error.ctx.command_path if error.ctx else "cellwright"
            print(f"error: {error.format_message().rstrip('.')}; see {command} --help", file=sys.stderr)
            sys.exit(error.exit_code)

    def invoke(self, ctx: Any) -> Any:
        try:
            with processes.together():
                return super().invoke(ctx)
        except typer.Exit:
            raise
        except KeyboardInterrupt as interrupt:
            if processes.is_first_to_fail():
                print("interrupted: run the same command again to resume", file=sys.stderr)
            raise typer.Exit(getattr(interrupt, "exit_code", _INTERRUPTED)) from interrupt
        except Exception as error:
            if not processes.is_first_to_fail():
                raise typer.Exit(1) from error
            if not _print_error(error):
                raise
            raise typer.Exit(1) from error


class _Ended(KeyboardInterrupt):
    """A signal that ends the process, as Ctrl-C does: what is open is closed, and temporary folders go."""

    exit_code: int


def _end(number: int, _: object) -> None:
    ended = _Ended()
    ended.exit_code = 128 + number
    raise ended


def _print_error(error: Exception) -> bool:
    """Print what the user must fix; return whether it is the user's to fix."""
    from cellwright.report.user_errors import explain

    problem = explain(error)
    if problem is not None:
        print(f"error: {problem}", file=sys.stderr)
    return problem is not None


app = typer.Typer(
    name="cellwright",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
starting.add_to(app)
runs.add_to(app)
specs.add_to(app)
show.add_to(app)
watching.add_to(app)
predicting.add_to(app)
serving.add_to(app)
verify.add_to(app)
lifecycle.add_to(app)
reproducing.add_to(app)
deciding.add_to(app)
report.add_to(app)
kubeflow.add_to(app)
cluster.add_to(app)
trial.add_to(app)


def main() -> None:
    """Run the command line; the console script `cellwright`."""
    streams.prepare()
    complete_account()
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # each client says itself what it repeats
    if "WORLD_SIZE" not in os.environ:  # torchrun ends processes that may wait for each other: at once
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, _end)
    try:
        app()
    finally:
        _finish()


def _finish() -> None:
    try:
        streams.finish()
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:
        _print_error(error)
        sys.exit(1)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"cellwright {__version__}")
        raise typer.Exit


_HELP = """Find a neural architecture for your data, train it, and register the model.

Everything follows from one spec file: [bold]prepare[/bold] the data, [bold]search[/bold] an architecture,
[bold]retrain[/bold] it from scratch and [bold]baselines[/bold] beside it, [bold]evaluate[/bold] all of them
on the test split, [bold]register[/bold] the model in MLflow. [bold]run[/bold] does all of it as a Kubeflow
pipeline on this machine, and [bold]compile[/bold] writes that pipeline for a cluster.

A command that was stopped resumes when it is run again. Exit codes: 0 done, 1 an error to fix, which the last
line names, 2 a wrong command line, 130 interrupted.
"""


@app.callback(
    help=options.prose(_HELP), epilog="[bold]Start with[/bold]  cellwright run examples/digits.yaml"
)
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Take the options that come before a command."""
