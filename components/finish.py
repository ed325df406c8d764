"""The exit handler: runs when the pipeline is over, whatever became of it."""

from cellwright_components._image import IMAGE
from kfp import dsl


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def finish(status: dsl.PipelineTaskFinalStatus):
    """Tell how the pipeline ended."""
    from cellwright_components.running import report_end

    report_end(status.state)
