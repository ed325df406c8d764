"""The exit handler: runs when the pipeline is over, whatever became of it."""

from kfp import dsl

from cellwright.images import CELLWRIGHT


@dsl.component(base_image=CELLWRIGHT, install_kfp_package=False)
def finish(status: dsl.PipelineTaskFinalStatus):
    """Tell how the pipeline ended."""
    from cellwright_components.running import report_end

    report_end(status.state)
