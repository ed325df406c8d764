"""The command that shows what a scheduled run would do."""

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING

import typer

from cellwright.cli import options
from cellwright.cli.loading import load
from cellwright.cli.workspaces import opened

if TYPE_CHECKING:
    from cellwright.policy import PolicyDecision


def add_to(app: typer.Typer) -> None:
    """Add the command to the application."""
    options.add(app, "decide", decide, "cellwright decide examples/digits.yaml --json")


def decide(
    spec: options.Spec,
    overrides: options.Overrides = None,
    as_json: options.AsJson = False,
    runs: options.Runs = options.RUNS,
) -> None:
    """Show what a scheduled run would do now, and why.

    That is nothing, training the champion's architecture again, or another search.
    Prepares the data, or reuses it where it is prepared, and compares it and the champion's score with the registry, as
    the spec's policy says; without one, the policy with all its defaults. Nothing is trained or registered.
    """
    from cellwright.cli.display import progress_display
    from cellwright.progress import Silent
    from cellwright.report.user_errors import explain_full_disk
    from cellwright.spec.policy import Policy

    loaded = load(spec, overrides).completed(os.environ)
    loaded = loaded.model_copy(update={"policy": loaded.policy or Policy()})
    shown = nullcontext(Silent()) if as_json else progress_display()
    with opened(loaded, runs, registers=True) as workspace, shown as progress, explain_full_disk(workspace):
        from cellwright.steps.decide import decide_run
        from cellwright.steps.running import run_until
        from cellwright.tracking.starting_models import with_tracking_uri

        data = run_until("prepare", loaded, workspace, progress)["prepare"]
        decision = decide_run(with_tracking_uri(loaded, workspace), data, progress)
    if as_json:
        options.print_json(decision.model_dump(mode="json"))
    else:
        _print(decision)


def _print(decision: "PolicyDecision") -> None:
    from rich.table import Table

    from cellwright.cli.display import print_rich
    from cellwright.report.terminal import visible

    typer.echo(visible(decision.sentence))
    if decision.facts.features:
        table = Table("feature", "test", "statistic", "p", box=None, pad_edge=False)
        targets = [decision.facts.targets] if decision.facts.targets else []
        for one in sorted([*targets, *decision.facts.features], key=lambda one: one.p_value)[:10]:
            table.add_row(visible(one.name), one.test, f"{one.statistic:.3g}", f"{one.p_value:.2g}")
        print_rich(table)
