"""Scores on the test split, for the found network and its baselines."""

from kfp import dsl

from cellwright.images import CELLWRIGHT


@dsl.component(base_image=CELLWRIGHT, install_kfp_package=False)
def evaluate(
    spec: str,
    workspace: str,
    data: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    models: dsl.Input[dsl.Model],
    scores: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    confusion: dsl.Output[dsl.ClassificationMetrics],
):
    """Score every network on the test split.

    Args:
        spec: the whole spec, as JSON.
        workspace: folder that keeps finished steps and checkpoints from one attempt to the next.
        data: what prepare wrote.
        model: what retrain wrote.
        models: what baselines wrote.
        scores: the evaluation, and all logits.
        metrics: the numbers that KFP's page shows.
        confusion: true against predicted classes, for KFP's page.
    """
    from cellwright_components.running import publish_scores, run

    inputs = {"prepare": data.path, "retrain": model.path, "baselines": models.path}
    run("evaluate", spec, workspace, inputs=inputs, output=scores.path)
    publish_scores(scores.path, metrics, confusion)
