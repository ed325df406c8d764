"""Trained networks that the found one must beat."""

from kfp import dsl

from cellwright.images import CELLWRIGHT


@dsl.component(base_image=CELLWRIGHT, install_kfp_package=False)
def baselines(
    spec: str,
    workspace: str,
    data: dsl.Input[dsl.Dataset],
    found: dsl.Input[dsl.Artifact],
    models: dsl.Output[dsl.Model],
):
    """Train random architectures and a hand-designed network as the found one is trained.

    Args:
        spec: the whole spec, as JSON.
        workspace: folder that keeps finished steps and checkpoints from one attempt to the next.
        data: what prepare wrote.
        found: what search wrote.
        models: a folder for each baseline.
    """
    from cellwright_components.running import run

    run("baselines", spec, workspace, inputs={"prepare": data.path, "search": found.path}, output=models.path)
