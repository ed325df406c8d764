"""Runners whose trials are pods. The one place that imports kubernetes, so that other runs need not."""

from kubeflow_katib_api.models import V1beta1Experiment as Experiment

from cellwright.runners.on_kubernetes._api import Cluster
from cellwright.runners.on_kubernetes._cleaning import delete_unfinished
from cellwright.runners.on_kubernetes._experiment import build_experiment
from cellwright.runners.on_kubernetes._jobs import JobsRunner
from cellwright.runners.on_kubernetes._katib import KatibRunner
from cellwright.runners.on_kubernetes._logs import read_log
from cellwright.runners.on_kubernetes._pods import TrialPods
from cellwright.runners.on_kubernetes._preflight import Finding, look_over
from cellwright.runners.on_kubernetes._registration import register_suggestions

__all__ = [
    "Cluster",
    "Experiment",
    "Finding",
    "JobsRunner",
    "KatibRunner",
    "TrialPods",
    "build_experiment",
    "delete_unfinished",
    "look_over",
    "read_log",
    "register_suggestions",
]
