"""The retrain component, which trains the network of a genotype."""

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
        spec: the packed spec.
        workspace: local folder of finished steps and checkpoints, kept between attempts; by default, the spec's store.
        run_id: id of the pipeline run.
        data: output of prepare.
        found: output of search.
        model: weights, genotype, ONNX and pt2.
        metrics: metrics for KFP's UI.
    """
    from cellwright_components.running import run

    inputs = {"prepare": data, "search": found}
    run("retrain", spec, workspace, run_id, inputs=inputs, output=model, metrics=metrics)
