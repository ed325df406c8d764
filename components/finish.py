"""The exit handler: runs when the pipeline is over, whatever became of it."""

from kfp import dsl

from cellwright.container_images import CELLWRIGHT


@dsl.component(base_image=CELLWRIGHT, install_kfp_package=False)
def finish(spec: str, run_id: str, status: dsl.PipelineTaskFinalStatus) -> None:
    """Tell how the pipeline ended, and delete what it left on the cluster if it did not end well.

    Args:
        spec: the whole spec, packed.
        run_id: the run of the pipeline.
        status: how it ended.
    """
    from cellwright_components.running import end

    end(spec, run_id, status.state)
