"""Runners whose trials are pods. The one place that imports kubernetes, so that other runs need not."""

from kubeflow_katib_api.models import V1beta1Experiment as Experiment

from cellwright.runners.kubernetes.api import Cluster
from cellwright.runners.kubernetes.cleaning import delete_unfinished
from cellwright.runners.kubernetes.experiment import build_experiment
from cellwright.runners.kubernetes.jobs import JobsRunner
from cellwright.runners.kubernetes.katib import KatibRunner
from cellwright.runners.kubernetes.pods import TrialPods
from cellwright.runners.kubernetes.preflight import Finding, look_over
from cellwright.runners.kubernetes.registration import register_suggestions
from cellwright.runners.kubernetes.step_pods import StepPods

__all__ = [
    "Cluster",
    "Experiment",
    "Finding",
    "JobsRunner",
    "KatibRunner",
    "StepPods",
    "TrialPods",
    "build_experiment",
    "delete_unfinished",
    "look_over",
    "register_suggestions",
]
