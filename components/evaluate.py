"""Scores on the test split, for the found network and its baselines."""

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
        spec: the whole spec, packed.
        workspace: folder of this machine that keeps finished steps and checkpoints from one attempt to the next; the
            spec's store by default.
        run_id: the run of the pipeline.
        data: what prepare wrote.
        model: what retrain wrote.
        models: what baselines wrote.
        scores: the evaluation, and all logits.
        page: the table of scores, for KFP's page.
        metrics: the numbers that KFP's page shows.
        confusion: true against predicted classes, for KFP's page.
    """
    from cellwright_components.running import publish_confusion, run

    inputs = {"prepare": data, "retrain": model, "baselines": models}
    run("evaluate", spec, workspace, run_id, inputs=inputs, output=scores, page=page, metrics=metrics)
    publish_confusion(scores, confusion)
