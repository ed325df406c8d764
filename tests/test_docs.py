"""The pages of docs and the README: links, commands, specs and code in them are what the program has."""

import ast
import importlib
import importlib.util
import json
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest
import typer
import yaml

from cellwright.cli.app import app
from cellwright.spec import load_spec
from tests.pages import NAMES, PAGES, ROOT, blocks, commands

OF_SAMPLED = {"constraints", "objectives", "estimators", "pick", "runner", "start"}


@pytest.fixture(scope="module")
def site() -> ModuleType:
    described = importlib.util.spec_from_file_location("docs_site", ROOT / "docs/site.py")
    module = importlib.util.module_from_spec(described)
    described.loader.exec_module(module)
    return module


def words_after(command: str, page: Path) -> list[list[str]]:
    lines = (
        re.sub(r"^([A-Z_]+=\S+ )+", "", part) for line in commands(page) for part in re.split(" [|>] ", line)
    )
    return [shlex.split(line)[1:] for line in lines if line.startswith(f"{command} ")]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_to_files(page: Path, site: ModuleType):
    links = [link["target"] for link in site.LINK.finditer(page.read_text()) if "://" not in link[0]]
    for link in links:
        made = ("reference.md", "quickstart.md")
        assert (page.parent / link).exists() or Path(link).name in made, link


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_are_those_of_the_program(page: Path):
    group = typer.main.get_command(app)
    for words in words_after("cellwright", page):
        context = group.make_context("cellwright", [*words], resilient_parsing=False)
        name, command, rest = group.resolve_command(context, words)
        command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_make_has_the_targets_and_benchmarks_are_there(page: Path):
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for words in words_after("make", page):
        assert {word for word in words if "=" not in word} <= targets
    for module in re.findall(r"python -m (benchmarks\.\w+)", page.read_text()):
        assert (ROOT / f"{module.replace('.', '/')}.py").exists(), module


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_code_is_python_and_imports_what_there_is(page: Path):
    for block in blocks(page, "python"):
        code = block.partition("class ")[0] if "  class" in block or "# strategy.py" in block else block
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("cellwright"):
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names), ast.unparse(node)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_specs_are_valid(page: Path, tmp_path: Path):
    """A part of a spec is put over the least that a spec may have."""
    keys = json.loads((ROOT / "docs/search.schema.json").read_text())["properties"].keys()
    for number, block in enumerate(blocks(page, "yaml")):
        given = yaml.safe_load(block)
        if not isinstance(given, dict) or not given.keys() <= keys:
            continue
        file = tmp_path / f"{number}.yaml"
        least = {"name": "page", "data": {"source": "digits"}}
        if given.keys() & OF_SAMPLED:
            least["strategy"] = {"kind": "nsga2"}
            least["estimators"] = [{"kind": "latency"}, {"kind": "short-training"}]
        if "data" in given:
            given["data"] = least["data"] | given["data"]
        file.write_text(yaml.safe_dump(least | given))
        load_spec(file)


def test_the_reference_explains_every_key(site: ModuleType):
    schema = json.loads(site.SCHEMA.read_text())
    page = site.reference(schema)
    cells = {line.split(" | ")[0].strip("| `") for line in page.splitlines() if line.startswith("| `")}
    last = {cell.rpartition(".")[2] for cell in cells}
    for section in schema["$defs"].values():
        assert section.get("properties", {}).keys() <= last
    empty = [line for line in page.splitlines() if line.startswith("| `") and line.endswith("|  |")]
    assert empty == []
    del schema["$defs"]["Retrain"]["properties"]["epochs"]["description"]
    with pytest.raises(KeyError, match="no explanation"):
        site.reference(schema)


def test_the_site_lists_every_page():
    text = (ROOT / "mkdocs.yml").read_text()
    missing = [name for name in NAMES if name.startswith("docs/") and name.removeprefix("docs/") not in text]
    assert missing == []


def test_tutorials_say_what_the_examples_do():
    """The examples are run by tests, so what tutorials take from them must be there word for word."""
    examples = "\n".join(
        file.read_text() for file in (ROOT / "examples").rglob("*") if file.suffix in (".py", ".yaml")
    )
    for page in sorted((ROOT / "docs/tutorials").glob("*.md")):
        for block in [*blocks(page, "yaml"), *blocks(page, "python")]:
            for part in block.strip().split("\n\n"):
                assert part in examples, f"{page.name}: {part}"
    cluster = (ROOT / "docs/cluster.md").read_text() + (ROOT / "docs/pipelines.md").read_text()
    tutorial = ROOT / "docs/tutorials/cluster.md"
    for line in (line for line in commands(tutorial) if "digits-katib" not in line):
        assert line in cluster
