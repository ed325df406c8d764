"""The baselines component, which trains the networks that the found one must beat."""

from kfp import dsl

from cellwright.container_images import CELLWRIGHT


@dsl.component(base_image=CELLWRIGHT, install_kfp_package=False)
def baselines(
    spec: str,
    workspace: str,
    run_id: str,
    data: dsl.Input[dsl.Dataset],
    found: dsl.Input[dsl.Artifact],
    models: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Train random architectures and a hand-designed network in the same way as the found one.

    Args:
        spec: the packed spec.
        workspace: local folder of finished steps and checkpoints, kept between attempts; by default, the spec's store.
        run_id: id of the pipeline run.
        data: output of prepare.
        found: output of search.
        models: a folder for each baseline.
        metrics: metrics for KFP's UI.
    """
    from cellwright_components.running import run

    inputs = {"prepare": data, "search": found}
    run("baselines", spec, workspace, run_id, inputs=inputs, output=models, metrics=metrics)
