"""Hooks of mkdocs: the pages that are made of other files, and what a built site must keep to.

Pages on GitHub link to files of the whole repository. Each of those becomes a page of the site, so every link leads
to something, and mkdocs checks it.
"""

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "docs/search.schema.json"
REFERENCE = "reference.md"
HOME = "README.md"
LANGUAGES = {".py": "python", ".yaml": "yaml", ".jsonl": "json"}
LINK = re.compile(r"(?<=\]\()(?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?(?=\))")
CODE_IN_LIST = re.compile(r"^(?= {6}(os\.environ|mlflow\.))", re.MULTILINE)
"""Where a list's code begins: Python-Markdown wants two spaces more than GitHub."""
LOADED = re.compile(
    r"""<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=["']?(?P<address>(?:https?:)?//[^"'\s>]+)"""
)
"""What a page loads, or names as a relation, from elsewhere."""

Schema = Mapping[str, Any]


def on_files(files: Any, config: Any) -> Any:
    """Add the reference, the notebook, and all that pages link to outside the folder docs."""
    from mkdocs.structure.files import File

    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    files.append(File.generated(config, REFERENCE, content=reference(schema)))
    for notebook in sorted((ROOT / "docs").glob("*.ipynb")):
        files.append(File.generated(config, f"{notebook.stem}.md", content=pages_of(notebook)))
    todo = [ROOT / HOME, *sorted((ROOT / "docs").rglob("*.md"))]
    known = set(todo)
    while todo:
        page = todo.pop(0)
        if ROOT / "docs" not in page.parents:
            files.append(File.generated(config, address(page), content=text_of(page)))
        for target in targets(page):
            if target not in known and ROOT / "docs" not in target.parents:
                known.add(target)
                todo.append(target)
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links lead to pages of the site."""
    source = origin(page.file.src_uri)

    def moved(link: re.Match[str]) -> str:
        target = (source.parent / link["target"]).resolve()
        if "://" in link[0] or not target.exists():
            return link[0]
        return posixpath.relpath(address(target), posixpath.dirname(page.file.src_uri)) + (
            link["anchor"] or ""
        )

    return CODE_IN_LIST.sub("  ", LINK.sub(moved, markdown))


def on_post_build(config: Any) -> None:
    """Refuse a site whose pages load anything from elsewhere."""
    for page in sorted(Path(config.site_dir).rglob("*.html")):
        for found in LOADED.finditer(page.read_text(encoding="utf-8")):
            raise SystemExit(f"{page} must load nothing from elsewhere, and loads {found['address']}")


def address(path: Path) -> str:
    """Return where a file of the repository is within the site."""
    if path == ROOT / HOME:
        return "index.md"
    if path == SCHEMA or ROOT / "docs" in path.parents:
        return path.relative_to(ROOT / "docs").as_posix().replace(".ipynb", ".md")
    name = path.relative_to(ROOT).as_posix()
    return f"source/{name}" if name.endswith(".md") else f"source/{name}.md"


def origin(address: str) -> Path:
    """Return the file of the repository that a page of the site shows."""
    if address == "index.md":
        return ROOT / HOME
    if address.startswith("source/"):
        name = ROOT / address.removeprefix("source/")
        return name if name.exists() else name.with_suffix("")
    return ROOT / "docs" / address


def targets(page: Path) -> Iterator[Path]:
    """Yield the files of the repository that a page links to."""
    if page.is_dir():
        yield from (file for file in sorted(page.glob("*")) if file.suffix in LANGUAGES)
    elif page.suffix == ".md":
        for link in LINK.finditer(page.read_text(encoding="utf-8")):
            target = (page.parent / link["target"]).resolve()
            if "://" not in link[0] and target.exists() and ROOT in target.parents:
                yield target


def text_of(path: Path) -> str:
    """Return the page for a file or folder of the repository."""
    if path.is_dir():
        return f"# {path.name}\n\n" + "".join(
            f"- [{file.name}]({path.name}/{file.name})\n" for file in targets(path)
        )
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text
    return f"# {path.relative_to(ROOT)}\n\n````{LANGUAGES.get(path.suffix, 'text')}\n{text.rstrip()}\n````\n"


def pages_of(notebook: Path) -> str:
    """Return a notebook as Markdown: its texts and its code, and where to get it."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells]
    parts = [
        text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```"
        for cell, text in zip(cells, texts, strict=True)
    ]
    return "\n\n".join([*parts, f"As a notebook: `docs/{notebook.name}`."])


def reference(schema: Schema) -> str:
    """Return the page of all keys of a spec, from its JSON schema."""
    heads, sections = [], []
    for name, key in schema["properties"].items():
        means = _means(key, schema)
        members = [member for member in _members(key, schema) if "properties" in member]
        linked = f"[`{name}`](#{name})" if members else f"`{name}`"
        heads.append((linked, _form(key, schema), _default(key), means))
        if members:
            sections.append(
                "\n".join([f"## {name} {{ #{name} }}", "", means, "", *_kinds(name, members, schema)])
            )
    return "\n\n".join(
        [
            "# All keys of a spec",
            "Every key has a default, unless it is *required*. Other pages, such as [Data](data.md), say which keys "
            "matter for what. An editor completes keys with the [JSON schema](search.schema.json) that this page is "
            "made of; `cellwright schema` prints it.",
            _table(heads),
            *sections,
        ]
    )


def _kinds(name: str, members: list[Schema], schema: Schema) -> Iterator[str]:
    for member in members:
        chosen = _chosen(member)
        if len(members) > 1:
            heading = f"`{chosen[0]}: {chosen[1]}`" if chosen else "Your own"
            identity = f"{name}-{chosen[1] if chosen else 'own'}"
            yield f"### {heading} {{ #{identity} }}\n"
            yield _flat(
                member.get(
                    "description",
                    "A kind of your own, by the import path of its section: [how](extending.md).",
                )
            )
            yield ""
        rows = list(_rows(member, schema))
        if rows:
            yield _table(rows)
            yield ""


def _rows(section: Schema, schema: Schema, prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Yield a row for each key, also of the sections within."""
    for name, key in section["properties"].items():
        path = f"{prefix}{name}"
        required = name in section.get("required", ()) and "const" not in key
        yield (
            f"`{path}`",
            _form(key, schema),
            "*required*" if required else _default(key),
            _means(key, schema),
        )
        inner = [member for member in _members(key, schema) if "properties" in member]
        for member in inner:
            yield from _rows(member, schema, f"{path}[]." if _is_list(key) else f"{path}.")
        for value in (key.get("additionalProperties"), *key.get("patternProperties", {}).values()):
            for member in _members(value, schema) if isinstance(value, dict) else ():
                if "properties" in member:
                    yield (
                        f"`{path}.NAME.…`",
                        "",
                        "",
                        f"The keys of [`{_home(member, schema)}`](#{_home(member, schema)}).",
                    )


def _home(section: Schema, schema: Schema) -> str:
    """Return the key of the spec whose section this is."""
    (name,) = (name for name, key in schema["properties"].items() if section in _members(key, schema))
    return name


def _members(key: Schema, schema: Schema) -> list[Schema]:
    """Return the alternatives that a key may have, without null."""
    if "$ref" in key:
        return [schema["$defs"][key["$ref"].rpartition("/")[2]]]
    for way in ("anyOf", "oneOf"):
        if way in key:
            return [member for option in key[way] for member in _members(option, schema)]
    if key.get("type") == "array" and "items" in key:
        return _members(key["items"], schema)
    return [] if key.get("type") == "null" else [key]


def _is_list(key: Schema) -> bool:
    return key.get("type") == "array" or any(_is_list(option) for option in key.get("anyOf", ()))


def _chosen(member: Schema) -> tuple[str, str] | None:
    """Return the key and the value that choose a kind."""
    for name in ("source", "kind", "task"):
        value = member.get("properties", {}).get(name, {}).get("const")
        if value is not None:
            return name, value
    return None


def _means(key: Schema, schema: Schema) -> str:
    text = key.get("description")
    if text is None and "const" in key:
        text = f"Chooses this kind: `{key['const']}`."
    if text is None:
        members = _members(key, schema)
        text = next((member["description"] for member in members if "description" in member), None)
    if text is None and key.get("pattern", "").startswith(r"^[\w.]+:"):
        text = "Import path of a section of your own, `MODULE:NAME`."
    if text is None:
        raise KeyError(f"a key of the spec has no explanation: {key}")
    return _flat(text)


def _form(key: Schema, schema: Schema) -> str:
    """Return in words what a value must be."""
    forms = list(dict.fromkeys(filter(None, (_one(member) for member in _members(key, schema)))))
    if len(forms) > 3:
        forms = ["a section"]
    text = " or ".join(forms)
    if _is_list(key):
        text = f"list of: {text}" if text else "list"
    nullable = any(option.get("type") == "null" for option in key.get("anyOf", ()))
    return text + (", or null" if nullable else "")


def _one(value: Schema) -> str:
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{choice}`" for choice in value["enum"])
    if "properties" in value:
        return "a section"
    names = {"integer": "whole number", "number": "number", "boolean": "`true` or `false`", "string": "text"}
    names |= {"object": "mapping", "array": "list"}
    limits = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
    }
    ends = [f"{words} {value[limit]}" for limit, words in limits.items() if limit in value]
    name = "path" if value.get("format") == "path" else names.get(value.get("type", ""), "")
    return ", ".join([name, *ends]) if name else ""


def _default(key: Schema) -> str:
    value = key.get("default")
    if value is None or isinstance(value, dict) and len(value) > 1:
        return ""
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _flat(text: str) -> str:
    return re.sub(r"(?<![(<])(https?://\S+?)(?=[.,;)]*(\s|$))", r"<\1>", " ".join(text.split()))


def _table(rows: list[tuple[str, str, str, str]]) -> str:
    lines = [("key", "value", "default", "what it means"), ("---",) * 4, *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)
