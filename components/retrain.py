"""A trained model, from a genotype."""

from kfp import dsl

from cellwright.container_images import CELLWRIGHT


@dsl.component(base_image=CELLWRIGHT, install_kfp_package=False)
def retrain(
    spec: str,
    workspace: str,
    run_id: str,
    data: dsl.Input[dsl.Dataset],
    found: dsl.Input[dsl.Artifact],
    model: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Train the found network from scratch and export it.

    Args:
        spec: the whole spec, packed.
        workspace: folder of this machine that keeps finished steps and checkpoints from one attempt to the next; the
            spec's store by default.
        run_id: the run of the pipeline.
        data: what prepare wrote.
        found: what search wrote.
        model: weights, genotype, ONNX and pt2.
        metrics: the numbers that KFP's page shows.
    """
    from cellwright_components.running import run

    inputs = {"prepare": data, "search": found}
    run("retrain", spec, workspace, run_id, inputs=inputs, output=model, metrics=metrics)
