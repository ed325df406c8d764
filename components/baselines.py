"""Trained networks that the found one must beat."""

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
    """Train random architectures and a hand-designed network as the found one is trained.

    Args:
        spec: the whole spec, packed.
        workspace: folder of this machine that keeps finished steps and checkpoints from one attempt to the next; the
            spec's store by default.
        run_id: the run of the pipeline.
        data: what prepare wrote.
        found: what search wrote.
        models: a folder for each baseline.
        metrics: the numbers that KFP's page shows.
    """
    from cellwright_components.running import run

    inputs = {"prepare": data, "search": found}
    run("baselines", spec, workspace, run_id, inputs=inputs, output=models, metrics=metrics)
