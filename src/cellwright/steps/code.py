"""A digest of the code that a module imports, so that results become outdated only when this code changes."""

import ast
import functools
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from cellwright.canonical import digest
from cellwright.importing import find_package

BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
"""The attributes of a statement that hold other statements."""
OURS = __name__.partition(".")[0]
DECLARATIONS = f"{OURS}.step_list"
"""Excluded from digests, since a step's key already includes the relevant parts of its own declaration."""


@functools.cache
def code_digest(paths: frozenset[str]) -> str:
    """Return a digest of all modules that the import paths depend on, within this package and those of the paths.

    It follows all import statements in the sources, wherever they are, except those for type checkers. It does not
    follow imports by a computed name.

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
    """Return the source file of a module; None if it is a name in a module, or a folder without a source."""
    if root.is_file():
        return root if "." not in module else None
    location = root.joinpath(*module.split(".")[1:])
    files = (location / "__init__.py", location.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)


@functools.cache
def _imported(module: str, file: Path) -> frozenset[str]:
    """Return the modules that a module may import, including parent packages. Some results may not be modules."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    names = {module}
    for node in _statements(ast.parse(file.read_bytes()).body):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            start = ".".join([*parents, *([node.module] if node.module else [])])
            names.update([start, *(f"{start}.{alias.name}" for alias in node.names)])
    return frozenset(
        ".".join(name.split(".")[:end]) for name in names for end in range(1, name.count(".") + 2)
    )


def _statements(block: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """Yield the statements of a block and of those within it, except those for type checkers only."""
    for statement in block:
        yield statement
        for name in BLOCKS:
            if not (
                name == "body" and isinstance(statement, ast.If) and _is_for_type_checkers(statement.test)
            ):
                yield from _statements(getattr(statement, name, ()))


def _is_for_type_checkers(test: ast.expr) -> bool:
    return getattr(test, "id", getattr(test, "attr", None)) == "TYPE_CHECKING"
