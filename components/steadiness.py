"""The steadiness component, which scores the found network on test examples that are changed at random."""

from kfp import dsl

from cellwright.container_images import CELLWRIGHT


@dsl.component(base_image=CELLWRIGHT, install_kfp_package=False)
def steadiness(
    spec: str,
    workspace: str,
    run_id: str,
    data: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    steady: dsl.Output[dsl.Artifact],
) -> None:
    """Score the found network on changed test examples.

    Args:
        spec: the packed spec.
        workspace: local folder of finished steps and checkpoints, kept between attempts; by default, the spec's store.
        run_id: id of the pipeline run.
        data: output of prepare.
        model: output of retrain.
        steady: the scores.
    """
    from cellwright_components.running import run

    inputs = {"prepare": data, "retrain": model}
    run("steadiness", spec, workspace, run_id, inputs=inputs, output=steady)
