"""A genotype, from prepared data."""

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
        spec: the whole spec, packed.
        workspace: folder of this machine that keeps finished steps and checkpoints from one attempt to the next; the
            spec's store by default.
        run_id: the run of the pipeline.
        data: what prepare wrote.
        found: the genotype and how it was found.
        page: the found cells, for KFP's page.
        metrics: the numbers that KFP's page shows.
    """
    from cellwright_components.running import run

    inputs = {"prepare": data}
    run("search", spec, workspace, run_id, inputs=inputs, output=found, page=page, metrics=metrics)
