import json
import os
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


def test_compile_replaces_what_it_wrote(cellwright, spec, tmp_path):
    (tmp_path / "link.yaml").symlink_to("pipeline.yaml")
    for name, output in (("one", "pipeline.yaml"), ("two", "pipeline.yaml"), ("three", "link.yaml")):
        assert cellwright("compile", spec, "-o", output, "--set", f"name={name}").exit_code == 0
        assert f"# Name: {name}\n" in (tmp_path / "pipeline.yaml").read_text()
    assert (tmp_path / "link.yaml").is_symlink()


@pytest.mark.parametrize(
    "output", ["search.yaml", "pipeline.yaml", "notes.txt", "empty", "pipe", "dangling", ".", "/dev/null"]
)
def test_compile_replaces_nothing_else(cellwright, spec, tmp_path, output):
    compiled = tmp_path / "pipeline.yaml"
    assert cellwright("compile", spec).exit_code == 0
    compiled.write_text(compiled.read_text() + "# edited\n")
    (tmp_path / "notes.txt").write_text("precious\n")
    (tmp_path / "empty").touch()
    (tmp_path / "dangling").symlink_to("nothing")
    os.mkfifo(tmp_path / "pipe")
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    result = cellwright("compile", spec, "-o", output)
    assert result.exit_code == 1
    assert result.stderr.startswith(
        f"error: {output} must be a new file, or a compiled pipeline that nobody edited"
    )
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    assert (tmp_path / "pipe").is_fifo() and (tmp_path / "dangling").is_symlink()
    assert Path("/dev/null").is_char_device()


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
    assert "runner.kind must be one on a cluster, such as katib or jobs, got local" in result.stderr


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["train", "test"],
            "must hold a folder per class, but train and test are parts of a split: set data.path",
        ),
        (["caf\u00e9", "cafe\u0301"], "names of classes must differ in more than their Unicode form"),
    ],
)
def test_validate_looks_at_the_names_of_class_folders(cellwright, spec, tmp_path, names, message):
    for name in names:
        (tmp_path / "photos" / name).mkdir(parents=True)
    result = cellwright("validate", spec, "--set", f"data={{source: images, path: {tmp_path / 'photos'}}}")
    assert result.exit_code == 1
    assert f"data.path: {tmp_path / 'photos'}: {message}" in result.stderr


def test_validate_answers_programs(cellwright, spec):
    valid = json.loads(cellwright("validate", spec, "--json").stdout)
    assert valid["valid"] and valid["name"] == "tiny" and valid["errors"] == []
    result = cellwright("validate", spec, "--json", "--set", "seed=-1", "--set", "budget.epochs=0")
    answer = json.loads(result.stdout)
    assert result.exit_code == 1 and not answer["valid"] and result.stderr == ""
    assert len(answer["errors"]) == 2 and "seed" in answer["errors"][0]


def test_validate_names_what_a_gate_can_bound(cellwright, spec):
    result = cellwright("validate", spec, "--set", "gate.at_least={worst_clas: 0.8}")
    assert result.exit_code == 1
    assert "gate.at_least: worst_clas must be one of accuracy" in result.stderr
    assert "worst_class, params, macs, latency_ms" in result.stderr


def test_decide_says_what_a_scheduled_run_would_do(cellwright, spec):
    answer = json.loads(cellwright("decide", spec, "--json").stdout)
    assert (answer["action"], answer["sentence"]) == ("search", "search: there is no champion yet")
    assert answer["facts"]["num_examples"] > 0
