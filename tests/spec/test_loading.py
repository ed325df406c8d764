from pathlib import Path

import pytest

from cellwright.errors import SpecError
from cellwright.spec import SearchSpec, load_spec, parse_spec
from cellwright.tasks.images.sources.idx import IdxSection

EXAMPLES = Path(__file__).parents[2] / "examples"
GOOD = "name: shoes\ndata: {source: digits}\n"
TUNE_AFTER = "tune: {when: after, values: {retrain.epochs: [1, 2]}}\n"


def load(folder: Path, text: str, *overrides: str) -> SearchSpec:
    path = folder / "search.yaml"
    path.write_text(text)
    return load_spec(path, overrides)


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("data: {source: digits}", ["name: must be given"]),
        ("name: a", ["data: must be given"]),
        (
            "name: A_b\ndata: {source: digits}",
            ["name: must be 1 to 40 small letters, digits and hy", "; did you mean 'a-b'?"],
        ),
        ("name: a\ndata: {}", ["data.source: must be given"]),
        ("name: a\ndata: {source: digit}", ["data.source: must be one of", "did you mean 'digits'?"]),
        ("name: a\ndata: {source: npz}", ["data.path: must be given"]),
        (GOOD + "sede: 1", ["sede: unknown key; did you mean 'seed'?"]),
        (
            GOOD + "augment: {shft: 1}",
            ["augment.shft: unknown key; did you mean 'shift'?"],
        ),
        (GOOD + "strategy: {kind: darts, beta: 1}", ["strategy.beta: unknown key"]),
        (
            GOOD + "strategy: {kind: darts, order: second, level: single}",
            ["strategy: order must be 'first' where level is 'single', got 'second'"],
        ),
        (
            GOOD + "strategy: {kind: gdas, guard: {acton: stop}}",
            ["strategy.guard.acton: unknown key; did you mean 'action'?"],
        ),
        (
            GOOD + "strategy: {kind: random}\nestimators: [{kind: zero-cost, refrence: 3}]",
            ["estimators.0.refrence: unknown key; did you mean 'reference'?"],
        ),
        (
            GOOD + "runner: {kind: katib}",
            ["store is required: trials of runner.kind katib run on other machines"],
        ),
        (
            GOOD + "resources: {cpu: 500m, cpu_request: 1}",
            ["resources: cpu_request must be at most cpu, 500m, got 1"],
        ),
        (
            GOOD + "resources: {priority_class: system-node-critical}",
            [
                "resources.priority_class: must not be a class of Kubernetes' own components, got 'system-node-"
            ],
        ),
        (
            GOOD + "runner: {kind: jobs}\nstore: {uri: /shared}",
            ["store: claim is required for a path, and allowed for nothing else, got None and /shared"],
        ),
        (
            GOOD
            + "strategy: {kind: random}\nestimators: [{kind: zero-cost}]\nobjectives: [{metric: zero_cost}]\n"
            "runner: {kind: jobs}\nstore: {uri: 's3://a'}",
            ["such as short-training, for runner.kind jobs", "got zero-cost"],
        ),
        (GOOD + "runner: {kind: kattib}", ["runner.kind: must be one of", "did you mean 'katib'?"]),
        (GOOD + "store: {uri: bucket/nas}", ["store.uri: must be s3://BUCKET/PREFIX or an absolute path"]),
        (
            GOOD + "strategy: {kind: bta-darts}",
            ["strategy.kind: must be one of", "did you mean 'beta-darts'?"],
        ),
        (
            GOOD + "space: {kind: darts, num_nodes: 0, primitives: [a, skip_connect]}",
            ["space.num_nodes", "space.primitives.0: must be among"],
        ),
        (
            GOOD + "space: {kind: chain, primitives: [skip_connect, 'my ops:conv'], widths: [50]}",
            [
                "space.primitives.1: must be the name of a primitive, or an import path",
                "space.widths: must be at least two different ones",
            ],
        ),
        (
            GOOD + "space: {kind: darts, primitives: ['a.ops:conv', 'b.ops:conv']}",
            ["space.primitives: must be at least two different ones"],
        ),
        (
            GOOD + "space: {kind: custom, path: my_package, supernet: a:B}",
            ["space: custom is now the import path of a section, kind: my_package.module:MySection"],
        ),
        (
            GOOD + "space: {kind: chain}\nretrain: {num_cells: 3}",
            ["retrain.num_cells must be omitted: the space fixes it"],
        ),
        (
            GOOD + "constraints: {params: 1000}",
            ["constraints must be omitted: strategy.kind beta-darts is one-shot"],
        ),
        (
            GOOD + "strategy: {kind: random}\nobjectives: [{metric: accurcy}]",
            ["objectives: accurcy must be measured by one of the estimators, which give accuracy, depth"],
        ),
        (
            GOOD + "strategy: {kind: random}\nconstraints: {latency_ms: 5}",
            ["constraints: latency_ms must be measured by one of the estimators"],
        ),
        (
            GOOD + "strategy: {kind: random}\npick: {kind: within, limits: {params: 5}}",
            ["pick: params must be an objective, of accuracy"],
        ),
        (
            GOOD + "tune: {values: {retrain.learning_rate: [0.1, -1]}}",
            ["tune.values: retrain.learning_rate Input should be greater than 0, got -1"],
        ),
        (
            GOOD + "tune: {values: {retrain.learnin_rate: [0.1, 1]}}",
            ["tune.values: retrain.learnin_rate Extra inputs are not permitted, got 0.1"],
        ),
        (GOOD + "tune: {when: with, values: {retrain.epochs: [1, 2]}}", ["tune must be omitted"]),
        (
            GOOD + TUNE_AFTER + "start: {genotypes: [a]}",
            [
                "start may have search alone, whose alphas are taken over: strategy.kind beta-darts is one-shot"
            ],
        ),
        (
            GOOD + TUNE_AFTER + "objectives: [{metric: accurcy}]",
            ["objectives: accurcy must be measured by one of the estimators, which give accuracy, depth"],
        ),
        (
            GOOD + TUNE_AFTER + "constraints: {latency_ms: 5}",
            ["constraints: latency_ms must be measured by one of the estimators"],
        ),
        (
            GOOD + "strategy: {kind: random}\nstart: {model: champion}",
            ["start.model: must be models:/NAME@ALIAS or models:/NAME/VERSION, got 'champion'"],
        ),
        (GOOD + "budget: {epochs: many}", ["budget.epochs:", "got 'many'"]),
        (GOOD + "budget: {epochs: true}\nseed: yes", ["budget.epochs: must be a number, got True", "seed: "]),
        (GOOD + "seed: 0123", ["search.yaml:3:7: 0123 can be read as 123 or as the octal number 83"]),
        (GOOD + "budget: {epochs: 1:30}", ["budget.epochs:", "got '1:30'"]),
        (GOOD + "retrain: {weight_decay: .inf}", ["retrain.weight_decay: must be a finite number, got inf"]),
        (GOOD + "resources: {spot: 1, cpu: true}", ["spot: must be true or false, got 1", "got True"]),
        (
            GOOD + "resources: {affinity: {x: {y: [.nan]}}}",
            ["resources.affinity.x: must be a finite number, got {'y': [nan]}"],
        ),
        (
            "name: a\ndata: {source: idx, images: i, labels: l, test_images: t}",
            ["data: test_images and test_labels"],
        ),
        ("name: a\nname: b\n", ["search.yaml:2:1: not valid YAML: duplicate key 'name'"]),
        ("name: [", ["search.yaml:1:8: not valid YAML"]),
        ("just words", ["a spec must be a mapping"]),
    ],
)
def test_each_error_is_named_by_path_value_and_rule(tmp_path: Path, text: str, problems: list[str]):
    with pytest.raises(SpecError) as caught:
        load(tmp_path, text)
    for problem in problems:
        assert problem in str(caught.value)


