"""Commands about clusters: what a search would create there, and whether it could."""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import Annotated

import typer

from cellwright.cli import options
from cellwright.cli.loading import load
from cellwright.cli.workspaces import opened

KatibNamespace = Annotated[str, typer.Option(metavar="NAME", help="Where Katib itself is installed.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the application."""
    options.add(
        app, "manifest", manifest, "cellwright manifest search.yaml | kubectl apply --dry-run=server -f -"
    )
    options.add(app, "doctor", doctor, "cellwright doctor search.yaml")
    options.add(app, "register-suggestions", register, "cellwright register-suggestions")


def manifest(
    spec: options.Spec,
    overrides: options.Overrides = None,
    stage: Annotated[
        bool, typer.Option("--stage", help="Also prepare the data and store it, so that trials find it.")
    ] = False,
    runs: options.Runs = options.RUNS,
) -> None:
    """Print what the search of a spec would create on a cluster, as YAML.

    A Katib Experiment where the runner is katib, with room for all its trials, and the Job of a first trial where
    it is jobs. With --stage it can be created by hand.
    """
    import yaml

    from cellwright.steps.stored import search_manifest

    loaded = load(spec, overrides)
    described = search_manifest(loaded)
    if stage:
        from cellwright.report.lines import LineProgress
        from cellwright.steps.stored import stage_search

        with opened(loaded, runs) as workspace:
            stage_search(loaded, workspace, LineProgress(sys.stderr))
    typer.echo(yaml.safe_dump(described, sort_keys=False), nl=False)


def doctor(
    spec: options.Spec,
    overrides: options.Overrides = None,
    katib_namespace: KatibNamespace = "kubeflow",
    inside: Annotated[
        str | None,
        typer.Option(
            "--inside",
            metavar="NAMESPACE",
            show_default=False,
            help="Also look for the store and MLflow from a pod in this namespace, as steps there would.",
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Say what is missing on the cluster for the search of a spec.

    Looks for Katib, its configuration, permissions, what trials refer to, GPU nodes and the store, with the
    identity and from the place where it is called. With --inside, a pod with the steps' identity and Secrets
    looks for the store and MLflow too, and is deleted. Ends with 1 if anything is missing.
    """
    from cellwright.errors import CellwrightError
    from cellwright.runners import Finding, runner_class

    loaded = load(spec, overrides)
    log = partial(typer.echo, err=as_json)

    def look() -> Iterator[Finding]:
        yield from runner_class(loaded.runner).preflight(loaded, katib_namespace, log)
        if inside is not None:
            from cellwright.runners.kubernetes.api import COMMAND_SECONDS, Cluster
            from cellwright_pipelines.inside import look_inside

            yield look_inside(Cluster(inside, log, seconds=COMMAND_SECONDS), loaded)

    findings = []
    for finding in look():
        findings.append(finding)
        log(f"{'ok     ' if finding.problem is None else 'MISSING'} {finding.what}")
        if finding.problem is not None:
            log(f"        {finding.problem}")
    if as_json:
        options.print_json([asdict(finding) for finding in findings])
    if missing := sum(finding.problem is not None for finding in findings):
        raise CellwrightError(f"{missing} of what the search needs on the cluster is missing")


def register(
    katib_namespace: KatibNamespace = "kubeflow",
    image: Annotated[
        str | None, typer.Option(metavar="IMAGE", help="Of the suggestion service, if not the released one.")
    ] = None,
) -> None:
    """Register the suggestion service with Katib, once, as an administrator.

    Adds the algorithms cellwright-STRATEGY to Katib's configuration, and restarts its controller, which reads it
    only when it starts. Running Experiments are not affected.
    """
    from cellwright.container_images import SUGGESTION
    from cellwright.runners.kubernetes.api import COMMAND_SECONDS, Cluster
    from cellwright.runners.kubernetes.registration import register_suggestions

    cluster = Cluster(katib_namespace, typer.echo, seconds=COMMAND_SECONDS)
    changed = register_suggestions(cluster, image or SUGGESTION)
    typer.echo(f"Katib in {katib_namespace} {'now knows' if changed else 'knew'} the algorithms cellwright-…")
