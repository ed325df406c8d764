"""The components, which are written out, against the list of steps."""

import ast
import inspect
import pkgutil

import pytest
from kfp.dsl.base_component import BaseComponent

import cellwright_components
from cellwright.importing import load_object
from cellwright.step_list import STEPS

SHOWN = {"page": "system.HTML", "metrics": "system.Metrics", "confusion": "system.ClassificationMetrics"}


def component(name: str) -> BaseComponent:
    return load_object(f"cellwright_components.{name}:{name}")


@pytest.mark.parametrize("name", STEPS)
def test_a_component_reads_and_makes_what_its_step_does(name: str):
    step, spec = STEPS[name], component(name).component_spec
    inputs = dict.fromkeys(STEPS[needed].artifact for needed in step.inputs)
    assert list(spec.inputs) == [*("spec", "workspace", "run_id"), *inputs]
    outputs = {output: described.type.partition("@")[0] for output, described in spec.outputs.items()}
    made = {step.artifact}
    made |= {"page"} if step.page else set()
    made |= {"metrics"} if step.metrics else set()
    assert outputs.keys() - {"confusion"} == made
    assert all(outputs[output] == SHOWN[output] for output in outputs.keys() & SHOWN.keys())


@pytest.mark.parametrize("name", STEPS)
def test_a_component_hands_each_artifact_to_its_step_by_the_step_s_name(name: str):
    step = STEPS[name]
    tree = ast.parse(inspect.getsource(component(name).python_func))
    given = next(
        {key.value: value.id for key, value in zip(node.keys, node.values, strict=True)}
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
    )
    assert given == {needed: STEPS[needed].artifact for needed in step.inputs}
    (call,) = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "run"
    ]
    arguments = {keyword.arg: keyword.value.id for keyword in call.keywords if keyword.arg not in ("inputs",)}
    shown = {"page": "page"} if step.page else {}
    shown |= {"metrics": "metrics"} if step.metrics else {}
    assert (call.args[0].value, arguments) == (name, {"output": step.artifact, **shown})


def test_there_is_a_component_for_each_step_and_one_for_the_end():
    modules = {module.name for module in pkgutil.iter_modules(cellwright_components.__path__)}
    assert modules == {*STEPS, "decide", "finish", "running"}
