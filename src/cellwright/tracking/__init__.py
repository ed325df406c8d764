"""What a pipeline run leaves in MLflow: one run with its curves and files, and a model others can load.

The steps call this, and nothing else knows MLflow. Importing this package is cheap; MLflow itself is
imported when the first `MlflowTracker` is made.
"""

from cellwright.tracking._record import RegisteredModel, RunRecord
from cellwright.tracking._tracker import MlflowTracker, download_model_file, model_version
from cellwright.tracking._uri import ui_command

__all__ = [
    "MlflowTracker",
    "RegisteredModel",
    "RunRecord",
    "download_model_file",
    "model_version",
    "ui_command",
]
