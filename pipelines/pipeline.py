"""Connects the components to a pipeline, both for local runs and for clusters."""

import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kfp import compiler, dsl
from kfp.dsl.base_component import BaseComponent

from cellwright.errors import CellwrightError
from cellwright.files import write_text
from cellwright.importing import load_object
from cellwright.spec import SearchSpec, pack_spec
from cellwright.step_list import STEPS
from cellwright_components.decide import decide
from cellwright_components.finish import finish
from cellwright_pipelines.granting import grant

RETURNED = "Output"
"""KFP's name of what a component returns; kfp.local finds no other output in a condition."""
_MARK = "# Compiled by cellwright from a spec; the SHA-256 of what follows is "
"""Start of a compiled pipeline, followed by a digest that shows whether the file was edited."""


def build_pipeline(spec: SearchSpec) -> BaseComponent:
    """Build the pipeline of a spec, with its name and the resources of each step.

    KFP's cache is disabled, since it knows neither the data nor the code that a result depends on. Steps find finished
    folders in the workspace, by keys that include both.

    With a policy, the steps after `prepare` are a branch, which is left out where there is nothing to do, and their
    spec is that of the decision.
    """
    whole = spec  # inside the pipeline, `spec` is a placeholder

    @dsl.pipeline(name=spec.name, description=f"Neural architecture search: {spec.name}")
    def pipeline(spec: str = pack_spec(spec), workspace: str = "") -> None:
        run_id = dsl.PIPELINE_JOB_ID_PLACEHOLDER
        common = {"spec": spec, "workspace": workspace, "run_id": run_id}
        tasks: dict[str, dsl.PipelineTask] = {}
        finished = finish(spec=spec, run_id=run_id)
        first, *rest = STEPS
        with dsl.ExitHandler(finished):
            _add_steps(tasks, [first], common)
            if whole.policy is None:
                _add_steps(tasks, rest, common)
            else:
                data = STEPS[first].artifact
                decided = decide(**common, data=tasks[first].outputs[data])
                with dsl.If(decided.outputs[RETURNED] != "nothing", name="policy"):
                    _add_steps(tasks, rest, common | {"spec": decided.outputs["chosen"]})
                tasks["decide"] = decided
        for task in (*tasks.values(), finished):
            grant(task, whole)

    return pipeline


def _add_steps(tasks: dict[str, dsl.PipelineTask], names: Sequence[str], common: Mapping[str, Any]) -> None:
    """Add the tasks of steps, each with the outputs of those that it reads."""
    for name in names:
        component = load_object(f"cellwright_components.{name}:{name}")
        read = [STEPS[needed] for needed in STEPS[name].inputs]
        inputs = {needed.artifact: tasks[needed.name].outputs[needed.artifact] for needed in read}
        tasks[name] = component(**common, **inputs)


def compile_pipeline(spec: SearchSpec, path: Path) -> None:
    """Write the pipeline as YAML for KFP, to a new file or over a compiled pipeline.

    Raises:
        CellwrightError: the path has any other file.
    """
    if os.path.lexists(path) and not _may_be_replaced(path):
        raise CellwrightError(
            f"{path} must be a new file, or a compiled pipeline that nobody edited: choose another with --output"
        )
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(build_pipeline(spec), str(compiled))
        text = compiled.read_text(encoding="utf-8")
        write_text(path.resolve() if path.is_symlink() else path, f"{_MARK}{_digest(text.encode())}\n{text}")


def _may_be_replaced(path: Path) -> bool:
    if not path.is_file():
        return False
    first, _, rest = path.read_bytes().partition(b"\n")
    return first == f"{_MARK}{_digest(rest)}".encode()


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
