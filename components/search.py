"""The search component, which finds a genotype."""

from kfp import dsl

from cellwright.container_images import CELLWRIGHT


@dsl.component(base_image=CELLWRIGHT, install_kfp_package=False)
def search(
    spec: str,
    workspace: str,
    run_id: str,
    data: dsl.Input[dsl.Dataset],
    found: dsl.Output[dsl.Artifact],
    page: dsl.Output[dsl.HTML],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Search for an architecture on the training and validation splits.

    Args:
        spec: the packed spec.
        workspace: local folder of finished steps and checkpoints, kept between attempts; by default, the spec's store.
        run_id: id of the pipeline run.
        data: output of prepare.
        found: the genotype, and the record of the search.
        page: the found cells, for KFP's UI.
        metrics: metrics for KFP's UI.
    """
    from cellwright_components.running import run

    inputs = {"prepare": data}
    run("search", spec, workspace, run_id, inputs=inputs, output=found, page=page, metrics=metrics)
