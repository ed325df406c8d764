"""The exit handler, which runs at the end of the pipeline, even after a failure."""

from kfp import dsl

from cellwright.container_images import CELLWRIGHT


@dsl.component(base_image=CELLWRIGHT, install_kfp_package=False)
def finish(spec: str, run_id: str, status: dsl.PipelineTaskFinalStatus) -> None:
    """Report the pipeline's final state. If it did not succeed, delete what it left on the cluster.

    Args:
        spec: the packed spec.
        run_id: id of the pipeline run.
        status: final status of the pipeline.
    """
    from cellwright_components.running import end

    end(spec, run_id, status.state)
