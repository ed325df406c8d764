"""Wiring the components, the same for one machine and for a cluster."""

import tempfile
from pathlib import Path

from cellwright_components.baselines import baselines
from cellwright_components.evaluate import evaluate
from cellwright_components.finish import finish
from cellwright_components.prepare import prepare
from cellwright_components.register import register
from cellwright_components.retrain import retrain
from cellwright_components.search import search
from kfp import compiler, dsl, kubernetes
from kfp.dsl.base_component import BaseComponent

from cellwright.files import write_text
from cellwright.spec import Resources, SearchSpec

WORKSPACE = "/workspace"
"""Where a cluster mounts the folder of finished steps, unless a run says otherwise."""


def build_pipeline(spec: SearchSpec) -> BaseComponent:
    """Build the pipeline of a spec, named after it and with its resources on every task.

    KFP may reuse a step whose inputs are the same, save for those that read or write outside the pipeline.
    """
    resources = spec.resources

    @dsl.pipeline(name=spec.name, description=f"Neural architecture search: {spec.name}")
    def pipeline(spec: str = spec.model_dump_json(by_alias=True), workspace: str = WORKSPACE):
        common = {"spec": spec, "workspace": workspace}
        finished = finish()
        with dsl.ExitHandler(finished):
            prepared = prepare(**common).set_caching_options(False)
            data = prepared.outputs["data"]
            searched = search(**common, data=data)
            found = searched.outputs["found"]
            retrained = retrain(**common, data=data, found=found)
            compared = baselines(**common, data=data, found=found)
            model, models = retrained.outputs["model"], compared.outputs["models"]
            evaluated = evaluate(**common, data=data, model=model, models=models)
            registered = register(
                **common,
                data=data,
                found=found,
                model=model,
                models=models,
                scores=evaluated.outputs["scores"],
            ).set_caching_options(False)
        for task in (prepared, searched, retrained, compared, evaluated, registered, finished):
            _grant(task, resources)

    return pipeline


def compile_pipeline(spec: SearchSpec, path: Path) -> None:
    """Write the pipeline as the YAML that KFP takes."""
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(build_pipeline(spec), str(compiled))
        write_text(path, compiled.read_text(encoding="utf-8"))


def _grant(task: dsl.PipelineTask, resources: Resources) -> None:
    """Give the task what the spec grants each step, and the name of its run."""
    kubernetes.use_field_path_as_env(task, "KFP_RUN_ID", "metadata.labels['pipeline/runid']")
    task.set_cpu_limit(resources.cpu).set_memory_limit(resources.memory)
    if resources.gpus:
        task.set_accelerator_type(resources.gpu_resource).set_accelerator_limit(resources.gpus)
    for key, value in resources.node_selector.items():
        kubernetes.add_node_selector(task, key, value)
    for toleration in resources.tolerations:
        kubernetes.add_toleration(task, **toleration.model_dump())
