"""Records which finished steps in a workspace belong to the latest run."""

from contextlib import suppress
from pathlib import Path
from typing import Self

from pydantic import field_validator

from cellwright.errors import CellwrightError
from cellwright.folders import claim
from cellwright.results import Result
from cellwright.spec import SearchSpec, load_spec

LATEST = "latest.json"
REPORT = "report.html"
"""The report of the latest run, in a workspace and among the files of the step that registers."""


class LatestRun(Result):
    """`latest.json` in a workspace: the latest run, and the folders of its steps."""

    name: str
    """The spec's name."""
    seed: int
    data: str
    """The kind of data source."""
    steps: dict[str, str]
    """Name of each finished step's folder in the workspace, by step."""

    @field_validator("steps")
    @classmethod
    def _data_is_prepared(cls, steps: dict[str, str]) -> dict[str, str]:
        if "prepare" not in steps:
            raise ValueError(f"prepare is required, got {list(steps)}")
        return steps

    @classmethod
    def of(cls, spec: SearchSpec, folders: dict[str, Path]) -> Self:
        """Return the record of a run that has just ended."""
        steps = {step: folder.name for step, folder in folders.items()}
        return cls(name=spec.name, seed=spec.seed, data=spec.data.source, steps=steps)

    @classmethod
    def read(cls, workspace: Path) -> Self:
        """Read the workspace's record; raises CellwrightError naming the file."""
        return cls.load(workspace / LATEST)

    def write(self, workspace: Path) -> None:
        """Write the workspace's record, unless it is there already."""
        claim(workspace / LATEST)
        with suppress(CellwrightError):
            if self.read(workspace) == self:
                return
        self.save(workspace / LATEST)


def workspace_of(run: str, runs: Path) -> Path:
    """Return the workspace of a run, given its folder or its spec's file; raises CellwrightError."""
    path = Path(run)
    return runs / load_spec(path).name if path.suffix in (".yaml", ".yml") else path
