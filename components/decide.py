"""The decide component, which says what a scheduled run does; see `cellwright.policy`."""

from kfp import dsl

from cellwright.container_images import CELLWRIGHT


@dsl.component(base_image=CELLWRIGHT, install_kfp_package=False)
def decide(
    spec: str,
    workspace: str,
    run_id: str,
    data: dsl.Input[dsl.Dataset],
    decision: dsl.Output[dsl.Artifact],
    chosen: dsl.OutputPath(str),  # type: ignore[valid-type]
) -> str:
    """Decide whether to do nothing, to train the champion's architecture again, or to search again.

    Args:
        spec: the packed spec, with a policy.
        workspace: local folder of finished steps and checkpoints, kept between attempts; by default, the spec's store.
        run_id: id of the pipeline run.
        data: output of prepare.
        decision: what was decided and why.
        chosen: the packed spec of the steps that follow.

    Returns:
        What to do: nothing, retrain or search.
    """
    from cellwright_components.running import run_decision

    return run_decision(spec, workspace, run_id, data=data, output=decision, chosen=chosen)
