import json
from pathlib import Path

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "docs" / "search.schema.json"
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


def test_the_published_schema_is_in_step(cellwright):
    assert cellwright("schema").stdout == PUBLISHED.read_text(encoding="utf-8")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_schema_and_the_command_agree_that_examples_are_valid(cellwright, example, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "examples")
    schema = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(example.read_text(encoding="utf-8")), schema)
    result = cellwright("validate", example)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{example} is valid: ")


def test_what_cannot_be_imported_is_named(cellwright, spec):
    space = "space={kind: darts, primitives: [skip_connect, no_such_package.ops:conv]}"
    result = cellwright("validate", spec, "--set", space)
    assert result.exit_code == 1
    assert "no_such_package.ops:conv: cannot find no_such_package, which must be" in result.stderr


def test_compile_writes_the_pipeline(cellwright, spec, tmp_path):
    result = cellwright("compile", spec, "-o", "out/pipeline.yaml", "--set", "name=other")
    assert (result.exit_code, result.stdout) == (0, "wrote the pipeline other to out/pipeline.yaml\n")
    assert next(yaml.safe_load_all((tmp_path / "out/pipeline.yaml").read_text()))["pipelineInfo"] == {
        "name": "other",
        "description": "Neural architecture search: other",
    }


def test_manifest_prints_what_katib_would_get(cellwright, tmp_path):
    spec = tmp_path / "search.yaml"
    spec.write_text(
        "name: shoes\ndata: {source: digits}\nrunner: {kind: katib}\nstore: {uri: 's3://bucket'}\n"
    )
    experiment = yaml.safe_load(cellwright("manifest", str(spec)).stdout)
    assert experiment["kind"] == "Experiment"
    assert experiment["spec"]["algorithm"]["algorithmName"] == "cellwright-beta-darts"


def test_manifest_needs_a_runner_on_a_cluster(cellwright, spec):
    result = cellwright("manifest", str(spec))
    assert result.exit_code == 1
    assert "runner.kind must be katib or jobs, got local" in result.stderr
