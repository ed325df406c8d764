"""Commands about spec files: check one, compile one, and describe them all."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cellwright.cli import options
from cellwright.cli.loading import load


def add_to(app: typer.Typer) -> None:
    """Add the commands to the application."""
    options.add(app, "validate", validate, "cellwright validate search.yaml --set data.path=../photos")
    options.add(app, "compile", compile_spec, "cellwright compile examples/digits.yaml -o pipeline.yaml")
    options.add(app, "schema", schema, "cellwright schema > search.schema.json")


def validate(spec: options.Spec, overrides: options.Overrides = None) -> None:
    """Check a spec, that its files are there, and that what it imports can be.

    Names every mistake at once, each with its place in the file, its value and the rule it breaks.
    """
    from cellwright.errors import SpecError
    from cellwright.importing import load_object
    from cellwright.spaces import build_space

    loaded = load(spec, overrides)
    missing = [path for path in loaded.data.paths if not path.exists()]
    if missing:
        raise SpecError("\n".join(f"{spec}: data: {path} must exist, and does not" for path in missing))
    for path in loaded.imports:
        load_object(path)
    build_space(loaded.space)
    typer.echo(f"{spec} is valid: {loaded.name}, digest {loaded.digest}")


def compile_spec(
    spec: options.Spec,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write the pipeline.")
    ] = Path("pipeline.yaml"),
    overrides: options.Overrides = None,
) -> None:
    """Write the pipeline of a spec as YAML for Kubeflow Pipelines.

    The spec's resources are on every task. The file can be uploaded on KFP's page or with its client.
    """
    from cellwright_pipelines import compile_pipeline

    from cellwright.report import naming

    loaded = load(spec, overrides)
    with naming(output):
        compile_pipeline(loaded, output)
    typer.echo(f"wrote the pipeline {loaded.name} to {output}")


def schema() -> None:
    """Print the JSON Schema of spec files, with every key, its rule and its default.

    Editors check and complete a spec whose first line is
    [bold]# yaml-language-server: $schema=search.schema.json[/bold].
    """
    typer.echo(json.dumps(spec_schema(), indent=2, ensure_ascii=False))


def spec_schema() -> dict[str, Any]:
    """Return the JSON Schema of spec files."""
    from cellwright.spec import SearchSpec

    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **SearchSpec.model_json_schema()}
