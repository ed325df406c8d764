"""Commands about spec files: check one, compile one, and describe them all."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cellwright.cli import options
from cellwright.cli.loading import load

if TYPE_CHECKING:
    from cellwright.spec import DataSection, SearchSpec

VALIDATE_SECONDS = 5.0
"""How long a server of data that does not answer is waited for, beyond its own time-outs."""


def add_to(app: typer.Typer) -> None:
    """Add the commands to the application."""
    options.add(app, "validate", validate, "cellwright validate search.yaml --set data.path=../photos")
    options.add(app, "compile", compile_spec, "cellwright compile examples/digits.yaml -o pipeline.yaml")
    options.add(app, "schema", schema, "cellwright schema > search.schema.json")


def validate(
    spec: options.Spec, overrides: options.Overrides = None, as_json: options.AsJson = False
) -> None:
    """Check a spec, that its files are there, and that what it imports can be.

    Names every error at once, each with its place in the file, its value and the rule it breaks. Of a spec for a
    cluster, which has a section pipeline, also asks the store and the MLflow server, where they can be reached.
    """
    from cellwright.errors import CellwrightError

    try:
        loaded = _valid(spec, overrides)
    except CellwrightError as error:
        if not as_json:
            raise
        options.print_json({"valid": False, "errors": str(error).splitlines()})
        raise typer.Exit(1) from error
    if as_json:
        options.print_json({"valid": True, "errors": [], "name": loaded.name, "digest": loaded.digest})
    else:
        typer.echo(f"{spec} is valid: {loaded.name}, digest {loaded.digest}")


def _valid(spec: Path, overrides: list[str] | None) -> "SearchSpec":
    """Return the spec; raises CellwrightError with a line for each error."""
    from cellwright.errors import SpecError
    from cellwright.importing import load_object
    from cellwright.spaces import build_space

    loaded = load(spec, overrides)
    problems = [f"data.{problem}" for problem in _missing(loaded.data)]
    if "pipeline" in loaded.model_fields_set and (loaded.store is not None or loaded.runner.is_remote):
        from cellwright_pipelines.checking import cluster_problems, server_problems

        problems += cluster_problems(loaded)
        problems += server_problems(loaded, lambda text: typer.echo(text, err=True), create=False)
    if problems:
        raise SpecError("\n".join(f"{spec}: {problem}" for problem in problems))
    for path in loaded.imports:
        load_object(path)
    build_space(loaded.space)
    return loaded


def _missing(section: "DataSection") -> Iterator[str]:
    """Yield what is wrong with each of the section's locations, as far as can be seen from here."""
    from cellwright.data.reading import build_reader
    from cellwright.errors import CellwrightError
    from cellwright.spec import StoredData
    from cellwright.stores import NoCredentials, S3Reader

    for key, location in section.locations.items():
        if isinstance(location, Path):
            try:
                build_reader(section).check(key, location)
            except CellwrightError as error:
                yield f"{key}: {error}"
    if not isinstance(section, StoredData) or not section.uris:
        return
    reader = S3Reader(section.endpoint, seconds=VALIDATE_SECONDS)
    for key, uri in section.uris.items():
        try:
            reader.require_below(uri) if key in section.FOLDERS else reader.find(uri)
        except NoCredentials:
            typer.echo(f"data.{key}: {uri} is not checked: there are no keys for S3 here", err=True)
        except CellwrightError as error:
            yield f"{key}: {error}"


def compile_spec(
    spec: options.Spec,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write the pipeline.")
    ] = Path("pipeline.yaml"),
    overrides: options.Overrides = None,
) -> None:
    """Write the pipeline of a spec as YAML for Kubeflow Pipelines.

    The spec's resources are on every task. The file can be uploaded on KFP's page or with its client. Only a new
    file is written, or one that compile wrote and nobody has edited since.
    """
    from cellwright.report.user_errors import explain_full_disk
    from cellwright_pipelines.pipeline import compile_pipeline

    loaded = load(spec, overrides)
    for key, location in loaded.data.locations.items():
        if isinstance(location, Path) and location.exists():
            typer.echo(
                f"warning: data.{key}: {location} is on this machine, and steps on a cluster run on others",
                err=True,
            )
    with explain_full_disk(output):
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
