"""The pipeline: built from a spec, then compiled for a cluster or run locally. Importing this imports no kfp."""

from cellwright_pipelines.running import run_locally

__all__ = ["run_locally"]