def test_all_errors_are_named_at_once(tmp_path: Path):
    with pytest.raises(SpecError) as caught:
        load(tmp_path, "nam: a\nseed: -1\ndata: {source: digits, limit: 0}\nretrain: {batch_size: 1}")
    paths = [line.split(": ")[1] for line in str(caught.value).splitlines()]
    assert sorted(paths) == ["data.limit", "nam", "name", "retrain.batch_size", "seed"]


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(SpecError, match="nowhere.yaml: cannot be read: No such file"):
        load_spec(tmp_path / "nowhere.yaml")


def test_relative_paths_count_from_the_spec(tmp_path: Path):
    spec = load(tmp_path, "name: a\ndata: {source: idx, images: x/i.gz, labels: /l.gz}")
    assert isinstance(spec.data, IdxSection)
    assert spec.data.locations == {"images": tmp_path / "x/i.gz", "labels": Path("/l.gz")}


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("store.uri", "store: {uri: 's3://bucket/$(AWS_SECRET_ACCESS_KEY)'}"),
        ("store.secret_keys", "store: {uri: 's3://bucket/a', secret: a, secret_keys: ['{{a}}']}"),
        ("runner.image", "runner: {kind: jobs, image: '${trialParameters.genotype}'}"),
        ("resources.node_selector", "resources: {node_selector: {'{{workflow.name}}': a}}"),
        ("resources.affinity", "resources: {affinity: {nodeAffinity: [{a: ['{{=1+1}}']}]}}"),
        ("resources.tolerations.0.key", "resources: {tolerations: [{key: '$(A)'}]}"),
        ("pipeline.service_account", "pipeline: {service_account: '{{a}}'}"),
        ("tracking.secret", "tracking: {secret: '{{a}}'}"),
    ],
)
def test_texts_that_a_cluster_would_replace_are_refused(tmp_path: Path, key: str, text: str):
    with pytest.raises(SpecError, match=rf"{key}: must be without {{{{ \${{ \$\("):
        load(tmp_path, f"name: a\ndata: {{source: digits}}\n{text}")


def test_a_place_in_s3_is_no_path(tmp_path: Path):
    spec = load(
        tmp_path,
        "name: a\ndata: {source: npz, path: 's3://b/k//x y.npz', test_path: t.npz, endpoint: http://e}",
    )
    assert spec.data.locations == {"path": "s3://b/k//x y.npz", "test_path": tmp_path / "t.npz"}
    assert parse_spec(spec.model_dump_json(by_alias=True)) == spec


