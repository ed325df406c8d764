import re
from pathlib import Path

import pytest

from cellwright.errors import CellwrightError
from cellwright.importing import find_package, load_class, load_object
from cellwright.spaces import Space


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = tmp_path / "brought_along"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "broken.py").write_text("1 / 0\n")
    (package / "ops.py").write_text("def conv(): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    return package


def test_finds_what_the_path_names(package: Path):
    assert load_object("brought_along.ops:conv").__module__ == "brought_along.ops"
    assert find_package("brought_along.ops:conv") == package
    assert find_package("re:sub").is_relative_to(Path(re.__file__).parent)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("no_such_package.ops:conv", "no_such_package.ops:conv: cannot find no_such_package, which must be"),
        ("brought_along.broken:conv", "importing brought_along.broken must succeed, got ZeroDivisionError"),
        ("brought_along.ops:pool", "must have the name 'pool', and has not"),
        ("brought_along.ops:conv", "must be a subclass of cellwright.spaces.base.Space, got <function"),
    ],
)
def test_says_what_is_wrong(path: str, problem: str):
    with pytest.raises(CellwrightError, match=re.escape(problem)):
        load_class(path, Space)
