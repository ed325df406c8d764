"""What a pipeline run leaves in MLflow: one run with its curves, trials and files, and a model others can load.

The steps call this, and nothing else knows MLflow. Importing this package is cheap; MLflow itself is
imported when the first `MlflowTracker` is made.
"""

from cellwright.tracking.lifecycle import (
    ACTION_TAG,
    EXAMPLES_TAG,
    GATE_TAG,
    HOURS,
    POLICY_TAG,
    REASONS_TAG,
    SEARCH_HOURS,
    SUMMARY,
    TRAINED_ON,
    Champion,
    Lifecycle,
    VersionFacts,
    hours_of_month,
    version_facts,
)
from cellwright.tracking.live import LiveLogging, Pace, Target
from cellwright.tracking.moves import CHAMPION, ChampionMoved, Move, NotPromoted
from cellwright.tracking.record import LoggedColumns, RegisteredModel, RunRecord, Status, TrialRecord
from cellwright.tracking.retrying import WAIT_SECONDS, MlflowUnavailable, NotAllowed, mlflow_retry
from cellwright.tracking.server import UnknownHost, check_login, check_server
from cellwright.tracking.tracker import (
    MlflowTracker,
    download_model_file,
    download_run_files,
    model_version,
    recorded_tags,
    verify_model,
)
from cellwright.tracking.uri import (
    artifacts_beside,
    check_database,
    follow_move,
    is_server,
    present_uri,
    ui_command,
)

__all__ = [
    "ACTION_TAG",
    "CHAMPION",
    "EXAMPLES_TAG",
    "GATE_TAG",
    "HOURS",
    "POLICY_TAG",
    "REASONS_TAG",
    "SEARCH_HOURS",
    "SUMMARY",
    "TRAINED_ON",
    "WAIT_SECONDS",
    "Champion",
    "ChampionMoved",
    "LoggedColumns",
    "Lifecycle",
    "LiveLogging",
    "MlflowUnavailable",
    "MlflowTracker",
    "Move",
    "NotAllowed",
    "NotPromoted",
    "Pace",
    "RegisteredModel",
    "RunRecord",
    "Status",
    "Target",
    "TrialRecord",
    "UnknownHost",
    "VersionFacts",
    "artifacts_beside",
    "check_database",
    "check_login",
    "check_server",
    "download_model_file",
    "download_run_files",
    "follow_move",
    "hours_of_month",
    "is_server",
    "mlflow_retry",
    "model_version",
    "present_uri",
    "recorded_tags",
    "ui_command",
    "verify_model",
    "version_facts",
]
