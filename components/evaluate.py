"""The evaluate component, which scores the found network and its baselines on the test split."""

from kfp import dsl

from cellwright.container_images import CELLWRIGHT


@dsl.component(base_image=CELLWRIGHT, install_kfp_package=False)
def evaluate(
    spec: str,
    workspace: str,
    run_id: str,
    data: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    models: dsl.Input[dsl.Model],
    scores: dsl.Output[dsl.Artifact],
    page: dsl.Output[dsl.HTML],
    metrics: dsl.Output[dsl.Metrics],
    confusion: dsl.Output[dsl.ClassificationMetrics],
) -> None:
    """Score every network on the test split.

    Args:
        spec: the packed spec.
        workspace: local folder of finished steps and checkpoints, kept between attempts; by default, the spec's store.
        run_id: id of the pipeline run.
        data: output of prepare.
        model: output of retrain.
        models: output of baselines.
        scores: the evaluation, and all logits.
        page: the table of scores, for KFP's UI.
        metrics: metrics for KFP's UI.
        confusion: the confusion matrix, for KFP's UI.
    """
    from cellwright_components.running import publish_confusion, run

    inputs = {"prepare": data, "retrain": model, "baselines": models}
    run("evaluate", spec, workspace, run_id, inputs=inputs, output=scores, page=page, metrics=metrics)
    publish_confusion(scores, confusion)
