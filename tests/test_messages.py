"""docs/troubleshooting.md explains each message that a user can see, and no message that there is not."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/troubleshooting.md"
TOPS = ("src", "components", "pipelines", "images/mlflow")
MODULES = [path for top in TOPS for path in sorted((ROOT / top).rglob("*.py"))]
NARRATIVES = {"_announce", "_limits", "_lines", "_worth", "sentences"}
"""Functions that yield lines of a report, not messages."""
OF_OTHERS = (
    "Expected … fields in line …",
    "No such artifact: … model.onnx",
    "cannot write standard output: No space left on device",
)
"""What the page explains though pandas, MLflow and the system say it."""
GAP = "…"
LEAST_WORDS = 3
"""Templates with fewer only pass on or frame what another one says."""


def template(node: ast.AST) -> str:
    """Return the text of an expression, with a gap for each part that is not written out."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(template(part) for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return template(left) + template(right)
        case _:
            return GAP


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    left = [tree]
    while left:
        yield (node := left.pop())
        if not (isinstance(node, ast.FunctionDef) and node.name in NARRATIVES):
            left.extend(ast.iter_child_nodes(node))


@cache
def trees() -> list[tuple[Path, ast.Module]]:
    return [(path, ast.parse(path.read_text())) for path in MODULES]


@cache
def kinds_of_errors() -> frozenset[str]:
    """Return the names of the errors that end a command in a line, and of what a spec's sections raise for one."""
    kinds = {"CellwrightError", "PydanticCustomError"}
    bases = {
        node.name: {ast.unparse(base) for base in node.bases}
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    while found := {name for name, parents in bases.items() if parents & kinds} - kinds:
        kinds |= found
    return frozenset(kinds | {"kind"})  # `kind` is how a function calls an error that it has chosen


def messages() -> Iterator[tuple[str, str]]:
    """Yield where each message is, and its template."""
    for path, tree in trees():
        in_spec = "spec" in path.parts or path.name == "section.py"
        kinds = kinds_of_errors() | ({"ValueError"} if in_spec else set())
        for node in nodes(tree):
            match node:
                case ast.keyword(arg="problem", value=value):
                    found = [value]
                case ast.Call(func=ast.Name(id=name), args=[first, *rest]) if name in kinds:
                    found = [rest[0] if name == "PydanticCustomError" else first]
                case ast.Call(func=ast.Name(id="Finding"), args=[_, problem]):
                    found = [problem.body, problem.orelse] if isinstance(problem, ast.IfExp) else [problem]
                case ast.Yield(value=ast.JoinedStr() | ast.Constant(value=str()) as value):
                    found = [value]
                case ast.JoinedStr() if template(node).startswith("warning: "):
                    found = [node]
                case _:
                    continue
            for each in found:
                if len(re.findall("[A-Za-z]+", text := template(each))) >= LEAST_WORDS:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", text


def entries() -> list[str]:
    """Return the messages in the first column of the page's tables."""
    rows = re.findall(r"^\| (`.*?`) \| ", PAGE.read_text(), re.MULTILINE)
    return [message for row in rows for message in re.findall("`([^`]*)`", row)]


def pattern(entry: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, entry.strip(GAP).split(GAP))), re.DOTALL)


def test_each_message_has_an_entry():
    explained = [pattern(entry) for entry in entries()]
    missing = [f"{place}: {text}" for place, text in messages() if not any(p.search(text) for p in explained)]
    assert not missing, "\n" + "\n".join(missing)


def test_each_entry_has_a_message():
    texts = {template(node) for _, tree in trees() for node in ast.walk(tree) if isinstance(node, ast.expr)}
    said = "\n".join(texts)
    stale = [
        entry
        for entry in entries()
        if entry not in OF_OTHERS and not re.search(pattern(entry).pattern.replace(".*", "[^\n]*"), said)
    ]
    assert not stale, stale
