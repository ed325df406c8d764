"""What a spec says of the task that its data is for."""

from pathlib import Path

import pytest

from cellwright.errors import SpecError
from cellwright.spec import SearchSpec, load_spec, parse_spec
from cellwright.tasks.images.section import ImagesSection

EXAMPLES = Path(__file__).parents[2] / "examples"
DIGITS = "name: shoes\ndata: {source: digits}\n"
SPECTRA = "name: spectra\ndata: {source: 'my_package.spectra_section:SpectraSection', path: spectra.csv}\n"


@pytest.fixture(autouse=True)
def _own_package(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(EXAMPLES)


def load(folder: Path, text: str) -> SearchSpec:
    path = folder / "search.yaml"
    path.write_text(text)
    return load_spec(path)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load(folder, text)
    return [line.removeprefix(f"{folder / 'search.yaml'}: ") for line in str(caught.value).splitlines()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (DIGITS + "augment: {shft: 1}", ["augment.shft: unknown key; did you mean 'shift'?"]),
        (
            DIGITS + "augment: {noise: 1}",
            ["augment.noise: unknown key; known here: shift, rotate, scale, flip, erase"],
        ),
        (SPECTRA + "augment: {nois: 1}", ["augment.nois: unknown key; did you mean 'noise'?"]),
        (SPECTRA + "augment: {shift: 0.1}", ["augment.shift: unknown key; known here: noise"]),
        (
            DIGITS + "augment: {shift: 2, flip: both, rotate: -1}",
            [
                "augment.shift: must be less than or equal to 0.5, got 2",
                "augment.rotate: must be greater than or equal to 0, got -1",
            ],
        ),
        (SPECTRA + "augment: {noise: true}", ["augment.noise: must be a number, got True"]),
        (DIGITS + "augment: [shift]", ["augment: must be a mapping of keys to values, got ['shift']"]),
        (
            "name: shoes\ndata: {source: digits, limit: 0}\naugment: {shft: 1}\nseed: -1",
            [
                "seed: must be greater than or equal to 0, got -1",
                "data.limit: must be greater than or equal to 1, got 0",
            ],
        ),
    ],
)
def test_augment_is_checked_by_the_task_that_the_data_is_for(tmp_path: Path, text: str, expected: list[str]):
    assert problems(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("data", "keys", "objective", "network"),
    [
        (DIGITS, {"shift", "rotate", "scale", "flip", "erase"}, "accuracy", "resnet"),
        (SPECTRA, {"noise"}, "r2", "mlp"),
    ],
)
def test_what_is_left_out_is_the_tasks(
    tmp_path: Path, data: str, keys: set[str], objective: str, network: str
):
    spec = load(tmp_path, data)
    assert set(type(spec.augment).model_fields) == keys | {"task"}
    assert spec.augment.task == spec.data.task
    assert [(section.metric, section.direction) for section in spec.objectives] == [(objective, "maximize")]
    assert spec.evaluate.baseline.hand_designed == network


def test_given_values_are_kept(tmp_path: Path):
    spec = load(
        tmp_path,
        SPECTRA + "strategy: {kind: random}\nobjectives: [{metric: params, direction: minimize}]\n"
        "evaluate: {baseline: {hand_designed: null}}",
    )
    assert [section.metric for section in spec.objectives] == ["params"]
    assert spec.evaluate.baseline.hand_designed is None


@pytest.mark.parametrize(
    ("data", "name", "networks"),
    [(DIGITS, "mlp", ", ".join(ImagesSection.hand_designed)), (SPECTRA, "resnet", "mlp")],
)
def test_a_hand_designed_network_is_one_of_the_tasks(tmp_path: Path, data: str, name: str, networks: str):
    assert problems(tmp_path, f"{data}evaluate: {{baseline: {{hand_designed: {name}}}}}") == [
        f"the spec: evaluate.baseline.hand_designed must be one of {networks}, or null, got {name!r}"
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            SPECTRA + "strategy: {kind: random}\nobjectives: [{metric: accuracy}]",
            "the spec: objectives: accuracy must be measured by one of the estimators, which give depth, macs, "
            "memory_mb, params, r2",
        ),
        (
            SPECTRA + "tune: {values: {augment.noise: [0.1, -1]}}",
            "the spec: tune.values: augment.noise Input should be greater than or equal to 0, got -1",
        ),
        (
            SPECTRA + "tune: {values: {augment.shift: [0.1, 0.2]}}",
            "the spec: tune.values: augment.shift Extra inputs are not permitted, got 0.1",
        ),
        (
            SPECTRA + "objectives: [{metric: params}]",
            "the spec: objectives must be omitted: strategy.kind beta-darts is one-shot",
        ),
    ],
)
def test_other_sections_are_checked_by_the_task_too(tmp_path: Path, text: str, problem: str):
    assert problems(tmp_path, text) == [problem]


@pytest.mark.parametrize(
    "text",
    [
        SPECTRA,
        SPECTRA
        + "augment: {noise: 0.5}\nstrategy: {kind: random}\ntune: {values: {augment.noise: [0, 0.1]}}",
        DIGITS + "augment: {flip: both}\nevaluate: {baseline: {hand_designed: null}}",
    ],
)
def test_the_tasks_section_survives_the_way_through_a_pipeline_parameter(tmp_path: Path, text: str):
    spec = load(tmp_path, text)
    again = parse_spec(spec.model_dump_json(by_alias=True))
    assert again == spec and type(again.augment) is type(spec.augment)
    assert again.digest == spec.digest


def test_the_users_task_is_among_what_a_spec_imports(tmp_path: Path):
    assert "my_package.spectra_section:SpectraAugment" in load(tmp_path, SPECTRA).imports


def test_the_json_schema_has_the_keys_of_built_in_tasks_and_lets_others_be():
    schema = SearchSpec.model_json_schema()
    images, *_, own = schema["properties"]["augment"]["anyOf"]
    assert images["properties"].keys() == {"task", "shift", "rotate", "scale", "flip", "erase"}
    assert images["properties"]["shift"]["maximum"] == 0.5
    assert images["additionalProperties"] is False
    assert own == {"type": "object"}
