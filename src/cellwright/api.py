"""The Python API, for example for notebooks: the same steps as the command line, in the same folders."""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellwright.cli.display import progress_display
from cellwright.cli.loading import load
from cellwright.cli.starting import spec_of
from cellwright.cli.workspaces import named, opened
from cellwright.report.latest import LatestRun
from cellwright.report.run_report import RunReport
from cellwright.report.writing import write_report

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from cellwright.predicting import Predictor

RUNS = Path("runs")


class Run:
    """A finished run.

    Args:
        location: the run's folder, or its spec.
        runs: the folder of all runs.

    Raises:
        CellwrightError: there is no finished run.
    """

    def __init__(self, location: str | Path, runs: str | Path = RUNS) -> None:
        self.folder = named(str(location), Path(runs))
        self.info = RunReport.of(self.folder)

    def leaderboard(self) -> "pd.DataFrame":
        """Return the test scores, size and latency of each network, the best first."""
        import pandas as pd

        return pd.DataFrame(self.info.rows())

    @cached_property
    def model(self) -> "nn.Module":
        """The found network, trained, in eval mode on the CPU. It maps raw inputs in float32 to the task's outputs."""
        return self._predictor.network

    def predict(self, files: str | Path | Iterable[str | Path]) -> "pd.DataFrame":
        """Return a row for each example in the files, with the prediction, or with the error in `error`."""
        import pandas as pd

        paths = [files] if isinstance(files, str | Path) else files
        found = self._predictor.predict(map(Path, paths))
        return pd.DataFrame(
            {"file": one.name, **one.answer, **({"error": one.error} if one.error else {})} for one in found
        )

    def report(self) -> Path:
        """Write the HTML report, and return its path."""
        return write_report(self.folder)

    @cached_property
    def _predictor(self) -> "Predictor":
        from cellwright.finding import find_model
        from cellwright.predicting import MODEL_FILES, Predictor

        return Predictor(find_model(str(self.folder), self.folder.parent, self.folder, MODEL_FILES))

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}): {self.info.answer}"

    def _repr_html_(self) -> str:
        from markupsafe import Markup

        table = Markup(self.leaderboard().to_html(index=False, float_format="{:.4g}".format))
        return Markup("<p>{}</p>{}").format(self.info.answer, table)


def run(spec: str | Path, *, runs: str | Path = RUNS, fresh: bool = False, **changes: Any) -> Run:
    """Run all steps of a spec, from the data to a registered model. Finished steps are reused.

    Args:
        spec: a YAML file; or data, for which a spec is written into this folder first, as `cellwright init` does.
        runs: the folder of all runs.
        fresh: delete the results of earlier runs of the spec first.
        changes: values that override those of the spec, by section or key, such as `budget={"epochs": 5}`.

    Returns:
        The finished run; where the spec's policy found nothing to do, the one before. After an interruption, the same
        call resumes.

    Raises:
        CellwrightError: there is an error that the user can fix.
    """
    from cellwright_pipelines import run_locally

    loaded = load(spec_of(Path(spec)), [f"{key}={json.dumps(value)}" for key, value in _flat(changes)])
    with opened(loaded, Path(runs), fresh=fresh, registers=True) as workspace:
        with progress_display() as progress:
            folders = run_locally(loaded, workspace, progress)
        if "register" in folders:  # else the policy found nothing to do
            LatestRun.of(loaded, folders).write(workspace)
        finished = Run(workspace)
        finished.report()
    return finished


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value with its dotted key."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
