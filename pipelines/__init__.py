"""The pipeline: built from a spec, then compiled for a cluster or run locally."""

from cellwright_pipelines.local import run_locally
from cellwright_pipelines.pipeline import build_pipeline, compile_pipeline

__all__ = ["build_pipeline", "compile_pipeline", "run_locally"]
