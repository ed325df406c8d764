"""A version of the registered model, from a trained and evaluated one."""

from kfp import dsl

from cellwright.container_images import CELLWRIGHT


@dsl.component(base_image=CELLWRIGHT, install_kfp_package=False)
def register(
    spec: str,
    workspace: str,
    run_id: str,
    data: dsl.Input[dsl.Dataset],
    found: dsl.Input[dsl.Artifact],
    model: dsl.Input[dsl.Model],
    scores: dsl.Input[dsl.Artifact],
    registered: dsl.Output[dsl.Artifact],
    page: dsl.Output[dsl.HTML],
) -> None:
    """Log the run and its model to MLflow, register a version and give it an alias.

    Args:
        spec: the whole spec, packed.
        workspace: folder of this machine that keeps finished steps and checkpoints from one attempt to the next; the
            spec's store by default.
        run_id: the run of the pipeline.
        data: what prepare wrote.
        found: what search wrote.
        model: what retrain wrote.
        scores: what evaluate wrote.
        registered: name, version, alias and address of the registered model.
        page: where the model is, for KFP's page.
    """
    from cellwright_components.running import run

    inputs = {"prepare": data, "search": found, "retrain": model, "evaluate": scores}
    run("register", spec, workspace, run_id, inputs=inputs, output=registered, page=page)
