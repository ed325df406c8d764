"""Experiments: as they were when Katib took them (golden/), and by the rules of Katib's webhook.

`python -m tests.runners.kubernetes.test_experiment` writes golden/ anew, to be read before it is committed.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cellwright.katib.settings import ALGORITHMS, SearchSettings
from cellwright.progress import Silent
from cellwright.runners import runner_class
from cellwright.runners.kubernetes import base
from cellwright.runners.kubernetes.registration import algorithm_names
from cellwright.search.trial import trials_of
from cellwright.spec import STRATEGIES, SearchSpec
from cellwright.step_list import STEPS
from cellwright.steps.keys import step_view
from cellwright.steps.stored import search_manifest

GOLDEN = Path(__file__).parent / "golden"
COMMON = {
    "data": {"source": "digits"},
    "store": {"uri": "s3://bucket/nas", "endpoint": "http://s3:9000", "secret": "keys"},
    "runner": {
        "kind": "katib",
        "parallel": 3,
        "max_failures": 5,
        "namespace": "nas",
        "image": "cellwright:1",
    },
    "resources": {"cpu": 2, "memory": "4Gi", "gpus": 1, "node_selector": {"pool": "gpu"}, "spot": True},
}
SPECS: dict[str, dict[str, Any]] = {
    "one-shot": {"strategy": {"kind": "darts"}, "budget": {"seeds": 4}},
    "evolution": {
        "strategy": {"kind": "regularized-evolution"},
        "objectives": [{"metric": "accuracy"}, {"metric": "params", "direction": "minimize"}],
        "constraints": {"params": 100000},
    },
    "tuned": {
        "strategy": {"kind": "predictor", "scheduler": {"kind": "asha"}},
        "tune": {"when": "with", "values": {"retrain.learning_rate": [0.01, 0.1]}},
    },
    "jobs": {"strategy": {"kind": "random"}, "runner": {"kind": "jobs", "image": "cellwright:1"}},
}


def manifest(name: str) -> dict[str, Any]:
    spec = SearchSpec.model_validate({**COMMON, "name": name, **SPECS[name]})
    return dict(search_manifest(spec))


def nameless(name: str) -> dict[str, Any]:
    """Return the manifest without the digest of the spec in its name."""
    text = yaml.safe_dump(manifest(name), sort_keys=False)
    return dict(yaml.safe_load(re.sub(rf"\b{name}-[0-9a-f]{{8}}", f"{name}-DIGEST", text)))


@pytest.mark.parametrize("name", SPECS)
def test_it_is_as_katib_took_it(name: str, request):
    golden = GOLDEN / f"{name}.yaml"
    assert nameless(name) == yaml.safe_load(golden.read_text())


@pytest.mark.parametrize("name", [name for name in SPECS if name != "jobs"])
def test_it_keeps_the_rules_of_the_webhook(name: str):
    experiment = manifest(name)
    spec = experiment["spec"]
    template = spec["trialTemplate"]
    assert len(experiment["metadata"]["name"]) <= 40
    assert spec["parallelTrialCount"] <= spec["maxTrialCount"]
    assert spec.get("maxFailedTrialCount", 0) <= spec["maxTrialCount"]
    assert "name" not in template["trialSpec"]["metadata"]
    used = set(re.findall(r"\$\{trialParameters\.(\w+)\}", yaml.safe_dump(template["trialSpec"])))
    given = {parameter["name"]: parameter["reference"] for parameter in template["trialParameters"]}
    assert used == given.keys()
    references = {reference for reference in given.values() if not reference.startswith("${")}
    assert references == {parameter["name"] for parameter in spec["parameters"]}


@pytest.mark.parametrize("name", SPECS)
def test_a_search_creates_it_from_what_the_search_step_can_read(name: str, monkeypatch, tmp_path: Path):
    """No cluster is asked before the objects are described."""
    spec = SearchSpec.model_validate({**COMMON, "name": name, **SPECS[name]})
    stored = []
    monkeypatch.setattr(base, "_share", lambda pods, trials: stored.append(pods.search))
    monkeypatch.setattr(base, "Cluster", lambda namespace, log: None)
    built = []
    for part in (spec, step_view(STEPS["search"], spec)):
        trials = trials_of(part, tmp_path / "data", tmp_path, Silent(), SearchSettings.of(part))
        runner = runner_class(part.runner).of(part, trials)
        built.append((runner.pods, getattr(runner, "experiment", None)))
    assert built[0] == built[1]
    assert len(set(stored)) == 1


def test_a_long_name_is_cut_and_stays_a_name():
    spec = {
        **COMMON,
        **SPECS["evolution"],
        "name": "a-name-of-forty-letters-is-the-longest-ok"[:40].rstrip("-"),
    }
    name = search_manifest(SearchSpec.model_validate(spec))["metadata"]["name"]
    assert len(name) <= 40 and re.fullmatch("[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)


def test_katib_knows_every_strategy_but_those_that_train_networks_themselves():
    names = {f"{ALGORITHMS}{kind}" for kind in STRATEGIES.kinds}
    assert names - set(algorithm_names()) == {"cellwright-race", "cellwright-elastic"}


if __name__ == "__main__":
    for name in SPECS:
        (GOLDEN / f"{name}.yaml").write_text(yaml.safe_dump(nameless(name), sort_keys=False))