@pytest.mark.parametrize(
    ("place", "rule"),
    [
        ("s3:/bucket/x", "must be s3://BUCKET/KEY, got 's3:/bucket/x'"),
        ("s3://Bucket/x", "must be s3://BUCKET/KEY, got 's3://Bucket/x'"),
        ("3", "must be a path or s3://BUCKET/KEY, got 3"),
    ],
)
def test_an_invalid_address_is_reported(tmp_path: Path, place: str, rule: str):
    with pytest.raises(SpecError) as caught:
        load(tmp_path, f"name: a\ndata: {{source: npz, path: {place}}}")
    assert str(caught.value) == f"{tmp_path / 'search.yaml'}: data.path: {rule}"


def test_overrides_are_applied_over_the_file(tmp_path: Path):
    spec = load(tmp_path, GOOD, "seed=7", "augment.flip=horizontal", "budget.max_seconds=1e2")
    assert (spec.seed, spec.augment.flip, spec.budget.max_seconds) == (7, "horizontal", 100.0)


def test_words_and_numbers_are_read_by_yaml_1_2(tmp_path: Path):
    spec = load(
        tmp_path,
        "name: no\ndata: {source: digits}\nbudget: {epochs: 1e3}\nresources: {spot: yes}",
        "retrain.learning_rate=1e-3",
        "register.name=on",
    )
    assert (spec.name, spec.budget.epochs, spec.resources.spot) == ("no", 1000, True)
    assert (spec.retrain.learning_rate, spec.model_name) == (1e-3, "on")


@pytest.mark.parametrize("override", ["seed", "=1", "name.x=1", "a..b=1", "seed=010", "seed=true"])
def test_bad_overrides_are_named(tmp_path: Path, override: str):
    with pytest.raises(SpecError, match="--set|seed: must be a number, got True"):
        load(tmp_path, GOOD, override)


def test_a_spec_survives_the_way_through_a_pipeline_parameter(tmp_path: Path):
    spec = load(tmp_path, GOOD + "register: {name: shoe-classifier}")
    assert parse_spec(spec.model_dump_json(by_alias=True)) == spec
    assert parse_spec(spec.model_dump_json(by_alias=True)).digest == spec.digest


OWN = {
    "space": "{kind: 'my_package.spaces:ActivationsSection', num_layers: 3}",
    "strategy": "{kind: 'my_package.strategies:HillClimbingSection', restart: 0.5}",
    "estimators": "[{kind: 'my_package.estimators_section:SmoothnessSection', keep: 0.7}, {kind: short-training}]",
}


@pytest.mark.parametrize("name", ["own_primitive", "own_space", "own_task"])
def test_what_users_bring_survives_the_way_through_a_pipeline_parameter(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.syspath_prepend(EXAMPLES)
    spec = load_spec(EXAMPLES / f"{name}.yaml")
    text = spec.model_dump_json(by_alias=True)
    again = parse_spec(text)
    assert again == spec and again.digest == spec.digest
    assert again.model_dump_json(by_alias=True) == text
    for section in ("data", "augment", "space", "strategy"):
        assert type(getattr(again, section)) is type(getattr(spec, section))


@pytest.mark.parametrize(
    ("section", "written", "problem"),
    [
        ("space", "num_layers: 0", "space.num_layers: must be greater than or equal to 1, got 0"),
        ("space", "num_layer: 3", "space.num_layer: unknown key; did you mean 'num_layers'?"),
        ("strategy", "restart: 2", "strategy.restart: must be less than or equal to 1, got 2"),
        ("strategy", "restrt: 0", "strategy.restrt: unknown key; did you mean 'restart'?"),
        ("estimators", "keep: 0}", "estimators.0.keep: must be greater than 0, got 0"),
        ("estimators", "kep: 1}", "estimators.0.kep: unknown key; did you mean 'keep'?"),
    ],
)
def test_an_error_in_an_own_section_has_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str, written: str, problem: str
):
    monkeypatch.syspath_prepend(EXAMPLES)
    kind = OWN[section].partition(",")[0]
    end = ", {kind: short-training}]" if section == "estimators" else "}"
    own = {**OWN, section: f"{kind}, {written}{end}"}
    with pytest.raises(SpecError) as caught:
        load(tmp_path, GOOD + "\n".join(f"{name}: {text}" for name, text in own.items()))
    assert str(caught.value) == f"{tmp_path / 'search.yaml'}: {problem}"


def test_hyperparameters_override_the_spec(tmp_path: Path):
    spec = load(tmp_path, GOOD + "retrain: {epochs: 7}")
    tuned = spec.tuned({"retrain.learning_rate": 0.5, "retrain.channels": 3, "augment.shift": 0.2})
    assert (tuned.retrain.epochs, tuned.retrain.learning_rate, tuned.augment.shift) == (7, 0.5, 0.2)
    assert tuned.final_space.channels == 3  # type: ignore[union-attr]
    assert spec.tuned({}) == spec
