"""Prepared data, from the source that the spec names."""

from kfp import dsl

from cellwright.images import CELLWRIGHT


@dsl.component(base_image=CELLWRIGHT, install_kfp_package=False)
def prepare(spec: str, workspace: str, data: dsl.Output[dsl.Dataset]):
    """Split and normalise the data.

    Args:
        spec: the whole spec, as JSON.
        workspace: folder that keeps finished steps and checkpoints from one attempt to the next.
        data: three disjoint splits, with a manifest.
    """
    from cellwright_components.running import run

    run("prepare", spec, workspace, inputs={}, output=data.path)
