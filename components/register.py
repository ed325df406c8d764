"""The register component, which registers the trained and evaluated model."""

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
        spec: the packed spec.
        workspace: local folder of finished steps and checkpoints, kept between attempts; by default, the spec's store.
        run_id: id of the pipeline run.
        data: output of prepare.
        found: output of search.
        model: output of retrain.
        scores: output of evaluate.
        registered: name, version, alias and URI of the registered model.
        page: the location of the model, for KFP's UI.
    """
    from cellwright_components.running import run

    inputs = {"prepare": data, "search": found, "retrain": model, "evaluate": scores}
    run("register", spec, workspace, run_id, inputs=inputs, output=registered, page=page)
