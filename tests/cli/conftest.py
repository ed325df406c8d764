from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cellwright.cli.app import app


@pytest.fixture
def cellwright(tmp_path, monkeypatch):
    """Call the command line in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str | Path) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return call


@pytest.fixture
def spec(tmp_path) -> Path:
    path = tmp_path / "search.yaml"
    path.write_text("name: tiny\nseed: 7\ndata: {source: digits}\n")
    return path
