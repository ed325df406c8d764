"""A digest of the code that something imports, so that changed code, and no other, makes old results outdated."""

import ast
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

from cellwright.canonical import digest
from cellwright.importing import find_package

OURS = __name__.partition(".")[0]
DECLARATIONS = f"{OURS}.step_list"
"""All of a step's declaration that its result depends on is in its key; the others' declarations are beside it."""


@functools.cache
def code_digest(paths: frozenset[str]) -> str:
    """Return a digest of the modules that import paths lead to, within this package and those of the paths.

    Followed are the imports that the sources have, wherever they stand, but for those for type checkers alone; what
    code imports by a name that it makes up is not.

    Raises:
        CellwrightError: a package cannot be found.
    """
    packages = {path.partition(":")[0].partition(".")[0] for path in paths} | {OURS}
    roots = {package: find_package(package) for package in packages}
    found: dict[str, str] = {}
    left = [path.partition(":")[0] for path in paths]
    while left:
        module = left.pop()
        if module in found or module == DECLARATIONS or module.partition(".")[0] not in roots:
            continue
        file = _file(module, roots[module.partition(".")[0]])
        if file is None:
            continue
        source = file.read_bytes()
        found[module] = hashlib.sha256(source).hexdigest()
        left += _imported(module, file)
    return digest(sorted(found.items()))


def _file(module: str, root: Path) -> Path | None:
    """Return the source of a module; None where it is a name in one, or a folder without a source."""
    if root.is_file():
        return root if "." not in module else None
    place = root.joinpath(*module.split(".")[1:])
    files = (place / "__init__.py", place.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)


@functools.cache
def _imported(module: str, file: Path) -> frozenset[str]:
    """Return the modules that a module may import, packages around them included, with some names that are none."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    names = {module}
    for node in _nodes(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            start = ".".join([*parents, *([node.module] if node.module else [])])
            names.update([start, *(f"{start}.{alias.name}" for alias in node.names)])
    return frozenset(
        ".".join(name.split(".")[:end]) for name in names for end in range(1, name.count(".") + 2)
    )


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a tree, but for those that are for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for child in node.orelse:
                yield from (child, *_nodes(child))
        else:
            yield node
            yield from _nodes(node)
