"""Prepared data, from the source that the spec names."""

from kfp import dsl

from cellwright.container_images import CELLWRIGHT


@dsl.component(base_image=CELLWRIGHT, install_kfp_package=False)
def prepare(
    spec: str,
    workspace: str,
    run_id: str,
    data: dsl.Output[dsl.Dataset],
    page: dsl.Output[dsl.HTML],
) -> None:
    """Split and normalise the data.

    Args:
        spec: the whole spec, packed.
        workspace: folder of this machine that keeps finished steps and checkpoints from one attempt to the next; the
            spec's store by default.
        run_id: the run of the pipeline.
        data: three disjoint splits, with a manifest.
        page: what they are, for KFP's page.
    """
    from cellwright_components.running import run

    run("prepare", spec, workspace, run_id, inputs={}, output=data, page=page)
