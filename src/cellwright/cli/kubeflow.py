"""Commands about pipelines on Kubeflow: submit one, follow it, stop it, and have it run on a schedule."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellwright.cli import options
from cellwright.cli.connecting import with_kubeflow
from cellwright.cli.following import follow_run, log_of
from cellwright.cli.loading import load

if TYPE_CHECKING:
    from cellwright_pipelines.kubeflow import Kubeflow

Run = Annotated[
    str, typer.Argument(metavar="RUN", show_default=False, help="Id of a run, as submit and runs print it.")
]
Name = Annotated[
    str, typer.Argument(metavar="NAME", show_default=False, help="Name of the schedule, or its spec's file.")
]
Connect = Callable[[], "Kubeflow"]
"""Returns the client that the options describe (`with_kubeflow`)."""


def add_to(app: typer.Typer) -> None:
    """Add the commands to the application."""
    options.add(app, "submit", submit, "cellwright submit search.yaml --host http://localhost:8888")
    options.add(app, "status", status, "cellwright status 145ed304-937e-4ab0-be2a-def01541b69c")
    options.add(app, "logs", logs, "cellwright logs 145ed304-937e-4ab0-be2a-def01541b69c search")
    options.add(app, "stop", stop, "cellwright stop 145ed304-937e-4ab0-be2a-def01541b69c")
    options.add(app, "runs", list_runs, "cellwright runs")
    options.add(
        app,
        "schedule",
        schedule,
        'cellwright schedule search.yaml --cron "0 3 * * 1" --timezone Europe/Berlin',
    )
    options.add(app, "schedules", schedules, "cellwright schedules")
    options.add(app, "unschedule", unschedule, "cellwright unschedule search.yaml")
    options.add(app, "run-now", run_now, "cellwright run-now search.yaml")


@with_kubeflow
def submit(
    spec: options.Spec,
    overrides: options.Overrides = None,
    name: Annotated[
        str | None, typer.Option("--name", show_default=False, help="Of the run; the spec's and the time.")
    ] = None,
    follow: Annotated[bool, typer.Option(help="Stay until it has ended; Ctrl-C leaves it running.")] = True,
    *,
    connect: Connect,
) -> None:
    """Run the pipeline of a spec on Kubeflow Pipelines.

    Uploads it as a version, unless that is there, starts a run and follows it: each step's state, the log of one
    that failed, and a link to the run's page. Ends with the scores of all networks and the model's address, or with
    1 if the run does not succeed.
    """
    loaded = load(spec, overrides)
    kubeflow = connect()
    run_id = kubeflow.submit(loaded, name or _name(loaded.name))
    _begin(kubeflow, run_id, follow)


@with_kubeflow
def status(
    run: Run,
    follow: Annotated[bool, typer.Option(help="Stay until it has ended.")] = False,
    as_json: options.AsJson = False,
    *,
    connect: Connect,
) -> None:
    """Show the state of a run.

    Prints the run's state and, of each step that has started, its state and time.
    """
    from cellwright.errors import CellwrightError

    if follow and as_json:
        raise CellwrightError("--follow and --json exclude each other")
    kubeflow = connect()
    if follow:
        follow_run(kubeflow, run)
        return
    found = kubeflow.run(run)
    if as_json:
        options.print_json({**found.to_dict(), "link": kubeflow.link(run)})
        return
    typer.echo(f"{found.state:10} {found.name}  {kubeflow.link(run)}")
    for step, state in found.steps.items():
        typer.echo(f"  {step:10} {state.state:10} {state.seconds:6.0f} s")


@with_kubeflow
def logs(
    run: Run,
    step: Annotated[str, typer.Argument(metavar="STEP", show_default=False, help="Such as search.")],
    *,
    connect: Connect,
) -> None:
    """Print the log of a step's last attempt.

    As Kubeflow Pipelines gives it, or else as the pod does, through the kubeconfig.
    """
    from cellwright.errors import CellwrightError
    from cellwright_pipelines.records import TASKS

    if step not in TASKS:
        raise CellwrightError(f"step must be one of {', '.join(TASKS)}, got {step!r}")
    kubeflow = connect()
    text = log_of(kubeflow, kubeflow.run(run), step)
    if not text:
        raise CellwrightError(
            f"there is no log of {step}: it has not started, or its pod is gone and KFP kept nothing"
        )
    typer.echo(text, nl=not text.endswith("\n"))


@with_kubeflow
def stop(run: Run, *, connect: Connect) -> None:
    """Stop a run, and wait until what it made on the cluster is deleted.

    What is finished, and checkpoints, stay in the store: submitted again, the run resumes there.
    """
    kubeflow = connect()
    kubeflow.stop(run)
    *_, ended = kubeflow.follow(run)
    typer.echo(f"stopped: {ended.name}")


@with_kubeflow
def list_runs(
    count: Annotated[int, typer.Option(min=1, max=200, help="How many, the newest first.")] = 10,
    as_json: options.AsJson = False,
    *,
    connect: Connect,
) -> None:
    """List the latest runs.

    Each with its id, by which the other commands know it, when it was made, and its state.
    """
    found = connect().runs(count)
    if as_json:
        options.print_json([run.to_dict() for run in found])
        return
    for run in found:
        typer.echo(f"{run.run_id}  {run.created:%Y-%m-%d %H:%M:%S}  {run.state:10} {run.name}")


@with_kubeflow
def schedule(
    spec: options.Spec,
    cron: Annotated[
        str,
        typer.Option(
            "--cron", help="Minute, hour, day of month, month, day of week; seconds may stand first."
        ),
    ],
    timezone: Annotated[
        str, typer.Option("--timezone", help="That cron is meant in, such as Europe/Berlin.")
    ] = "UTC",
    overrides: options.Overrides = None,
    always: Annotated[
        bool, typer.Option("--always", help="Search each time, whatever the spec's policy says.")
    ] = False,
    *,
    connect: Connect,
) -> None:
    """Run the pipeline of a spec again and again, at the times that cron says.

    Each run first decides by the spec's policy, or by one with all its defaults, whether there is anything to do, and
    whether to train the champion's architecture again or to search.

    There is one schedule for each spec's name: said again, it is brought up to date. A run that was missed is not
    made up for, and none begins while the last one is running. Kubeflow Pipelines keeps its times in UTC; where the
    zone has daylight saving, it says from when on the schedule is an hour off, unless given again.
    """
    from cellwright.spec.policy import Policy
    from cellwright_pipelines.cron import read_cron

    loaded = load(spec, overrides)
    policy = None if always else loaded.policy or Policy()
    loaded = loaded.model_copy(update={"policy": policy})
    timetable = read_cron(cron, timezone, datetime.now(UTC))
    description = f"{cron} ({timezone})"
    found, is_new = connect().schedule(loaded, timetable, description)
    typer.echo(f"{'scheduled' if is_new else 'unchanged'}: {found.name}, {description}: {found.cron} in UTC")
    typer.echo(f"next run: {timetable.first:%Y-%m-%d %H:%M} in {timezone}")
    if timetable.until is not None and timetable.cron.split()[2] != "*":
        typer.echo(
            f"clocks in {timezone} change at {timetable.until:%Y-%m-%d %H:%M} UTC, and UTC's do not: give the command "
            "again then to keep the local time"
        )


@with_kubeflow
def schedules(as_json: options.AsJson = False, *, connect: Connect) -> None:
    """List the schedules.

    Each with its cron and time zone as they were given, and the times in UTC that Kubeflow Pipelines has of them.
    """
    all_found = connect().schedules()
    if as_json:
        options.print_json([asdict(found) for found in all_found])
        return
    for found in all_found:
        state = "" if found.enabled else "  disabled"
        typer.echo(f"{found.name:40} {found.description}: {found.cron} in UTC{state}")


@with_kubeflow
def unschedule(name: Name, *, connect: Connect) -> None:
    """Delete a schedule.

    Runs that it has started continue.
    """
    kubeflow = connect()
    kubeflow.unschedule(_schedule_name(name))
    typer.echo(f"unscheduled: {_schedule_name(name)}")


@with_kubeflow
def run_now(
    name: Name,
    follow: Annotated[bool, typer.Option(help="Stay until it has ended.")] = True,
    *,
    connect: Connect,
) -> None:
    """Run at once what a schedule runs.

    The same version of the pipeline, with the same identity; the schedule stays as it is.
    """
    kubeflow = connect()
    named = _schedule_name(name)
    _begin(kubeflow, kubeflow.run_now(named, _name(named)), follow)


def _schedule_name(name: str) -> str:
    if not name.endswith((".yaml", ".yml")):
        return name
    from cellwright.spec import load_spec

    return load_spec(Path(name)).name


def _name(spec: str) -> str:
    return f"{spec} {datetime.now():%Y-%m-%d %H:%M:%S}"


def _begin(kubeflow: "Kubeflow", run_id: str, follow: bool) -> None:
    typer.echo(f"run {run_id} {kubeflow.link(run_id)}".rstrip())
    if follow:
        follow_run(kubeflow, run_id)
