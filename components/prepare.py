"""The prepare component, which reads the spec's data source."""

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
        spec: the packed spec.
        workspace: local folder of finished steps and checkpoints, kept between attempts; by default, the spec's store.
        run_id: id of the pipeline run.
        data: three disjoint splits, with a manifest.
        page: the table of splits, for KFP's UI.
    """
    from cellwright_components.running import run

    run("prepare", spec, workspace, run_id, inputs={}, output=data, page=page)
