"""A genotype, from prepared data."""

from kfp import dsl

from cellwright.images import CELLWRIGHT


@dsl.component(base_image=CELLWRIGHT, install_kfp_package=False)
def search(spec: str, workspace: str, data: dsl.Input[dsl.Dataset], found: dsl.Output[dsl.Artifact]):
    """Search for an architecture on the training and validation splits.

    Args:
        spec: the whole spec, as JSON.
        workspace: folder that keeps finished steps and checkpoints from one attempt to the next.
        data: what prepare wrote.
        found: the genotype and how it was found.
    """
    from cellwright_components.running import run

    run("search", spec, workspace, inputs={"prepare": data.path}, output=found.path)
