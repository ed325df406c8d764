"""A trained model, from a genotype."""

from kfp import dsl

from cellwright.images import CELLWRIGHT


@dsl.component(base_image=CELLWRIGHT, install_kfp_package=False)
def retrain(
    spec: str,
    workspace: str,
    data: dsl.Input[dsl.Dataset],
    found: dsl.Input[dsl.Artifact],
    model: dsl.Output[dsl.Model],
):
    """Train the found network from scratch and export it.

    Args:
        spec: the whole spec, as JSON.
        workspace: folder that keeps finished steps and checkpoints from one attempt to the next.
        data: what prepare wrote.
        found: what search wrote.
        model: weights, genotype, ONNX and pt2.
    """
    from cellwright_components.running import run

    run("retrain", spec, workspace, inputs={"prepare": data.path, "search": found.path}, output=model.path)
